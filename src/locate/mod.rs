//! Where a history was rewritten: old states held against the one that is shown now, by halving.
//! Pure: whoever asks the server hands the answers in.
//!
//! Nothing is ever said to stand, or to be rewritten, but on a proof that ends in the one state that
//! was shown at the beginning: a server that lies or falls silent meanwhile makes the window wider.
//! Reading order: `answer` (what counts as a proof), `search` (the halving), `window` (what it amounts to).

#![forbid(unsafe_code)]

mod answer;
mod search;
mod window;
mod words;

pub use answer::{Answer, Holds, Other};
pub use search::{Found, most_questions, search};
pub use window::{Alhs, Checkpoint, Contradicted, Point, Undecided, Window, narrow};
