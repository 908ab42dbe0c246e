//! Every lie of the embedded server, and the verdict that it requires.

use super::ledger::Lag;
use super::options::Options;

/// The verdict that a lie requires within one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The correct verdicts: one, unless a server's silence and its malformed responses cannot be distinguished.
    pub verdicts: &'static [&'static str],
    /// The reason word of the verdict, if there is one.
    pub reason: Option<&'static str>,
}

const fn due(verdicts: &'static [&'static str]) -> Expected {
    Expected {
        verdicts,
        reason: None,
    }
}

const fn because(verdicts: &'static [&'static str], reason: &'static str) -> Expected {
    Expected {
        verdicts,
        reason: Some(reason),
    }
}

const CONSISTENT: Expected = due(&["consistent"]);
const INCONSISTENT: Expected = due(&["inconsistent"]);
const ROLLED_BACK: Expected = due(&["rolled-back"]);
const SIGNATURE: Expected = due(&["bad-signature"]);
const VALUE: Expected = due(&["bad-value"]);
const MALFORMED: Expected = due(&["malformed"]);
const NO_ANSWER: Expected = due(&["malformed", "unreachable"]);
const UNREACHABLE: Expected = due(&["unreachable"]);
const REFUSED: Expected = due(&["refused", "unreachable"]);

/// The auditor that a lie requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditorSetup {
    /// It checks consistency, and no key is configured.
    Plain,
    /// The server's public key is configured.
    WithKey,
    /// It reads entries and values.
    ReadingValues,
    /// It sees the database for the first time.
    New,
}

macro_rules! lies {
    ($($group:literal: { $($variant:ident $name:literal $due:expr, $what:literal;)+ })+) => {
        /// A lie; [`Lie::describe`] returns its description.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Lie {
            $($(#[doc = $what] $variant,)+)+
        }

        impl Lie {
            /// All lies.
            pub const ALL: &'static [Lie] = &[$($(Lie::$variant,)+)+];

            /// Returns the lie's name in kebab-case.
            pub fn name(self) -> &'static str {
                match self { $($(Lie::$variant => $name,)+)+ }
            }

            /// Returns a description of the server's behaviour.
            pub fn describe(self) -> &'static str {
                match self { $($(Lie::$variant => $what,)+)+ }
            }

            /// Returns the expected verdict.
            pub fn due(self) -> Expected {
                match self { $($(Lie::$variant => $due,)+)+ }
            }

            /// Returns the group that the lie belongs to.
            pub fn group(self) -> &'static str {
                match self { $($(Lie::$variant => $group,)+)+ }
            }
        }
    };
}

