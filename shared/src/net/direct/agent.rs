//! The way to the task that has the messages of this peer's author.

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt, stream};
use libp2p::PeerId;

use super::carrier::Carrier;
use super::shelf::SharedShelf;
use super::task::Task;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::net::handle::Handle;
use crate::net::node::parse_peer;
use crate::net::overlay::Kademlia;
use crate::platform;
use crate::proto::Millis;
use crate::proto::direct::wire::{Delivery, Taken};
use crate::proto::direct::{Contact, Device, Direction, Entry, Id, Message, State, history_of};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Value;
use crate::store::Source;

/// What the task needs of the peer around it.
#[derive(Clone)]
pub(in crate::net) struct Surroundings {
    pub handle: Handle,
    pub overlay: Arc<Kademlia>,
    pub network: NetworkId,
    pub author: SigningKey,
    /// The own transport key.
    pub own: PublicKey,
    pub shelf: SharedShelf,
}

/// What another peer brings, and where the answer goes.
pub(in crate::net) struct Brought {
    pub delivery: Delivery,
    /// Whom it counts for if its author is a stranger.
    pub source: Source,
    pub reply: oneshot::Sender<Taken>,
}

/// Where deliveries of other peers go, until the task takes them.
pub(in crate::net) fn inbox() -> (mpsc::Sender<Brought>, mpsc::Receiver<Brought>) {
    mpsc::channel(limits::DIRECT_QUEUE)
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Whoever that peer runs for.
    Peer(PeerId),
    /// An author, wherever its peers are.
    Author(PublicKey),
}

/// A message that is stored here and on its way.
#[derive(Clone)]
pub struct Sent {
    /// What it is called.
    pub id: Id,
    /// Whom it is for.
    pub to: PublicKey,
    direct: Direct,
}

/// A message as the application sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is called: after a crash it may be told again under the same id.
    pub id: Id,
    /// Its place: in the order of arrival, or in the history.
    pub place: u64,
    /// Which way it went.
    pub direction: Direction,
    /// What became of it.
    pub state: State,
    /// Who wrote it.
    pub author: PublicKey,
    /// Whom it is for.
    pub to: PublicKey,
    /// When it counts as written.
    pub time: Millis,
    /// What was written.
    pub body: Value,
}

pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

pub(super) enum Command {
    Send {
        to: PublicKey,
        contact: Contact,
        body: Value,
        reply: Reply<Id>,
    },
    /// Answered when the state is another one.
    State {
        id: Id,
        known: Option<State>,
        reply: Reply<State>,
    },
    /// The next message after one that was taken.
    Next {
        after: Option<u64>,
        reply: Reply<Told>,
    },
    Block {
        author: PublicKey,
        blocked: bool,
        reply: Reply<()>,
    },
    Blocked(Reply<Vec<PublicKey>>),
    Close(Reply<()>),
}

/// Direct messages of this peer's author. Cheap to clone.
#[derive(Clone)]
pub struct Direct {
    commands: mpsc::Sender<Command>,
    carrier: Carrier,
    shelf: SharedShelf,
}

impl Direct {
    /// Starts the task in the background; it ends with the peer.
    pub(in crate::net) fn start(
        surroundings: Surroundings,
        brought: mpsc::Receiver<Brought>,
    ) -> Direct {
        let (commands, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
        let shelf = surroundings.shelf.clone();
        let carrier = Carrier::new(surroundings);
        platform::spawn(Task::new(carrier.clone(), shelf.clone(), inbox, brought).run());
        Direct {
            commands,
            carrier,
            shelf,
        }
    }

    /// Sends a message of at most 16 KiB. When this returns it is stored here, and will be delivered, or left
    /// in a mailbox, also after a restart, within seven days.
    pub async fn send(&self, to: Recipient, body: Value) -> Result<Sent> {
        let (to, contact) = self.whereabouts(to).await?;
        let send = |reply| Command::Send {
            to,
            contact,
            body,
            reply,
        };
        let id = self.request(send).await?;
        let direct = self.clone();
        Ok(Sent { id, to, direct })
    }

    /// What has become of a message: at once, or when it is no longer what is known.
    pub async fn state(&self, id: Id, known: Option<State>) -> Result<State> {
        self.request(|reply| Command::State { id, known, reply })
            .await
    }

    /// The next message that nobody has taken; waits for one. `after` is the place of the one before, which
    /// counts as taken with that: until then it comes again after a crash. There is one reader at a time.
    pub async fn next(&self, after: Option<u64>) -> Result<Told> {
        self.request(|reply| Command::Next { after, reply }).await
    }

    /// All messages that nobody has taken, and all that come. Whoever asks for the next one has taken the one
    /// before. From now on this peer takes messages; before, they wait in its mailboxes.
    pub fn messages(&self) -> BoxStream<'static, Result<Told>> {
        let direct = self.clone();
        let next = |(direct, after): (Direct, Option<u64>)| async move {
            match direct.next(after).await {
                Ok(told) => {
                    let place = Some(told.place);
                    Some((Ok(told), (direct, place)))
                }
                Err(error) if error.code() == Code::Closed => None,
                Err(error) => Some((Err(error), (direct, after))),
            }
        };
        stream::unfold((direct, None), next).boxed()
    }

