//! What a member says: what lasts in two steps, what is about the moment at once.

use super::*;
use crate::proto::chat::message::{Body, VERSION, unsayable};
use crate::proto::chat::packet::{Nonce, packet_id};
use crate::proto::record::Refusal;

impl Room {
    /// Writes something that lasts: a packet that is to be kept before [`Self::commit`].
    pub fn draft(&mut self, content: Content, now: Millis) -> Result<(PacketId, Vec<u8>)> {
        self.check_target(&content)?;
        if !self.own_rate.allow((), now) {
            return Err(too_fast());
        }
        let number = self.next_number;
        let (body, packet) = self.write(content, number, now).map_err(unsayable)?;
        let id = packet_id(&packet);
        self.draft = Some((body, packet.clone()));
        Ok((id, packet))
    }

    /// The draft is kept: it counts, and is sent.
    pub fn commit(&mut self, now: Millis) -> Result<MessageId> {
        let Some((body, packet)) = self.draft.take() else {
            return Err(Error::new(Code::Internal, "there is no draft"));
        };
        let id = body.id();
        self.next_number = id.number + 1;
        self.outputs.push_back(Output::Publish(packet.clone()));
        let read_all = self.unread == 0;
        self.accept(body, packet, Source::Own);
        if read_all {
            self.read_up_to_end();
        }
        self.tell_counts(now);
        Ok(id)
    }

    /// The draft may or may not be kept: its number must not be used again.
    pub fn abandon(&mut self, session: u64) {
        self.draft = None;
        self.session = session & limits::MAX_SAFE_INTEGER;
        self.next_number = 1;
    }

    /// Tells the others that something is being written, or not any more.
    pub fn typing(&mut self, on: bool, now: Millis) -> Result<()> {
        if !self.own_rate.allow((), now) {
            return Err(too_fast());
        }
        self.say(Content::Typing { on }, now);
        Ok(())
    }

    /// Takes another nickname.
    pub fn rename(&mut self, nick: &str, now: Millis) -> Result<()> {
        check_nick(nick)?;
        if self.nick != nick {
            nick.clone_into(&mut self.nick);
            if self.beat.due.is_some() {
                self.say_here(false, now);
            }
        }
        Ok(())
    }

    fn check_target(&self, content: &Content) -> Result<()> {
        let own = |session: u64, number: u64| MessageId {
            author: self.me(),
            session,
            number,
        };
        let (target, what) = match content {
            Content::Edit {
                session, number, ..
            } => (own(*session, *number), "edited"),
            Content::Delete { session, number } => (own(*session, *number), "deleted"),
            Content::React { to, .. } => (*to, "marked"),
            _ => return Ok(()),
        };
        let shown = self.log.get(&target).is_some_and(view::is_shown);
        let text = format!("the message that is to be {what} is not here");
        let missing = Error::new(Code::NotFound, text)
            .with_remedy("Check its id; it may be deleted, or not have arrived yet.");
        shown.then_some(()).ok_or(missing)
    }

    pub(super) fn write(
        &mut self,
        content: Content,
        number: u64,
        now: Millis,
    ) -> Result<(Body, Vec<u8>), Refusal> {
        let body = Body {
            version: VERSION,
            topic: self.topic(),
            author: self.me(),
            session: self.session,
            number,
            at: self.clock.next(now),
            nick: self.nick.clone(),
            content,
        };
        let nonce = self.nonce();
        let packet = self.keys.write(&body, &self.author, &nonce)?;
        Ok((body, packet))
    }

    fn nonce(&mut self) -> Nonce {
        self.sealed += 1;
        let hash = blake3::keyed_hash(&self.seed, &self.sealed.to_be_bytes());
        let mut nonce = [0; 24];
        nonce.copy_from_slice(&hash.as_bytes()[..24]);
        nonce
    }

    /// Something about the moment.
    pub(super) fn say(&mut self, content: Content, now: Millis) {
        if let Ok((_, packet)) = self.write(content, 0, now) {
            self.outputs.push_back(Output::Publish(packet));
        }
    }

    pub(super) fn say_here(&mut self, new: bool, now: Millis) {
        let (every, digest) = (self.members.pace(), self.log.digest());
        let here = Content::Here {
            peer: self.peer.clone(),
            every,
            head: self.next_number - 1,
            new,
            count: digest.count,
            sum: digest.sum,
        };
        self.say(here, now);
        self.beat = Beat {
            due: Some(now + every),
            last: now,
        };
    }
}

pub(super) fn check_nick(nick: &str) -> Result<()> {
    let plain = !nick.chars().any(char::is_control);
    match plain && nick.len() <= limits::MAX_NICK {
        true => Ok(()),
        false => Err(Error::new(Code::InvalidArgument, "invalid nickname")
            .with_remedy("Use at most 64 bytes of text without control characters.")),
    }
}

fn too_fast() -> Error {
    let text = "too many messages at once; relays and readers would drop them";
    Error::new(Code::Overloaded, text)
}
