//! What comes into a room: packets of others, and answers about its history.

use super::*;
use crate::proto::chat::log::Digest;
use crate::proto::chat::members::{Heard, Member, MemberId, Sign};
use crate::proto::chat::packet::{check_time, inspect};
use crate::proto::record::Refusal;

impl Room {
    /// A packet has arrived. Refused ones change nothing, and are not to be passed on.
    pub fn received(&mut self, packet: Vec<u8>, now: Millis) -> Result<(), Refusal> {
        let body = self.keys.read(&packet)?;
        check_time(body.time(), body.content.lasts(), now)?;
        let own = body.author == self.me();
        // Whoever says again what is known uses up nobody's rate.
        if self.log.get(&body.id()).is_some() {
            return Ok(());
        }
        if !own && !self.rates.allow(body.author, now) {
            return Err(Refusal::RateLimited);
        }
        self.notice_silence(now);
        if !own {
            self.heard_at = now;
        }
        self.clock.saw(body.at, now);
        if body.content.lasts() {
            self.stops_typing(&body);
            self.accept(body, packet, Source::Heard);
            self.tell_counts(now);
        } else if !(own && body.session == self.session) {
            self.sign_of_life(body, now);
        }
        self.pump(now);
        Ok(())
    }

    /// Somebody has answered a request for history; nothing, if that failed.
    pub fn answered(&mut self, peer: &Vec<u8>, answer: Option<Answer>, now: Millis) {
        self.notice_silence(now);
        match answer {
            Some(Answer::Packets { packets, more }) => {
                let (new, oldest) = self.take_history(peer, packets, now);
                let more = oldest.filter(|_| more).map(|time| time + 1);
                self.sync.answered(peer, new, more, self.log.digest(), now);
                if more.is_none() && !std::mem::replace(&mut self.synced, true) {
                    self.tell(RoomEvent::Synced {});
                }
                self.tell_counts(now);
            }
            Some(Answer::Refused {
                why: Refusal::Unsupported,
            }) => self.sync.remove(peer),
            _ => self.sync.failed(peer, now),
        }
        self.pump(now);
    }

    /// Whoever was cut off gets all that was said meanwhile, also when there is no room left.
    fn notice_silence(&mut self, now: Millis) {
        if self.heard_at + limits::CHAT_SILENCE <= now {
            self.log.missed_much();
        }
    }

    fn take_history(
        &mut self,
        from: &[u8],
        packets: Vec<Vec<u8>>,
        now: Millis,
    ) -> (usize, Option<Millis>) {
        let (mut new, mut oldest, mut damaged) = (0, None, false);
        for packet in packets {
            let Ok(body) = self.keys.read(&packet) else {
                damaged |= is_damaged(&self.topic(), &packet);
                continue;
            };
            let time = body.time();
            if !body.content.lasts() || check_time(time, true, now).is_err() {
                continue;
            }
            oldest = Some(oldest.map_or(time, |oldest: Millis| oldest.min(time)));
            self.clock.saw(body.at, now);
            new += usize::from(self.accept(body, packet, Source::Given));
        }
        if damaged {
            self.outputs.push_back(Output::Blame(from.to_vec()));
        }
        (new, oldest)
    }

    /// Takes a message into the log, and tells what that changes; whether it was new.
    pub(super) fn accept(&mut self, body: Body, packet: Vec<u8>, source: Source) -> bool {
        let (id, touched, name) = (body.id(), body.touches(), packet_id(&packet));
        let deletes = matches!(body.content, Content::Delete { .. });
        let held = Held {
            id: name,
            packet: packet.clone(),
            body,
            heard: source != Source::Given,
        };
        let unread = self.is_unread(&held);
        let taken = self.log.take(held);
        self.count_on();
        let removed = match taken {
            Taken::New(removed) => removed,
            Taken::Known => return false,
            Taken::TooOld => {
                self.count_unread();
                return false;
            }
        };
        self.unread += u64::from(unread);
        self.unread -= removed.iter().filter(|one| self.is_unread(one)).count() as u64;
        if source != Source::Own {
            self.outputs.push_back(Output::Keep(name, packet));
        }
        self.tell_change(id, touched, deletes, &removed);
        self.make_room(Taken::New(removed));
        true
    }

