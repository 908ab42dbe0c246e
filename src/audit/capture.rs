//! Recorded answers on their way into evidence: bytes that evidence has no room for are not held in memory either.

use std::sync::Arc;

use crate::server::{Exchange, Transcript};
use crate::trust::{Answer, Limits, Shortened};
use crate::wire;

/// Returns the recorded answers, each as long as evidence keeps it. The last one, which shows the finding, is given
/// room first.
pub(super) fn answers(transcript: &Transcript) -> Vec<Answer> {
    let mut room = Limits::DEFAULT.answers;
    let exchanges: Vec<&Exchange> = transcript.exchanges().collect();
    let Some((last, first)) = exchanges.split_last() else {
        return Vec::new();
    };
    let last = answer(last, &mut room);
    let first = first.iter().map(|exchange| answer(exchange, &mut room));
    first.chain([last]).collect()
}

/// Returns one exchange as evidence keeps it: the bytes themselves, which are shared; without the values in them
/// if the whole would be too long; cut if that is too long as well.
fn answer(exchange: &Exchange, room: &mut usize) -> Answer {
    let mut answer = Answer {
        call: exchange.call.into(),
        request: exchange.request.clone(),
        reply: Ok(Arc::default()),
        shortened: None,
    };
    let most = Limits::DEFAULT.answer;
    let most = most.min(room.saturating_sub(answer.size()));
    answer.reply.clone_from(&exchange.reply);
    if let Ok(bytes) = &exchange.reply {
        if bytes.len() > most {
            let short = wire::without_values(exchange.call, bytes);
            answer = match short.filter(|short| short.len() <= most) {
                Some(short) => Answer {
                    shortened: Some(Shortened::without_values(bytes.len())),
                    reply: Ok(Arc::new(short)),
                    ..answer
                },
                None => answer.cut(most),
            };
        }
    }
    *room = room.saturating_sub(answer.size());
    answer
}
