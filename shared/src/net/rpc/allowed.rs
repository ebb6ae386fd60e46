//! Whether a caller may call: looks up what its id does not say, and remembers it for a while.

use std::sync::PoisonError;

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::PeerId;

use super::super::overlay::Overlay;
use super::Server;
use crate::limits::{MAX_RPC_KNOWN, RPC_KNOWN_FOR, RPC_UNKNOWN_FOR};
use crate::platform;
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::rpc::{Allow, Verdict};
use crate::sorted::SortedMap;

/// What was looked up: the author of a peer, or the members of a namespace.
#[derive(Default)]
pub(super) struct Looked(SortedMap<Vec<u8>, (Vec<Vec<u8>>, Millis)>);

impl Looked {
    /// Whether this was found there; nothing when it is worth looking again.
    fn knows(&self, place: &[u8], what: &[u8], now: Millis) -> Option<bool> {
        let (found, at) = self.0.get(&place.to_vec())?;
        let known = found.iter().any(|one| one == what);
        let fresh = if known {
            RPC_KNOWN_FOR
        } else {
            RPC_UNKNOWN_FOR
        };
        (now.saturating_sub(*at) < fresh).then_some(known)
    }

    fn note(&mut self, place: Vec<u8>, found: Vec<Vec<u8>>, now: Millis) {
        self.0
            .retain(|_, (_, at)| now.saturating_sub(*at) < RPC_KNOWN_FOR);
        if self.0.len() < MAX_RPC_KNOWN {
            self.0.insert(place, (found, now));
        }
    }
}

impl Server {
    /// Applies a rule. What cannot be looked up lets nobody in.
    pub(super) async fn may(&self, caller: PeerId, allow: &Allow) -> bool {
        let peer = caller.to_bytes();
        match allow.judge(&peer) {
            Verdict::Yes => return true,
            Verdict::No => return false,
            Verdict::LookItUp => {}
        }
        for author in &allow.authors {
            // The proof is in the caller's own record, so that is the place to look.
            if self.finds(&peer, author, || self.author(caller)).await {
                return true;
            }
        }
        for namespace in &allow.namespaces {
            let Ok(key) = Key::namespace(self.overlay.client().handle().network(), namespace)
            else {
                continue;
            };
            let place = key.to_bytes();
            if self.finds(&place, &peer, || self.members(key)).await {
                return true;
            }
        }
        false
    }

    async fn finds<'a>(
        &'a self,
        place: &[u8],
        what: &[u8],
        look: impl FnOnce() -> BoxFuture<'a, Vec<Vec<u8>>>,
    ) -> bool {
        let known = self.looked().knows(place, what, platform::now());
        if let Some(known) = known {
            return known;
        }
        let found = look().await;
        let known = found.iter().any(|one| one == what);
        self.looked().note(place.to_vec(), found, platform::now());
        known
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn author(&self, peer: PeerId) -> BoxFuture<'_, Vec<Vec<u8>>> {
        async move {
            let record = self.overlay.find_peer(peer).await.ok();
            let proof = record.and_then(|(record, _)| record.author);
            let author = proof.map(|proof| proof.author().as_bytes().to_vec());
            author.into_iter().collect()
        }
        .boxed()
    }

    fn members(&self, namespace: Key) -> BoxFuture<'_, Vec<Vec<u8>>> {
        async move {
            let found = self.overlay.providers_of(namespace).await;
            let found = found.unwrap_or_default().into_iter();
            found.map(|entry| entry.peer).collect()
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_holds_longer_than_what_was_not_and_neither_for_ever() {
        let mut looked = Looked::default();
        let (place, bob, eve) = (vec![1], vec![2], vec![3]);
        assert_eq!(looked.knows(&place, &bob, 0), None);
        looked.note(place.clone(), vec![bob.clone()], 0);
        assert_eq!(looked.knows(&place, &bob, RPC_KNOWN_FOR - 1), Some(true));
        assert_eq!(looked.knows(&place, &bob, RPC_KNOWN_FOR), None);
        assert_eq!(looked.knows(&place, &eve, RPC_UNKNOWN_FOR - 1), Some(false));
        assert_eq!(looked.knows(&place, &eve, RPC_UNKNOWN_FOR), None);
    }

    #[test]
    fn only_so_much_is_remembered() {
        let mut looked = Looked::default();
        for number in 0..MAX_RPC_KNOWN as u64 + 9 {
            looked.note(number.to_be_bytes().to_vec(), Vec::new(), 0);
        }
        assert_eq!(looked.0.len(), MAX_RPC_KNOWN);
        looked.note(vec![7], Vec::new(), RPC_KNOWN_FOR);
        assert_eq!(looked.0.len(), 1);
    }
}
