//! The search for a rewrite: bisection compares old states with the shown one. Pure: the caller requests the
//! proofs from the server and passes the responses.
//!
//! Every result has a proof that ends in the one state that was shown at the beginning. A server that lies or
//! stops responding meanwhile only makes the window wider. Reading order: `probe` (the proofs), `bisect` (the
//! bisection), `window` (the result).

#![forbid(unsafe_code)]

mod bisect;
mod probe;
mod window;
mod words;

pub use bisect::{Found, bisect, max_probes};
pub use probe::{Probe, ProvenAncestor, ProvenOther};
pub use window::{
    Acceptance, Checkpoint, Contradicted, Grounds, Point, TxHashes, Undecided, Window, narrow,
};
