//! What the application wants.

use super::Task;
use super::words::{not_sent, read_elsewhere, to_oneself, too_many, unknown};
use crate::limits::{MAX_PENDING_EACH, SECOND};
use crate::net::direct::agent::{Command, Reply, Told};
use crate::platform;
use crate::proto::Millis;
use crate::proto::direct::{Id, Post, State, Turn};

/// What was taken by the application is written down with the next message, or after this.
const LAZY: Millis = SECOND;

impl Task {
    pub(super) fn obey(&mut self, command: Command, post: &mut Post, now: Millis) {
        match command {
            Command::Send {
                to,
                contact,
                body,
                reply,
            } => {
                let session = platform::entropy();
                let sent = match to == post.author() {
                    true => Err(to_oneself()),
                    false => {
                        let sent = post.send(to, &body, session, now, &mut self.turn);
                        sent.map_err(not_sent)
                    }
                };
                post.found(&to, contact, now, &mut self.turn);
                self.say(reply, sent);
            }
            Command::State { id, known, reply } => self.tell_state(id, known, reply, post),
            Command::Next { after, reply } => self.read_on(after, reply, post, now),
            Command::Block {
                author,
                blocked,
                reply,
            } => {
                let done = match blocked {
                    true => post.block(author, &mut self.turn).map_err(not_sent),
                    false => {
                        post.unblock(&author, &mut self.turn);
                        Ok(())
                    }
                };
                self.say(reply, done);
            }
            Command::Blocked(reply) => drop(reply.send(Ok(post.blocked().to_vec()))),
            // The loop ends before that.
            Command::Close(reply) => drop(reply.send(Ok(()))),
        }
    }

    /// At once, or when it is no longer what is known.
    fn tell_state(&mut self, id: Id, known: Option<State>, reply: Reply<State>, post: &Post) {
        if let Some(state) = self.turn.concluded(&id) {
            return self.say(reply, Ok(state));
        }
        let concluded = self.concluded.iter().find(|(one, _)| *one == id);
        let concluded = concluded.map(|(_, state)| *state);
        match concluded.or_else(|| post.on_its_way(&id)) {
            None => drop(reply.send(Err(unknown()))),
            Some(state) if Some(state) != known => drop(reply.send(Ok(state))),
            Some(_) if self.watching.len() >= 4 * MAX_PENDING_EACH => {
                drop(reply.send(Err(too_many())));
            }
            Some(_) => self.watching.push((id, known, reply)),
        }
    }

    /// The next message is given when the turn is over.
    fn read_on(&mut self, after: Option<u64>, reply: Reply<Told>, post: &mut Post, now: Millis) {
        if !post.is_reading() {
            post.set_reading(true);
            self.fetching.soon();
            self.publish_due = 0;
        }
        let mut turn = Turn::default();
        after.inspect(|after| post.told(*after, &mut turn));
        if self.lazy.is_empty() {
            self.lazy_due = now + LAZY;
        }
        self.lazy.extend(turn.changes);
        if let Some((_, old)) = self.reader.replace((after, reply)) {
            let _ = old.send(Err(read_elsewhere()));
        }
    }
}
