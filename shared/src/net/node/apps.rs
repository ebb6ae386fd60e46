//! What applications do with a peer, where that is compiled in.

use libp2p::PeerId;

use super::Node;
use crate::error::Result;
use crate::net::apps::{Apps, Choice};
use crate::net::chat::{Chat, SharedHistory};
use crate::net::direct::Direct;
use crate::net::handle::Route;
use crate::net::rpc::Rpc;
use crate::proto::reputation::Standing;
use crate::proto::select::Weights;

impl Node {
    /// All of it.
    pub fn apps(&self) -> &Apps {
        &self.apps
    }

    /// JSON commands: those that this peer serves, and calls of those of others.
    pub fn rpc(&self) -> &Rpc {
        self.apps.rpc()
    }

    /// Direct messages of this peer's author.
    pub fn direct(&self) -> &Direct {
        self.apps.direct()
    }

    /// Chat rooms: entering them, and those that this peer is in.
    pub fn chat(&self) -> Result<Chat> {
        self.apps.chat()
    }

    /// Keeps messages of rooms for others from now on; for relays.
    pub fn keep_history(&self, history: SharedHistory) {
        self.apps.keep_history(history);
    }

    /// What this peer has seen of another one. Nobody else is told.
    pub async fn reputation(&self, peer: &PeerId) -> Standing {
        self.apps.reputation(peer).await
    }

    /// Everybody of whom it has seen something, the most trusted first.
    pub async fn reputations(&self) -> Vec<(PeerId, Standing)> {
        self.apps.reputations().await
    }

    /// The members of a namespace that answer, the best first.
    pub async fn select(&self, namespace: &str, weights: Weights) -> Result<Vec<Choice>> {
        self.apps.select(namespace, weights).await
    }

    /// A member of a namespace that can be reached, chosen by chance.
    pub async fn any_member(&self, namespace: &str) -> Result<Route> {
        self.apps.any_member(namespace).await
    }
}
