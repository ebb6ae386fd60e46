//! What an application may say to the engine, and what comes back. Structured-clone data only.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::net::perf::Measured;
use crate::net::snapshot::Snapshot;
use crate::net::{Event, HostHint};
use crate::proto::Millis;

/// A method and its parameters. How it is read: [`super::Params`].
#[derive(Clone, Debug)]
pub enum Call {
    Start(StartParams),
    DhtPut {
        value: WireValue,
    },
    DhtSet {
        label: String,
        value: WireValue,
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
        limit: Option<f64>,
    },
    FindPeer {
        id: String,
    },
    Connect {
        target: String,
        /// It is a relay, and is to forward connections to this peer.
        reserve: bool,
    },
    Disconnect {
        id: String,
        /// It is a relay: only what was reserved there is given up.
        release: bool,
    },
    Ping {
        id: String,
    },
    Measure {
        id: String,
        upload: f64,
        download: f64,
    },
    Name(NameCall),
    Snapshot {},
    Hint {
        kind: Hint,
    },
    Close {},
}

/// A call about names. One shape for all of them: each shape costs every page some of its download.
#[derive(Clone, Debug)]
pub struct NameCall {
    /// What to do.
    pub action: NameAction,
    /// With which name.
    pub name: String,
    /// What else is to be said: the zone as JSON, a recovery key, the new owner, the handover.
    pub text: String,
    /// Ask even if the answer is known.
    pub fresh: bool,
    /// Addresses in private networks, too.
    pub private: bool,
}

/// What can be done with names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameAction {
    Owner,
    Resolve,
    Watch,
    Claim,
    Update,
    Renew,
    Transfer,
    Accept,
    Release,
    Mine,
    Cached,
    Flush,
    Proof,
}

impl Call {
    /// Whether doing it twice is the same as doing it once. Items of a search are given out as they
    /// come, a measurement costs bandwidth, and a
    /// name that was given up may be somebody else's by now.
    pub fn may_be_repeated(&self) -> bool {
        match self {
            Call::Find { .. } | Call::Measure { .. } => false,
            Call::Name(call) => !matches!(call.action, NameAction::Release | NameAction::Watch),
            _ => true,
        }
    }
}

impl Call {
    /// Calls of one queue are carried out in the order in which they came.
    pub(super) fn queue(&self) -> Option<&str> {
        match self {
            Call::DhtSet { label, .. } => Some(label),
            _ => None,
        }
    }
}

/// How a peer is to be started.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartParams {
    /// HTTP URLs of relays.
    #[serde(default)]
    pub join: Vec<String>,
    /// Multiaddresses of relays, each ending in its peer id.
    #[serde(default)]
    pub bootstrap: Vec<String>,
    /// Relays of any other network are refused.
    #[serde(default)]
    pub network: Option<String>,
    /// 32 bytes: who this peer is.
    #[serde(with = "serde_bytes")]
    pub transport_seed: Vec<u8>,
    /// 32 bytes: who signs its values.
    #[serde(with = "serde_bytes")]
    pub author_seed: Vec<u8>,
    /// Whether the seeds are forgotten afterwards; only reported back.
    #[serde(default)]
    pub ephemeral: bool,
    /// Names of the transports that may be used; all if empty.
    #[serde(default)]
    pub transports: Vec<String>,
    /// Where the page came from: decides which addresses it may dial.
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
        item: Reply,
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
    /// What is connected, or sent.
    Connected {
        id: String,
    },
    Ping {
        ms: u64,
    },
    Measured(Measured),
    Found(Found),
    #[cfg(feature = "apps")]
    Messages(Vec<super::apps::MessageView>),
    /// A piece of a file.
    #[cfg(feature = "files")]
    #[serde(with = "serde_bytes")]
    Bytes(Vec<u8>),
    Json(serde_json::Value),
    /// JSON that is written already.
    Text(String),
    Snapshot(Box<FullSnapshot>),
    Nothing {},
}

/// A snapshot of an engine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FullSnapshot {
    /// What the node knows.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// The author key, in hex.
    pub author: String,
    /// As it was said at the start.
    pub ephemeral: bool,
}

/// A value read from the DHT, with what proves it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DhtEntry {
    /// Where it was read.
    pub key: String,
    /// `value` if immutable, `record` if signed.
    pub kind: &'static str,
    /// What was stored.
    pub value: WireValue,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The author's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Which version it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<Millis>,
    /// Until when the signature holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
}

/// A member of a namespace: a hint until the peer is authenticated.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Its peer id.
    pub id: String,
    /// Where it says it can be reached: at most two.
    pub addresses: Vec<String>,
}

/// What a peer's own signed record says.
#[derive(Debug, Serialize)]
pub struct PeerView {
    /// Its peer id.
    pub id: String,
    /// Where it can be reached.
    pub addresses: Vec<String>,
    /// Relays that forward connections to it.
    pub relays: Vec<String>,
    /// What it can do, in short words.
    pub capabilities: Vec<String>,
    /// The author that it proved to run for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When the record is void, unless it is renewed.
    pub expires: Millis,
}
