//! Differences from a backup, key by key, or from another auditor's mirror, and the content of a
//! mirror.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::in_process;
use crate::support::locating::{
    ALL, DATABASE, audited, auditor, auditor_of, backup, fill_mirror, rewritten, server,
};
use crate::support::proxy::Proxy;
use crate::support::temp_dir::TempDir;
use immuaudit::audit::{Auditor, Exit, KeyChange};
use immuaudit::config::ShownValues;
use immuaudit::drill::{Embedded, NewEntry, Options};
use immuaudit::ledger::Digest;
use immuaudit::server::Endpoint;
use immuaudit::stop::Stop;
use immuaudit::trust::Mirror;
use immuaudit::wire::proto;

#[test]
fn a_changed_key_is_found_in_a_backup_at_every_position() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    let (_backup, mut other) = backup(honest.clone());
    for parted in 0..ALL {
        embedded.put_ledger(DATABASE, rewritten(&honest, parted));
        let shown = embedded.state(DATABASE).unwrap();
        let compared = auditor.against_server(DATABASE, shown, &mut other, ShownValues::Yes);
        let differences = compared.unwrap().unwrap();
        assert!(differences.unproven.is_none(), "{differences:?}");
        assert_eq!(
            (differences.same, differences.first),
            (parted, Some(parted + 1))
        );
        assert!(differences.holds.as_ref().unwrap().is_intact());
        assert_eq!(differences.compared, ALL);
        assert_eq!(differences.rechained, ALL - parted - 1);
        let [differing] = differences.differing.as_slice() else {
            panic!("{differences:?}");
        };
        assert_eq!(differing.tx, parted + 1);
        let [change] = differing.changes.as_slice() else {
            panic!("{differing:?}");
        };
        assert_eq!(change.how, KeyChange::Changed);
        assert_eq!(change.key.as_str(), format!("key/{parted}"));
        assert_eq!(change.ours.as_ref().unwrap().as_str(), "forged");
        let expected = format!("value {parted}");
        assert_eq!(change.theirs.as_ref().unwrap().as_str(), expected);
    }
}

#[test]
fn added_and_removed_keys_are_named() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    let (_backup, mut other) = backup(honest.clone());
    let mut forged = honest.clone();
    forged.truncate(ALL - 1);
    let nasty = "x\n\u{202e}\"";
    forged.commit(vec![NewEntry::set(nasty, "1"), NewEntry::set("b", "2")]);
    embedded.put_ledger(DATABASE, forged);
    let shown = embedded.state(DATABASE).unwrap();
    let compared = auditor.against_server(DATABASE, shown, &mut other, ShownValues::No);
    let differences = compared.unwrap().unwrap();
    let changes: Vec<(KeyChange, &str)> = differences.differing[0]
        .changes
        .iter()
        .map(|change| (change.how, change.key.as_str()))
        .collect();
    let removed = format!("key/{}", ALL - 1);
    assert_eq!(
        changes,
        [
            (KeyChange::Added, "b"),
            (KeyChange::Added, "x\\n\\u{202e}\\\""),
            (KeyChange::Removed, removed.as_str()),
        ]
    );
    let change = &differences.differing[0].changes[0];
    assert!(change.ours.is_none() && change.theirs.is_none());
}

#[test]
fn an_inserted_transaction_is_named_without_the_moved_ones() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    let (_backup, mut other) = backup(honest.clone());
    for parted in [0, 1, 150, ALL - 1] {
        let mut forged = honest.clone();
        forged.truncate(parted);
        forged.commit(vec![NewEntry::set("bribe", "1")]);
        for tx in parted..ALL {
            forged.commit(vec![NewEntry::set(
                format!("key/{tx}"),
                format!("value {tx}"),
            )]);
        }
        embedded.put_ledger(DATABASE, forged);
        let shown = embedded.state(DATABASE).unwrap();
        let compared = auditor.against_server(DATABASE, shown, &mut other, ShownValues::No);
        let differences = compared.unwrap().unwrap();
        let [differing] = differences.differing.as_slice() else {
            panic!("{differences:?}");
        };
        assert_eq!(differing.tx, parted + 1);
        let [change] = differing.changes.as_slice() else {
            panic!("{differing:?}");
        };
        assert_eq!(
            (change.how, change.key.as_str()),
            (KeyChange::Added, "bribe")
        );
        assert_eq!(differences.moved, ALL - parted - 1);
    }
}