    fn tell_change(
        &mut self,
        id: MessageId,
        touched: Option<MessageId>,
        deletes: bool,
        removed: &Removed,
    ) {
        let me = self.me();
        let Some(target) = touched else {
            if let Some(message) = view::entry(&self.log, &id, &me) {
                self.tell(RoomEvent::Message { message });
            }
            return;
        };
        if !deletes {
            if let Some(message) = view::entry(&self.log, &target, &me) {
                self.tell(RoomEvent::Changed { message });
            }
            return;
        }
        let Some(gone) = removed.iter().find(|held| held.body.id() == target) else {
            return;
        };
        if view::is_shown(gone) {
            let id = target.to_string();
            self.tell(RoomEvent::Deleted { id });
        } else if let Some(changed) = gone.body.touches() {
            // An edit or a mark was taken back.
            if let Some(message) = view::entry(&self.log, &changed, &me) {
                self.tell(RoomEvent::Changed { message });
            }
        }
    }

    fn sign_of_life(&mut self, body: Body, now: Millis) {
        let id = (body.author, body.session);
        match body.content {
            Content::Here {
                peer,
                every,
                head,
                new,
                count,
                sum,
            } => {
                let sign = Sign {
                    nick: body.nick,
                    peer: peer.clone(),
                    every,
                    at: body.at,
                };
                let before = self.members.peer(&id);
                let heard = self.members.heard(id, sign, now);
                if heard == Heard::Nothing {
                    return;
                }
                // Whoever names one peer after the other is not asked at all of them.
                if let Some(before) = before.filter(|peer| !self.members.has_peer(peer)) {
                    self.sync.no_member(&before);
                }
                self.log.expect(body.author, body.session, head);
                self.tell_member(id, heard);
                if heard == Heard::New || new {
                    self.answer_newcomer(now);
                }
                let (theirs, ours) = (Digest { count, sum }, self.log.digest());
                self.sync.member(peer, theirs, ours, now);
                self.tell_counts(now);
            }
            Content::Gone {} => {
                if let Some(member) = self.members.left(id, body.at) {
                    self.member_left(id, &member, false);
                }
            }
            Content::Typing { on } if self.members.typing(id, on, now) => {
                self.tell_typing(id, on);
            }
            _ => {}
        }
    }

    /// Somebody has come who does not know us yet. Not everybody answers at the same moment.
    fn answer_newcomer(&mut self, now: Millis) {
        if let Some(due) = self.beat.due {
            // In large rooms it takes longer, so that all of them together are not more.
            let share =
                self.members.count() as Millis * limits::SECOND / limits::PRESENCE_PER_SECOND;
            let soon = now + self.random.below(limits::PRESENCE_ANSWER.max(share));
            let rested = self.beat.last + share.max(limits::PRESENCE_ANSWER / 2);
            self.beat.due = Some(due.min(soon.max(rested)));
        }
    }

    fn tell_member(&mut self, id: MemberId, heard: Heard) {
        let Some(member) = self.members.view(&id) else {
            return;
        };
        match heard {
            Heard::New => self.tell(RoomEvent::Joined { member }),
            Heard::Renamed => self.tell(RoomEvent::Renamed { member }),
            Heard::Again | Heard::Nothing => {}
        }
    }

    pub(super) fn member_left(&mut self, id: MemberId, member: &Member, lost: bool) {
        if !self.members.has_peer(&member.peer) {
            self.sync.no_member(&member.peer);
        }
        let member = member.view(&id);
        self.tell(RoomEvent::Left { member, lost });
    }

    pub(super) fn tell_typing(&mut self, id: MemberId, on: bool) {
        if let Some(member) = self.members.view(&id) {
            self.tell(RoomEvent::Typing { member, on });
        }
    }

    /// Who has sent it does not write it any more.
    fn stops_typing(&mut self, body: &Body) {
        let id = (body.author, body.session);
        if self.members.typing(id, false, 0) {
            self.tell_typing(id, false);
        }
    }
}

/// Whether nobody should have passed it on. What is wrong inside a seal is seen by members only, and what is newer
/// than this by nobody here.
fn is_damaged(topic: &Topic, packet: &[u8]) -> bool {
    matches!(inspect(topic, packet), Err(why) if why != Refusal::UnknownVersion)
}
