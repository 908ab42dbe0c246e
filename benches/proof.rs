//! Measures the time to decode and to verify a recorded proof, and the time for its hashes alone.
//! `cargo bench --bench proof` prints the medians of several rounds, and asserts no time.

#[path = "../tests/support/vectors.rs"]
#[allow(dead_code)] // the tests use the rest
mod vectors;

use std::hint::black_box;
use std::time::Instant;

use immuaudit::ledger::{DualProof, Parts, TxHeader, verify};
use immuaudit::wire;
use ring::digest::{SHA256, digest};
use vectors::{Case, read};

const ROUNDS: usize = 1_001;
/// A small number, so that most rounds end before a busy machine switches to another process.
const CALLS: usize = 20;

/// Returns the nanoseconds of a call in the median round.
fn time<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            start.elapsed().as_nanos() as f64 / CALLS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// Returns the number of hashes that the steps of protocol.md §4 need for a valid proof: one or two
/// for each term of a list except the first, two for each header, one for each leaf.
fn hashes(proof: &DualProof, parts: &Parts) -> usize {
    let (Some(source), Some(target)) = (&proof.source, &proof.target) else {
        return 0;
    };
    let path = |terms: usize| 1 + terms;
    let mut count = 4; // two headers: inner hash and Alh
    if source.id() < target.bl_tx_id() {
        count += path(proof.inclusion.len());
    }
    if source.bl_tx_id() > 0 {
        let (old, new) = (source.bl_tx_id(), target.bl_tx_id());
        // terms on the left side are hashed into both roots
        let twice = if old == new {
            0
        } else {
            (old - 1).count_ones() - (old - 1).trailing_ones()
        };
        count += proof.consistency.len() - 1 + twice as usize;
    }
    if target.bl_tx_id() > 0 {
        count += path(proof.last_inclusion.len());
    }
    count += proof
        .linear
        .as_ref()
        .map_or(0, |linear| linear.terms.len() - 1);
    if let Some(advance) = &proof.linear_advance {
        let paths = advance.inclusions.iter();
        count += paths.map(|terms| path(terms.len()) + 1).sum::<usize>();
    }
    let fetched = parts.inclusions.values();
    count += fetched.map(|terms| path(terms.len())).sum::<usize>();
    count + 2 * parts.headers.len()
}

/// The response with the proof, and the responses with the parts that servers before 1.4 leave out.
struct Answers {
    proof: Vec<u8>,
    inclusions: Vec<Vec<u8>>,
    headers: Vec<Vec<u8>>,
}

impl Answers {
    fn of(case: Case) -> Answers {
        let list = |key| case.list(key).map(|part| part.bytes("reply")).collect();
        Answers {
            proof: case.bytes("reply"),
            inclusions: list("part"),
            headers: list("header"),
        }
    }

    fn bytes(&self) -> usize {
        let parts = self.inclusions.iter().chain(&self.headers);
        self.proof.len() + parts.map(Vec::len).sum::<usize>()
    }

    fn decode(&self) -> (DualProof, Parts) {
        let proof = |bytes: &Vec<u8>| wire::verifiable_tx(bytes).expect("recorded").proof;
        let mut parts = Parts::default();
        for bytes in &self.inclusions {
            let proof = proof(bytes);
            let id = proof.source.as_ref().map_or(0, TxHeader::id);
            parts.inclusions.insert(id, proof.inclusion);
        }
        for bytes in &self.headers {
            let header = wire::tx(bytes).expect("recorded").header;
            parts.headers.insert(header.id(), header);
        }
        (proof(&self.proof), parts)
    }
}

fn row(case: Case, sha256: f64) {
    let answers = Answers::of(case);
    let (source, target) = (case.state("source_"), case.state("target_"));
    let (proof, parts) = answers.decode();
    verify(&source, &target, &proof, &parts).expect("a recorded proof");
    let decode = time(|| answers.decode());
    let check = time(|| verify(&source, &target, &proof, &parts));
    let both = time(|| {
        let (proof, parts) = answers.decode();
        verify(&source, &target, &proof, &parts)
    });
    let hashes = hashes(&proof, &parts);
    let alone = hashes as f64 * sha256;
    println!(
        "{:>6} {:>5} {decode:>9.0} {check:>9.0} {both:>9.0} {hashes:>7} {alone:>9.0} {:>6.2}  {}",
        answers.bytes(),
        1 + parts.inclusions.len() + parts.headers.len(),
        both / alone,
        case.text("why"),
    );
}

fn main() {
    let node = [1; 65];
    let sha256 = time(|| digest(&SHA256, black_box(&node)));
    println!("SHA-256 of 65 bytes (a tree's node): {sha256:.0} ns\n");
    println!(
        "{:>6} {:>5} {:>9} {:>9} {:>9} {:>7} {:>9} {:>6}",
        "bytes", "calls", "decode ns", "verify ns", "both ns", "hashes", "alone ns", "factor"
    );
    for (file, size) in [
        ("real/1.11.1.toml", 1_600),
        ("real/1.4.1.toml", 1_600),
        ("real/1.1.0-under-1.11.1.toml", 8_000), // the largest proof in one response
        ("real/1.1.0.toml", 12_000),
    ] {
        let vectors = read(file);
        let nearest = vectors
            .cases()
            .filter(|case| case.is("VerifiableTxById"))
            .min_by_key(|case| Answers::of(*case).bytes().abs_diff(size));
        row(nearest.expect("a recorded proof"), sha256);
    }
}
