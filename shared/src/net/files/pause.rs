//! Whether more of a file is asked for, or not until somebody says so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;

/// Whoever waits for its end, while it lasts.
type Waiting = Vec<oneshot::Sender<()>>;

/// See the module.
#[derive(Default)]
pub(super) struct Pause(Mutex<Option<Waiting>>);

impl Pause {
    /// Nothing more is asked for from now on.
    pub fn begin(&self) {
        self.state().get_or_insert_default();
    }

    /// Things go on.
    pub fn end(&self) {
        // Dropped, each wakes whom it belongs to.
        drop(self.state().take());
    }

    /// One or the other.
    pub fn turn(&self, on: bool) {
        match on {
            true => self.begin(),
            false => self.end(),
        }
    }

    pub fn is_on(&self) -> bool {
        self.state().is_some()
    }

    /// Resolves when there is no pause.
    pub async fn over(&self) {
        while let Some(end) = self.wait() {
            let _ = end.await;
        }
    }

    fn wait(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        let waiting = state.as_mut()?;
        let (end, ended) = oneshot::channel();
        waiting.retain(|waiter| !waiter.is_canceled());
        waiting.push(end);
        Some(ended)
    }

    fn state(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_waits_goes_on_when_it_is_over() {
        let pause = Pause::default();
        assert_eq!(pause.over().now_or_never(), Some(()));
        pause.begin();
        pause.begin();
        let mut over = pin!(pause.over());
        assert_eq!(over.as_mut().now_or_never(), None);
        pause.end();
        // It began again before anybody looked.
        pause.begin();
        assert_eq!(over.as_mut().now_or_never(), None);
        assert!(pause.is_on());
        pause.end();
        assert_eq!(over.now_or_never(), Some(()));
    }
}
