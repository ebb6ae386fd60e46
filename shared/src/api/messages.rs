//! What an application may say to the engine, and what comes back. Structured-clone data only.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::net::snapshot::Snapshot;
use crate::net::{Event, HostHint};
use crate::proto::Millis;

/// A method and its parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "camelCase")]
pub enum Call {
    Start(StartParams),
    DhtPut {
        value: WireValue,
    },
    #[serde(rename_all = "camelCase")]
    DhtSet {
        label: String,
        value: WireValue,
        #[serde(default)]
        ttl_ms: Option<f64>,
    },
    DhtGet {
        key: String,
    },
    Provide {
        namespace: String,
    },
    Unprovide {
        namespace: String,
    },
    Find {
        namespace: String,
        #[serde(default)]
        limit: Option<f64>,
    },
    FindPeer {
        id: String,
    },
    Connect {
        target: String,
    },
    Disconnect {
        id: String,
    },
    Ping {
        id: String,
    },
    Call {
        id: String,
        method: String,
        #[serde(default)]
        params: serde_json::Value,
    },
    Snapshot {},
    Hint {
        kind: Hint,
    },
    Close {},
}

/// How a peer is to be started.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartParams {
    #[serde(default)]
    pub join: Vec<String>,
    #[serde(default)]
    pub bootstrap: Vec<String>,
    #[serde(default)]
    pub network: Option<String>,
    #[serde(with = "serde_bytes")]
    pub transport_seed: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub author_seed: Vec<u8>,
    #[serde(default)]
    pub ephemeral: bool,
    #[serde(default)]
    pub transports: Vec<String>,
    #[serde(default)]
    pub page_origin: Option<String>,
}

/// A value as it crosses the boundary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WireValue {
    Json(String),
    #[serde(with = "serde_bytes")]
    Bytes(Vec<u8>),
}

/// What the host of the engine noticed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hint {
    Online,
    Offline,
    Visible,
    Hidden,
    Resume,
}

impl From<Hint> for HostHint {
    fn from(hint: Hint) -> Self {
        match hint {
            Hint::Online => HostHint::Online,
            Hint::Offline => HostHint::Offline,
            Hint::Visible => HostHint::Visible,
            Hint::Hidden => HostHint::Hidden,
            Hint::Resume => HostHint::Woke,
        }
    }
}

/// What the engine says.
#[derive(Debug)]
pub enum Outgoing {
    Ok {
        id: f64,
        reply: Reply,
    },
    Error {
        id: f64,
        error: Error,
    },
    Item {
        id: f64,
        item: Found,
    },
    Event(Event),
    /// A snapshot with what only the session knows.
    Snapshot(Box<FullSnapshot>),
}

/// The result of a call.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    #[serde(rename_all = "camelCase")]
    Started {
        id: String,
        author: String,
        network: Option<String>,
    },
    Put {
        key: String,
        stored: usize,
    },
    Set {
        key: String,
        seq: u64,
        stored: usize,
    },
    Entry(Box<DhtEntry>),
    Provided {
        expires: Millis,
    },
    Peer(Box<PeerView>),
    Connected {
        id: String,
    },
    Ping {
        ms: u64,
    },
    Json(serde_json::Value),
    Snapshot(Box<FullSnapshot>),
    Nothing {},
}

/// A snapshot of an engine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FullSnapshot {
    #[serde(flatten)]
    pub snapshot: Snapshot,
    pub author: String,
    pub ephemeral: bool,
}

/// A value read from the DHT, with what proves it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DhtEntry {
    pub key: String,
    pub kind: &'static str,
    pub value: WireValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
}

/// A member of a namespace: a hint until the peer is authenticated.
#[derive(Debug, Serialize)]
pub struct Found {
    pub id: String,
    pub addresses: Vec<String>,
}

/// What a peer's own signed record says.
#[derive(Debug, Serialize)]
pub struct PeerView {
    pub id: String,
    pub addresses: Vec<String>,
    pub relays: Vec<String>,
    pub capabilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    pub expires: Millis,
}
