//! The alarm about another auditor's state that was to be imported.

use crate::support::immuclient::write;
use crate::support::program::Program;
use crate::support::temp_dir::TempDir;
use immuaudit::drill::{Embedded, Options};
use immuaudit::wire::proto::ImmutableState;
use protobuf::Message;

const DATABASE: &str = "defaultdb";

#[test]
fn an_alarm_about_an_imported_state_reports_no_change_of_the_history() {
    let folder = TempDir::new();
    let server = Embedded::start(Options::default()).expect("an embedded ledger");
    server.grow(DATABASE, 10);
    let program = Program::new(server.port(), &folder.join("trust"));
    program.once().is(0, DATABASE, "first-seen");
    let state = ImmutableState {
        db: DATABASE.into(),
        tx_id: 7,
        tx_hash: vec![1; 32],
        ..ImmutableState::default()
    };
    let file = folder.join("other/.state");
    write(&file, DATABASE, &state.write_to_bytes().expect("a message"));
    let file = file.display().to_string();
    let run = program.run(&["states", "import", &file, "--alarm"]);
    assert!(run.ends_with(2).stdout.contains("evidence: "), "{run:#?}");
    let alarm = program.open_alarm(DATABASE);
    let shown = program.run(&["alarm", "show", &alarm]);
    let shown = &shown.ends_with(2).stdout;
    let expected = "the next import of the state with --alarm opens the alarm again";
    assert!(shown.contains(expected), "{shown}");
    let located = program.run(&["locate", DATABASE]);
    let located = &located.ends_with(2).stdout;
    let expected = "check that its file is of this server and database";
    assert!(located.contains(expected), "{located}");
    for wrong in ["than at the alarm", "the change was made"] {
        assert!(!located.contains(wrong), "{wrong}: {located}");
    }
    let closed = program.run(&["alarm", "close", &alarm]);
    let closed = &closed.ends_with(0).stdout;
    for text in [shown, closed] {
        assert!(!text.contains("every transaction"), "{text}");
    }
    program.once().is(0, DATABASE, "consistent");
}
