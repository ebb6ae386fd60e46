//! The driver's state as plain data.

use libp2p::kad::{self};

use super::super::address::{self};
use super::super::handle::Event;
use super::super::snapshot::{BucketView, RoutedView, RoutingView, Snapshot};
use super::Driver;
use crate::sorted::sort_short;

impl Driver {
    pub(super) fn publish_snapshot(&mut self) {
        if self.changed && self.subscribers.want_snapshots() {
            self.changed = false;
            let snapshot = self.snapshot();
            self.subscribers.send(Event::Snapshot(Box::new(snapshot)));
        }
    }

    /// Where this peer can be reached: what it listens on, circuits included, and what an operator declared.
    pub(super) fn addresses(&self) -> Vec<String> {
        let id = *self.swarm.local_peer_id();
        let mut all: Vec<String> = self
            .swarm
            .listeners()
            .chain(self.swarm.external_addresses())
            .map(|address| address::with_peer(address.clone(), id).to_string())
            .collect();
        sort_short(&mut all, Ord::cmp);
        all.dedup();
        all
    }

    pub(super) fn snapshot(&mut self) -> Snapshot {
        let (state, reason) = self.subscribers.current();
        Snapshot {
            state,
            reason,
            id: self.swarm.local_peer_id().to_string(),
            network: self.network.to_string(),
            addresses: self.addresses(),
            clock_offset_ms: self.clock_offset,
            relays: self.keeper.views(&self.table),
            connections: self.table.views(),
            routing: self.routing(),
            namespaces: self.namespaces.clone(),
            refusals: self.answers.refusals(),
        }
    }

    pub(super) fn routing(&mut self) -> RoutingView {
        let mut view = RoutingView::default();
        for bucket in self.swarm.behaviour_mut().kad.kbuckets() {
            let index = bucket.range().0.ilog2().unwrap_or(0);
            let peers: Vec<_> = bucket
                .iter()
                .map(|entry| RoutedView {
                    id: entry.node.key.preimage().to_string(),
                    addresses: entry.node.value.iter().map(ToString::to_string).collect(),
                    connected: entry.status == kad::NodeStatus::Connected,
                })
                .collect();
            if !peers.is_empty() {
                view.size += peers.len();
                view.buckets.push(BucketView { index, peers });
            }
        }
        view
    }
}