lies! {
    "history": {
        OtherHash "other-hash" INCONSISTENT, "returns another hash for the same transaction";
        Fork "fork" INCONSISTENT, "continues from a history that forked earlier";
        ForkInOneDatabase "fork-in-one-database" INCONSISTENT, "a fork in defaultdb, every other database honest";
        ForkBehindTheSource "fork-behind-the-source" INCONSISTENT, "shows the trusted header, and then another history";
        Alternating "alternating" INCONSISTENT, "alternates between a forked and an honest history";
        ChangingState "changing-state" INCONSISTENT, "another hash for the last transaction at every call";
        Rollback "rollback" ROLLED_BACK, "is rolled back to half its transactions";
        ClaimsOlder "claims-older" ROLLED_BACK, "claims an older state while it has the newer one";
        Emptied "emptied" because(&["rolled-back"], "emptied"), "restarts with an empty database";
        OtherIdentity "other-identity-longer-history" INCONSISTENT, "is another server: new identity, longer history";
        SwappedInTree "swapped-in-tree" INCONSISTENT, "its tree contains another transaction in the place of the trusted one, and its state is one transaction later (protocol.md §4, step 5)";
        SwappedLater "swapped-later" INCONSISTENT, "its tree contains another transaction in the place of the trusted one, and its state is two transactions later (protocol.md §4, step 3)";
        WrittenBehindAnother "written-behind-another" INCONSISTENT, "its tree contains the trusted transaction, but its new transaction follows another one (protocol.md §4, step 6)";
        SwappedBeforeTheSource "swapped-before-the-source" INCONSISTENT, "its tree contains other transactions than the trusted chain, and ends before the trusted one (protocol.md §4, step 8)";
        TwoHistoriesLinear "two-histories-linear" INCONSISTENT, "its tree contains other transactions than the trusted chain, and ends after the trusted one (CVE-2022-36111; protocol.md §4, step 7)";
        VersionDowngraded "version-downgraded" INCONSISTENT, "a header of version 1 shown as version 0";
        FlippedProof "flipped-proof" INCONSISTENT, "one bit of every proof's chain flipped";
        ExtremeFields "extreme-fields" INCONSISTENT, "headers with the largest and the smallest possible numbers";
        BrokenChain "broken-chain" INCONSISTENT, "headers that do not form a chain, although the proof requires them (protocol.md §4, step 8)";
        OtherDatabaseServed "other-database-served" due(&["inconsistent", "rolled-back"]), "serves another database under this one's name";
        FrozenView "frozen-view" CONSISTENT, "shows the same state forever, although clients write";
        WithheldTransaction "withheld-transaction" CONSISTENT, "never returns one transaction in the middle";
        FarFuture "far-future-state" NO_ANSWER, "a state in the far future without its transaction";
        LastState "last-state-of-all" NO_ANSWER, "a state at the largest possible transaction number";
        PoisonedFirstUse "poisoned-first-use" due(&["inconsistent", "malformed"]), "a first state whose hash is not its transaction's";
    }
    "identity": {
        UuidEveryAnswer "uuid-every-answer" CONSISTENT, "a new immudb-uuid with every answer (CVE-2022-39199)";
        UuidPath "uuid-path" CONSISTENT, "immudb-uuid: ../../../../etc/x";
        NoUuid "no-uuid" CONSISTENT, "no immudb-uuid at all";
        LongUuid "long-uuid" CONSISTENT, "an immudb-uuid of 4,000 characters";
        UuidChanged "uuid-changed" CONSISTENT, "another immudb-uuid with the same history, as after a move of the data directory";
    }
    "signature": {
        Unsigned "unsigned" SIGNATURE, "no signature, though a key is configured";
        OtherKey "other-key" SIGNATURE, "signed by another key, which the response contains";
        OlderSignature "older-signature" SIGNATURE, "the signature of an older state";
        GarbageSignature "garbage-signature" SIGNATURE, "bytes that are no signature";
        SignatureWithoutDatabase "signature-without-database" SIGNATURE, "a signature that covers no database, as 0.9.0 made it";
        OtherDatabaseSigned "other-db-signed" due(&["bad-signature", "malformed"]), "the state of another database, properly signed";
        OtherDatabase "other-db-in-state" MALFORMED, "the state names another database";
        SignatureDropped "signature-dropped" CONSISTENT, "stops sending its signature, with no key configured";
    }
    "state": {
        OldShape "old-shape-from-newer" due(&["malformed", "bad-signature"]), "the state in the format of 0.9.0, from a newer server";
        BothShapes "both-shapes" MALFORMED, "the state in both formats together, with different content";
        LongStateHash "state-hash-33-bytes" MALFORMED, "a state's hash of 33 bytes";
        EmptyWithHash "empty-with-a-hash" MALFORMED, "no transactions, but a hash";
    }
    "proof": {
        NoDualProof "no-dual-proof" MALFORMED, "a response without its dual proof";
        NoLinearProof "no-linear-proof" MALFORMED, "a dual proof without its linear proof";
        NoHeaders "no-headers" MALFORMED, "a dual proof without its headers";
        UnknownVersion "unknown-version" MALFORMED, "headers of version 7";
        OtherPair "other-pair" MALFORMED, "the proof of another pair of transactions";
        OtherTransaction "other-transaction" due(&["malformed", "inconsistent"]), "another transaction than the requested one, with a correct proof";
        LongDigests "digests-33-bytes" MALFORMED, "digests of 33 bytes";
        ManyTerms "many-terms" MALFORMED, "a proof with 100,000 hashes too many";
        ManyParts "many-parts" MALFORMED, "a short response with a million empty entries";
        OutOfRange "out-of-range" MALFORMED, "impossible numbers: a negative number of entries, a tree with more transactions than there are";
        Excuse "forged-excuse" MALFORMED, "responds that it cannot prove this pair of states, although it can";
        RollbackExcuse "forged-rollback-excuse" due(&["malformed", "rolled-back"]), "responds that the trusted transaction is after its last one, although its state is newer";
        WithheldAdvance "withheld-advance" CONSISTENT, "leaves out the linear advance proof, as servers before 1.4 do";
        ShortAdvance "short-advance" MALFORMED, "a linear advance proof without its last part";
        WithheldHeaders "withheld-headers" NO_ANSWER, "never returns the headers that the proof requires (protocol.md §4, step 8)";
    }
    "answer": {
        EmptyReply "empty-reply" MALFORMED, "a message of no bytes";
        OkWithoutMessage "ok-without-message" NO_ANSWER, "success, and no message";
        Garbage "garbage" MALFORMED, "bytes that are no message";
        Truncated "truncated-reply" MALFORMED, "the correct response, cut in the middle";
        HugeReply "huge-reply" NO_ANSWER, "a response of 200 MB";
        GzipBomb "gzip-bomb" NO_ANSWER, "a response of 64 MB that compresses to almost nothing";
        NeverAnswers "never-answers" UNREACHABLE, "never answers a call";
        Slow "slow" CONSISTENT, "every response 200 ms late";
        ForgedLogLine "forged-log-line" due(&["unreachable", "malformed", "refused"]), "an error with line breaks, a forged log line and terminal control";
        EndlessError "endless-error" due(&["unreachable", "malformed", "refused"]), "an error whose message has 6,000 characters";
        OddStatus "odd-status" due(&["unreachable", "malformed", "refused"]), "an error of status 77";
    }
    "login": {
        ForgottenTokens "forgotten-tokens" REFUSED, "forgets every token";
        LongToken "long-token" due(&["consistent", "malformed", "refused", "unreachable"]), "a token of 6,000 characters";
        TokenWithLineBreak "token-with-line-break" due(&["malformed", "refused", "unreachable"]), "a token with characters that no header allows";
        LoginRefused "login-refused" REFUSED, "refuses the login of a known user";
    }
    "databases": {
        Vanished "vanished" because(&["rolled-back"], "vanished"), "restarts without the database";
        Hidden "hidden" because(&["rolled-back"], "hidden"), "no longer lists the database, which can still be opened";
        PermissionTaken "permission-taken" REFUSED, "lists the database, but refuses to open it";
        ImpossibleNames "impossible-names" CONSISTENT, "lists impossible databases: paths, control characters, no UTF-8, too long";
        CollidingNames "colliding-names" CONSISTENT, "lists names that collide after escaping or in another case";
        ManyNames "many-names" CONSISTENT, "lists 300,000 databases that do not exist";
        FreshNames "fresh-names" CONSISTENT, "lists 10,000 databases that do not exist, others in each list";
        HtmlNames "html-names" CONSISTENT, "lists names with markup, quotes and bidirectional control characters";
        RepeatedNames "repeated-names" CONSISTENT, "lists every database fifty times";
    }
    "value": {
        EditedValue "edited-value" VALUE, "a value that does not match its hash";
        ValueWithMatchingHash "value-with-matching-hash" VALUE, "an edited value with a matching hash";
        EditedKey "edited-key" VALUE, "an edited key";
        EntryLeftOut "entry-left-out" due(&["bad-value", "malformed"]), "a transaction without its last entry and its digest";
        ManyEntries "many-entries" due(&["malformed", "unreachable", "unread", "bad-value"]), "100,000 entries more than a transaction has";
        ForgedExpiry "forged-expiry" due(&["malformed", "unread", "bad-value"]), "leaves values out as if they had expired";
        ForgedTruncation "forged-truncation" due(&["malformed", "unread", "bad-value"]), "responds that values were truncated, although no transaction records it";
        CorruptValueReported "corrupt-value-reported" VALUE, "reports that a value was edited on its disk";
        CorruptLogReported "corrupt-log-reported" VALUE, "reports that a transaction was edited on its disk";
        AbsentValues "absent-values" CONSISTENT, "claims that it does not have the values, like a replica of a truncated server";
        SilentTransaction "silent-transaction" due(&["unread", "unreachable"]), "is unavailable for one transaction, forever";
        ScanWithHoles "scan-with-holes" due(&["malformed", "bad-value"]), "a scan that leaves a transaction out";
        EndlessScan "endless-scan" due(&["malformed", "bad-value"]), "a scan that starts over again and again";
    }
}

