use std::cell::Cell;
use std::fs;

use super::*;

thread_local! {
    /// The number of syncs of a mirror's file by this thread, which take most of the time on a slow disk.
    pub(super) static SYNCS: Cell<u32> = const { Cell::new(0) };
}

/// A directory of the test's own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("immuaudit-mirror-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Place(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("d.mirror")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn hash(tx: u64) -> Digest {
    Digest::of(&[&tx.to_be_bytes()])
}

fn hashes(first: u64, last: u64) -> Vec<Digest> {
    (first..=last).map(hash).collect()
}

fn since() -> Timestamp {
    Timestamp::from_unix(1_795_319_313)
}

fn filled(place: &Place, last: u64) -> Mirror {
    let mut mirror = Mirror::create(&place.file(), "s:1", "d/é", since()).unwrap();
    assert_eq!(extend(&mut mirror, 1, last), Extended::All);
    mirror
}

fn extend(mirror: &mut Mirror, first: u64, last: u64) -> Extended {
    mirror
        .extend(first, &hashes(first, last), u64::MAX / 2)
        .unwrap()
}

fn reopened(place: &Place) -> Mirror {
    let mut options = OpenOptions::new();
    let mut mirror = Mirror::open(&place.file(), options.read(true).write(true)).unwrap();
    mirror.cut_torn_tail().unwrap();
    mirror
}

#[test]
fn hashes_come_back_as_they_were_however_they_were_added() {
    for run in [1u64, 7, 1_023, 1_024, 1_025, 5_000] {
        let place = Place::new(&format!("runs{run}"));
        let mut mirror = Mirror::create(&place.file(), "s:1", "d/é", since()).unwrap();
        let mut first = 1;
        while first <= 2_100 {
            let last = (first + run - 1).min(2_100);
            assert_eq!(extend(&mut mirror, first, last), Extended::All);
            first = last + 1;
        }
        for mirror in [
            mirror,
            reopened(&place),
            Mirror::read(&place.file()).unwrap(),
        ] {
            assert_eq!((mirror.next(), mirror.last()), (2_101, 2_100));
            assert_eq!((mirror.server(), mirror.database()), ("s:1", "d/é"));
            assert!((1..=2_100).all(|tx| mirror.alh(tx) == Some(hash(tx))));
            assert_eq!((mirror.alh(0), mirror.alh(2_101)), (None, None));
        }
    }
}

#[test]
fn a_million_hashes_take_32_megabytes() {
    let length = STRIDE * 1_000_000 / u64::from(BLOCK);
    assert!((32_000_000..32_100_000).contains(&length), "{length}");
}

#[test]
fn a_cut_mirror_keeps_earlier_hashes_and_can_grow() {
    let place = Place::new("cut");
    let mirror = filled(&place, 1_030);
    let (start, whole) = (mirror.start, fs::read(place.file()).unwrap());
    drop(mirror);
    let lengths = (start..start + 200).chain((start + 200..whole.len() as u64).step_by(97));
    for length in lengths.chain([whole.len() as u64 - 1]) {
        fs::write(place.file(), &whole[..usize::try_from(length).unwrap()]).unwrap();
        let mut mirror = reopened(&place);
        // the seal covers the complete block, so an incomplete block has no valid seal
        let kept = if length >= start + STRIDE { 1_024 } else { 0 };
        assert_eq!(mirror.next(), kept + 1, "{length}");
        assert!((1..=kept).all(|tx| mirror.alh(tx) == Some(hash(tx))));
        let next = mirror.next();
        extend(&mut mirror, next, 1_030);
        assert_eq!(fs::read(place.file()).unwrap(), whole, "{length}");
    }
}

#[test]
fn sealed_hashes_survive_a_torn_append() {
    let place = Place::new("torn");
    let mut mirror = filled(&place, 100);
    let before = fs::read(place.file()).unwrap();
    extend(&mut mirror, 101, 150);
    let after = fs::read(place.file()).unwrap();
    drop(mirror);
    // hashes written in part, and their seal in part or not at all
    let seal = after.iter().zip(&before).position(|(a, b)| a != b).unwrap();
    for (tail, sealed) in [
        (0, 0),
        (31, 0),
        (640, 0),
        (1_600, 0),
        (1_600, 1),
        (1_600, 20),
    ] {
        let mut file = before.clone();
        file.extend(&after[before.len()..before.len() + tail]);
        file[seal..seal + sealed].copy_from_slice(&after[seal..seal + sealed]);
        fs::write(place.file(), &file).unwrap();
        let mut mirror = reopened(&place);
        assert_eq!(mirror.next(), 101, "{tail} {sealed}");
        assert!((1..=100).all(|tx| mirror.alh(tx) == Some(hash(tx))));
        extend(&mut mirror, 101, 150);
        assert_eq!(reopened(&place).next(), 151);
    }
}

