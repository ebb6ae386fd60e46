//! Keeping things in order: of two saves of one thing, the one that was asked for last is what stays.
//!
//! Knows order only. A save takes its place when it is asked for, and reads what it writes when its
//! turn has come.

use crate::error::Result;
use crate::net::outside::SharedKeepsakes;
use crate::net::turns::Turns;

/// A place for keepsakes that is written in order. Cheap to clone.
#[derive(Clone)]
pub(super) struct Saves {
    keepsakes: SharedKeepsakes,
    turns: Turns,
}

impl Saves {
    pub fn new(keepsakes: SharedKeepsakes) -> Saves {
        Saves {
            keepsakes,
            turns: Turns::default(),
        }
    }

    /// Keeps what `bytes` gives in its turn; nothing leaves what was there.
    pub fn save<B>(&self, what: String, bytes: B) -> impl Future<Output = Result<()>> + use<B>
    where
        B: FnOnce() -> Option<Vec<u8>>,
    {
        let mut turn = self.turns.take(&what);
        let keepsakes = self.keepsakes.clone();
        async move {
            turn.come().await;
            match bytes() {
                Some(bytes) => keepsakes.save(what, bytes).await,
                None => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt;
    use futures::channel::oneshot;
    use futures::future::BoxFuture;

    use super::*;
    use crate::net::outside::Keepsakes;

    /// A disk that ends a write when it is told to.
    #[derive(Default)]
    struct Slow {
        begun: Mutex<Vec<(Vec<u8>, oneshot::Sender<()>)>>,
        kept: Arc<Mutex<Vec<u8>>>,
    }

    impl Slow {
        fn end_last(&self) {
            let (_, end) = self.begun.lock().unwrap().pop().expect("a write");
            end.send(()).unwrap();
        }

        fn begun(&self) -> Vec<Vec<u8>> {
            let begun = self.begun.lock().unwrap();
            begun.iter().map(|(bytes, _)| bytes.clone()).collect()
        }
    }

    impl Keepsakes for Slow {
        fn load(&self, _: String) -> BoxFuture<'static, Result<Option<Vec<u8>>>> {
            async { Ok(None) }.boxed()
        }

        fn save(&self, _: String, bytes: Vec<u8>) -> BoxFuture<'static, Result<()>> {
            let (end, ended) = oneshot::channel();
            self.begun.lock().unwrap().push((bytes.clone(), end));
            let kept = self.kept.clone();
            async move {
                ended.await.unwrap();
                *kept.lock().unwrap() = bytes;
                Ok(())
            }
            .boxed()
        }
    }

    #[test]
    fn what_was_saved_last_stays_however_slow_the_first_is() {
        let disk = Arc::new(Slow::default());
        let saves = Saves::new(disk.clone());
        let mut first = saves.save("held".into(), || Some(vec![1])).boxed();
        let mut second = saves.save("held".into(), || Some(vec![2])).boxed();
        assert!((&mut second).now_or_never().is_none());
        assert!(disk.begun().is_empty(), "it is not its turn");
        assert!((&mut first).now_or_never().is_none());
        disk.end_last();
        first.now_or_never().expect("ended").unwrap();
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(disk.begun(), [[2]]);
        disk.end_last();
        second.now_or_never().expect("ended").unwrap();
        assert_eq!(*disk.kept.lock().unwrap(), [2]);
    }

    #[test]
    fn a_save_writes_what_holds_in_its_turn_and_others_do_not_wait() {
        let disk = Arc::new(Slow::default());
        let saves = Saves::new(disk.clone());
        let held = Arc::new(Mutex::new(1));
        let snapshot = || {
            let held = held.clone();
            move || Some(vec![*held.lock().unwrap()])
        };
        let mut first = saves.save("held".into(), snapshot()).boxed();
        assert!((&mut first).now_or_never().is_none());
        let mut second = saves.save("held".into(), snapshot()).boxed();
        let mut other = saves.save("floors".into(), || Some(vec![9])).boxed();
        assert!((&mut other).now_or_never().is_none());
        assert_eq!(disk.begun(), [[1], [9]]);
        *held.lock().unwrap() = 3;
        drop(first);
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(disk.begun().last().unwrap(), &[3]);
    }
}
