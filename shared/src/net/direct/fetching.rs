//! Which of the own mailboxes is looked into next, and what it is told to forget.
//!
//! Knows places and times. One page of one mailbox is fetched at a time.

use crate::limits::MAILBOX_EVERY;
use crate::proto::Millis;

/// How often mailboxes are looked into that are no home relays any more, in rounds.
const FORMER_EVERY: u32 = 10;

/// A page to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub mailbox: Vec<u8>,
    pub after: u64,
    /// Done with, and durable.
    pub done: Vec<u64>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Fetching {
    /// Mailboxes that this author had before, too.
    former: Vec<Vec<u8>>,
    waiting: Vec<Page>,
    busy: bool,
    rounds: u32,
    again: bool,
    /// When the next round begins.
    due: Millis,
}

impl Fetching {
    /// All mailboxes of the author, as its contact record names them.
    pub fn know(&mut self, mailboxes: Vec<Vec<u8>>) {
        self.former = mailboxes;
    }

    /// Something may wait that was not there before.
    pub fn soon(&mut self) {
        self.due = 0;
        self.rounds = 0;
        self.again = self.busy;
    }

    /// Begins a round when it is time for one.
    pub fn begin(&mut self, homes: &[Vec<u8>], now: Millis) {
        let page = |mailbox: &Vec<u8>| Page {
            mailbox: mailbox.clone(),
            after: 0,
            done: Vec::new(),
        };
        self.waiting = homes.iter().map(page).collect();
        if self.rounds.is_multiple_of(FORMER_EVERY) {
            let former = self.former.iter().filter(|one| !homes.contains(one));
            self.waiting.extend(former.map(page));
        }
        self.rounds += 1;
        self.due = now + MAILBOX_EVERY;
    }

    /// When a round can begin; nothing while one goes on.
    pub fn next_time(&self) -> Option<Millis> {
        (!self.busy && self.waiting.is_empty()).then_some(self.due)
    }

    /// Whether a round can begin.
    pub fn is_due(&self, now: Millis) -> bool {
        self.next_time().is_some_and(|due| due <= now)
    }

    /// The next page, if none is being fetched.
    pub fn next(&mut self) -> Option<Page> {
        if self.busy || self.waiting.is_empty() {
            return None;
        }
        self.busy = true;
        Some(self.waiting.remove(0))
    }

    /// A page has come: what is done with is told with the next one.
    pub fn came(&mut self, mailbox: Vec<u8>, after: u64, done: Vec<u64>, more: bool) {
        self.ended();
        if more || !done.is_empty() {
            let page = Page {
                mailbox,
                after,
                done,
            };
            self.waiting.insert(0, page);
        }
    }

    /// What came was not kept: nothing is done with, and all is fetched anew.
    pub fn forget(&mut self) {
        self.waiting.clear();
    }

    /// The page under way has not come, or nothing is to be made of it.
    pub fn ended(&mut self) {
        self.busy = false;
        if std::mem::take(&mut self.again) {
            self.due = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_one_after_the_other_and_what_is_done_with_is_told() {
        let mut fetching = Fetching::default();
        fetching.know(vec![vec![1], vec![9]]);
        assert!(fetching.is_due(0));
        fetching.begin(&[vec![1], vec![2]], 0);
        let first = fetching.next().unwrap();
        assert_eq!((first.mailbox.as_slice(), first.after), (&[1][..], 0));
        assert_eq!(fetching.next(), None, "one at a time");
        fetching.came(vec![1], 7, vec![5, 7], true);
        let again = fetching.next().unwrap();
        assert_eq!((again.after, again.done.as_slice()), (7, &[5, 7][..]));
        fetching.came(vec![1], 7, Vec::new(), false);
        assert_eq!(fetching.next().unwrap().mailbox, [2]);
        fetching.ended();
        assert_eq!(fetching.next().unwrap().mailbox, [9], "a former one");
        fetching.ended();
        assert_eq!(fetching.next(), None);
        assert!(!fetching.is_due(0) && fetching.is_due(MAILBOX_EVERY));
        fetching.begin(&[vec![1]], MAILBOX_EVERY);
        assert_eq!(fetching.next().unwrap().mailbox, [1]);
        fetching.soon();
        fetching.ended();
        assert!(fetching.is_due(MAILBOX_EVERY), "asked for meanwhile");
    }
}
