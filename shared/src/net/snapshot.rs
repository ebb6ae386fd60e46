//! A peer as a person would look at it: plain data for pages, command lines and tests.

use serde::Serialize;

use super::address::Via;
use crate::proto::Millis;

/// Everything at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    pub state: &'static str,
    pub reason: Option<String>,
    pub id: String,
    pub network: String,
    pub addresses: Vec<String>,
    pub clock_offset_ms: i64,
    pub relays: Vec<RelayView>,
    pub connections: Vec<ConnectionView>,
    pub routing: RoutingView,
    pub namespaces: Vec<String>,
    /// Records this node turned away, by reason.
    pub refusals: std::collections::BTreeMap<&'static str, u64>,
}

/// A home relay, or one that could become one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayView {
    pub id: String,
    pub url: Option<String>,
    pub state: &'static str,
    pub transport: Option<Via>,
    pub reserved: bool,
    pub rtt_ms: Option<u64>,
    pub retry_at: Option<Millis>,
    pub reason: Option<String>,
    pub attempts: Vec<AttemptView>,
}

/// One address of a relay and how dialling it went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    pub transport: Via,
    pub address: String,
    pub state: &'static str,
    pub reason: Option<String>,
    pub ms: Option<u64>,
}

/// One open connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    pub peer: String,
    pub address: String,
    pub transport: Via,
    pub direction: &'static str,
    pub relayed: bool,
    pub since: Millis,
    pub rtt_ms: Option<u64>,
    pub agent: Option<String>,
}

/// The Kademlia routing table.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutingView {
    pub size: usize,
    pub buckets: Vec<BucketView>,
}

/// Peers at one distance: they share all but the last `index + 1` bits with this peer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketView {
    pub index: u32,
    pub peers: Vec<RoutedView>,
}

/// A peer in the routing table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutedView {
    pub id: String,
    pub addresses: Vec<String>,
    pub connected: bool,
}
