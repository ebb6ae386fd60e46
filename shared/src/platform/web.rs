//! The browser half: the micro-task queue, `setTimeout` and `Date.now`.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use snow::resolvers::BoxedCryptoResolver;

use crate::proto::Millis;

/// `setTimeout` counts in a signed 32-bit number of milliseconds.
const LONGEST_SLEEP: Duration = Duration::from_millis(i32::MAX as u64);

/// Runs a task in the background of this page or worker.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Whether [`spawn`] works here: a page has one task queue, and it is always there.
pub fn can_spawn() -> bool {
    true
}

/// Waits; a wait longer than 24 days is cut to that.
///
/// The timer lives in a task of its own, so that the returned future may cross `Send` bounds.
pub fn sleep(duration: Duration) -> BoxFuture<'static, ()> {
    let (done, wait) = oneshot::channel();
    let duration = duration.min(LONGEST_SLEEP);
    let mut done: oneshot::Sender<()> = done;
    spawn(async move {
        let timer = gloo_timers::future::sleep(duration);
        futures::future::select(Box::pin(timer), done.cancellation()).await;
        let _ = done.send(());
    });
    wait.map(|_| ()).boxed()
}

/// Wall-clock milliseconds since the Unix epoch.
pub fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// What the swarm uses to run its connection tasks.
pub fn executor() -> impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static {
    |task| spawn(task)
}

/// Ciphers and hashes made for this processor: a page has none that answer at once.
pub fn fast_ciphers() -> Option<BoxedCryptoResolver> {
    None
}
