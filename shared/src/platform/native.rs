//! The native half: tokio and the system clock.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use snow::resolvers::BoxedCryptoResolver;

use crate::proto::Millis;

/// Runs a task in the background of the current tokio runtime.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Whether [`spawn`] works here: not after the runtime has ended.
pub fn can_spawn() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

/// Waits; dropping the future cancels the wait.
pub fn sleep(duration: Duration) -> BoxFuture<'static, ()> {
    Box::pin(tokio::time::sleep(duration))
}

/// Wall-clock milliseconds since the Unix epoch.
pub fn now() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis() as Millis)
}

/// What the swarm uses to run its connection tasks.
pub fn executor() -> impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static {
    |task| {
        tokio::spawn(task);
    }
}

/// Ciphers and hashes made for this processor.
pub fn fast_ciphers() -> Option<BoxedCryptoResolver> {
    Some(Box::new(snow::resolvers::RingResolver))
}
