//! Namespaces: being listed in them, and who else is.

use std::collections::HashSet;
use std::sync::PoisonError;

use futures::StreamExt;
use futures::future::{Either, ready, select};

use super::Node;
use crate::error::Result;
use crate::net::client::ProviderLists;
use crate::net::overlay::Overlay;
use crate::net::turns::Turn;
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::provider::ProviderEntry;
use crate::{limits, platform};

impl Node {
    /// Lists this peer in a namespace, and keeps it listed.
    pub async fn provide(&self, namespace: &str) -> Result<Millis> {
        let mut turn = self.turn_in(namespace);
        turn.come().await;
        let expires = self.list(namespace).await?;
        self.change_namespaces(|all| {
            if !all.iter().any(|known| known == namespace) {
                all.push(namespace.to_owned());
            }
        })
        .await;
        Ok(expires)
    }

    /// Stops renewing a listing, and takes this peer off the lists that can be reached; the others
    /// forget it in time.
    pub async fn unprovide(&self, namespace: &str) -> Result<()> {
        let key = Key::namespace(self.network(), namespace)?;
        self.forget_namespace(namespace).await;
        // A listing under way would come after the withdrawal.
        let mut turn = self.turn_in(namespace);
        turn.come().await;
        self.forget_namespace(namespace).await;
        let patience = platform::sleep(limits::WITHDRAW_PATIENCE);
        match select(patience, self.overlay.withdraw(key)).await {
            Either::Left(_) => tracing::debug!(namespace, "withdrawing took too long"),
            Either::Right((Err(error), _)) => tracing::debug!(%error, namespace, "not withdrawn"),
            Either::Right((Ok(()), _)) => {}
        }
        Ok(())
    }

    /// Renews a listing, unless it has been ended meanwhile.
    pub(in crate::net) async fn announce(&self, namespace: &str) -> Result<()> {
        let mut turn = self.turn_in(namespace);
        turn.come().await;
        match self.namespaces().iter().any(|known| known == namespace) {
            true => self.list(namespace).await.map(drop),
            false => Ok(()),
        }
    }

    async fn list(&self, namespace: &str) -> Result<Millis> {
        let key = Key::namespace(self.network(), namespace)?;
        let addresses = self.reachable_at().await?;
        let best = addresses
            .iter()
            .take(limits::MAX_PROVIDER_ADDRESSES)
            .map(|address| address.to_vec())
            .collect();
        self.overlay.announce(key, best).await
    }

    fn turn_in(&self, namespace: &str) -> Turn {
        self.turns.take(&format!("in {namespace}"))
    }

    async fn forget_namespace(&self, namespace: &str) {
        self.change_namespaces(|all| all.retain(|known| known != namespace))
            .await;
    }

    async fn change_namespaces(&self, change: impl FnOnce(&mut Vec<String>)) {
        let all = {
            let mut all = self
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            change(&mut all);
            all.clone()
        };
        self.handle.set_namespaces(all).await;
    }

    pub(in crate::net) fn namespaces(&self) -> Vec<String> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Everyone listed in a namespace, this peer left out: a list for each node that answers, in the
    /// order in which they do, and nobody in two of them.
    pub fn find_as_named(&self, namespace: &str) -> Result<ProviderLists<'_>> {
        let key = Key::namespace(self.network(), namespace)?;
        let mut known = HashSet::from([self.id().to_bytes()]);
        let lists = self.overlay.provider_lists(key);
        let news = move |mut entries: Vec<ProviderEntry>| {
            entries.retain(|entry| known.insert(entry.peer.clone()));
            entries
        };
        Ok(lists
            .scan(news, |news, list| ready(Some(list.map(&mut *news))))
            .boxed())
    }

    /// Everyone listed in a namespace, this peer left out.
    pub async fn find(&self, namespace: &str) -> Result<Vec<ProviderEntry>> {
        self.overlay.members_of(namespace).await
    }
}
