//! What the network said, as the plain data that crosses the boundary.

use libp2p::{Multiaddr, PeerId};

use crate::api::messages::{DhtEntry, PeerView, Reply, WireValue};
use crate::error::Result;
use crate::net::Node;
use crate::net::node::parse_peer;
use crate::proto::key::Key;
use crate::proto::record::{MutableValue, Record, Value};

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
        value: WireValue::Bytes(Vec::new()),
        author: None,
        label: None,
        seq: None,
        issued: None,
        expires: None,
    };
    match record {
        Record::Value(block) => entry.value = block.value().clone().into(),
        Record::Signed(envelope) => {
            let body = envelope.body();
            entry.kind = "record";
            entry.value = MutableValue::open(&envelope)?.value().clone().into();
            entry.author = Some(body.key.to_string());
            entry.label = Some(body.label.clone());
            entry.seq = Some(body.seq);
            entry.issued = Some(body.issued);
            entry.expires = Some(body.expires);
        }
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
