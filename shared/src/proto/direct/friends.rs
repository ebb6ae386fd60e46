//! Whom messages go to and come from: who is remembered, and who gives way to whom.
//!
//! A *friend* is somebody to whom this author has written, everybody else is a *stranger*. Keys are free, so
//! strangers have a table of their own: there they give way to each other, those of the most crowded source first,
//! and never stand in the way of friends. Who gave way is still taken at its word only once: the numbers that it has
//! come to stay for as long as anything of it can come again.

use super::contact::Contact;
use super::message::Session;
use super::outbox::Sending;
use super::post::{Post, Refused, Turn};
use super::rows::{Correspondent, Counters, Entry, Place};
use crate::limits::{
    CLOCK_TOLERANCE, MAX_CORRESPONDENTS, MAX_FORGOTTEN_SESSIONS, MAX_HISTORY, MAX_HISTORY_EACH,
    MAX_HISTORY_OF_STRANGERS, MAX_STRANGERS, MAX_UNTOLD, MAX_UNTOLD_OF_STRANGERS, MESSAGE_LIFETIME,
};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::sorted::SortedMap;

/// What is known of a correspondent, on disk and beside it.
#[derive(Debug, Default)]
pub(super) struct Friend {
    pub row: Correspondent,
    pub sending: Sending,
}

impl Friend {
    /// Nothing was ever written to it.
    pub fn is_stranger(&self) -> bool {
        self.row.written.is_none()
    }

    fn history(&self) -> u64 {
        self.row.next.saturating_sub(self.row.first)
    }
}

impl Post {
    /// The correspondent to whom something is written: from now on it is a friend. Strangers are never in the way; only
    /// a friend that was not heard of for twice as long as a message lives gives way to another one.
    pub(super) fn befriend(
        &mut self,
        author: PublicKey,
        now: Millis,
        turn: &mut Turn,
    ) -> Result<&mut Friend, Refused> {
        let known = self.friends.get(&author);
        if known.is_none_or(Friend::is_stranger) && self.count(false) >= MAX_CORRESPONDENTS {
            let idle = |friend: &Friend| {
                let used = friend.row.used.saturating_add(2 * MESSAGE_LIFETIME);
                !friend.is_stranger() && friend.sending.is_empty() && used <= now
            };
            let found = self.friends.iter().find(|(_, friend)| idle(friend));
            let gone = found.map(|(author, _)| *author);
            self.forget(gone.ok_or(Refused::Full)?, now, turn);
        }
        let friend = self.friends.or_default(author);
        friend.row.used = now;
        friend.row.written = Some(now);
        Ok(friend)
    }

    /// Makes the author of a message known that came from a source. There is always room: a stranger gives way.
    pub(super) fn admit(&mut self, author: PublicKey, source: u64, now: Millis, turn: &mut Turn) {
        let known = self.friends.contains_key(&author);
        if !known && self.count(true) >= MAX_STRANGERS {
            let gone = self.least_stranger(source);
            gone.into_iter()
                .for_each(|gone| self.forget(gone, now, turn));
        }
        let friend = self.friends.or_default(author);
        friend.row.used = now;
        if friend.is_stranger() {
            friend.row.source = Some(source);
        }
    }

    fn count(&self, strangers: bool) -> usize {
        let all = self.friends.values();
        all.filter(|one| one.is_stranger() == strangers).count()
    }

    /// Of the source that has most strangers, with the one that comes now: the one that was not heard of for longest.
    fn least_stranger(&self, newcomer: u64) -> Option<PublicKey> {
        let mut crowds = SortedMap::<Option<u64>, usize>::default();
        *crowds.or_default(Some(newcomer)) += 1;
        let strangers = || self.friends.iter().filter(|(_, one)| one.is_stranger());
        for (_, one) in strangers() {
            *crowds.or_default(one.row.source) += 1;
        }
        let mut least = None;
        for (author, one) in strangers() {
            let crowd = crowds.get(&one.row.source).copied().unwrap_or(0);
            let worth = (std::cmp::Reverse(crowd), one.row.used);
            if least.is_none_or(|(known, _)| worth < known) {
                least = Some((worth, *author));
            }
        }
        least.map(|(_, author)| author)
    }

    /// Whether there is room for one more unread message of an author: strangers leave some for friends.
    pub(super) fn may_wait_unread(&self, author: &PublicKey) -> bool {
        let stranger = |author| self.friends.get(author).is_none_or(Friend::is_stranger);
        let waiting = self.untold.len();
        if waiting >= MAX_UNTOLD {
            return false;
        }
        if waiting < MAX_UNTOLD_OF_STRANGERS || !stranger(author) {
            return true;
        }
        let of_strangers = self
            .untold
            .iter()
            .filter(|one| stranger(&one.message.author));
        of_strangers.count() < MAX_UNTOLD_OF_STRANGERS
    }