impl Lie {
    /// Returns the lie of this name.
    pub fn named(name: &str) -> Option<Lie> {
        Lie::ALL.iter().copied().find(|lie| lie.name() == name)
    }

    /// Returns the auditor setup that the lie needs.
    pub fn auditor(self) -> AuditorSetup {
        match self.group() {
            "value" => AuditorSetup::ReadingValues,
            _ => match self {
                Lie::Unsigned
                | Lie::OtherKey
                | Lie::OlderSignature
                | Lie::GarbageSignature
                | Lie::SignatureWithoutDatabase
                | Lie::OtherDatabaseSigned => AuditorSetup::WithKey,
                Lie::PoisonedFirstUse => AuditorSetup::New,
                _ => AuditorSetup::Plain,
            },
        }
    }

    /// Returns the options of a server that can run the lie: some lies need a signing key, some a tree that lags.
    pub fn options(self) -> Options {
        let mut options = Options::default();
        match self {
            Lie::SignatureDropped => options = options.signed(),
            Lie::SwappedBeforeTheSource
            | Lie::TwoHistoriesLinear
            | Lie::BrokenChain
            | Lie::ShortAdvance
            | Lie::WithheldHeaders
            | Lie::WithheldAdvance => options.lag = Lag::By(5),
            Lie::OtherDatabaseServed => options = options.with_databases(&["other"]),
            _ if self.auditor() == AuditorSetup::WithKey => options = options.signed(),
            _ => {}
        }
        options
    }

