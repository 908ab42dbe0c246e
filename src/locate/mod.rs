//! Where a history was rewritten: old states held against the one that is shown now, by halving.
//! Pure: whoever asks the server hands the answers in.
//!
//! Nothing is ever said to stand, or to be rewritten, but on a proof that ends in the one state that
//! was shown at the beginning: a server that lies or falls silent meanwhile makes the window wider.
//! Reading order: `probe` (what counts as a proof), `bisect` (the halving), `window` (what it amounts to).

#![forbid(unsafe_code)]

mod bisect;
mod probe;
mod window;
mod words;

pub use bisect::{Found, bisect, max_probes};
pub use probe::{Probe, ProvenAncestor, ProvenOther};
pub use window::{Checkpoint, Contradicted, Point, TxHashes, Undecided, Window, narrow};
