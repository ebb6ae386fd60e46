//! The seam below every feature: *closest to*, *records at*, *providers of*.
//!
//! An overlay decides which nodes are responsible for a key; storing at them and reading from them
//! is the same for all. [`Kademlia`] asks the network, [`Directory`] knows one relay and asks that.

use std::collections::HashSet;

use async_trait::async_trait;
use futures::future::{Either, ready, select};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use libp2p::PeerId;

use super::client::{ProviderLists, RecordClient, StoreReport, merged, no_node};
use super::handle::Route;
use crate::error::Result;
use crate::limits::{READ_PARALLEL, REPLICATION};
use crate::proto::Millis;
use crate::proto::key::{Key, Space};
use crate::proto::record::Record;
use crate::proto::record::provider::ProviderEntry;

/// Where things are in the network.
#[async_trait]
pub trait Overlay: Send + Sync + 'static {
    /// How nodes are asked once it is known which.
    fn client(&self) -> &RecordClient;

    /// The nodes responsible for a key, the best first.
    async fn closest_to(&self, key: Key) -> Result<Vec<Route>>;

    /// The nodes closest to a key of those that are known, nobody being asked.
    async fn near(&self, key: Key) -> Result<Vec<Route>>;

    /// The winning record at a key, verified, or nothing.
    ///
    /// Nodes that are known are asked for it while the responsible ones are still being looked for.
    async fn record_at(&self, key: Key) -> Result<Option<Record>> {
        let looked_for = async {
            let routes = self.closest_to(key).await?;
            self.client().read(routes, key).await
        };
        match select(self.at_hand(key).boxed(), looked_for.boxed()).await {
            Either::Left((Some(record), _)) => Ok(Some(record)),
            Either::Left((None, looked_for)) => looked_for.await,
            Either::Right((Ok(Some(record)), _)) => Ok(Some(record)),
            Either::Right((nothing, at_hand)) => match at_hand.await {
                Some(record) => Ok(Some(record)),
                None => nothing,
            },
        }
    }

    /// The record as far as nodes that are known have it. An immutable value proves itself wherever it
    /// comes from: the connected relays are asked. A signed one may be older than what others have: it
    /// counts if as many agree on it as are asked in the end anyway.
    async fn at_hand(&self, key: Key) -> Option<Record> {
        let client = self.client();
        if key.space != Space::Value {
            let near = self.near(key).await.ok()?;
            return client.agreed(near, key).await;
        }
        let homes = client.handle().homes().await.ok()?;
        let routes = homes
            .into_iter()
            .map(|peer| Route {
                peer,
                addresses: Vec::new(),
            })
            .collect();
        client.read(routes, key).await.ok().flatten()
    }

    /// Stores a record at the responsible nodes; fails unless at least one has it durably.
    async fn store(&self, record: Record) -> Result<StoreReport> {
        let routes = self.closest_to(record.key()).await?;
        self.client().write(routes, record).await
    }

    /// Who provides a key: hints, until the named peer is authenticated.
    async fn providers_of(&self, key: Key) -> Result<Vec<ProviderEntry>> {
        merged(self.provider_lists(key)).await
    }

    /// The same, a list for each node that answers, in the order in which they do.
    ///
    /// Nodes that are connected and close to it are asked while the responsible ones are still being looked for.
    fn provider_lists(&self, key: Key) -> ProviderLists<'_> {
        let client = self.client();
        let others = stream::once(self.connected_near(key)).flat_map(move |near| {
            let asked: HashSet<PeerId> = near.iter().map(|route| route.peer).collect();
            let responsible = stream::once(self.closest_to(key)).flat_map(move |found| {
                let routes: Vec<Result<Route>> = match found {
                    Ok(routes) if routes.is_empty() => vec![Err(no_node())],
                    Ok(routes) => routes.into_iter().take(REPLICATION).map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                stream::iter(routes)
            });
            let others = responsible.try_filter(move |route| ready(!asked.contains(&route.peer)));
            let near = stream::iter(near.into_iter().map(Ok));
            stream::select(
                client.provider_lists(near, key),
                client.provider_lists(others, key),
            )
        });
        stream::select(client.own_providers(key), others).boxed()
    }

    /// Those nodes that are closest to a key of the connected ones.
    async fn connected_near(&self, key: Key) -> Vec<Route> {
        let near = self.near(key).await.unwrap_or_default();
        let links = self.client().handle().links().await.unwrap_or_default();
        let connected: HashSet<PeerId> = links.into_iter().map(|(peer, ..)| peer).collect();
        near.into_iter()
            .filter(|route| connected.contains(&route.peer))
            .take(READ_PARALLEL)
            .collect()
    }

    /// Lists this peer as a provider; returns until when.
    async fn announce(&self, key: Key, addresses: Vec<Vec<u8>>) -> Result<Millis> {
        let routes = self.closest_to(key).await?;
        self.client().announce(routes, key, addresses).await
    }

    /// Takes this peer off the list.
    async fn withdraw(&self, key: Key) -> Result<()> {
        let routes = self.closest_to(key).await?;
        self.client().withdraw(routes, key).await
    }
}

/// The network's own routing.
pub struct Kademlia(pub RecordClient);

#[async_trait]
impl Overlay for Kademlia {
    fn client(&self) -> &RecordClient {
        &self.0
    }

    async fn closest_to(&self, key: Key) -> Result<Vec<Route>> {
        self.0.handle().closest(key.to_bytes().to_vec()).await
    }

    async fn near(&self, key: Key) -> Result<Vec<Route>> {
        self.0.handle().near(key.to_bytes().to_vec()).await
    }
}

/// A directory kept by one relay: the smallest overlay there is.
pub struct Directory {
    /// How the relay is asked.
    pub client: RecordClient,
    /// The relay that keeps everything; it must be connected.
    pub relay: PeerId,
}

#[async_trait]
impl Overlay for Directory {
    fn client(&self) -> &RecordClient {
        &self.client
    }

    async fn closest_to(&self, _: Key) -> Result<Vec<Route>> {
        Ok(vec![Route {
            peer: self.relay,
            addresses: Vec::new(),
        }])
    }

    /// There is nothing to look for.
    async fn near(&self, _: Key) -> Result<Vec<Route>> {
        Ok(Vec::new())
    }
}
