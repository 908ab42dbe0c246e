//! One exercise of the drill: an embedded ledger with its own auditor, and the auditor's verdict.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, process};

use crate::audit::{Auditor, Policy};
use crate::clock::{self, Clock};
use crate::config::{NewValues, Secret, Signatures, Values};
use crate::drill::{AuditorSetup as Audited, Embedded, Lie, LieSchedule, Options, fill};
use crate::ledger::PublicKey;
use crate::server::{Endpoint, Login, Server};
use crate::stop::Stop;
use crate::trust::{Location, Store};

/// The auditor's verdict, and its duration.
pub struct ExerciseResult {
    /// Verdict and reason.
    pub verdict: String,
    /// Whether the verdict was expected.
    pub right: bool,
    /// The duration of the cycle.
    pub took: Duration,
}

/// The label of the server.
pub(super) const SERVER: &str = "drill";
/// A second database, to check that a lie about the first one does not affect it.
const OTHER: &str = "otherdb";
/// The deadline of a call, which is long because a busy machine is not a lie.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The deadline of a call if the expected lie may be a missing response. It is short, because the exercise waits for
/// it.
const SILENCE_TIMEOUT: Duration = Duration::from_millis(1500);

/// Audits an honest ledger (first seen, unchanged, grown, moved and restarted) and expects no alarm.
pub fn honest() -> Result<Vec<(&'static str, &'static str, ExerciseResult)>, String> {
    let mut bench = Bench::new(Options::default(), Audited::Plain, CALL_TIMEOUT)?;
    let mut steps = vec![(
        "(honest, seen first)",
        "first-seen",
        bench.run_and_check(&["first-seen"])?,
    )];
    let mut step = |bench: &mut Bench, what| -> Result<(), String> {
        let exercise_result = bench.run_and_check(&["consistent"])?;
        steps.push((what, "consistent", exercise_result));
        Ok(())
    };
    step(&mut bench, "(honest, unchanged)")?;
    bench.embedded.grow(DATABASE, 40);
    step(&mut bench, "(honest, grown)")?;
    bench.embedded.change_uuid();
    step(&mut bench, "(honest, identity changed)")?;
    bench.embedded.stop();
    bench
        .embedded
        .restart()
        .map_err(|error| error.to_string())?;
    bench.embedded.grow(DATABASE, 1);
    step(&mut bench, "(honest, restarted)")?;
    Ok(steps)
}

pub(super) const DATABASE: &str = "defaultdb";

/// Audits a ledger that is honest until it is trusted and then runs `lie` within one cycle.
pub fn lied_to(lie: Lie) -> Result<ExerciseResult, String> {
    let silent = lie.due().verdicts.contains(&"unreachable");
    let timeout = if silent {
        SILENCE_TIMEOUT
    } else {
        CALL_TIMEOUT
    };
    let mut bench = Bench::new(lie.options(), lie.auditor(), timeout)?;
    if lie.auditor() == Audited::New {
        bench.run_lie(lie);
        return bench.run_and_check(lie.due().verdicts);
    }
    let before = bench.run_and_check(&["first-seen"])?;
    bench.embedded.grow(DATABASE, 7);
    let grown = bench.run_and_check(&["consistent"])?;
    if !before.right || !grown.right {
        return Ok(if before.right { grown } else { before });
    }
    if !lie.forges() {
        bench.embedded.grow(DATABASE, 5); // a forged ledger must differ in transactions that are already trusted
    }
    if lie.needs_new_login() {
        bench.embedded.forget_tokens(); // otherwise the auditor does not log in again
    }
    bench.run_lie(lie);
    let mut exercise_result = bench.run_and_check(lie.due().verdicts)?;
    if let Some(reason) = lie.due().reason {
        exercise_result.right &= exercise_result.verdict.contains(reason);
    }
    Ok(exercise_result)
}

/// Describes the expected verdicts of a lie.
pub fn due_in_words(lie: Lie) -> String {
    let due = lie.due();
    let verdicts = due.verdicts.join(" or ");
    match due.reason {
        Some(reason) => format!("{verdicts} ({reason})"),
        None => verdicts,
    }
}

/// A ledger and its auditor.
struct Bench {
    auditor: Auditor,
    embedded: Embedded,
    /// Whether the lie may cause the same verdict for every database.
    is_about_all: bool,
    _folder: Folder,
}

