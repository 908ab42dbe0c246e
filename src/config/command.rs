//! The commands of the program, in a table.

use crate::sys::words;

/// The name of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandName {
    AuditMode,
    Sweep,
    Status,
    Health,
    Locate,
    Alarm,
    Acknowledge,
    Evidence,
    States,
    Compare,
    Checkpoint,
    Key,
    Drill,
    Notify,
    Config,
    Help,
    Version,
    Man,
    Completions,
}

/// The purpose of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Run,
    Inspect,
    Act,
    Tools,
}

impl Purpose {
    /// Every purpose, in the order in which help lists them.
    pub const ALL: [Purpose; 4] = [Purpose::Run, Purpose::Inspect, Purpose::Act, Purpose::Tools];

    /// Returns the heading.
    pub fn title(self) -> &'static str {
        match self {
            Purpose::Run => "Run",
            Purpose::Inspect => "Inspect",
            Purpose::Act => "Act",
            Purpose::Tools => "Tools",
        }
    }
}

/// One row of the table of commands.
pub(super) struct Command {
    pub purpose: Purpose,
    pub name: CommandName,
    pub word: &'static str,
    /// The number of words that may follow the command.
    pub words: usize,
    pub help: &'static str,
    /// The words and flags that may follow the command, with the effect of each form; empty if there are none.
    pub forms: &'static [(&'static str, &'static str)],
}

const fn command(
    purpose: Purpose,
    name: CommandName,
    word: &'static str,
    words: usize,
    help: &'static str,
    forms: &'static [(&'static str, &'static str)],
) -> Command {
    Command {
        purpose,
        name,
        word,
        words,
        help,
        forms,
    }
}

/// Every command, in the order of the help text: grouped by purpose.
#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    command(Purpose::Run, CommandName::AuditMode, "audit-mode", 1, "audit at each interval until stopped; the default", &[
        ("", "audit in the foreground"),
        ("install [--dry-run]", words::HELP_SERVICE[0]),
        ("uninstall [--dry-run] [--purge]", words::HELP_SERVICE[1]),
        ("start|stop|restart|status", words::HELP_SERVICE[2]),
    ]),
    command(Purpose::Run, CommandName::Sweep, "sweep", usize::MAX, "audit once, then read every value of the whole history", &[
        ("[DATABASE...]", "read the values of these databases (default: all)"),
    ]),
    command(Purpose::Inspect, CommandName::Status, "status", 0, "print trusted states, their age and the last verdicts", &[
        ("[--all]", "print them from the auditor's files, without a call to the server; with --all for every instance"),
    ]),
    command(Purpose::Inspect, CommandName::Health, "health", 0, "report whether the auditor makes progress, for containers", &[]),
    command(Purpose::Inspect, CommandName::Locate, "locate", 1, "find where history was rewritten, and what changed", &[
        ("DATABASE", "compare the server with the trusted states"),
        ("DATABASE --against HOST[:PORT] [--show-values]", "compare it with a second server, such as a replica or a restored backup"),
        ("DATABASE --against FILE", "compare it with the mirror file of another auditor"),
    ]),
    command(Purpose::Inspect, CommandName::Evidence, "evidence", 2, "list, show or verify the evidence of findings", &[
        ("list", "list the evidence files of this server"),
        ("show FILE", "print the trusted state, the response, and the reason of the finding"),
        ("verify FILE", "verify the finding again, offline; exit code 2: the file shows tampering, 1: it does not"),
    ]),
    command(Purpose::Inspect, CommandName::Compare, "compare", 1, "compare trusted states with another auditor's", &[
        ("FILE", "with the states in this file, which immuaudit states export printed on the other auditor's host"),
        ("URL", "with the states that the other auditor shows at its monitoring port, such as http://host:9477"),
        ("FILE --peer-key KEY...", "with the checkpoints in this file, which immuaudit checkpoint export printed on the other auditor's host; this key must have signed them"),
    ]),
    command(Purpose::Inspect, CommandName::Config, "config", 0, "print the effective settings and their sources", &[
        ("[--check]", "print every setting, or with --check only the wrong ones; without a call to the server"),
    ]),
    command(Purpose::Act, CommandName::Alarm, "alarm", usize::MAX, "list, show, close or adopt alarms", &[
        ("list [DATABASE] [--all]", "list the open alarms, with --all the closed ones too"),
        ("show ID", "print the finding, and the effect of each decision"),
        ("close ID...", "close alarms; the trusted state stays"),
        ("close --database DATABASE", "close every open alarm of a database"),
        ("adopt ID [--yes]", "close an alarm, and trust the state in its evidence instead"),
    ]),
    command(Purpose::Act, CommandName::Acknowledge, "acknowledge", 1, "mark absent values, a lost signature or disagreements as explained", &[
        ("DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]", "mark these facts as explained; no trusted state and no alarm changes"),
    ]),
    command(Purpose::Act, CommandName::States, "states", 2, "list, export, import or forget trusted states", &[
        ("list", "print the trusted state of each database"),
        ("export", "print these states as TOML, for immuaudit compare on another host"),
        ("import DIR-OR-FILE [--alarm]", "take over the states of immuclient or immugw"),
        ("forget DATABASE", "forget a trusted state: the next check trusts the first state that it sees"),
    ]),
    command(Purpose::Act, CommandName::Checkpoint, "checkpoint", 2, "export, show or verify signed states, offline", &[
        ("export", "print a checkpoint of each trusted state, signed with --audit-signing-key"),
        ("show FILE", "print the content of checkpoints, without verifying them"),
        ("verify FILE --key KEY... [--require COUNT]", "report whether these keys signed them"),
    ]),
    command(Purpose::Act, CommandName::Key, "key", 2, "make a key that signs checkpoints, or show its public half", &[
        ("new --name NAME FILE", "write a new private key; an existing file is never overwritten"),
        ("show FILE", "print the public key, for --audit-peer and --key"),
    ]),
    command(Purpose::Tools, CommandName::Drill, "drill", 0, "show that an honest server passes and that lies are detected", &[
        ("[--lie NAME]", "run each lie, or this one, against an auditor"),
        ("--list", "list the lies"),
        ("--serve [--port PORT] [--databases COUNT] [--views COUNT] [--grow DURATION] [--lie NAME]", "run the embedded ledger, to try an auditor with it; each start has a new history"),
    ]),
    command(Purpose::Tools, CommandName::Notify, "notify", 0, "send a test notification and a heartbeat", &[
        ("--test", "send both to every receiver now, and report whether they arrived"),
    ]),
    command(Purpose::Tools, CommandName::Help, "help", 2, "print help; help COMMAND explains a command", &[
        ("[COMMAND [SUBCOMMAND]] [--all]", "print help, with --all every option"),
    ]),
    command(Purpose::Tools, CommandName::Version, "version", 0, "print the version", &[]),
    command(Purpose::Tools, CommandName::Man, "man", 0, "print the manual page: immuaudit man | man -l -", &[]),
    command(Purpose::Tools, CommandName::Completions, "completions", 1, "print completions for a shell", &[
        ("bash|zsh|fish", "print a script for the shell to source"),
    ]),
];

