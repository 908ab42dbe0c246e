//! Fetching the checkpoints of peers: one thread, limits for time and size, and requests only to
//! the configured URLs.

use std::time::{Duration, Instant};

use crate::support::receiver::Receiver;
use immuaudit::checkpoint::{Checkpoint, KeyName, Origin, SignerKey, cosigned};
use immuaudit::clock::{Clock, Timestamp};
use immuaudit::config::{Login, PeerSettings, Roots, Secret, Url};
use immuaudit::ledger::{Digest, State};
use immuaudit::peer::{Fetcher, PeerPoller, Source, Witness};

/// The longest time for which a test waits for the peers; a busy machine may need some of it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

fn signer(name: &str) -> SignerKey {
    SignerKey::of_seed(KeyName::new(name).expect("a name"), &[7; 32]).expect("a key")
}

fn peer(name: &str, url: &str) -> PeerSettings {
    let key = signer(name).public().clone();
    PeerSettings {
        name: key.name.clone(),
        url: Url::read(url).expect("a URL"),
        keys: vec![key],
        roots: Roots::System,
        proxy: None,
        login: None,
    }
}

fn checkpoint(name: &str, tx: u64) -> String {
    let checkpoint = Checkpoint {
        origin: Origin {
            server: "tested".into(),
            database: "db".into(),
        },
        state: State {
            tx,
            hash: Digest::of(&[b"x"]),
        },
        signature: None,
    };
    cosigned(&checkpoint, &signer(name), 1_800_000_000).to_string()
}

/// Returns the checkpoints of these peers, after each of them has responded or failed.
fn fetch_from_all(peers: &[PeerSettings]) -> PeerPoller {
    let witnesses: Vec<Witness> = peers
        .iter()
        .map(|peer| Witness {
            name: peer.name.clone(),
            keys: peer.keys.clone(),
        })
        .collect();
    let fetcher = Fetcher::start(peers, "tested", Clock::system()).expect("a thread");
    let mut peer_poller = PeerPoller::new(&witnesses, 0, Box::new(fetcher));
    peer_poller.ask();
    peer_poller.wait(Instant::now() + FETCH_TIMEOUT);
    peer_poller.take_in(Timestamp::from_unix(1));
    peer_poller
}

/// Returns for each peer the transaction in its checkpoint, or the reason why there is none.
fn peer_results(peer_poller: &PeerPoller) -> Vec<Result<Option<u64>, String>> {
    let each = peer_poller.all().map(|(_, latest)| match &latest.failure {
        Some(why) => Err(why.clone()),
        None => Ok(latest.words.get("db").map(|word| word.state.tx)),
    });
    each.collect()
}

#[test]
fn checkpoints_are_requested_with_the_configured_login() {
    let (one, other) = (Receiver::start(), Receiver::start());
    one.answer("200 OK");
    one.body(&checkpoint("one", 7));
    other.answer("200 OK");
    other.body(&checkpoint("other", 8));
    let base = |receiver: &Receiver| format!("http://127.0.0.1:{}", receiver.port);
    let with_login = PeerSettings {
        login: Some(Login {
            username: "me".into(),
            password: Secret::new("hush".into()),
        }),
        ..peer("other", &format!("{}/zone/checkpoints", base(&other)))
    };
    let peer_poller = fetch_from_all(&[peer("one", &base(&one)), with_login]);
    assert_eq!(peer_results(&peer_poller), [Ok(Some(7)), Ok(Some(8))]);
    let asked = |receiver: &Receiver| receiver.received()[0].clone();
    let (first, second) = (asked(&one), asked(&other));
    assert!(first.head.starts_with("GET /checkpoints HTTP"), "{first:?}");
    assert_eq!(first.header("authorization"), None);
    assert!(
        second.head.starts_with("GET /zone/checkpoints HTTP"),
        "{second:?}"
    );
    assert_eq!(second.header("authorization"), Some("Basic bWU6aHVzaA=="));
    assert_eq!((one.received().len(), other.received().len()), (1, 1));
}

#[test]
fn a_failing_peer_does_not_prevent_the_fetch_from_another() {
    let (silent, huge, elsewhere, refusing, well) = (
        Receiver::start(),
        Receiver::start(),
        Receiver::start(),
        Receiver::start(),
        Receiver::start(),
    );
    let base = |receiver: &Receiver| format!("http://127.0.0.1:{}", receiver.port);
    silent.answer("slow");
    huge.answer("200 OK");
    huge.body(&checkpoint("huge", 7).repeat(10_000));
    well.answer("200 OK");
    well.body(&checkpoint("well", 9));
    elsewhere.answer(&format!(
        "302 Found\r\nLocation: {}/checkpoints",
        base(&well)
    ));
    refusing.answer("401 Unauthorized");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let down = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let peer_poller = fetch_from_all(&[
        peer("silent", &base(&silent)),
        peer("down", &down),
        peer("huge", &base(&huge)),
        peer("elsewhere", &base(&elsewhere)),
        peer("refusing", &base(&refusing)),
        peer("well", &base(&well)),
    ]);
    let peer_results = peer_results(&peer_poller);
    for (index, expected) in [
        "no response in time",
        "connection",
        "longer than 1048576 bytes",
        "status 302",
        "status 401",
    ]
    .iter()
    .enumerate()
    {
        assert!(
            peer_results[index]
                .as_ref()
                .is_err_and(|why| why.contains(expected)),
            "{expected}: {peer_results:?}"
        );
    }
    assert_eq!(peer_results[5], Ok(Some(9)));
    assert_eq!(well.received().len(), 1);
}

#[test]
fn taking_results_never_waits_and_no_round_starts_twice() {
    let silent = Receiver::start();
    silent.answer("slow");
    let peers = [peer("silent", &format!("http://127.0.0.1:{}", silent.port))];
    let mut fetcher = Fetcher::start(&peers, "tested", Clock::system()).expect("a thread");
    for _ in 0..100 {
        fetcher.ask();
        assert!(fetcher.take().is_empty());
    }
    fetcher.wait(Instant::now()); // a time in the past: returns immediately
    fetcher.wait(Instant::now() + FETCH_TIMEOUT);
    assert_eq!(fetcher.take().len(), 1);
    assert_eq!(silent.received().len(), 1);
}

#[test]
fn each_round_begins_with_the_next_peer() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let down = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let peers = ["one", "two", "three"].map(|name| peer(name, &down));
    let mut fetcher = Fetcher::start(&peers, "tested", Clock::system()).expect("a thread");
    let mut asked = Vec::new();
    for _ in 0..4 {
        fetcher.ask();
        fetcher.wait(Instant::now() + FETCH_TIMEOUT);
        let names = fetcher.take().into_iter();
        asked.push(names.map(|of| of.peer.to_string()).collect::<Vec<_>>());
    }
    let first = ["one", "two", "three"];
    let expected = [
        first,
        ["two", "three", "one"],
        ["three", "one", "two"],
        first,
    ];
    assert_eq!(asked, expected);
}