impl Bench {
    fn new(options: Options, audited: Audited, timeout: Duration) -> Result<Bench, String> {
        let login = Login {
            username: options.user.clone(),
            password: Secret::new(options.password.clone()),
        };
        let embedded = Embedded::start(options.with_databases(&[OTHER]))
            .map_err(|error| format!("the embedded ledger does not start: {error}"))?;
        fill(&embedded, DATABASE);
        fill(&embedded, OTHER);
        let folder = Folder::new()?;
        let policy = Policy {
            signatures: match audited {
                Audited::WithKey => by_its_key(&embedded)?,
                _ => Signatures::NotRequired,
            },
            values: Values {
                sample: match audited {
                    Audited::ReadingValues => u64::MAX, // every transaction in every cycle
                    _ => 0,
                },
                new: NewValues::All,
                sweep: None,
            },
            ..Policy::of_consistency()
        };
        Ok(Bench {
            auditor: auditor(&embedded, login, timeout, policy, &folder)?,
            embedded,
            is_about_all: false,
            _folder: folder,
        })
    }

    /// Runs a cycle and checks that `defaultdb` has one of the verdicts in `due`, and that no other database is
    /// accused.
    fn run_and_check(&mut self, due: &[&str]) -> Result<ExerciseResult, String> {
        let begin = Clock::system().instant();
        let cycle = self.auditor.cycle(|_| {});
        let took = Clock::system().since(begin);
        let of = |name: &str| {
            cycle
                .outcomes
                .iter()
                .find(|outcome| outcome.database == name)
        };
        let Some(outcome) = of(DATABASE) else {
            let verdict = match &cycle.list_error {
                Some(failure) => failure.to_string(),
                None => "nothing".into(),
            };
            return Ok(ExerciseResult {
                verdict,
                right: false,
                took,
            });
        };
        let other_fine = of(OTHER).is_some_and(|other| {
            other.verdict.is_proven() || self.is_about_all && other.verdict == outcome.verdict
        });
        let why = outcome.why();
        let mut verdict = outcome.verdict.word().to_owned();
        if !why.is_empty() {
            let why: String = why.chars().take(60).collect();
            verdict = format!("{verdict}: {why}");
        }
        if !other_fine {
            verdict.push_str(" (and another database failed)");
        }
        Ok(ExerciseResult {
            right: due.contains(&outcome.verdict.word()) && other_fine,
            verdict,
            took,
        })
    }

    /// Runs a lie about one database, or about all if the lie is about no single database.
    fn run_lie(&mut self, lie: Lie) {
        // all databases of a server have the same identity
        self.is_about_all = lie.is_server_wide() || lie.group() == "identity";
        self.embedded.lie(if self.is_about_all {
            LieSchedule::from(lie)
        } else {
            LieSchedule::from(lie).of(DATABASE)
        });
    }
}

/// Creates an auditor of a ledger on loopback, which has its files in a folder.
pub(super) fn auditor(
    ledger: &Embedded,
    login: Login,
    timeout: Duration,
    policy: Policy,
    folder: &Folder,
) -> Result<Auditor, String> {
    let location = Location {
        dir: folder.0.clone(),
        roots: None,
        server: SERVER.into(),
    };
    let store = Store::open(&location, clock::now()).map_err(|failure| failure.to_string())?;
    let endpoint = Endpoint::on_loopback(ledger.port());
    let server =
        Server::new(endpoint, login, timeout, Stop::new()).map_err(|none| none.to_string())?;
    Ok(Auditor::new(server, store, policy))
}

/// Requires the signature of a ledger, if it has a key.
pub(super) fn by_its_key(ledger: &Embedded) -> Result<Signatures, String> {
    let Some(pem) = ledger.public_pem() else {
        return Ok(Signatures::NotRequired);
    };
    let keys = PublicKey::from_pem(&pem).map_err(|bad| bad.to_string())?;
    Ok(Signatures::By(keys))
}

/// A temporary folder of the exercise, which is removed at its end.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Folder, String> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("immuaudit-drill-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // if the folder cannot be removed, the system deletes it later
        let _ = fs::remove_dir_all(&self.0);
    }
}
