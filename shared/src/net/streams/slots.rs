//! Counts the streams of one protocol, in one direction, on one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;

/// Places for streams. How many there are is said when one is taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Arc<Taken>);

#[derive(Debug, Default)]
struct Taken {
    count: AtomicUsize,
    waiting: AtomicWaker,
}

/// One place, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Taken>);

impl Slots {
    /// A place, unless so many are taken.
    pub fn take(&self, limit: usize) -> Option<Slot> {
        let more = |count| (count < limit).then_some(count + 1);
        self.0
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()
            .map(|_| Slot(self.0.clone()))
    }

    /// Whether so many are taken.
    pub fn is_full(&self, limit: usize) -> bool {
        self.0.count.load(Ordering::Acquire) >= limit
    }

    /// Whether none is taken; otherwise the task is woken whenever one is given back.
    pub fn poll_free(&self, cx: &Context<'_>) -> bool {
        self.0.waiting.register(cx.waker());
        self.0.count.load(Ordering::Acquire) == 0
    }

    /// As [`Slots::take`]; when there is none, the task is woken once one is given back.
    pub fn poll_take(&self, limit: usize, cx: &Context<'_>) -> Option<Slot> {
        self.take(limit).or_else(|| {
            self.0.waiting.register(cx.waker());
            self.take(limit)
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::{Wake, Waker};

    use super::*;

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn places_are_limited_and_those_who_wait_are_woken() {
        let slots = Slots::default();
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let cx = Context::from_waker(&waker);
        let first = slots.poll_take(2, &cx).expect("free");
        let _second = slots.poll_take(2, &cx).expect("free");
        assert!(slots.poll_take(2, &cx).is_none());
        assert!(slots.take(3).is_some(), "given back at once");
        woken.0.store(false, Ordering::Relaxed);
        assert!(slots.is_full(2) && slots.poll_take(2, &cx).is_none());
        drop(first);
        assert!(woken.0.load(Ordering::Relaxed));
        assert!(slots.poll_take(2, &cx).is_some());
    }
}
