//! Between what the network says and the plain data that crosses the boundary.

use libp2p::{Multiaddr, PeerId};

use crate::api::messages::{DhtEntry, PeerView, Reply, WireValue};
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::net::Node;
use crate::net::node::{parse_peer, value_of};
use crate::proto::key::Key;
use crate::proto::record::{Record, Value};

const DAY_MS: f64 = 86_400_000.0;

/// What went wrong and why, in one line.
pub(super) fn told(error: &Error) -> String {
    match error.cause() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

pub(super) async fn find_peer(node: &Node, id: &str) -> Result<Reply> {
    let (record, expires) = node.find_peer(parse_peer(id)?).await?;
    let relays = record
        .relays
        .iter()
        .filter_map(|bytes| PeerId::from_bytes(bytes).ok());
    Ok(Reply::Peer(Box::new(PeerView {
        id: id.to_owned(),
        addresses: texts(record.addresses),
        relays: relays.map(|peer| peer.to_string()).collect(),
        capabilities: record.capabilities,
        author: record.author.map(|proof| proof.author().to_string()),
        expires,
    })))
}

pub(super) fn entry(key: Key, record: Record) -> Result<DhtEntry> {
    let mut entry = DhtEntry {
        key: key.to_string(),
        kind: "value",
        value: value_of(&record)?.value().clone().into(),
        author: None,
        label: None,
        seq: None,
        issued: None,
        expires: None,
    };
    if let Record::Signed(envelope) = record {
        let body = envelope.body();
        entry.kind = "record";
        entry.author = Some(body.key.to_string());
        entry.label = Some(body.label.clone());
        entry.seq = Some(body.seq);
        entry.issued = Some(body.issued);
        entry.expires = Some(body.expires);
    }
    Ok(entry)
}

pub(super) fn texts(addresses: Vec<Vec<u8>>) -> Vec<String> {
    addresses
        .into_iter()
        .filter_map(|bytes| Multiaddr::try_from(bytes).ok())
        .map(|address| address.to_string())
        .collect()
}

pub(super) fn lifetime(ttl_ms: Option<f64>) -> Result<u64> {
    match ttl_ms.unwrap_or(DAY_MS) {
        ttl if ttl >= 1_000.0 && ttl <= limits::MAX_LIFETIME as f64 => Ok(ttl as u64),
        _ => Err(Error::new(
            Code::InvalidArgument,
            "a lifetime is between one second and 400 days",
        )),
    }
}

impl From<WireValue> for Value {
    fn from(value: WireValue) -> Self {
        match value {
            WireValue::Json(text) => Value::Json(text),
            WireValue::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl From<Value> for WireValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Json(text) => WireValue::Json(text),
            Value::Bytes(bytes) => WireValue::Bytes(bytes),
        }
    }
}
