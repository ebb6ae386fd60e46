//! Who is in a room: whoever says so, until they say otherwise or are not heard of any more.

use super::stamp::Stamp;
use super::view::MemberView;
use crate::limits::{
    CLOCK_TOLERANCE, MAX_ROOM_MEMBERS, PRESENCE_CROWD, PRESENCE_EVERY, PRESENCE_SLOWEST,
    TYPING_LASTS,
};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::sorted::SortedMap;

/// A device of an author.
pub(super) type MemberId = (PublicKey, u64);

/// What is known of a member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub nick: String,
    pub peer: Vec<u8>,
    since: Millis,
    heard: Millis,
    every: Millis,
    at: Stamp,
    typing: Option<Millis>,
}

/// What a member says of itself.
pub(super) struct Sign {
    pub nick: String,
    pub peer: Vec<u8>,
    pub every: Millis,
    pub at: Stamp,
}

/// What a sign of life was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    New,
    Renamed,
    Again,
    /// Older than what was heard before, or no room.
    Nothing,
}

#[derive(Default)]
pub(super) struct Members {
    here: SortedMap<MemberId, Member>,
    /// Those that left, and when they said so: nobody brings them back by repeating an older word.
    left: SortedMap<MemberId, Stamp>,
}

impl Members {
    pub fn heard(&mut self, id: MemberId, sign: Sign, now: Millis) -> Heard {
        if self.left.get(&id).is_some_and(|left| sign.at <= *left) {
            return Heard::Nothing;
        }
        let every = sign.every.clamp(PRESENCE_EVERY, PRESENCE_SLOWEST);
        if let Some(known) = self.here.get_mut(&id) {
            if sign.at <= known.at {
                return Heard::Nothing;
            }
            let renamed = known.nick != sign.nick;
            (known.nick, known.peer) = (sign.nick, sign.peer);
            (known.heard, known.every, known.at) = (now, every, sign.at);
            return if renamed {
                Heard::Renamed
            } else {
                Heard::Again
            };
        }
        if self.here.len() >= MAX_ROOM_MEMBERS {
            return Heard::Nothing;
        }
        let member = Member {
            nick: sign.nick,
            peer: sign.peer,
            since: now,
            heard: now,
            every,
            at: sign.at,
            typing: None,
        };
        self.here.insert(id, member);
        Heard::New
    }

    /// A member says that it leaves.
    pub fn left(&mut self, id: MemberId, at: Stamp) -> Option<Member> {
        if self.here.get(&id).is_some_and(|member| at <= member.at) {
            return None;
        }
        self.remember(id, at);
        self.here.remove(&id)
    }

    /// Those that were not heard of for two and a half times their pace.
    pub fn lost(&mut self, now: Millis) -> Vec<(MemberId, Member)> {
        let silent = self.here.iter();
        let silent = silent.filter(|(_, member)| member.lost_at() <= now);
        let lost: Vec<MemberId> = silent.map(|(id, _)| *id).collect();
        let old = |stamp: &Stamp| stamp.time.saturating_add(2 * CLOCK_TOLERANCE) < now;
        self.left.retain(|_, stamp| !old(stamp));
        let members = lost.into_iter().filter_map(|id| {
            let member = self.here.remove(&id)?;
            self.remember(id, member.at);
            Some((id, member))
        });
        members.collect()
    }

    fn remember(&mut self, id: MemberId, at: Stamp) {
        if self.left.len() >= 2 * MAX_ROOM_MEMBERS {
            self.left.pop_first();
        }
        self.left.insert(id, at);
    }

    /// A member writes, or has stopped; whether that is a change.
    pub fn typing(&mut self, id: MemberId, on: bool, now: Millis) -> bool {
        let Some(member) = self.here.get_mut(&id) else {
            return false;
        };
        let before = member.typing.is_some();
        member.typing = on.then_some(now + TYPING_LASTS);
        before != on
    }

    /// Those that were writing and said nothing more.
    pub fn stopped_typing(&mut self, now: Millis) -> Vec<MemberId> {
        let typing = self.here.iter_mut().filter_map(|(id, member)| {
            member.typing.take_if(|until| *until <= now)?;
            Some(*id)
        });
        typing.collect()
    }

    /// When one of them has to be looked at again.
    pub fn next(&self) -> Option<Millis> {
        let members = self.here.values();
        let due = members.map(|one| one.typing.unwrap_or(Millis::MAX).min(one.lost_at()));
        due.min()
    }

    pub fn view(&self, id: &MemberId) -> Option<MemberView> {
        self.here.get(id).map(|member| member.view(id))
    }

    pub fn views(&self) -> Vec<MemberView> {
        self.here
            .iter()
            .map(|(id, member)| member.view(id))
            .collect()
    }

    /// Whether a peer is a member's.
    pub fn has_peer(&self, peer: &[u8]) -> bool {
        self.here.values().any(|member| member.peer == peer)
    }

    /// How often everybody says that it is there.
    pub fn pace(&self) -> Millis {
        let crowds = 1 + self.here.len() / PRESENCE_CROWD;
        (PRESENCE_EVERY * crowds as u64).min(PRESENCE_SLOWEST)
    }
}

impl Member {
    fn lost_at(&self) -> Millis {
        self.heard + self.every * 5 / 2
    }

    pub fn view(&self, (author, session): &MemberId) -> MemberView {
        MemberView {
            author: author.to_string(),
            session: format!("{session:x}"),
            nick: self.nick.clone(),
            since: self.since,
        }
    }
}
