//! One valid example of everything that is signed or encoded: fixed keys, fixed times.

use crate::limits::DAY;
use crate::proto::Millis;
use crate::proto::envelope::Envelope;
use crate::proto::join::{JoinDocument, RelayHint};
use crate::proto::key::{Key, NetworkId, SigningKey};
use crate::proto::names::WitnessSet;
use crate::proto::record::peer::{AuthorProof, PeerRecord};
use crate::proto::record::wire::{Answer, Request, Response};
use crate::proto::record::{
    MutableValue, Prefix, ProviderEntry, ProviderSet, Refusal, Value, ValueBlock,
};

/// The time of all samples.
pub const NOW: Millis = 1_700_000_000_000;

/// The network of all samples.
pub fn network() -> NetworkId {
    "test-net".parse().expect("a valid id")
}

/// The transport key.
pub fn transport() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

/// The author key.
pub fn author() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

/// An immutable JSON value.
pub fn json_block() -> ValueBlock {
    ValueBlock::new(&Value::Json("{\"hello\":\"world\"}".to_owned())).expect("valid JSON")
}

/// Immutable bytes.
pub fn bytes_block() -> ValueBlock {
    ValueBlock::new(&Value::Bytes(vec![0, 1, 2, 0xff])).expect("they fit")
}

/// A mutable value with this sequence number.
pub fn mutable(seq: u64) -> Envelope {
    let times = (NOW, NOW + DAY);
    MutableValue::sign(&author(), &network(), "greeting", &json_block(), seq, times)
        .expect("valid fields")
}

/// A proof that the transport key runs for the author.
pub fn author_proof() -> AuthorProof {
    AuthorProof::sign(&author(), &transport().public(), &network(), NOW).expect("valid fields")
}

/// A peer record with everything in it.
pub fn peer_record() -> Envelope {
    let record = PeerRecord {
        addresses: vec![vec![0x04, 127, 0, 0, 1, 0x06, 0x0f, 0xa1]],
        relays: vec![SigningKey::from_seed([3; 32]).public().to_peer_id_bytes()],
        mailboxes: vec![SigningKey::from_seed([4; 32]).public().to_peer_id_bytes()],
        capabilities: vec!["chat".to_owned()],
        author: Some(author_proof()),
    };
    record
        .sign(&transport(), &network(), 1, NOW)
        .expect("within the limits")
}

/// A provider entry.
pub fn provider() -> ProviderEntry {
    ProviderEntry {
        peer: transport().public().to_peer_id_bytes(),
        addresses: vec![vec![0x04, 127, 0, 0, 1, 0x06, 0x0f, 0xa1]],
        expires: NOW + 60_000,
    }
}

/// Providers as a store keeps them.
pub fn provider_set() -> ProviderSet {
    let mut set = ProviderSet::new();
    set.insert(provider(), Some(Prefix::V4([203, 0, 113])), NOW)
        .expect("there is room");
    set
}

/// The namespace `global-chat`.
pub fn namespace() -> Key {
    Key::namespace(&network(), "global-chat").expect("a valid name")
}

/// One request of each kind.
pub fn requests() -> Vec<Request> {
    vec![
        Request::Put {
            key: bytes_block().key(),
            record: bytes_block().bytes().to_vec(),
        },
        Request::Get {
            key: bytes_block().key(),
        },
        Request::Announce {
            key: namespace(),
            addresses: provider().addresses,
            ttl_ms: 1_800_000,
        },
        Request::Withdraw { key: namespace() },
        Request::Providers {
            key: namespace(),
            after: None,
        },
        Request::Providers {
            key: namespace(),
            after: Some(provider().peer),
        },
    ]
}

/// One answer of each kind.
pub fn answers() -> Vec<Answer> {
    let responses = [
        Response::Stored,
        Response::Found {
            record: bytes_block().bytes().to_vec(),
        },
        Response::Missing,
        Response::Announced {
            expires: NOW + 1_800_000,
        },
        Response::Providers {
            entries: vec![provider()],
            more: false,
        },
        Response::Refused {
            why: Refusal::BadSignature,
            newer: None,
        },
        Response::Refused {
            why: Refusal::Older,
            newer: Some(vec![1, 2, 3]),
        },
    ];
    responses
        .into_iter()
        .map(|response| Answer { now: NOW, response })
        .collect()
}

/// A join document with everything in it.
pub fn join_document() -> JoinDocument {
    JoinDocument {
        network: network(),
        peer: transport().public().to_peer_id(),
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
        http: Some("http://192.0.2.1:8080".to_owned()),
        stun: Some("stun:192.0.2.1:4002".to_owned()),
        witnesses: WitnessSet::new(1, 1, [author().public()]).ok(),
        relays: vec![RelayHint {
            peer: author().public().to_peer_id(),
            addresses: vec!["/ip4/192.0.2.2/tcp/4001".to_owned()],
            http: None,
        }],
        version: "0.1.0".to_owned(),
        now: NOW,
    }
}

/// The signed envelope inside the join document.
pub fn join_envelope() -> Envelope {
    join_document()
        .envelope(&transport())
        .expect("within the limits")
}
