//! The little that a peer needs from outside the peer-to-peer network: one HTTP GET.

use std::sync::Arc;
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
