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
        ("[DATABASE...]", "the values of these databases (default: all)"),
    ]),
    command(Purpose::Inspect, CommandName::Status, "status", 0, "print trusted states, their age and the last verdicts", &[
        ("[--all]", "read from the files, without a call to the server"),
    ]),
    command(Purpose::Inspect, CommandName::Health, "health", 0, "report whether the auditor makes progress, for containers", &[]),
    command(Purpose::Inspect, CommandName::Locate, "locate", 1, "find where history was rewritten, and what changed", &[
        ("DATABASE", "compare the server with the trusted states"),
        ("DATABASE --against HOST[:PORT] [--show-values]", "compare it with a second server, such as a replica or a restored backup"),
        ("DATABASE --against FILE", "compare it with the mirror file of another auditor"),
    ]),
    command(Purpose::Inspect, CommandName::Evidence, "evidence", 2, "list, show or verify the evidence of findings", &[
        ("list", "the files of this server"),
        ("show FILE", "print the trusted state, the response, and the reason of the finding"),
        ("verify FILE", "verify the finding again, offline; exit code 2: the file shows tampering, 1: it does not"),
    ]),
    command(Purpose::Inspect, CommandName::Compare, "compare", 1, "compare trusted states with another auditor's", &[
        ("FILE", "the file that states export printed there"),
        ("URL", "its monitoring port"),
        ("FILE --peer-key KEY...", "the file that checkpoint export printed there, signed by this key"),
    ]),
    command(Purpose::Inspect, CommandName::Config, "config", 0, "print the effective settings and their sources", &[
        ("[--check]", "with --check only wrong settings; without a call to the server"),
    ]),
    command(Purpose::Act, CommandName::Alarm, "alarm", usize::MAX, "list, show, close or adopt alarms", &[
        ("list [DATABASE] [--all]", "open alarms, with --all closed ones too"),
        ("show ID", "print the finding, and the effect of each decision"),
        ("close ID...", "close alarms; the trusted state stays"),
        ("close --database DATABASE", "close every open alarm of a database"),
        ("adopt ID [--yes]", "close an alarm, and trust the state in its evidence instead"),
    ]),
    command(Purpose::Act, CommandName::Acknowledge, "acknowledge", 1, "mark absent values, a lost signature or disagreements as explained", &[
        ("DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]", "no trusted state and no alarm changes"),
    ]),
    command(Purpose::Act, CommandName::States, "states", 2, "list, export, import or forget trusted states", &[
        ("list", "the trusted state of each database"),
        ("export", "the same as TOML, for compare on another host"),
        ("import DIR-OR-FILE [--alarm]", "take over the states of immuclient or immugw"),
        ("forget DATABASE", "forget a trusted state: the next check trusts the first state that it sees"),
    ]),
    command(Purpose::Act, CommandName::Checkpoint, "checkpoint", 2, "export, show or verify signed states, offline", &[
        ("export", "a checkpoint of each trusted state, signed by --audit-signing-key"),
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
        ("--serve [--port PORT] [--databases COUNT] [--views COUNT] [--grow DURATION] [--lie NAME]", "run the embedded ledger, to try an auditor with"),
    ]),
    command(Purpose::Tools, CommandName::Notify, "notify", 0, "send a test notification and a heartbeat", &[
        ("--test", "to every receiver, and report whether it arrived"),
    ]),
    command(Purpose::Tools, CommandName::Help, "help", 1, "print help; help COMMAND explains a command", &[
        ("[COMMAND] [--all]", "with --all every option"),
    ]),
    command(Purpose::Tools, CommandName::Version, "version", 0, "print the version", &[]),
    command(Purpose::Tools, CommandName::Man, "man", 0, "print the manual page: immuaudit man | man -l -", &[]),
    command(Purpose::Tools, CommandName::Completions, "completions", 1, "print completions for a shell", &[
        ("bash|zsh|fish", "print a script for the shell to source"),
    ]),
];

impl CommandName {
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