    /// Takes nothing more from an author.
    pub async fn block(&self, author: PublicKey) -> Result<()> {
        self.set_blocked(author, true).await
    }

    /// Listens to an author again.
    pub async fn unblock(&self, author: PublicKey) -> Result<()> {
        self.set_blocked(author, false).await
    }

    async fn set_blocked(&self, author: PublicKey, blocked: bool) -> Result<()> {
        let block = |reply| Command::Block {
            author,
            blocked,
            reply,
        };
        self.request(block).await
    }

    /// Who is blocked.
    pub async fn blocked(&self) -> Result<Vec<PublicKey>> {
        self.request(Command::Blocked).await
    }

    /// The last messages to and from an author, the newest first, before one place if that is given.
    pub async fn history(
        &self,
        with: PublicKey,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<Told>> {
        let beginning = history_of(&with);
        let before = before.map(|place| format!("{beginning}{place:016x}"));
        let most = most.min(limits::MESSAGES_PAGE);
        let rows = self.shelf.last(beginning.clone(), before, most).await?;
        let mut history = Vec::with_capacity(rows.len());
        for (key, row) in rows {
            let entry = Entry::decode(&row)?;
            let message = Message::stored(&entry.message, &self.carrier.network)?;
            let place = u64::from_str_radix(key.trim_start_matches(&beginning), 16);
            let mut told = Told::new(message, place.unwrap_or(0), entry.time);
            told.direction = entry.direction;
            told.state = entry.state;
            if !told.state.is_final() {
                told.state = self.state(told.id, None).await.unwrap_or(told.state);
            }
            history.push(told);
        }
        Ok(history)
    }

    /// Ends the task, once all that has happened is stored.
    pub(in crate::net) async fn close(&self) {
        let _ = self.request(Command::Close).await;
    }

    /// The author that is meant, and what was learned on the way.
    pub async fn author_of(&self, to: Recipient) -> Result<PublicKey> {
        self.whereabouts(to).await.map(|(author, _)| author)
    }

    async fn whereabouts(&self, to: Recipient) -> Result<(PublicKey, Contact)> {
        let peer = match to {
            Recipient::Author(author) => return Ok((author, Contact::default())),
            Recipient::Peer(peer) => peer,
        };
        // Authors name their peers themselves; only a peer's own record proves whom it runs for.
        let record = self.carrier.peer_record(peer).await?;
        let author = record.as_ref().and_then(|record| record.author.as_ref());
        let (Some(author), Some(record)) = (author.map(|proof| proof.author()), &record) else {
            return Err(Error::new(
                Code::NotFound,
                format!("it is not known whom {peer} runs for: it has published nothing for half an hour"),
            )
            .with_remedy("Send to the key of its author, or when it is there again."));
        };
        let mut contact = Contact::default();
        contact.add(Device {
            peer: peer.to_bytes(),
            mailboxes: record.mailboxes.clone(),
            seen: platform::now(),
        });
        Ok((author, contact))
    }

    async fn request<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.clone().send(command(reply)).await;
        sent.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl Sent {
    /// How far it is, now and whenever that changes, until nothing more becomes of it.
    pub fn states(&self) -> BoxStream<'static, Result<State>> {
        let next = |(sent, known): (Sent, Option<State>)| async move {
            if known.is_some_and(State::is_final) {
                return None;
            }
            let state = sent.direct.state(sent.id, known).await;
            let known = match &state {
                Ok(state) => Some(*state),
                // Nothing more is to be heard.
                Err(_) => Some(State::Expired),
            };
            Some((state, (sent, known)))
        };
        stream::unfold((self.clone(), None), next).boxed()
    }

    /// Waits until the recipient has stored it, or says that it has not.
    pub async fn delivered(&self) -> Result<()> {
        let mut states = self.states();
        let mut last = Err(closed());
        while let Some(state) = states.next().await {
            last = state;
        }
        match last? {
            State::Delivered => Ok(()),
            State::Refused => Err(Error::new(
                Code::Refused,
                "the recipient does not take this message",
            )),
            _ => Err(Error::new(
                Code::Expired,
                "nobody took this message within seven days",
            )),
        }
    }
}

impl Told {
    pub(super) fn new(message: Message, place: u64, time: Millis) -> Told {
        Told {
            id: message.id(),
            place,
            direction: Direction::In,
            state: State::Delivered,
            author: message.author,
            to: message.to,
            time,
            body: message.body,
        }
    }
}

impl std::str::FromStr for Recipient {
    type Err = Error;

    /// A peer id `12D3Koo…`, or an author's key as `k51…` or in hex.
    fn from_str(text: &str) -> Result<Recipient> {
        let key = text.strip_suffix(".p2p").unwrap_or(text);
        if key.starts_with("k51") {
            return PublicKey::from_base36(key).map(Recipient::Author);
        }
        match text.len() == 64 {
            true => text.parse().map(Recipient::Author),
            false => parse_peer(text).map(Recipient::Peer),
        }
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, "this peer has been closed")
}
