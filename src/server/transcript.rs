//! What was asked and answered: the raw material of evidence. Logins are never part of it.

use std::sync::Arc;

use super::call::Answer;
use super::calls::short;
use super::failure::Failure;
use crate::wire::method;

/// Bytes kept at most: the first exchanges and the last one, which is the one that shows.
const LIMIT: usize = 2 << 20;

/// One call and its answer, raw.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The call, such as `CurrentState`.
    pub call: &'static str,
    /// The request's bytes.
    pub request: Vec<u8>,
    /// The answer's bytes, or the error as it is shown.
    pub reply: Result<Arc<Vec<u8>>, String>,
}

/// Exchanges in order, as many as fit.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    first: Vec<Exchange>,
    size: usize,
    last: Option<Exchange>,
    /// What shows that a database is not listed.
    list: Option<Exchange>,
    /// Exchanges that were left out between.
    pub omitted: u64,
}

impl Transcript {
    /// The exchanges that are kept, in order.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.first.iter().chain(&self.last)
    }

    pub(super) fn record(
        &mut self,
        name: &'static str,
        request: &[u8],
        answer: &Result<Answer, Failure>,
    ) {
        if [method::LOGIN, method::OPEN_SESSION].contains(&name) {
            return; // passwords
        }
        let exchange = Exchange {
            call: short(name),
            request: request.to_vec(),
            reply: match answer {
                Ok(_) if name == method::USE_DATABASE => Ok(Arc::default()), // a token
                Ok(answer) => Ok(answer.bytes.clone()),
                Err(failure) => Err(failure.to_string()),
            },
        };
        if name == method::DATABASE_LIST {
            self.list = Some(exchange);
            return;
        }
        self.push(exchange);
    }

    /// Begins anew; what databases were listed last is remembered.
    pub(super) fn begin(&mut self) {
        let list = self.list.take();
        *self = Transcript {
            list,
            ..Transcript::default()
        };
    }

    /// Makes the last list of databases a part of it.
    pub(super) fn add_list(&mut self) {
        if let Some(list) = self.list.clone() {
            self.push(list);
        }
    }

    fn push(&mut self, exchange: Exchange) {
        if let Some(last) = self.last.take() {
            let size = last.request.len() + last.reply.as_ref().map_or(0, |reply| reply.len());
            if self.size + size <= LIMIT {
                self.size += size;
                self.first.push(last);
            } else {
                self.omitted += 1;
            }
        }
        self.last = Some(exchange);
    }
}