/// The longer server shows the removed entry in a transaction after the end of the shorter history.
/// Unless that transaction is chained to the longer state, the entry would count as moved.
#[test]
fn entries_past_the_shorter_history_are_chained_to_the_longer_state() {
    let folder = TempDir::new();
    let (embedded, _) = audited(&folder);
    let honest = embedded.ledger(DATABASE).unwrap();
    let (_backup, mut other) = backup(honest.clone());
    let removed = honest.tx(150).unwrap().entries[0].clone();
    let mut forged = honest.clone();
    forged.truncate(149);
    forged.commit(vec![NewEntry::set("another", "1")]);
    for tx in 151..=ALL + 7 {
        let (key, value) = (format!("key/{}", tx - 1), format!("value {}", tx - 1));
        forged.commit(vec![NewEntry::set(key, value)]);
    }
    embedded.put_ledger(DATABASE, forged);
    let proxy = Proxy::before(embedded.port());
    let endpoint = Endpoint::on_loopback(proxy.port);
    let server = in_process::server(endpoint, Duration::from_secs(5), &Stop::new());
    let mut auditor = auditor_of(server, &folder.path().join("another"));
    let shown = embedded.state(DATABASE).unwrap();
    let mut changes = |auditor: &mut Auditor| {
        let compared = auditor.against_server(DATABASE, shown, &mut other, ShownValues::No);
        let differences = compared.unwrap().unwrap();
        let all = differences.differing.iter().flat_map(|tx| &tx.changes);
        let changes: Vec<KeyChange> = all.map(|change| change.how).collect();
        (changes, differences.unproven)
    };
    let (honestly, unproven) = changes(&mut auditor);
    assert_eq!(honestly, [KeyChange::Added, KeyChange::Removed]);
    assert_eq!(unproven, None);
    let entry = removed.digest(&honest.tx(150).unwrap().header).unwrap();
    let root = Digest::leaf(&entry).as_bytes().to_vec();
    for late in [ALL + 1, ALL + 4, ALL + 7] {
        // with the original header, and with a header that has the root of the forged entry
        for eh in [None, Some(root.clone())] {
            let (removed, with_root) = (removed.clone(), eh.is_some());
            proxy.distort(move |call, _, reply| {
                if call == "TxScan" {
                    reply.message::<proto::TxList>(|list| {
                        let txs = list.txs.iter_mut();
                        for tx in txs.filter(|tx| tx.header.id == late) {
                            tx.entries[0].key.clone_from(&removed.key);
                            tx.entries[0].h_value = removed.h_value.as_bytes().to_vec();
                            let header = tx.header.as_mut().unwrap();
                            header.eh = eh.clone().unwrap_or(std::mem::take(&mut header.eh));
                        }
                    });
                }
            });
            let (changed, unproven) = changes(&mut auditor);
            assert!(unproven.is_some(), "{late} {with_root}: {changed:?}");
        }
    }
}

/// Writes `count` transactions of 1.1 MB each. Different words give different entries.
fn write_large(embedded: &Embedded, word: &str, count: u64) {
    for tx in 0..count {
        let key = |entry| format!("{word}/{tx}/{entry}/{}", "x".repeat(980));
        let entries = (0..1000).map(|entry| NewEntry::set(key(entry), ""));
        embedded.commit(DATABASE, entries.collect());
    }
}

#[test]
fn differences_are_reported_up_to_the_memory_limit() {
    // differences of both sides, then of one side only, with a limit of 8 MiB
    for (both, longer, is_complete) in [(3, 0, true), (4, 0, false), (0, 7, true), (0, 8, false)] {
        let (folder, options) = (TempDir::new(), Options::default);
        let (ours, theirs) = (Embedded::start(options()), Embedded::start(options()));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        for (side, word) in [(&ours, "ours"), (&theirs, "theirs")] {
            side.set(DATABASE, "key", word);
            write_large(side, word, both);
        }
        write_large(&ours, "further", longer);
        let shown = ours.state(DATABASE).unwrap();
        let mut other = server(&theirs, Duration::from_secs(5));
        let mut auditor = auditor(&ours, folder.path());
        let compared = auditor.against_server(DATABASE, shown, &mut other, ShownValues::No);
        let differences = compared.unwrap().unwrap();
        let unproven = differences.unproven.as_ref().map(|why| why.as_str());
        let expected =
            (!is_complete).then_some("there are more differences than the memory limit allows");
        assert_eq!(unproven, expected, "{both} {longer}");
    }
}

