//! Converts recorded exchanges to evidence. Bytes that do not fit into evidence are not held in memory either.

use crate::server::{Exchange, MAX_REPLY, MAX_TRANSCRIPT, Shortened, Transcript};
use crate::trust::{self, Answer, Limits};

// the transcript has the same limits as evidence
const _: () = assert!(MAX_REPLY == Limits::DEFAULT.answer);
const _: () = assert!(MAX_TRANSCRIPT == Limits::DEFAULT.answers);

/// Returns the recorded responses, each as long as evidence can hold it. The last response, which shows the finding,
/// gets its share of the space first.
pub(super) fn answers(transcript: &Transcript) -> Vec<Answer> {
    let mut space = Limits::DEFAULT.answers;
    let exchanges: Vec<&Exchange> = transcript.exchanges().collect();
    let Some((last, first)) = exchanges.split_last() else {
        return Vec::new();
    };
    let last = answer(last, &mut space);
    let first = first.iter().map(|exchange| answer(exchange, &mut space));
    first.chain([last]).collect()
}

/// Returns one exchange for evidence. It shares the bytes, and shortens them if there is not enough space.
fn answer(exchange: &Exchange, space: &mut usize) -> Answer {
    let beside = exchange.request.len().saturating_add(Answer::OVERHEAD);
    let exchange = exchange.clone().shortened_to(space.saturating_sub(beside));
    let answer = Answer {
        call: exchange.call.into(),
        request: exchange.request,
        reply: exchange.reply,
        shortened: exchange.shortened.map(|shortened| match shortened {
            Shortened::Cut(length) => trust::Shortened::cut(length),
            Shortened::WithoutValues(length) => trust::Shortened::without_values(length),
        }),
    };
    *space = space.saturating_sub(answer.size());
    answer
}