    /// Returns whether the lie changes calls without a database, such as a login or the list of databases. A schedule
    /// cannot limit such a lie to one database.
    pub fn is_server_wide(self) -> bool {
        let is_of_one = matches!(self, Lie::Vanished | Lie::Hidden | Lie::PermissionTaken);
        matches!(self.group(), "login" | "databases") && !is_of_one
    }

    /// Returns whether a client notices the lie only when it logs in or opens the database again.
    pub fn needs_new_login(self) -> bool {
        self.group() == "login" || self == Lie::PermissionTaken
    }

    /// Returns whether the lie is run from a forged ledger. A forged ledger differs from the trusted state if the
    /// honest ledger has not grown since; other lies need it to have grown.
    pub fn forges(self) -> bool {
        matches!(
            self,
            Lie::OtherHash
                | Lie::Fork
                | Lie::ForkInOneDatabase
                | Lie::ForkBehindTheSource
                | Lie::Alternating
                | Lie::Rollback
                | Lie::Emptied
                | Lie::OtherIdentity
                | Lie::SwappedInTree
                | Lie::SwappedLater
                | Lie::WrittenBehindAnother
                | Lie::SwappedBeforeTheSource
                | Lie::TwoHistoriesLinear
                | Lie::FrozenView
        )
    }
}

/// A lie, with the calls, databases and transactions that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LieSchedule {
    /// The lie.
    pub lie: Lie,
    /// The only database that it concerns; `None`: all.
    pub database: Option<String>,
    /// Only this call (a name of `wire::method`); `None`: every call that the lie fits.
    pub call: Option<&'static str>,
    /// The number of calls that the lie fits and that get an honest response first.
    pub after: u64,
    /// The number of times that the lie is run; `None`: no limit.
    pub times: Option<u64>,
    /// The transaction, for lies about one transaction; `None`: every one, or the middle one if one is withheld.
    pub tx: Option<u64>,
}

impl From<Lie> for LieSchedule {
    fn from(lie: Lie) -> LieSchedule {
        LieSchedule {
            lie,
            database: (lie == Lie::ForkInOneDatabase).then(|| "defaultdb".into()),
            call: None,
            after: 0,
            times: None,
            tx: None,
        }
    }
}

impl LieSchedule {
    /// Limits the lie to this database.
    pub fn of(self, database: &str) -> LieSchedule {
        LieSchedule {
            database: Some(database.into()),
            ..self
        }
    }

    /// Limits the lie to this call.
    pub fn in_call(self, call: &'static str) -> LieSchedule {
        LieSchedule {
            call: Some(call),
            ..self
        }
    }

    /// Starts the lie after this number of calls.
    pub fn after(self, calls: u64) -> LieSchedule {
        LieSchedule {
            after: calls,
            ..self
        }
    }

    /// Ends the lie after it was run this many times.
    pub fn times(self, times: u64) -> LieSchedule {
        LieSchedule {
            times: Some(times),
            ..self
        }
    }

    /// Limits the lie to this transaction.
    pub fn about(self, tx: u64) -> LieSchedule {
        LieSchedule {
            tx: Some(tx),
            ..self
        }
    }

    /// Returns whether the lie concerns a call about this database (`None`: about none).
    pub(super) fn fits(&self, call: &str, database: Option<&str>) -> bool {
        let all = self.database.is_none();
        self.call.is_none_or(|only| only == call)
            && database.map_or(all, |name| self.fits_database(name))
    }

    /// Returns whether the lie concerns this database.
    pub(super) fn fits_database(&self, name: &str) -> bool {
        self.database.as_deref().is_none_or(|only| only == name)
    }

    /// Returns whether the lie concerns this transaction.
    pub(super) fn is_about(&self, tx: u64) -> bool {
        self.tx.is_none_or(|only| only == tx)
    }
}
