//! A relay believes nothing it cannot verify: each kind of bad record is refused with its reason,
//! counted, and readable by nobody afterwards. And one that cries "older" censors nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use warren_shared::error::Code;
use warren_shared::net::{Node, RecordClient, Route};
use warren_shared::platform;
use warren_shared::proto::envelope::{Body, Envelope};
use warren_shared::proto::key::{Key, SigningKey};
use warren_shared::proto::record::wire::{Request, Response};
use warren_shared::proto::record::{
    MutableValue, Prefix, ProviderEntry, Record, Refusal, VALUE_DOMAIN, Value, ValueBlock,
};
use warren_shared::proto::{Millis, NetworkId};
use warren_shared::store::{
    AnnounceError, Outcome, RecordStore, Source, StoreError, StoreStats, Swept,
};
use warren_tests::peers::{node_with_store, stranger};
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

const HOUR: u64 = 3_600_000;
const LABEL: &str = "label";

/// What a relay turned away, by reason.
async fn refusals(relay: &TestRelay) -> BTreeMap<&'static str, u64> {
    let snapshot = relay.snapshot().await;
    let counts = snapshot.refusals.iter();
    counts.map(|(why, count)| (*why, *count)).collect()
}

/// A record that must not be taken, and why.
struct Bad {
    name: &'static str,
    key: Key,
    bytes: Vec<u8>,
    why: Refusal,
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_records_are_refused_counted_and_never_read() {
    let relay = TestRelay::first().await;
    let peer = stranger(relay.node().network());
    let route = relay.route().await;
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for bad in signed(relay.node().network())
        .into_iter()
        .chain(immutable())
    {
        let put = Request::Put {
            key: bad.key,
            record: bad.bytes,
        };
        let answer = ask(&peer, &route, put).await;
        let refused = Response::Refused {
            why: bad.why,
            newer: None,
        };
        assert_eq!(answer, refused, "{}", bad.name);
        let read = ask(&peer, &route, Request::Get { key: bad.key }).await;
        assert_eq!(read, Response::Missing, "{}", bad.name);
        *expected.entry(bad.why.as_str()).or_default() += 1;
    }
    assert_eq!(refusals(&relay).await, expected);
    peer.close().await;
    relay.stop().await;
}

/// Everything that can be wrong with a signed record.
fn signed(network: &NetworkId) -> Vec<Bad> {
    let (author, mallory) = (key(), key());
    let now = platform::now();
    let good = body(&author, network);
    let own = good.location();
    let sign = |body: Body| {
        Envelope::sign(body, &author)
            .expect("signed")
            .bytes()
            .to_vec()
    };
    let bad = |name, bytes, why| Bad {
        name,
        key: own,
        bytes,
        why,
    };
    let mut flipped = sign(good.clone());
    *flipped.last_mut().expect("not empty") ^= 1;
    let mut longer = sign(good.clone());
    longer.push(0);
    let shorter = sign(good.clone())[..100].to_vec();
    let by_mallory = Envelope::sign(body(&mallory, network), &mallory).expect("signed");
    let other_domain = Body {
        domain: "gossip".into(),
        ..good.clone()
    };
    vec![
        bad("its signature was changed", flipped, Refusal::BadSignature),
        bad(
            "it names somebody else as its author",
            replace(
                by_mallory.bytes(),
                mallory.public().as_bytes(),
                author.public().as_bytes(),
            ),
            Refusal::BadSignature,
        ),
        bad(
            "its content was changed",
            replace(&sign(good.clone()), b"content", b"CONTENT"),
            Refusal::BadSignature,
        ),
        bad(
            "it belongs to another author's key",
            by_mallory.bytes().to_vec(),
            Refusal::WrongKey,
        ),
        bad(
            "it belongs to another label",
            sign(Body {
                label: "another".into(),
                ..good.clone()
            }),
            Refusal::WrongKey,
        ),
        bad(
            "it was made for another network",
            sign(Body {
                network: "elsewhere".parse().expect("a network"),
                ..good.clone()
            }),
            Refusal::WrongNetwork,
        ),
        bad(
            "it has expired",
            sign(Body {
                issued: now - 48 * HOUR,
                expires: now - 24 * HOUR,
                ..good.clone()
            }),
            Refusal::Expired,
        ),
        bad(
            "it comes from the future",
            sign(Body {
                issued: now + HOUR,
                expires: now + 2 * HOUR,
                ..good.clone()
            }),
            Refusal::FutureDated,
        ),
        bad(
            "its version is unknown",
            // The body: an array of nine, its version 1.
            replace(&sign(good.clone()), &[0x89, 1], &[0x89, 2]),
            Refusal::UnknownVersion,
        ),
        bad(
            "its payload is no value",
            sign(Body {
                payload: b"no value".to_vec(),
                ..good.clone()
            }),
            Refusal::Malformed,
        ),
        bad("there are bytes after it", longer, Refusal::Malformed),
        bad("it is cut off", shorter, Refusal::Malformed),
        bad("it is empty", Vec::new(), Refusal::Malformed),
        bad(
            "it is too large",
            vec![0; 10 * 1024 + 1],
            Refusal::Oversized,
        ),
        Bad {
            name: "its domain is not stored",
            key: other_domain.location(),
            bytes: sign(other_domain),
            why: Refusal::Unsupported,
        },
    ]
}

/// Everything that can be wrong with an immutable value.
fn immutable() -> Vec<Bad> {
    let block = |value: &[u8]| {
        let value = Value::Bytes(value.to_vec());
        ValueBlock::new(&value).expect("a value").bytes().to_vec()
    };
    let at_own_key = |name, bytes: Vec<u8>, why| Bad {
        name,
        key: Key::value(&bytes),
        bytes,
        why,
    };
    let content = 8_193u16.to_be_bytes();
    let oversized = [&[0x82, 1, 0x59], &content[..], &[7; 8_193]].concat();
    vec![
        Bad {
            name: "the hash is another's",
            key: Key::value(&block(b"one")),
            bytes: block(b"two"),
            why: Refusal::WrongKey,
        },
        at_own_key("no block", b"no block".to_vec(), Refusal::Malformed),
        at_own_key(
            "an encoding that is not the shortest",
            vec![0x82, 1, 0x58, 1, 7],
            Refusal::Malformed,
        ),
        at_own_key(
            "no JSON",
            [&[0x82, 0, 0x61], &b"{"[..]].concat(),
            Refusal::Malformed,
        ),
        at_own_key("content beyond 8 KiB", oversized, Refusal::Oversized),
        at_own_key("beyond every limit", vec![0; 60_000], Refusal::Oversized),
        Bad {
            name: "nothing is stored at a namespace",
            key: Key::namespace(&"anywhere".parse().expect("a network"), "room").expect("a key"),
            bytes: block(b"one"),
            why: Refusal::Unsupported,
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_is_answered_with_the_newer_one() {
    let relay = TestRelay::first().await;
    let peer = stranger(relay.node().network());
    let route = relay.route().await;
    let author = key();
    let version = |seq| {
        let body = Body {
            seq,
            ..body(&author, relay.node().network())
        };
        Envelope::sign(body, &author).expect("signed")
    };
    let (older, newer) = (version(4), version(5));
    let put = |envelope: &Envelope| Request::Put {
        key: envelope.key(),
        record: envelope.bytes().to_vec(),
    };
    assert_eq!(ask(&peer, &route, put(&newer)).await, Response::Stored);
    let refused = Response::Refused {
        why: Refusal::Older,
        newer: Some(newer.bytes().to_vec()),
    };
    assert_eq!(ask(&peer, &route, put(&older)).await, refused);
    let kept = Response::Found {
        record: newer.bytes().to_vec(),
    };
    assert_eq!(
        ask(&peer, &route, Request::Get { key: newer.key() }).await,
        kept
    );
    assert_eq!(refusals(&relay).await, BTreeMap::from([("older", 1)]));
    peer.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_not_asked_for_is_not_believed() {
    let network: NetworkId = "here".parse().expect("a network");
    let elsewhere: NetworkId = "elsewhere".parse().expect("another network");
    let author = key();
    let peer = stranger(&network);
    let client = RecordClient::new(peer.handle().clone(), network.clone(), None);
    let asked = MutableValue::key(&author.public(), LABEL);
    for shown in [signed_by(&key(), &network), signed_by(&author, &elsewhere)] {
        let liar = Liar {
            shows: Some(Record::Signed(shown)),
            claims: Vec::new(),
        };
        let (liar, route) = node_with_store(&network, Arc::new(liar)).await;
        let read = within("a read", client.read(vec![route], asked)).await;
        assert_eq!(read.expect("an answer"), None);
        liar.close().await;
    }
    peer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crying_older_does_not_censor() {
    let relay = TestRelay::first().await;
    let network = relay.node().network().clone();
    let author = key();
    let version = |seq| {
        let body = Body {
            seq,
            ..body(&author, &network)
        };
        Record::Signed(Envelope::sign(body, &author).expect("signed"))
    };
    let junk = b"junk".to_vec();
    let somebody_elses = signed_by(&key(), &network).bytes().to_vec();
    let really_older = version(4).bytes().to_vec();
    let peer = stranger(&network);
    let client = RecordClient::new(peer.handle().clone(), network.clone(), None);
    for (seq, claim) in [(5, junk), (6, somebody_elses), (7, really_older)] {
        let (liar, lies) = node_with_store(&network, crying_older(claim)).await;
        let routes = vec![lies, relay.route().await];
        let report = within("a write", client.write(routes.clone(), version(seq))).await;
        let report = report.unwrap_or_else(|error| panic!("version {seq}: {error}"));
        assert_eq!(report.stored, 1);
        assert_eq!(report.refused.iter().collect::<Vec<_>>(), [(&"older", &1)]);
        let read = within("a read", client.read(routes, version(seq).key())).await;
        assert_eq!(read.expect("an answer"), Some(version(seq)));
        liar.close().await;
    }

    // The same claim with a version that is newer indeed counts, whoever lies beside it.
    let (liar, lies) = node_with_store(&network, crying_older(b"junk".to_vec())).await;
    let routes = vec![lies, relay.route().await];
    let error = within("a write", client.write(routes, version(6)))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Older);
    liar.close().await;
    peer.close().await;
    relay.stop().await;
}

/// A store that calls every record older than what it claims to have, and shows the same one for
/// any key.
struct Liar {
    claims: Vec<u8>,
    shows: Option<Record>,
}

fn crying_older(claims: Vec<u8>) -> Arc<Liar> {
    let shows = None;
    Arc::new(Liar { claims, shows })
}

#[async_trait]
impl RecordStore for Liar {
    async fn put_from(&self, _: Source, _: Record, _: Millis) -> Result<Outcome, StoreError> {
        Ok(Outcome::Older(self.claims.clone()))
    }

    async fn get(&self, _: Key, _: Millis) -> Result<Option<Record>, StoreError> {
        Ok(self.shows.clone())
    }

    async fn announce(
        &self,
        _: Key,
        _: ProviderEntry,
        _: Option<Prefix>,
        _: Millis,
    ) -> Result<(), AnnounceError> {
        Ok(())
    }

    async fn withdraw(&self, _: Key, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn providers(
        &self,
        _: Key,
        _: Option<Vec<u8>>,
        _: Millis,
    ) -> Result<(Vec<ProviderEntry>, bool), StoreError> {
        Ok((Vec::new(), false))
    }

    async fn sweep(&self, _: Millis) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(StoreStats::default())
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed(platform::entropy())
}

/// A body with which nothing is wrong.
fn body(author: &SigningKey, network: &NetworkId) -> Body {
    let now = platform::now();
    let content = ValueBlock::new(&Value::Json("\"content\"".into())).expect("a value");
    Body {
        domain: VALUE_DOMAIN.into(),
        network: network.clone(),
        key: author.public(),
        label: LABEL.into(),
        seq: 1,
        issued: now / HOUR * HOUR,
        expires: now / HOUR * HOUR + 24 * HOUR,
        payload: content.bytes().to_vec(),
    }
}

fn signed_by(author: &SigningKey, network: &NetworkId) -> Envelope {
    let envelope = Envelope::sign(body(author, network), author).expect("signed");
    assert_eq!(envelope.key(), MutableValue::key(&author.public(), LABEL));
    envelope
}

/// The bytes with the first occurrence of a part exchanged for another of its length.
fn replace(bytes: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    let at = bytes.windows(part.len()).position(|window| window == part);
    let at = at.expect("the part is there");
    let mut changed = bytes.to_vec();
    changed[at..at + by.len()].copy_from_slice(by);
    changed
}

async fn ask(peer: &Node, route: &Route, request: Request) -> Response {
    let answer = within("an answer", peer.handle().ask(route.clone(), request)).await;
    answer.expect("an answer").response
}