#[test]
fn two_mirrors_are_compared_offline_and_damage_only_widens_the_range() {
    let (ours, theirs) = (TempDir::new(), TempDir::new());
    let (embedded, mut auditor) = audited(&ours);
    fill_mirror(&mut auditor);
    let honest = embedded.ledger(DATABASE).unwrap();
    for parted in [0, 1, 150, 299] {
        embedded.put_ledger(DATABASE, rewritten(&honest, parted));
        let dir = theirs.join(&format!("of{parted}"));
        let mut second = self::auditor(&embedded, &dir);
        assert_eq!(second.cycle(|_| {}).exit(), Exit::Good);
        fill_mirror(&mut second);
        let file = dir.join("tested/defaultdb.mirror");
        embedded.reset_calls();
        let mirror = Mirror::read(&file).unwrap();
        let compared = auditor.against_mirror(DATABASE, &mirror).unwrap().unwrap();
        assert_eq!(compared.found.broken, Some(parted + 1));
        assert_eq!(compared.found.holds, parted.checked_sub(1).map(|_| parted));
        assert!(embedded.calls().is_empty(), "{:?}", embedded.calls());
        let mut damaged = std::fs::read(&file).unwrap();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let copy = dir.join("damaged.mirror");
        std::fs::write(&copy, damaged).unwrap();
        let damaged = Mirror::read(&copy).unwrap();
        let found = auditor
            .against_mirror(DATABASE, &damaged)
            .unwrap()
            .unwrap()
            .found;
        assert!(found.broken.is_none_or(|tx| tx > parted));
        assert!(found.holds.is_none_or(|tx| tx <= parted));
        // an auditor without its own mirror asks the server
        embedded.put_ledger(DATABASE, honest.clone());
        let mut third = self::auditor(&embedded, &dir.join("third"));
        let compared = third.against_mirror(DATABASE, &mirror).unwrap().unwrap();
        assert_eq!(compared.found.broken, Some(parted + 1));
    }
}

#[test]
fn a_mirror_has_only_proven_transactions_and_grows_with_the_ledger() {
    let folder = TempDir::new();
    let (embedded, mut auditor) = audited(&folder);
    fill_mirror(&mut auditor);
    let file = folder.join("tested/defaultdb.mirror");
    let honest = embedded.ledger(DATABASE).unwrap();
    let mirror = Mirror::read(&file).unwrap();
    assert_eq!(mirror.last(), ALL);
    assert!((1..=ALL).all(|tx| mirror.alh(tx) == Some(honest.state_at(tx).unwrap().hash)));
    // a rewrite is not added to the mirror, because it does not extend the trusted state
    embedded.put_ledger(DATABASE, rewritten(&honest, 200));
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Tampered);
    let until = Instant::now() + Duration::from_secs(60);
    let failures = auditor.mirror(until, until);
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(Mirror::read(&file).unwrap().last(), ALL);
    embedded.put_ledger(DATABASE, honest);
    embedded.grow(DATABASE, 25);
    // the alarm stays open, although the state is proven
    assert_eq!(auditor.cycle(|_| {}).exit(), Exit::Tampered);
    fill_mirror(&mut auditor);
    assert_eq!(Mirror::read(&file).unwrap().last(), ALL + 25);
}

#[test]
fn at_most_sixteen_mirrors_are_open() {
    let names: Vec<String> = (1..=40).map(|number| format!("db{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let options = Options::default().with_databases(&names);
    let embedded = Embedded::start(options).unwrap();
    names.iter().for_each(|name| embedded.grow(name, 3));
    let folder = TempDir::new();
    let mut auditor = auditor(&embedded, folder.path());
    auditor.cycle(|_| {});
    fill_mirror(&mut auditor);
    let files = fs::read_dir("/proc/self/fd").unwrap();
    let open = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let ours = open.filter(|file| file.starts_with(folder.path()));
    let mirrors = ours.filter(|file| file.extension().is_some_and(|ending| ending == "mirror"));
    assert!((1..=16).contains(&mirrors.count()));
    for name in names {
        let file = folder.join(&format!("tested/{name}.mirror"));
        assert_eq!(Mirror::read(&file).unwrap().last(), 3, "{name}");
    }
}
