//! Whom to call: one peer that is named, or one of the members of a namespace.

use libp2p::{Multiaddr, PeerId};

use super::Apps;
use crate::error::{Code, Error, Result};
use crate::net::finding::connected;
use crate::net::handle::Route;
use crate::platform;
use crate::proto::prng::Prng;
use crate::proto::record::ProviderEntry;
use crate::proto::reputation::Evidence;

impl Apps {
    /// A member of a namespace that can be reached, chosen by chance.
    pub async fn any_member(&self, namespace: &str) -> Result<Route> {
        let mut routes = self.members(namespace).await?;
        let mut chance = Prng::new(u64::from_le_bytes(platform::entropy()));
        let mut failure = None;
        while !routes.is_empty() {
            let chosen = chance.below(routes.len() as u64) as usize;
            let Route { peer, addresses } = routes.swap_remove(chosen);
            match self.overlay.handle().dial(Some(peer), addresses).await {
                Ok(peer) => return Ok(connected(peer)),
                Err(error) => {
                    let standings = self.overlay.handle().standings();
                    standings.note(&peer, Evidence::Failed);
                    failure = Some(error);
                }
            }
        }
        let error = nobody(namespace);
        Err(match failure {
            Some(cause) => error.caused_by(cause),
            None => error,
        })
    }

    /// Everyone listed in a namespace, with the way there.
    pub(super) async fn members(&self, namespace: &str) -> Result<Vec<Route>> {
        let found = self.overlay.members_of(namespace).await?.into_iter();
        Ok(found.filter_map(way).collect())
    }
}

pub(super) fn nobody(namespace: &str) -> Error {
    Error::new(
        Code::NotFound,
        format!("nobody in {namespace:?} can be reached"),
    )
    .with_remedy("Check the namespace, and that somebody serves in it.")
}

fn way(entry: ProviderEntry) -> Option<Route> {
    let addresses = entry.addresses.into_iter();
    Some(Route {
        peer: PeerId::from_bytes(&entry.peer).ok()?,
        addresses: addresses
            .filter_map(|bytes| Multiaddr::try_from(bytes).ok())
            .collect(),
    })
}
