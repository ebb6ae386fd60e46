//! The task that drives a [`Post`]: one turn after the other, each durable before anything comes of it.
//!
//! What is there when a turn begins is taken together, so that many messages share one write.

mod commands;
mod jobs;
mod words;

use std::collections::VecDeque;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use self::words::refuse;
use super::agent::{Brought, Command, Reply, Told};
use super::carrier::{Carrier, Done};
use super::fetching::Fetching;
use super::shelf::SharedShelf;
use crate::error::Result;
use crate::limits::{MAX_PENDING_EACH, MESSAGES_PAGE, MINUTE};
use crate::net::handle::Event;
use crate::platform;
use crate::proto::Millis;
use crate::proto::direct::wire::{NotTaken, Taken, Waiting};
use crate::proto::direct::{Change, Contact, Effect, Id, Post, State, Turn};
use crate::store::Source;

/// Inputs of one turn.
const TOGETHER: usize = 128;

/// Something that happened.
pub(super) enum Input {
    Command(Command),
    Brought(Brought),
    Carried(Done),
    Fetched(Fetched),
    Published(Result<Contact>),
    Homes(Vec<Vec<u8>>),
    Event(Event),
    Tick,
    End,
}

/// A page of a mailbox.
pub(super) struct Fetched {
    mailbox: Vec<u8>,
    after: u64,
    page: Result<(Vec<Waiting>, bool)>,
}

/// What is said once a turn is durable.
type Said = Box<dyn FnOnce(Result<()>) + Send>;

pub(super) struct Task {
    carrier: Carrier,
    shelf: SharedShelf,
    commands: mpsc::Receiver<Command>,
    brought: mpsc::Receiver<Brought>,
    jobs: FuturesUnordered<BoxFuture<'static, Input>>,
    post: Option<Post>,
    turn: Turn,
    said: Vec<Said>,
    /// Changes that can wait.
    lazy: Vec<Change>,
    lazy_due: Millis,
    watching: Vec<(Id, Option<State>, Reply<State>)>,
    /// What became of messages lately.
    concluded: VecDeque<(Id, State)>,
    reader: Option<(Option<u64>, Reply<Told>)>,
    fetching: Fetching,
    homes: Vec<Vec<u8>>,
    published: Option<Vec<Vec<u8>>>,
    publishing: bool,
    publish_due: Millis,
    joined: bool,
}

impl Task {
    pub fn new(
        carrier: Carrier,
        shelf: SharedShelf,
        commands: mpsc::Receiver<Command>,
        brought: mpsc::Receiver<Brought>,
    ) -> Self {
        Task {
            carrier,
            shelf,
            commands,
            brought,
            jobs: FuturesUnordered::new(),
            post: None,
            turn: Turn::default(),
            said: Vec::new(),
            lazy: Vec::new(),
            lazy_due: 0,
            watching: Vec::new(),
            concluded: VecDeque::new(),
            reader: None,
            fetching: Fetching::default(),
            homes: Vec::new(),
            published: None,
            publishing: false,
            publish_due: 0,
            joined: false,
        }
    }

    /// Runs until the peer is closed.
    pub async fn run(mut self) {
        let Ok(mut events) = self.carrier.handle.events_only().await else {
            return;
        };
        self.joined = self.carrier.handle.state().await == Ok("joined");
        // In a tab this begins long after the peer has joined: nobody will say again where its relays are.
        if self.joined {
            self.look_around();
        }
        loop {
            let mut tick = platform::sleep(self.rest()).fuse();
            let first = futures::select_biased! {
                command = self.commands.next() => command.map_or(Input::End, Input::Command),
                event = events.next() => event.map_or(Input::End, Input::Event),
                brought = self.brought.next() => brought.map_or(Input::End, Input::Brought),
                done = self.jobs.select_next_some() => done,
                () = tick => Input::Tick,
            };
            if self.post.is_none() {
                self.restore().await;
            }
            if let Input::Event(Event::Lagged { .. }) = &first {
                self.joined = self.carrier.handle.state().await == Ok("joined");
                if let Some(post) = self.post.as_mut().filter(|_| self.joined) {
                    post.wake_all();
                }
            }
            let mut next = Some(first);
            for _ in 0..TOGETHER {
                match next.take() {
                    None => break,
                    Some(Input::End) => return self.end().await,
                    Some(Input::Command(Command::Close(reply))) => {
                        self.end().await;
                        return drop(reply.send(Ok(())));
                    }
                    Some(Input::Event(Event::State {
                        state: "closed", ..
                    })) => {
                        return self.end().await;
                    }
                    Some(input) => self.take_in(input),
                }
                next = self.at_hand();
            }
            // One more than there was room for.
            if let Some(input) = next {
                self.take_in(input);
            }
            self.commit().await;
            self.carry_on();
        }
    }

