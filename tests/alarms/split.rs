//! Split views: the server shows each of two users its own history. Each history is consistent, so
//! neither auditor finds anything alone.

use std::path::Path;

use crate::support::program::{Program, member};
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options, Split, fill};

const DB: &str = "defaultdb";
const SECOND: &str = "second";

fn server() -> Embedded {
    let server = Embedded::start(Options {
        second_user: Some(SECOND.into()),
        ..Options::default()
    })
    .expect("a ledger");
    fill(&server, DB);
    server
}

/// Returns one auditor for each user.
fn auditors(server: &Embedded, folder: &TempDir) -> [Program; 2] {
    let of = |dir: &Path, user: &str| {
        let user = format!("--audit-username={user}");
        Program::new(server.port(), dir).with(&[
            &user,
            "--audit-password=immudb",
            "--audit-sample=64",
        ])
    };
    [
        of(&folder.join("first"), "immudb"),
        of(&folder.join("second"), SECOND),
    ]
}

/// Returns the hash of the trusted state.
fn trusted(auditor: &Program) -> String {
    let run = auditor.run(&["states", "list", "--json"]);
    member(run.line(DB), "hash").to_owned()
}

#[test]
fn each_history_of_a_split_view_is_consistent_alone() {
    for split in Split::ALL {
        let (server, folder) = (server(), TempDir::new());
        let both = auditors(&server, &folder);
        if *split == Split::FromNowOn {
            for auditor in &both {
                auditor.once().is(0, DB, "first-seen");
            }
            assert_eq!(trusted(&both[0]), trusted(&both[1]));
        }
        server.split(DB, *split);
        for by in [0, 1, 20] {
            server.grow(DB, by);
            for auditor in &both {
                auditor.once().ends_with(0);
            }
            assert_ne!(trusted(&both[0]), trusted(&both[1]), "{split:?}");
        }
        // the split ends: the second auditor's history is not the beginning of the first
        server.heal(DB);
        server.grow(DB, 1);
        both[0].once().is(0, DB, "consistent");
        both[1].once().is(2, DB, "inconsistent");
    }
}
