//! A peer as a person would look at it: plain data for pages, command lines and tests.

use serde::Serialize;

use super::address::Via;
use crate::proto::Millis;
use crate::sorted::SortedMap;

/// Everything at one moment.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// `joining`, `joined`, `lost`, `offline` or `closed`.
    pub state: &'static str,
    /// Why it is not `joined`, as far as known.
    pub reason: Option<String>,
    /// The peer id.
    pub id: String,
    /// Empty until a relay has said which network it is.
    pub network: String,
    /// Where others reach this peer, circuits included.
    pub addresses: Vec<String>,
    /// What must be added to the own clock to get the relays' time.
    pub clock_offset_ms: i64,
    /// Every relay this peer knows.
    pub relays: Vec<RelayView>,
    /// Every open connection, the oldest first.
    pub connections: Vec<ConnectionView>,
    /// Peers known for routing.
    pub routing: RoutingView,
    /// Where this peer is announced.
    pub namespaces: Vec<String>,
    /// Records this node turned away, by reason.
    pub refusals: SortedMap<&'static str, u64>,
}

/// A home relay, or one that could become one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayView {
    /// Its peer id.
    pub id: String,
    /// Its HTTP address.
    pub url: Option<String>,
    /// `dialing`, `connected`, `failed` or `waiting`.
    pub state: &'static str,
    /// How it is connected, if it is.
    pub transport: Option<Via>,
    /// Whether it forwards connections to this peer.
    pub reserved: bool,
    /// Round-trip time of the last ping.
    pub rtt_ms: Option<u64>,
    /// When something is tried next, while it is not connected.
    pub retry_at: Option<Millis>,
    /// Why the last try failed.
    pub reason: Option<String>,
    /// One for each address.
    pub attempts: Vec<AttemptView>,
}

/// One address of a relay and how dialling it went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// Read from the address.
    pub transport: Via,
    /// What was dialled.
    pub address: String,
    /// `dialing`, `connected`, `failed` or `fallback`.
    pub state: &'static str,
    /// Why it failed.
    pub reason: Option<String>,
    /// How long it took.
    pub ms: Option<u64>,
}

/// One open connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    /// Who is at the other end, authenticated.
    pub peer: String,
    /// The address of the other end.
    pub address: String,
    /// Read from the address.
    pub transport: Via,
    /// `outbound` if this peer dialled, else `inbound`.
    pub direction: &'static str,
    /// Whether a relay carries it.
    pub relayed: bool,
    /// When it was opened.
    pub since: Millis,
    /// Round-trip time of the last ping.
    pub rtt_ms: Option<u64>,
    /// What the other end calls itself; unverified.
    pub agent: Option<String>,
}

/// The Kademlia routing table.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutingView {
    /// Peers in all buckets.
    pub size: usize,
    /// Those with peers, the nearest first.
    pub buckets: Vec<BucketView>,
}

/// Peers at one distance: they share all but the last `index + 1` bits with this peer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketView {
    /// The position of the highest bit of their distance.
    pub index: u32,
    /// At most twenty.
    pub peers: Vec<RoutedView>,
}

/// A peer in the routing table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutedView {
    /// Its peer id.
    pub id: String,
    /// Where it is said to be.
    pub addresses: Vec<String>,
    /// Whether a connection to it is open.
    pub connected: bool,
}
