//! Recorded exchanges: requests and replies as they were sent and received, the raw material of evidence. Logins
//! and tokens are not recorded.

use std::sync::Arc;

use super::server_error::ServerError;
use super::transport::Answer;
use crate::wire::{self, method};

/// The maximum length of a request or a reply, in bytes; a longer one is shortened. Evidence stores no more of
/// one.
pub const MAX_REPLY: usize = 1 << 20;
/// The maximum length of all exchanges before the last one, in bytes. Evidence stores no more of a finding.
pub const MAX_TRANSCRIPT: usize = 2 << 20;
/// The bytes that an exchange takes in addition to its request and its reply, in four blocks of the heap. They are
/// counted so that a hundred thousand short exchanges do not take more than a few long ones.
const EXCHANGE_OVERHEAD: usize = 256;

/// One call and its reply, as received.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The call, such as `CurrentState`.
    pub call: &'static str,
    /// The request's bytes.
    pub request: Vec<u8>,
    /// The reply's bytes, or the error as it is printed.
    pub reply: Result<Arc<Vec<u8>>, String>,
    /// The part that was left out, if the exchange was too long.
    pub shortened: Option<Shortened>,
}

/// The way in which an exchange was shortened, and the original length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortened {
    /// The end of the request or of the reply is missing.
    Cut(usize),
    /// The values in the reply are missing, everything else is there.
    WithoutValues(usize),
}

impl Exchange {
    /// Returns the bytes that the exchange takes.
    fn size(&self) -> usize {
        let reply = match &self.reply {
            Ok(bytes) => bytes.len(),
            Err(error) => error.len(),
        };
        let size = self.request.len().saturating_add(reply);
        size.saturating_add(EXCHANGE_OVERHEAD)
    }

    /// Returns the exchange with a reply of at most this many bytes: without its values if the complete reply is
    /// longer, and cut if it is still too long.
    #[must_use]
    pub fn shortened_to(mut self, most: usize) -> Exchange {
        let Ok(bytes) = &self.reply else { return self };
        if bytes.len() <= most {
            return self;
        }
        let length = bytes.len();
        let without_values = match self.shortened {
            None => wire::without_values(self.call, bytes).filter(|short| short.len() <= most),
            Some(_) => None,
        };
        let (reply, shortened) = match without_values {
            Some(short) => (short, Shortened::WithoutValues(length)),
            None => {
                let whole = match self.shortened {
                    Some(Shortened::Cut(whole) | Shortened::WithoutValues(whole)) => whole,
                    None => length,
                };
                (
                    bytes.iter().take(most).copied().collect(),
                    Shortened::Cut(whole),
                )
            }
        };
        self.reply = Ok(Arc::new(reply));
        self.shortened = Some(shortened);
        self
    }

    /// Returns the exchange as the transcript stores it.
    fn captured(mut self) -> Exchange {
        let length = self.request.len();
        self = self.shortened_to(MAX_REPLY);
        if length > MAX_REPLY {
            self.request.truncate(MAX_REPLY);
            self.request.shrink_to_fit();
            self.shortened = self.shortened.or(Some(Shortened::Cut(length)));
        }
        self
    }
}

/// Exchanges in order: the first ones, as many as fit, and the last one, which shows the finding.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    first: Vec<Exchange>,
    size: usize,
    last: Option<Exchange>,
    /// The last list of databases, which proves that a database is not listed.
    list: Option<Exchange>,
    /// The number of exchanges that were left out between the first ones and the last one.
    pub omitted: u64,
}