    async fn end(&mut self) {
        self.lazy_due = 0;
        self.commit().await;
        self.shelf.close().await;
    }

    /// What has happened already.
    fn at_hand(&mut self) -> Option<Input> {
        if let Some(Some(command)) = self.commands.next().now_or_never() {
            return Some(Input::Command(command));
        }
        if let Some(Some(brought)) = self.brought.next().now_or_never() {
            return Some(Input::Brought(brought));
        }
        self.jobs.next().now_or_never().flatten()
    }

    /// How long nothing is due.
    fn rest(&self) -> Duration {
        let now = platform::now();
        let mut next = now + MINUTE;
        if let Some(post) = &self.post {
            let sending = post.next_time(self.joined);
            let lazy = (!self.lazy.is_empty()).then_some(self.lazy_due);
            let looks = self.joined && post.is_reading() | (post.pending() > 0);
            let looks = looks && !self.homes.is_empty();
            let fetch = self.fetching.next_time().filter(|_| looks);
            let publish = (looks && !self.publishing).then_some(self.publish_due);
            let all = [sending, lazy, fetch, publish];
            next = all.into_iter().flatten().fold(next, Millis::min);
        }
        Duration::from_millis(next.saturating_sub(now).max(10))
    }

    async fn restore(&mut self) {
        let carrier = &self.carrier;
        let seed = u64::from_le_bytes(platform::entropy());
        let mut post = Post::new(carrier.author.clone(), carrier.network.clone(), seed);
        for beginning in Post::NEEDED {
            let (mut rows, mut before) = (Vec::new(), None);
            loop {
                let page = self
                    .shelf
                    .last(beginning.to_owned(), before.take(), MESSAGES_PAGE);
                let page = match page.await {
                    Ok(page) => page,
                    Err(error) => return tracing::error!(%error, "messages cannot be read"),
                };
                let whole = page.len() == MESSAGES_PAGE;
                rows.extend(page);
                match rows.last() {
                    Some((key, _)) if whole => before = Some(key.clone()),
                    _ => break,
                }
            }
            for (key, row) in rows.iter().rev() {
                if let Err(error) = post.restore(key, row) {
                    return tracing::error!(%error, key, "a row about messages is damaged");
                }
            }
        }
        self.lazy.clear();
        self.post = Some(post);
    }

    fn take_in(&mut self, input: Input) {
        let Some(mut post) = self.post.take() else {
            match &input {
                Input::Fetched(_) => self.fetching.ended(),
                Input::Published(_) => self.publishing = false,
                _ => {}
            }
            return refuse(input);
        };
        let now = platform::now();
        match input {
            Input::Command(command) => self.obey(command, &mut post, now),
            Input::Brought(brought) => {
                let (reply, source) = (brought.reply, brought.source.to_u64());
                let taken = post.delivered(&brought.delivery, source, now, &mut self.turn);
                self.said.push(Box::new(move |durable| {
                    let failed = |_| Taken::Refused {
                        why: NotTaken::Failed,
                    };
                    let _ = reply.send(durable.map_or_else(failed, |()| taken));
                }));
            }
            Input::Carried(done) => {
                post.found(&done.to, done.contact, now, &mut self.turn);
                post.carried(&done.to, done.carried, now, &mut self.turn);
            }
            Input::Fetched(fetched) => self.unpack(fetched, &mut post, now),
            Input::Published(result) => self.published(result, now),
            Input::Homes(homes) if homes != self.homes => {
                self.homes = homes;
                self.fetching.soon();
            }
            Input::Homes(_) => {}
            Input::Event(event) => self.hear(&event, &mut post),
            Input::Tick | Input::End => post.expire(now, &mut self.turn),
        }
        self.post = Some(post);
    }