    fn forget(&mut self, author: PublicKey, now: Millis, turn: &mut Turn) {
        let Some(friend) = self.friends.remove(&author) else {
            return;
        };
        turn.changes.push(Place::Correspondent(author).remove());
        for place in friend.row.first..friend.row.next {
            turn.changes.push(Place::History(author, place).remove());
            self.kept = self.kept.saturating_sub(1);
        }
        self.tidy_sessions(now, turn);
    }

    /// Of those who are not known any more, numbers stay until nothing can come again, within a limit.
    fn tidy_sessions(&mut self, now: Millis, turn: &mut Turn) {
        if self.cursors.len() <= MAX_FORGOTTEN_SESSIONS {
            return;
        }
        let mut forgotten = Vec::new();
        for ((author, session), cursor) in self.cursors.iter() {
            if !self.friends.contains_key(author) {
                forgotten.push((cursor.used, *author, *session));
            }
        }
        forgotten.sort_unstable();
        // Many at a time: looking for them takes longer than dropping them.
        let beyond = match forgotten.len() > MAX_FORGOTTEN_SESSIONS {
            true => forgotten.len() - MAX_FORGOTTEN_SESSIONS / 16 * 15,
            false => 0,
        };
        for (at, (used, author, session)) in forgotten.into_iter().enumerate() {
            if at < beyond || used + MESSAGE_LIFETIME + CLOCK_TOLERANCE <= now {
                self.drop_session(author, session, turn);
            }
        }
    }

    pub(super) fn drop_session(&mut self, author: PublicKey, session: Session, turn: &mut Turn) {
        self.cursors.remove(&(author, session));
        turn.changes.push(Place::Cursor(author, session).remove());
    }

    /// Adds a message to the history of somebody who is known, where older ones give way; its place there.
    pub(super) fn remember(
        &mut self,
        author: PublicKey,
        entry: &Entry,
        turn: &mut Turn,
    ) -> Result<u64, Refused> {
        let row = &mut self.friends.get_mut(&author).ok_or(Refused::Full)?.row;
        let place = row.next;
        row.next += 1;
        turn.changes.push(Place::History(author, place).put(entry));
        if row.next - row.first > MAX_HISTORY_EACH {
            turn.changes
                .push(Place::History(author, row.first).remove());
            row.first += 1;
        } else {
            self.kept += 1;
        }
        if self.kept > MAX_HISTORY {
            self.shorten_longest(turn);
        }
        self.save_friend(&author, turn);
        turn.changes.push(Place::Counters.put(&Counters {
            last: self.clock.last,
            arrivals: self.arrivals,
        }));
        Ok(place)
    }

    /// What strangers have beyond their share gives way first.
    fn shorten_longest(&mut self, turn: &mut Turn) {
        let strangers = self.friends.values().filter(|one| one.is_stranger());
        let strange = strangers.map(Friend::history).sum::<u64>() > MAX_HISTORY_OF_STRANGERS;
        let mut longest = None;
        for (author, friend) in self.friends.iter() {
            let fit = friend.is_stranger() == strange;
            if fit && longest.is_none_or(|(_, most)| friend.history() > most) {
                longest = Some((*author, friend.history()));
            }
        }
        let Some((author, _)) = longest else { return };
        if let Some(friend) = self.friends.get_mut(&author) {
            turn.changes
                .push(Place::History(author, friend.row.first).remove());
            friend.row.first += 1;
            self.kept -= 1;
        }
        self.save_friend(&author, turn);
    }

    fn save_friend(&self, author: &PublicKey, turn: &mut Turn) {
        if let Some(friend) = self.friends.get(author) {
            turn.changes
                .push(Place::Correspondent(*author).put(&friend.row));
        }
    }

    /// Who runs on a peer, if that was seen before.
    pub fn author_at(&self, peer: &[u8]) -> Option<PublicKey> {
        let runs = |friend: &Friend| {
            let devices = &friend.row.contact.devices;
            devices.iter().any(|one| one.peer == peer)
        };
        let found = self.friends.iter().find(|(_, friend)| runs(friend));
        found.map(|(author, _)| *author)
    }

    /// Remembers where an author is.
    pub fn found(&mut self, author: &PublicKey, contact: Contact, now: Millis, turn: &mut Turn) {
        let Some(friend) = self.friends.get_mut(author) else {
            return;
        };
        let before = friend.row.contact.clone();
        friend.row.contact.merge(contact, now);
        // That it was seen again is not worth a write.
        let places = |contact: &Contact| -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
            let devices = contact.devices.iter();
            devices
                .map(|one| (one.peer.clone(), one.mailboxes.clone()))
                .collect()
        };
        if places(&before) != places(&friend.row.contact) {
            self.save_friend(author, turn);
        }
    }
}
