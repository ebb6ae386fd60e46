//! Namespaces: being listed in them, and who else is.

use std::sync::PoisonError;

use super::Node;
use crate::error::Result;
use crate::limits;
use crate::net::overlay::Overlay;
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::provider::ProviderEntry;

impl Node {
    /// Lists this peer in a namespace, and keeps it listed.
    pub async fn provide(&self, namespace: &str) -> Result<Millis> {
        let expires = self.announce(namespace).await?;
        self.change_namespaces(|all| {
            if !all.iter().any(|known| known == namespace) {
                all.push(namespace.to_owned());
            }
        })
        .await;
        Ok(expires)
    }

    /// Takes this peer off the list of a namespace, and stops renewing it.
    pub async fn unprovide(&self, namespace: &str) -> Result<()> {
        self.change_namespaces(|all| all.retain(|known| known != namespace))
            .await;
        self.overlay
            .withdraw(Key::namespace(self.network(), namespace)?)
            .await
    }

    pub(in crate::net) async fn announce(&self, namespace: &str) -> Result<Millis> {
        let key = Key::namespace(self.network(), namespace)?;
        let addresses = self.reachable_at().await?;
        let best = addresses
            .iter()
            .take(limits::MAX_PROVIDER_ADDRESSES)
            .map(|address| address.to_vec())
            .collect();
        self.overlay.announce(key, best).await
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

    /// Everyone listed in a namespace, this peer left out.
    pub async fn find(&self, namespace: &str) -> Result<Vec<ProviderEntry>> {
        let key = Key::namespace(self.network(), namespace)?;
        let own = self.id().to_bytes();
        let mut found = self.overlay.providers_of(key).await?;
        found.retain(|entry| entry.peer != own);
        Ok(found)
    }
}