    /// Answers once the turn is durable.
    fn say<T: Send + 'static>(&mut self, reply: Reply<T>, answer: Result<T>) {
        self.said.push(Box::new(move |durable| {
            let _ = reply.send(durable.and(answer));
        }));
    }

    fn unpack(&mut self, fetched: Fetched, post: &mut Post, now: Millis) {
        let Fetched {
            mailbox,
            after,
            page,
        } = fetched;
        match page {
            Ok((entries, more)) => {
                let source = Source::of(None, &mailbox).to_u64();
                let mut done = Vec::new();
                for entry in &entries {
                    if post.fetched(&entry.sealed, source, now, &mut self.turn) {
                        done.push(entry.place);
                    }
                }
                let last = entries.last().map_or(after, |entry| entry.place);
                self.fetching.came(mailbox, last, done, more);
            }
            Err(error) => {
                tracing::debug!(%error, "a mailbox could not be looked into");
                self.fetching.ended();
            }
        }
    }

    fn hear(&mut self, event: &Event, post: &mut Post) {
        match event {
            Event::State { state, .. } => {
                self.joined = *state == "joined";
                if self.joined {
                    // Not after so long that nobody would take them any more.
                    post.expire(platform::now(), &mut self.turn);
                    post.wake_all();
                    self.look_around();
                }
            }
            Event::Addresses { .. } => self.look_around(),
            Event::Connection {
                change: "open",
                peer,
                ..
            } => {
                let author = peer.parse::<libp2p::PeerId>().ok();
                let author = author.and_then(|peer| post.author_at(&peer.to_bytes()));
                author.inspect(|author| post.wake(author));
            }
            _ => {}
        }
    }

    /// Makes the turn durable, and says what is to be said after that.
    async fn commit(&mut self) {
        let Turn { changes, effects } = std::mem::take(&mut self.turn);
        let lazily = !self.lazy.is_empty() && self.lazy_due <= platform::now();
        let mut durable = Ok(());
        if !changes.is_empty() || lazily {
            let mut all = std::mem::take(&mut self.lazy);
            all.extend(changes);
            durable = self.shelf.write(all).await;
        }
        if let Err(error) = &durable {
            tracing::error!(%error, "messages cannot be stored");
            // What was not stored has not happened.
            self.post = None;
            self.fetching.forget();
        }
        for say in std::mem::take(&mut self.said) {
            say(durable.clone());
        }
        if durable.is_ok() {
            self.tell(effects);
        }
    }

    fn tell(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::State { id, state } = effect else {
                continue;
            };
            if state.is_final() {
                self.concluded.push_back((id, state));
                if self.concluded.len() > 4 * MAX_PENDING_EACH {
                    self.concluded.pop_front();
                }
            }
            let mut at = 0;
            while let Some((one, known, _)) = self.watching.get(at) {
                match *one == id && *known != Some(state) {
                    true => drop(self.watching.swap_remove(at).2.send(Ok(state))),
                    false => at += 1,
                }
            }
        }
        self.watching.retain(|(_, _, reply)| !reply.is_canceled());
        let Some(post) = &self.post else { return };
        if let Some((after, reply)) = self.reader.take() {
            match post.untold(after) {
                Some(received) => {
                    let message = received.message.clone();
                    let told = Told::new(message, received.arrival, received.time);
                    let _ = reply.send(Ok(told));
                }
                None if reply.is_canceled() => {}
                None => self.reader = Some((after, reply)),
            }
        }
    }
}
