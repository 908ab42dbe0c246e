//! The report as one JSON object.

use super::compared::word;
use super::history::happened;
use super::steps::steps;
use super::{Compared, TamperReport, unix};
use crate::audit::{CorruptionReport, Differences, ServerView};
use crate::locate::Window;
use crate::report::json_object::JsonObject;
use crate::text::Escaped;

/// Returns the report as one JSON object.
pub fn tamper_report_json(server: &str, found: &TamperReport) -> String {
    let located = found.located.as_ref();
    let window = located.and_then(|located| match &located.present {
        ServerView::Shows { window, .. } => Some(window),
        _ => None,
    });
    let lost = located.and_then(|located| match &located.present {
        ServerView::Shows { window, .. } => window.lost(),
        ServerView::Emptied(lost) | ServerView::Vanished(lost) => Some(1..=lost.newest.state.tx),
        _ => None,
    });
    let newest = located.and_then(|located| match &located.present {
        ServerView::Shows { window, .. } => Some(window.newest),
        ServerView::Emptied(lost) | ServerView::Vanished(lost) => Some(lost.newest),
        _ => None,
    });
    let intact = window.and_then(|window| window.intact);
    let broken = window.and_then(|window| window.broken);
    let doubtful = window.and_then(Window::doubtful);
    let undecided: Vec<String> = window
        .map(|window| window.undecided.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|undecided| format!("{}: {}", undecided.tx, undecided.why))
        .collect();
    let undecided: Vec<&str> = undecided.iter().map(String::as_str).collect();
    let alarms = located
        .map(|located| located.alarms.as_slice())
        .unwrap_or_default();
    let alarms: Vec<&str> = alarms.iter().map(|alarm| alarm.id.as_str()).collect();
    let happened = located.map(|located| happened(located, found.values.as_ref()));
    let steps = located.map_or_else(Vec::new, |located| steps(located, found));
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    JsonObject::new()
        .text("server", Some(server))
        .text("database", Some(&found.database))
        .shown("at", located.map(|located| located.at))
        .text("happened", happened.as_ref().map(|(word, _)| *word))
        .text("why", happened.as_ref().map(|(_, text)| text.as_str()))
        .number("shown_tx", window.map(|window| window.shown.tx))
        .shown("shown_hash", window.map(|window| window.shown.hash))
        .number("trusted_tx", newest.map(|newest| newest.state.tx))
        .shown("trusted_audited", newest.map(|newest| newest.accepted.at))
        .number("intact_tx", intact.map(|point| point.tx))
        .shown("intact_audited", intact.map(|point| point.accepted.at))
        .number("broken_tx", broken.map(|point| point.tx))
        .shown("broken_audited", broken.map(|point| point.accepted.at))
        .number(
            "first_rewritten",
            window
                .and_then(Window::first_differing)
                .map(|point| point.tx),
        )
        .number(
            "doubtful_from",
            doubtful.as_ref().map(|doubtful| *doubtful.start()),
        )
        .number(
            "doubtful_to",
            doubtful.as_ref().map(|doubtful| *doubtful.end()),
        )
        .number("lost_from", lost.as_ref().map(|lost| *lost.start()))
        .number("lost_to", lost.as_ref().map(|lost| *lost.end()))
        .number(
            "questions",
            window.map(|window| u64::from(window.questions)),
        )
        .number("calls", located.map(|located| located.calls))
        .number("mirrored_tx", located.and_then(|located| located.mirrored))
        .texts("undecided", &undecided)
        .texts("open_alarms", &alarms)
        .text(
            "looked_at",
            located.map(|_| looked_at(found.values.as_ref())),
        )
        .object("values", found.values.as_ref().map(values_json))
        .object("against", found.compared.as_ref().map(compared_json))
        .texts("next", &steps)
        .end()
}

/// Returns what the search covered: only the headers and states, or also the values.
fn looked_at(values: Option<&CorruptionReport>) -> &'static str {
    match values {
        None => "headers and states",
        Some(_) => "headers, states and values",
    }
}

fn values_json(values: &CorruptionReport) -> JsonObject {
    let groups = values.groups.iter().flat_map(|(what, broken)| {
        broken.iter().map(|broken| {
            JsonObject::new()
                .number("tx", Some(broken.tx))
                .text("what", Some(what))
                .shown("written", broken.ts.map(unix))
                .text("said", Some(&broken.said))
        })
    });
    JsonObject::new()
        .number("broken", Some(values.total()))
        .number("read", Some(values.passed))
        .number("unread", Some(values.unread))
        .objects("transactions", groups)
}

fn compared_json(compared: &Compared) -> JsonObject {
    let (of, not) = match compared {
        Compared::Server { of, compared } => (of, compared.as_ref().err()),
        Compared::Mirror { of, compared } => (of, compared.as_ref().err()),
    };
    let object = JsonObject::new()
        .text("other", Some(of))
        .text("failure", not.map(ToString::to_string).as_deref());
    match compared {
        Compared::Server {
            compared: Ok(differences),
            ..
        } => server_json(object, differences),
        Compared::Mirror {
            compared: Ok(differences),
            ..
        } => object
            .number("compared", Some(differences.compared))
            .number("same_to", differences.found.holds)
            .number("differs_at", differences.found.broken),
        _ => object,
    }
}

fn server_json(object: JsonObject, differences: &Differences) -> JsonObject {
    let holds = differences.holds.as_ref();
    let transactions = differences.differing.iter().map(|differing| {
        let keys = differing.changes.iter().map(|change| {
            JsonObject::new()
                .text("how", Some(word(change.how)))
                .text("key", Some(change.key.as_str()))
                .text("there", change.theirs.as_ref().map(Escaped::as_str))
                .text("here", change.ours.as_ref().map(Escaped::as_str))
        });
        JsonObject::new()
            .number("tx", Some(differing.tx))
            .shown("written_here", Some(unix(differing.ours)))
            .shown("written_there", Some(unix(differing.theirs)))
            .objects("keys", keys)
            .number("more_keys", u64::try_from(differing.more).ok())
    });
    object
        .number("shows_tx", Some(differences.theirs.tx))
        .number(
            "holds_trusted_to",
            holds.and_then(|window| window.intact).map(|p| p.tx),
        )
        .number("same_to", Some(differences.same))
        .number("differs_at", differences.first)
        .number("compared_to", Some(differences.compared))
        .objects("transactions", transactions)
        .number("more", Some(differences.more))
        .number("rechained", Some(differences.rechained))
        .number("moved", Some(differences.moved))
        .text(
            "unproven",
            differences.unproven.as_ref().map(Escaped::as_str),
        )
}
