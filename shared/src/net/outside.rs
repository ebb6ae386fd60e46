//! The little that a peer needs from outside the peer-to-peer network: one HTTP GET, and a place for
//! a few things that it must not forget.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::error::Result;

/// Fetches small texts: a relay's join document and its health.
pub trait Outside: Send + Sync + 'static {
    /// The body of a successful answer; every other outcome is an error.
    fn fetch(&self, url: String, patience: Duration) -> BoxFuture<'static, Result<String>>;
}

/// An [`Outside`] that several tasks use.
pub type SharedOutside = Arc<dyn Outside>;

/// Keeps a few small things over a restart: which witnesses are believed, what was seen of names.
pub trait Keepsakes: Send + Sync + 'static {
    /// What was kept under a name; nothing the first time.
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>>;
    /// Keeps it durably, in the place of what was there.
    fn save(&self, what: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>>;
}

/// [`Keepsakes`] that several tasks use.
pub type SharedKeepsakes = Arc<dyn Keepsakes>;

/// Forgets everything when the program ends.
#[derive(Clone, Default)]
pub struct Forgetful(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl Keepsakes for Forgetful {
    fn load(&self, what: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = kept.get(&what).cloned();
        Box::pin(async { Ok(bytes) })
    }

    fn save(&self, what: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(what, bytes);
        Box::pin(async { Ok(()) })
    }
}
