//! Who provides a key: lists at many nodes, of which each is a hint.

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use super::super::answers::SharedStore;
use super::super::handle::Route;
use super::{RecordClient, beside_the_point, no_node};
use crate::error::{Error, Result};
use crate::net::protocols::Service;
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::provider::ProviderEntry;
use crate::proto::record::wire::{Request, Response};
use crate::sorted::SortedMap;
use crate::{limits, platform};

/// What nodes list, one after the other; what went wrong with those that do not answer is among them.
pub type ProviderLists<'a> = BoxStream<'a, Result<Vec<ProviderEntry>>>;

/// Whether any node has said what it lists.
#[derive(Default)]
pub struct Reach {
    reached: bool,
    failure: Option<Error>,
}

impl Reach {
    /// What a node lists: nothing, if it does not say.
    pub fn hear(&mut self, list: Result<Vec<ProviderEntry>>) -> Vec<ProviderEntry> {
        match list {
            Ok(entries) => {
                self.reached = true;
                entries
            }
            Err(error) => {
                self.failure = Some(error);
                Vec::new()
            }
        }
    }

    /// Fails if all have failed.
    pub fn end(self) -> Result<()> {
        match self.failure {
            Some(error) if !self.reached => Err(error),
            _ => Ok(()),
        }
    }
}

/// Every provider that is on any of the lists, each once.
pub async fn merged(mut lists: ProviderLists<'_>) -> Result<Vec<ProviderEntry>> {
    let (mut found, mut reach) = (SortedMap::default(), Reach::default());
    while let Some(list) = lists.next().await {
        for entry in reach.hear(list) {
            keep_freshest(&mut found, entry);
        }
    }
    reach.end()?;
    Ok(found.into_values().collect())
}

impl RecordClient {
    /// What each of the routes lists, in the order in which they answer.
    pub fn provider_lists<'a>(
        &'a self,
        routes: impl Stream<Item = Result<Route>> + Send + 'a,
        key: Key,
    ) -> ProviderLists<'a> {
        routes
            .map(move |route| async move { self.provider_list(route?, key).await })
            .buffer_unordered(limits::READ_PARALLEL)
            .boxed()
    }

    /// What this node's own store lists, if it has one.
    pub fn own_providers(&self, key: Key) -> ProviderLists<'_> {
        stream::iter(&self.own)
            .then(move |own| self.listed_in(own, key))
            .boxed()
    }

    async fn listed_in(&self, own: &SharedStore, key: Key) -> Result<Vec<ProviderEntry>> {
        let mut all: Vec<ProviderEntry> = Vec::new();
        let mut after = None;
        while let Ok((entries, more)) = own.providers(key, after.take(), self.now()).await {
            after = entries.last().map(|entry| entry.peer.clone());
            all.extend(entries);
            if !more || after.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// What one lists. Somebody who takes his time from page to page does not hold up everybody else.
    async fn provider_list(&self, route: Route, key: Key) -> Result<Vec<ProviderEntry>> {
        let mut all: Vec<ProviderEntry> = Vec::new();
        let late = platform::now().saturating_add(Service::Record.deadline().as_millis() as Millis);
        loop {
            let after = all.last().map(|entry| entry.peer.clone());
            let before = all.len();
            match self
                .ask(route.clone(), Request::Providers { key, after })
                .await?
                .response
            {
                Response::Providers { entries, more } => {
                    all.extend(entries);
                    let enough = all.len() == before || all.len() >= limits::MAX_PROVIDERS_PER_KEY;
                    if !more || enough || platform::now() >= late {
                        return Ok(all);
                    }
                }
                Response::Refused { why, .. } => return Err(why.into()),
                _ => return Err(beside_the_point("a provider question")),
            }
        }
    }

    /// Lists this peer at all routes at once; returns until when the last entry holds.
    pub async fn announce(
        &self,
        routes: Vec<Route>,
        key: Key,
        addresses: Vec<Vec<u8>>,
    ) -> Result<Millis> {
        let ttl_ms = limits::PROVIDER_LIFETIME;
        let mut announced = None;
        if let Some(own) = &self.own {
            let expires = self.now() + ttl_ms;
            let entry = ProviderEntry {
                peer: self.handle.id().to_bytes(),
                addresses: addresses.clone(),
                expires,
            };
            if own.announce(key, entry, None, self.now()).await.is_ok() {
                announced = Some(expires);
            }
        }
        let announce = Request::Announce {
            key,
            addresses,
            ttl_ms,
        };
        let mut heard = |response| match response {
            Response::Announced { expires } => {
                announced = announced.max(Some(expires));
                Ok(())
            }
            Response::Refused { why, .. } => Err(why.into()),
            _ => Err(beside_the_point("an announcement")),
        };
        let last = self.tell_all(routes, announce, &mut heard).await;
        announced.ok_or_else(|| last.unwrap_or_else(no_node))
    }

    /// Takes this peer off the lists; nodes that do not answer forget it in time.
    pub async fn withdraw(&self, routes: Vec<Route>, key: Key) -> Result<()> {
        if let Some(own) = &self.own {
            let _ = own.withdraw(key, &self.handle.id().to_bytes()).await;
        }
        let withdraw = Request::Withdraw { key };
        self.tell_all(routes, withdraw, &mut |_| Ok(())).await;
        Ok(())
    }
}

fn keep_freshest(found: &mut SortedMap<Vec<u8>, ProviderEntry>, entry: ProviderEntry) {
    match found.get(&entry.peer) {
        Some(known) if known.expires >= entry.expires => {}
        _ => {
            found.insert(entry.peer.clone(), entry);
        }
    }
}