/// The commands that print JSON with `--json`, with their subcommands (docs/json.md).
pub(super) const WITH_JSON: [&str; 14] = [
    "audit-mode",
    "sweep",
    "status",
    "locate",
    "alarm list",
    "alarm show",
    "alarm close",
    "alarm adopt",
    "acknowledge",
    "states list",
    "states import",
    "states forget",
    "checkpoint show",
    "checkpoint verify",
];

impl Command {
    /// Returns the words of which one may follow the command as its subcommand; none if the command has no subcommands.
    pub fn subcommands(&self) -> Vec<&'static str> {
        let words = self.forms.iter().flat_map(|&(form, _)| first_words(form));
        let mut subcommands: Vec<&str> = words.collect();
        subcommands.dedup(); // two forms of one subcommand follow each other
        subcommands
    }

    /// Returns whether the command requires a subcommand.
    pub fn needs_subcommand(&self) -> bool {
        let begins = |&(form, _): &(&'static str, &str)| first_words(form).next().is_some();
        !self.forms.is_empty() && self.forms.iter().all(begins)
    }
}

/// Returns the subcommands at the begin of a form, such as `start|stop`; none if the form begins otherwise.
pub(super) fn first_words(form: &'static str) -> impl Iterator<Item = &'static str> {
    let first = form.split(' ').next().unwrap_or_default();
    let is_subcommand = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    first.split('|').filter(is_subcommand)
}

impl CommandName {
    /// Returns the command with the subcommand at the begin of the words that follow it, if there is one.
    pub fn with_subcommand(self, words: &[String]) -> String {
        let subcommands = self.row().map_or_else(Vec::new, Command::subcommands);
        let given = words.first().map(String::as_str);
        match given.filter(|word| subcommands.contains(word)) {
            Some(subcommand) => format!("{} {subcommand}", self.word()),
            None => self.word().to_owned(),
        }
    }

    /// Returns the row of this command.
    pub fn row(self) -> Option<&'static Command> {
        COMMANDS.iter().find(|command| command.name == self)
    }

    /// Returns the word that selects this command.
    pub fn word(self) -> &'static str {
        self.row().map_or("", |command| command.word)
    }
}

/// Finds the command with this word.
pub(super) fn find(word: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.word == word)
}

/// Commands of earlier versions, each with its present replacement. Old messages, evidence and cron lines name them.
static FORMER_COMMANDS: &[(&str, &str)] = &[
    (
        "accept",
        "immuaudit alarm close ID, which keeps the trusted state, or immuaudit alarm adopt ID, which trusts the state in the evidence",
    ),
    ("roots", "immuaudit states"),
];

/// Returns the command of an earlier version with this word, and its present replacement.
pub(super) fn former(word: &str) -> Option<(&'static str, &'static str)> {
    FORMER_COMMANDS
        .iter()
        .find(|(former, _)| *former == word)
        .copied()
}
