//! Random changes to recorded responses, from bytes to verdict. Nothing panics, no false response
//! is accepted, and the hashes and the memory for each input are limited.
//!
//! `IMMUAUDIT_TEST_START` sets the start of the random numbers, `IMMUAUDIT_FUZZ_RUNS` the number of
//! inputs. `IMMUAUDIT_FUZZ_KEEP=FILE` writes the shortest input of each outcome to a file, in the
//! format of `tests/vectors/fuzz.toml`. Hashes are counted with the feature `fault-points`.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;
use std::{env, fs, thread};

use immuaudit::ledger::PublicKey;
use immuaudit::wire::Malformed;
use support::meter::{self, MEMORY_BUDGET, Meter};
use support::mutate::mutate;
use support::random::Random;
use support::seeds::{Consulted, Seed, seeds};
use support::vectors::{read, unhex};

#[global_allocator]
static METER: Meter = Meter;

const RUNS: usize = 500_000;

/// Returns the class of an outcome: its message without numbers and names.
fn class(outcome: &Result<Consulted, Malformed>) -> String {
    match outcome {
        Ok(_) => "holds".into(),
        Err(malformed) => {
            let words = malformed.to_string();
            let words = words.split(|c: char| !c.is_ascii_alphabetic());
            let hex = |word: &str| word.len() < 3 || word.bytes().all(|c| c.is_ascii_hexdigit());
            let words: Vec<&str> = words.filter(|word| !hex(word)).collect();
            words.join(" ")
        }
    }
}

fn keys() -> Vec<PublicKey> {
    let pem = read("signatures.toml");
    PublicKey::from_pem(pem.file["public_key"].as_str().expect("a key")).expect("a key")
}

/// Returns the digests that an accepted response to each question must have; a question without an
/// entry has no valid response.
fn honest(seeds: &[Seed], keys: &[PublicKey]) -> BTreeMap<String, Consulted> {
    let mut honest: BTreeMap<String, Consulted> = BTreeMap::new();
    for seed in seeds {
        if let Ok(consulted) = seed.judge(&seed.reply, None, keys) {
            let before = honest.insert(seed.key(), consulted.clone());
            assert!(before.is_none_or(|b| b == consulted), "{}", seed.name);
        }
    }
    honest
}

#[derive(Default)]
struct Tally {
    classes: BTreeMap<String, (usize, usize, Vec<u8>)>,
    most_memory: (usize, usize),
    most_hashes: (u64, usize),
}

/// Returns the number of hashes that this thread has computed, or `None` if they are not counted.
fn hashes() -> Option<u64> {
    #[cfg(feature = "fault-points")]
    return Some(immuaudit::ledger::digests_computed());
    #[cfg(not(feature = "fault-points"))]
    return None;
}

/// Returns how many hashes an input may cost. A digest takes 34 bytes. It costs two inner nodes,
/// because a consistency proof leads to two roots, or in an entry a leaf, a node and a digest.
/// Headers cost a few more.
fn hash_budget(bytes: usize) -> u64 {
    64 + 4 * (bytes as u64 / 34)
}

fn run(seeds: &[Seed], from: u64, runs: usize) -> Tally {
    let keys = keys();
    let honest = honest(seeds, &keys);
    let replies: Vec<&[u8]> = seeds.iter().map(|seed| &seed.reply[..]).collect();
    let mut random = Random::starting_at(from);
    let mut tally = Tally::default();
    for _ in 0..runs {
        let index = random.index(seeds.len());
        let seed = &seeds[index];
        let parts = seed.parts();
        let part =
            (!parts.is_empty() && random.below(2) == 0).then(|| parts[random.index(parts.len())]);
        let input = mutate(
            part.map_or(&seed.reply[..], |(_, bytes)| bytes),
            &replies,
            &mut random,
        );
        let parts_length: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        let length = input.len() + seed.reply.len() + parts_length;
        let before = hashes();
        let (outcome, memory) = meter::max_held(|| match part {
            Some((id, _)) => seed.judge(&seed.reply, Some((id, &input)), &keys),
            None => seed.judge(&input, None, &keys),
        });
        if let (Some(before), Some(now)) = (before, hashes()) {
            let spent = now - before;
            tally.most_hashes = tally.most_hashes.max((spent, length));
            assert!(
                spent <= hash_budget(length),
                "{}: {spent} hashes for {length} bytes",
                seed.name
            );
        }
        if let Ok(consulted) = &outcome {
            assert_eq!(
                Some(consulted),
                honest.get(&seed.key()),
                "{}: accepted with other digests: {input:02x?}",
                seed.name
            );
        }
        tally.most_memory = tally.most_memory.max((memory, input.len()));
        assert!(
            memory <= MEMORY_BUDGET,
            "{}: {memory} bytes for {}",
            seed.name,
            input.len()
        );
        let kept = tally.classes.entry(class(&outcome)).or_default();
        kept.0 += 1;
        // the format of the file does not contain changed parts
        if part.is_none() && (kept.2.is_empty() || input.len() < kept.2.len()) {
            (kept.1, kept.2) = (index, input);
        }
    }
    tally
}

