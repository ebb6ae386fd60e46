//! The members of a namespace, told as they are found.

use futures::StreamExt;
use libp2p::PeerId;

use super::super::messages::{Found, Outgoing, Reply};
use super::Session;
use super::views::texts;
use crate::error::Result;
use crate::net::{Node, Reach};
use crate::proto::record::ProviderEntry;

impl Session {
    pub(super) async fn find(
        &self,
        id: f64,
        node: &Node,
        namespace: &str,
        limit: Option<f64>,
    ) -> Result<Reply> {
        let mut left = limit.map_or(usize::MAX, |limit| limit.max(0.0) as usize);
        let mut reach = Reach::default();
        let mut lists = node.find_as_named(namespace)?;
        while left > 0
            && let Some(list) = lists.next().await
        {
            left = self.say_found(id, reach.hear(list), left).await;
        }
        reach.end()?;
        Ok(Reply::Nothing {})
    }

    /// Says at most so many; returns how many more may be said.
    async fn say_found(&self, id: f64, entries: Vec<ProviderEntry>, mut left: usize) -> usize {
        for entry in entries {
            let Ok(peer) = PeerId::from_bytes(&entry.peer) else {
                continue;
            };
            if left == 0 {
                break;
            }
            left -= 1;
            let item = Found {
                id: peer.to_string(),
                addresses: texts(entry.addresses),
            };
            let item = Reply::Found(item);
            self.say(Outgoing::Item { id, item }).await;
        }
        left
    }
}
