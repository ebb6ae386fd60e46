//! Files of a peer, where that is compiled in.

use std::sync::PoisonError;

use libp2p::PeerId;

use super::Node;
use crate::error::Result;
use crate::limits::LISTING_LIFETIME;
use crate::net::files::Files;
use crate::net::overlay::Overlay;
use crate::proto::Millis;
use crate::proto::files::keeping::KeepRequest;
use crate::proto::files::search::{Listing, Signed};

impl Node {
    /// Files: from the first call on others are answered.
    pub fn files(&self) -> Result<Files> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = &*files {
            return Ok(files.clone());
        }
        let started = Files::start(self.overlay.clone(), &self.streams)?;
        *files = Some(started.clone());
        Ok(started)
    }

    /// Says what a file is, as the author that this peer runs for.
    pub fn sign_listing(&self, listing: &Listing) -> Result<Signed> {
        let now = self.overlay.client().now();
        let times = (now, now + LISTING_LIFETIME);
        listing.sign(&self.keys.author, self.network(), now, times)
    }

    /// Says that a file is to be kept until a time, and listed as this meanwhile, as the author that this peer runs for.
    pub fn sign_keeping(&self, listing: &Listing, until: Millis) -> Result<KeepRequest> {
        let now = self.overlay.client().now();
        KeepRequest::sign(listing, &self.keys.author, self.network(), (now, until))
    }

    /// Asks all connected relays at once to keep a file that this peer shares, until a time, and waits until they have
    /// it: which took it, and until when each keeps it.
    pub async fn keep(
        &self,
        listing: &Listing,
        until: Millis,
    ) -> Result<Vec<(PeerId, Result<Millis>)>> {
        let request = self.sign_keeping(listing, until)?;
        self.files()?.ask_relays_to_keep(&request).await
    }

    /// Answers those who ask for files to be kept, from now on; for relays.
    #[cfg(feature = "server")]
    pub fn keep_files(&self, keeper: std::sync::Arc<dyn crate::net::files::Keeper>) -> Result<()> {
        self.files()?.keep_with(keeper, &self.streams)
    }
}
