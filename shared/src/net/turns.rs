//! Work that must not overtake: callers that share a name take turns, in the order in which they asked.
//!
//! Knows names and order only. A turn that is dropped, waited for or not, is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

/// The queues of all names. Cheap to clone.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<String, End>>>);

/// Resolves when a turn is over; holds what that one still waited for when it was given up.
struct End(oneshot::Receiver<Option<End>>);

/// A place in a queue.
pub struct Turn {
    before: Option<End>,
    over: Option<oneshot::Sender<Option<End>>>,
}

impl Turns {
    /// Takes the last place in the queue of a name, at once.
    pub fn take(&self, name: &str) -> Turn {
        let (over, end) = oneshot::channel();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, end| end.is_awaited());
        let before = last.insert(name.to_owned(), End(end));
        Turn {
            before,
            over: Some(over),
        }
    }
}

impl End {
    fn is_awaited(&mut self) -> bool {
        loop {
            match self.0.try_recv() {
                Ok(None) => return true,
                Ok(Some(Some(before))) => *self = before,
                Ok(Some(None)) | Err(_) => return false,
            }
        }
    }
}

impl Turn {
    /// Waits until everybody before is through.
    pub async fn come(&mut self) {
        while let Some(End(end)) = &mut self.before {
            self.before = end.await.unwrap_or(None);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(over) = self.over.take() {
            let _ = over.send(self.before.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn has_come(turn: &mut Turn) -> bool {
        turn.come().now_or_never().is_some()
    }

    #[test]
    fn one_after_the_other_and_names_apart() {
        let turns = Turns::default();
        let (mut first, mut second) = (turns.take("a"), turns.take("a"));
        assert!(has_come(&mut first) && has_come(&mut turns.take("b")));
        assert!(!has_come(&mut second));
        drop(first);
        assert!(has_come(&mut second));
    }

    #[test]
    fn giving_up_a_place_lets_nobody_overtake() {
        let turns = Turns::default();
        let (first, second, mut third) = (turns.take("a"), turns.take("a"), turns.take("a"));
        drop(second);
        assert!(!has_come(&mut third));
        drop(first);
        assert!(has_come(&mut third));
    }

    #[test]
    fn names_that_nobody_waits_for_are_forgotten() {
        let turns = Turns::default();
        for name in 0..100 {
            drop(turns.take(&name.to_string()));
        }
        let (first, second) = (turns.take("a"), turns.take("a"));
        drop(second);
        let _other = turns.take("b");
        assert_eq!(turns.0.lock().unwrap().len(), 2, "the first still works");
        drop(first);
        let _other = turns.take("c");
        assert_eq!(turns.0.lock().unwrap().len(), 2);
    }
}