#[test]
fn a_flipped_bit_costs_its_block_which_is_filled_again() {
    let place = Place::new("flip");
    let mirror = filled(&place, 3_000);
    let (start, whole) = (mirror.start, fs::read(place.file()).unwrap());
    drop(mirror);
    for at in (start..whole.len() as u64).step_by(131) {
        let at = usize::try_from(at).unwrap();
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        fs::write(place.file(), &file).unwrap();
        let mirror = Mirror::read(&place.file()).unwrap();
        for tx in [1, 1_024, 1_025, 2_048, 2_049, 3_000] {
            assert!(
                [None, Some(hash(tx))].contains(&mirror.alh(tx)),
                "{at} {tx}"
            );
        }
        let mut mirror = reopened(&place);
        let mut rounds = 0;
        while mirror.next() <= 3_000 {
            let next = mirror.next();
            extend(&mut mirror, next, 3_000);
            rounds += 1;
            assert!(rounds < 5);
        }
        assert!(
            (1..=3_000)
                .step_by(61)
                .all(|tx| mirror.alh(tx) == Some(hash(tx)))
        );
    }
    for at in 0..usize::try_from(start).unwrap() {
        let mut file = whole.clone();
        file[at] ^= 1;
        fs::write(place.file(), &file).unwrap();
        assert!(
            Mirror::read(&place.file()).is_err(),
            "byte {at} of the first line"
        );
    }
}

#[test]
fn a_mirror_grows_only_to_its_limit() {
    let place = Place::new("space");
    let mut mirror = Mirror::create(&place.file(), "s:1", "d", since()).unwrap();
    let all = hashes(1, 2_000);
    let mut last = 0;
    for space in [0, 31, 72, 103, 104, 1_000, 40_000] {
        let begin = fs::metadata(place.file()).unwrap().len();
        assert_eq!(mirror.extend(1, &all, space).unwrap(), Extended::Full);
        let grown = fs::metadata(place.file()).unwrap().len() - begin;
        assert!(grown <= space, "{grown} of {space}");
        assert!(mirror.next() > last || space < 104);
        last = mirror.next();
    }
}

#[test]
fn hashes_of_several_blocks_are_added_with_two_syncs() {
    let place = Place::new("syncs");
    let mut mirror = filled(&place, 1_000);
    for (first, last) in [(1_001, 2_000), (2_001, 2_002), (2_003, 12_000)] {
        SYNCS.set(0);
        extend(&mut mirror, first, last);
        assert_eq!((mirror.next(), SYNCS.get()), (last + 1, 2));
    }
    extend(&mut mirror, 11_000, 12_000);
    assert_eq!(SYNCS.get(), 2, "nothing was added");
}

#[test]
fn any_seals_may_be_missing_after_a_torn_addition_to_several_blocks() {
    let place = Place::new("torn-blocks");
    let mut mirror = filled(&place, 100);
    let start = usize::try_from(mirror.start).unwrap();
    let before = fs::read(place.file()).unwrap();
    extend(&mut mirror, 101, 2_100);
    let after = fs::read(place.file()).unwrap();
    drop(mirror);
    for written in 0..8 {
        let mut file = after.clone();
        for block in (0..3).filter(|block| written & (1 << block) == 0) {
            let at = start + block * usize::try_from(STRIDE).unwrap();
            let seals = at..at + usize::try_from(SEALS).unwrap();
            match block {
                0 => file[seals.clone()].copy_from_slice(&before[seals]),
                _ => file[seals].fill(0),
            }
        }
        fs::write(place.file(), &file).unwrap();
        let mut mirror = reopened(&place);
        let known = |tx| match (tx - 1) / 1_024 {
            0 if tx <= 100 => true,
            block => written & (1 << block) != 0,
        };
        for tx in 1..=2_100 {
            assert_eq!(
                mirror.alh(tx),
                known(tx).then(|| hash(tx)),
                "{written} {tx}"
            );
        }
        assert_eq!(
            Some(mirror.next()),
            (1..=2_101).find(|tx| *tx > 2_100 || !known(*tx))
        );
        extend(&mut mirror, 1, 2_100);
        assert!((1..=2_100).all(|tx| mirror.alh(tx) == Some(hash(tx))));
        assert_eq!(reopened(&place).next(), 2_101);
    }
}
