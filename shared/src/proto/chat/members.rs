//! Who is in a room: whoever says so, until they say otherwise or are not heard of any more.

use super::stamp::Stamp;
use super::view::MemberView;
use crate::limits::{
    CLOCK_TOLERANCE, MAX_ROOM_DEVICES, MAX_ROOM_MEMBERS, PRESENCE_CROWD, PRESENCE_EVERY,
    PRESENCE_SLOWEST, TYPING_LASTS,
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
        let devices = self.here.keys().filter(|(author, _)| *author == id.0);
        if self.here.len() >= MAX_ROOM_MEMBERS || devices.count() >= MAX_ROOM_DEVICES {
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

    /// Nobody makes this forget others by coming and going.
    fn remember(&mut self, id: MemberId, at: Stamp) {
        let own = self.left.iter().filter(|((author, _), _)| *author == id.0);
        let own: Vec<(Stamp, MemberId)> = own.map(|(id, at)| (*at, *id)).collect();
        let oldest = match own.len() >= 2 * MAX_ROOM_DEVICES {
            true => own.into_iter().min(),
            false if self.left.len() < 2 * MAX_ROOM_MEMBERS => None,
            false => self.left.iter().map(|(id, at)| (*at, *id)).min(),
        };
        if let Some((_, oldest)) = oldest {
            self.left.remove(&oldest);
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

    pub fn count(&self) -> usize {
        self.here.len()
    }

    pub fn views(&self) -> Vec<MemberView> {
        self.here
            .iter()
            .map(|(id, member)| member.view(id))
            .collect()
    }

    /// Which peer a member said that it is.
    pub fn peer(&self, id: &MemberId) -> Option<Vec<u8>> {
        self.here.get(id).map(|member| member.peer.clone())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;

    fn id(author: u32, session: u64) -> MemberId {
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&author.to_be_bytes());
        (SigningKey::from_seed(seed).public(), session)
    }

    fn says(members: &mut Members, id: MemberId, time: Millis) -> Heard {
        let sign = Sign {
            nick: String::new(),
            peer: vec![1],
            every: PRESENCE_EVERY,
            at: Stamp { time, count: 0 },
        };
        members.heard(id, sign, time)
    }

    #[test]
    fn an_author_is_so_many_members_at_most() {
        let mut members = Members::default();
        for session in 0..100 {
            says(&mut members, id(1, session), 10 + session);
        }
        assert_eq!(members.views().len(), MAX_ROOM_DEVICES);
        assert_eq!(says(&mut members, id(1, 3), 200), Heard::Again);
        assert_eq!(says(&mut members, id(2, 1), 200), Heard::New);
        let at = |time| Stamp { time, count: 0 };
        assert!(members.left(id(1, 3), at(300)).is_some());
        assert_eq!(says(&mut members, id(1, 99), 301), Heard::New);
    }

    #[test]
    fn there_are_so_many_members_at_most() {
        let mut members = Members::default();
        for author in 0..2 * MAX_ROOM_MEMBERS as u32 {
            says(&mut members, id(author, 1), 10);
        }
        assert_eq!(members.views().len(), MAX_ROOM_MEMBERS);
    }

    #[test]
    fn who_left_is_not_forgotten_because_somebody_comes_and_goes() {
        let mut members = Members::default();
        let at = |time| Stamp { time, count: 0 };
        // Whatever the order of their keys is.
        let honest: Vec<MemberId> = (0..20).map(|author| id(author, 1)).collect();
        for id in &honest {
            says(&mut members, *id, 10);
            members.left(*id, at(20));
        }
        for session in 0..5_000 {
            members.left(id(99, session), at(30 + session));
        }
        assert!(members.left.len() <= honest.len() + 2 * MAX_ROOM_DEVICES);
        for id in honest {
            assert_eq!(says(&mut members, id, 15), Heard::Nothing, "said before");
        }
    }
}
