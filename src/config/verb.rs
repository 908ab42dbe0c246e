//! Verbs: what the program can be asked to do.

/// A verb, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    AuditMode,
    Sweep,
    Status,
    Health,
    Locate,
    Alarm,
    Acknowledge,
    Evidence,
    Roots,
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

/// One row of the table of verbs.
pub(super) struct Verb {
    pub name: Name,
    pub word: &'static str,
    /// Words and flags that come after it.
    pub usage: &'static str,
    /// How many words may come after it.
    pub words: usize,
    pub help: &'static str,
}

const fn verb(
    name: Name,
    word: &'static str,
    usage: &'static str,
    words: usize,
    help: &'static str,
) -> Verb {
    Verb {
        name,
        word,
        usage,
        words,
        help,
    }
}

/// Every verb, in the order in which people are shown them.
#[rustfmt::skip]
pub(super) static VERBS: &[Verb] = &[
    verb(Name::AuditMode, "audit-mode", "[install|uninstall|start|stop|restart|status] [--dry-run] [--purge]", 1, "audit every interval until stopped (also without a verb)"),
    verb(Name::Sweep, "sweep", "[DATABASE...]", usize::MAX, "audit once, then read every value of the whole history"),
    verb(Name::Status, "status", "[--all]", 0, "what is trusted, since when, and the last verdicts"),
    verb(Name::Health, "health", "", 0, "does the running auditor make progress? for containers' health checks"),
    verb(Name::Locate, "locate", "DATABASE [--against HOST[:PORT]|FILE] [--show-values]", 1, "after an alarm: what stands, from where on not, what changed"),
    verb(Name::Alarm, "alarm", "list [DATABASE] [--all] | show ID | close ID... | close --database DATABASE | adopt ID [--yes]", usize::MAX, "close keeps the trusted state, adopt trusts the evidence's state"),
    verb(Name::Acknowledge, "acknowledge", "DATABASE [--absent-values-to TX] [--unsigned] [--disagreement]", 1, "declare absent values, lost signatures, disagreements as explained"),
    verb(Name::Evidence, "evidence", "list | show FILE | verify FILE", 2, "what was found; verify checks a file again, offline"),
    verb(Name::Roots, "roots", "list | export | import DIR-OR-FILE [--alarm] | forget DATABASE", 2, "what is trusted: show, export, import from immuclient, forget"),
    verb(Name::Compare, "compare", "FILE|URL [--peer-key KEY]", 1, "hold another auditor's export, states or checkpoints against what is trusted here"),
    verb(Name::Checkpoint, "checkpoint", "export | show FILE | verify FILE --key KEY... [--require COUNT]", 2, "signed states: export one's own, show or verify another's, offline"),
    verb(Name::Key, "key", "new --name NAME FILE | show FILE", 2, "the key that checkpoints are signed with: make one, show its public half"),
    verb(Name::Drill, "drill", "[--serve [--port PORT] [--databases COUNT] [--views COUNT] [--grow DURATION]] [--list] [--lie NAME]", 0, "see an honest ledger pass and a lying one caught"),
    verb(Name::Notify, "notify", "--test", 0, "send a test notification and a heartbeat, and say what came of it"),
    verb(Name::Config, "config", "[--check]", 0, "the effective settings, and where each comes from"),
    verb(Name::Help, "help", "[VERB] [--all]", 1, "help; with --all every setting"),
    verb(Name::Version, "version", "", 0, "the version"),
    verb(Name::Man, "man", "", 0, "the manual page: immuaudit man | man -l -"),
    verb(Name::Completions, "completions", "bash|zsh|fish", 1, "completions for a shell, to be sourced"),
];

impl Name {
    /// This verb's row.
    pub fn row(self) -> Option<&'static Verb> {
        VERBS.iter().find(|verb| verb.name == self)
    }

    /// The word that it is asked for by.
    pub fn word(self) -> &'static str {
        self.row().map_or("", |verb| verb.word)
    }
}

/// The verb of this word.
pub(super) fn find(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.word == word)
}

/// Verbs of earlier versions, each with what does its work now: messages, evidence and cron lines of those times name them.
static FORMER: &[(&str, &str)] = &[(
    "accept",
    "immuaudit alarm close ID, which keeps the trusted state, or immuaudit alarm adopt ID, which trusts the evidence's state",
)];

/// Returns a verb of an earlier version of this word, and what does its work now.
pub(super) fn former(word: &str) -> Option<(&'static str, &'static str)> {
    FORMER.iter().find(|(former, _)| *former == word).copied()
}