impl Transcript {
    /// Returns the stored exchanges, in order.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.first.iter().chain(&self.last)
    }

    pub(super) fn record(
        &mut self,
        name: &'static str,
        request: &[u8],
        answer: &Result<Answer, ServerError>,
    ) {
        if [method::LOGIN, method::OPEN_SESSION].contains(&name) {
            return; // their requests contain passwords
        }
        let exchange = Exchange {
            call: method::short(name),
            request: request.to_vec(),
            reply: match answer {
                Ok(_) if name == method::USE_DATABASE => Ok(Arc::default()), // the response is a token
                Ok(answer) => Ok(answer.bytes.clone()),
                Err(failure) => Err(text(failure)),
            },
            shortened: None,
        };
        let exchange = exchange.captured();
        if name == method::DATABASE_LIST {
            self.list = Some(exchange);
            return;
        }
        self.push(exchange);
    }

    /// Begins a new transcript; the last list of databases stays.
    pub(super) fn begin(&mut self) {
        let list = self.list.take();
        *self = Transcript {
            list,
            ..Transcript::default()
        };
    }

    /// Adds the last list of databases to the transcript.
    pub(super) fn add_list(&mut self) {
        if let Some(list) = self.list.clone() {
            self.push(list);
        }
    }

    fn push(&mut self, exchange: Exchange) {
        if let Some(last) = self.last.replace(exchange) {
            let size = self.size.saturating_add(last.size());
            if size <= MAX_TRANSCRIPT {
                self.size = size;
                self.first.push(last);
            } else {
                self.omitted = self.omitted.saturating_add(1);
            }
        }
    }
}

/// Returns the text of an error, in no more memory than it takes.
fn text(failure: &ServerError) -> String {
    let mut text = failure.to_string();
    text.shrink_to_fit();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ServerErrorKind;
    use crate::text::Escaped;
    use crate::wire::proto;

    fn replied(bytes: Vec<u8>) -> Result<Answer, ServerError> {
        Ok(Answer {
            bytes: Arc::new(bytes),
            uuid: None,
        })
    }

    fn refused() -> Result<Answer, ServerError> {
        Err(ServerError {
            message: Escaped::new(&"x".repeat(200)),
            ..ServerError::new("Get", ServerErrorKind::KeyNotFound)
        })
    }

    fn held(transcript: &Transcript) -> usize {
        transcript.exchanges().map(Exchange::size).sum()
    }

    #[test]
    fn short_exchanges_and_error_replies_count_by_what_they_take() {
        for reply in [replied(vec![1]), refused()] {
            let mut transcript = Transcript::default();
            for _ in 0..100_000 {
                transcript.record(method::GET, &[1], &reply);
            }
            let held = held(&transcript);
            assert!(held <= MAX_TRANSCRIPT + 1024, "{held}");
            // the list, and the other allocations of each exchange: request, reply, reference count
            let list = transcript.first.capacity() * size_of::<Exchange>();
            let beside = transcript.exchanges().map(|exchange| {
                let reply = match &exchange.reply {
                    Ok(bytes) => 40 + bytes.capacity(),
                    Err(error) => error.capacity(),
                };
                exchange.request.capacity() + reply
            });
            let heap = list + beside.sum::<usize>();
            assert!(heap <= 2 << 20, "{heap}");
            let kept = transcript.exchanges().count() as u64;
            assert_eq!(transcript.omitted + kept, 100_000);
        }
    }

    #[test]
    fn a_long_reply_is_shortened_when_it_is_recorded() {
        use protobuf::Message;
        let mut tx = proto::Tx::new();
        tx.entries.push(proto::TxEntry {
            key: b"key".to_vec(),
            value: vec![7; 3 << 20],
            ..Default::default()
        });
        let bytes = tx.write_to_bytes().unwrap();
        let whole = bytes.len();
        let mut transcript = Transcript::default();
        transcript.record(method::TX_BY_ID, &[1], &replied(bytes));
        transcript.record(method::GET, &[1], &replied(vec![7; 3 << 20]));
        transcript.record(method::GET, &vec![2; 3 << 20], &replied(vec![8]));
        let kept: Vec<&Exchange> = transcript.exchanges().collect();
        let shortened: Vec<_> = kept.iter().map(|exchange| exchange.shortened).collect();
        assert_eq!(
            shortened,
            [
                Some(Shortened::WithoutValues(whole)),
                Some(Shortened::Cut(3 << 20)),
                Some(Shortened::Cut(3 << 20)),
            ]
        );
        assert!(held(&transcript) < MAX_TRANSCRIPT + MAX_REPLY);
        assert_eq!(kept[2].reply, Ok(Arc::new(vec![8])));
        assert_eq!(transcript.omitted, 0);
    }
}