#[test]
fn changed_responses_never_panic_cost_too_much_or_verify_falsely() {
    let runs = env::var("IMMUAUDIT_FUZZ_RUNS").ok();
    let runs = runs.map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    let start = Random::new(20_261_122).u64();
    let seeds = seeds();
    let begin = Instant::now();
    let threads = 2;
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let seeds = &seeds;
        let workers: Vec<_> = (0..threads)
            .map(|worker| scope.spawn(move || run(seeds, start ^ worker, runs / 2)))
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("no panic"))
            .collect()
    });
    let took = begin.elapsed();
    let mut classes = BTreeMap::new();
    let (mut memory, mut hashes) = ((0, 0), (0, 0));
    for tally in tallies {
        memory = memory.max(tally.most_memory);
        hashes = hashes.max(tally.most_hashes);
        for (class, (count, index, input)) in tally.classes {
            let kept: &mut (usize, usize, Vec<u8>) = classes.entry(class).or_default();
            kept.0 += count;
            if !input.is_empty() && (kept.2.is_empty() || input.len() < kept.2.len()) {
                (kept.1, kept.2) = (index, input);
            }
        }
    }
    let accepted = classes.get("holds").map_or(0, |(count, ..)| *count);
    println!(
        "{runs} inputs from {} recorded responses, {:.0} a second; {accepted} accepted, {} kinds of refusal",
        seeds.len(),
        runs as f64 / took.as_secs_f64(),
        classes.len() - 1
    );
    println!(
        "at most {} KiB of memory (for {} bytes), {} hashes (for {} bytes)",
        memory.0 >> 10,
        memory.1,
        hashes.0,
        hashes.1
    );
    assert!(
        accepted > 0 && (runs < 10_000 || classes.len() > 50),
        "{}",
        classes.len()
    );
    if let Some(path) = env::var_os("IMMUAUDIT_FUZZ_KEEP") {
        fs::write(path, corpus(&seeds, &classes)).expect("the corpus is written");
    }
}

fn corpus(seeds: &[Seed], classes: &BTreeMap<String, (usize, usize, Vec<u8>)>) -> String {
    let mut text = String::from(
        "# The shortest changed answer that each outcome was seen with: instead of the reply of the\n\
         # recorded case that is named. Written by tests/fuzz_wire.rs.\n",
    );
    let short = classes
        .iter()
        .filter(|(_, kept)| !kept.2.is_empty() && kept.2.len() < 4096);
    for (class, (_, index, input)) in short {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = &seeds[*index].name;
        write!(
            text,
            "\n[[case]]\nof = \"{name}\"\noutcome = \"{class}\"\nreply = \"{hex}\"\n"
        )
        .expect("a String");
    }
    text
}

#[test]
fn recorded_fuzz_inputs_have_their_recorded_outcomes() {
    let (seeds, keys) = (seeds(), keys());
    let by_name: BTreeMap<&str, &Seed> = seeds.iter().map(|s| (&*s.name, s)).collect();
    let vectors = read("fuzz.toml");
    for case in vectors.cases() {
        let seed = by_name[case.text("of")];
        let outcome = seed.judge(&unhex(case.text("reply")), None, &keys);
        assert_eq!(class(&outcome), case.text("outcome"), "{}", seed.name);
    }
    assert!(vectors.cases().count() > 50);
}
