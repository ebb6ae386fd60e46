//! Whose datagrams are these: the connections of one listener, by address and by call.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::callers::prefix;
use super::limits;
use super::socket::Arrived;

/// The end of a connection's queue of datagrams where they are put in.
#[derive(Clone)]
pub(super) struct Mailbox {
    queue: mpsc::UnboundedSender<Arrived>,
    waiting: Arc<AtomicUsize>,
}

/// The end where its task takes them.
pub(super) struct Post {
    queue: mpsc::UnboundedReceiver<Arrived>,
    waiting: Arc<AtomicUsize>,
}

/// A queue bounded by its bytes.
pub(super) fn mailbox() -> (Mailbox, Post) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let mailbox = Mailbox {
        queue: sender,
        waiting: waiting.clone(),
    };
    let post = Post {
        queue: receiver,
        waiting,
    };
    (mailbox, post)
}

fn cost(arrived: &Arrived) -> usize {
    arrived.bytes.len() + limits::DATAGRAM_COST
}

impl Mailbox {
    /// What does not fit is lost, as in any network.
    pub(super) fn put(&self, arrived: Arrived) {
        let cost = cost(&arrived);
        let before = self.waiting.fetch_add(cost, Ordering::Relaxed);
        if before > limits::WAITING_DATAGRAMS || self.queue.send(arrived).is_err() {
            self.waiting.fetch_sub(cost, Ordering::Relaxed);
        }
    }
}

impl Post {
    /// `None` when nobody can put anything in any more.
    pub(super) async fn take(&mut self) -> Option<Arrived> {
        let arrived = self.queue.recv().await?;
        self.waiting.fetch_sub(cost(&arrived), Ordering::Relaxed);
        Some(arrived)
    }

    /// What is there already.
    pub(super) fn take_now(&mut self) -> Option<Arrived> {
        let arrived = self.queue.try_recv().ok()?;
        self.waiting.fetch_sub(cost(&arrived), Ordering::Relaxed);
        Some(arrived)
    }
}

/// The connections of one listener, shared between its loop and their tasks.
#[derive(Clone, Default)]
pub(super) struct Table(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    next: u64,
    sessions: HashMap<u64, Entry>,
    by_source: HashMap<SocketAddr, u64>,
    by_call: HashMap<String, u64>,
    handshakes: usize,
    handshakes_by_prefix: HashMap<u64, usize>,
    ended: Vec<String>,
}

struct Entry {
    mailbox: Mailbox,
    /// Oldest first.
    sources: Vec<SocketAddr>,
    /// Where the connection sends to: never forgotten.
    current: SocketAddr,
    username: String,
}

impl Entry {
    /// Adds an address; returns the one that has to go for it.
    fn learn(&mut self, source: SocketAddr) -> Option<SocketAddr> {
        self.sources.retain(|known| *known != source);
        self.sources.push(source);
        if self.sources.len() <= limits::SOURCES_PER_SESSION {
            return None;
        }
        let oldest = self.sources.iter().position(|known| *known != self.current);
        oldest.map(|at| self.sources.remove(at))
    }
}

impl Inner {
    /// A connection does not have this address any more; another call may have come from it since.
    fn forget(&mut self, source: &SocketAddr, id: u64) {
        if self.by_source.get(source) == Some(&id) {
            self.by_source.remove(source);
        }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that uses this address.
    pub(super) fn by_source(&self, source: &SocketAddr) -> Option<Mailbox> {
        let inner = self.lock();
        let id = inner.by_source.get(source)?;
        inner.sessions.get(id).map(|entry| entry.mailbox.clone())
    }

    /// Whether the connection at this address is that of another call than `username`.
    pub(super) fn is_other(&self, source: &SocketAddr, username: &str) -> bool {
        let inner = self.lock();
        let entry = inner
            .by_source
            .get(source)
            .and_then(|id| inner.sessions.get(id));
        entry.is_some_and(|entry| entry.username != username)
    }

    /// The connection of this call, which from now on has this address, too.
    pub(super) fn moved(&self, username: &str, source: SocketAddr) -> Option<Mailbox> {
        let mut inner = self.lock();
        let id = *inner.by_call.get(username)?;
        let entry = inner.sessions.get_mut(&id)?;
        let forgotten = entry.learn(source);
        let mailbox = entry.mailbox.clone();
        inner.by_source.insert(source, id);
        if let Some(forgotten) = forgotten {
            inner.forget(&forgotten, id);
        }
        Some(mailbox)
    }

    /// A new connection; nothing when too many handshakes are under way.
    pub(super) fn add(
        &self,
        username: String,
        source: SocketAddr,
        mailbox: Mailbox,
    ) -> Option<(Place, Permit)> {
        let mut inner = self.lock();
        let prefix = prefix(source.ip());
        let used = inner.handshakes_by_prefix.get(&prefix).copied();
        if inner.handshakes >= limits::HANDSHAKES
            || used.unwrap_or_default() >= limits::HANDSHAKES_PER_PREFIX
        {
            return None;
        }
        inner.handshakes += 1;
        *inner.handshakes_by_prefix.entry(prefix).or_default() += 1;
        inner.next += 1;
        let id = inner.next;
        inner.by_source.insert(source, id);
        inner.by_call.insert(username.clone(), id);
        inner.sessions.insert(
            id,
            Entry {
                mailbox,
                sources: vec![source],
                current: source,
                username,
            },
        );
        let place = Place {
            table: self.clone(),
            id,
            current: source,
        };
        let permit = Permit {
            table: self.clone(),
            prefix,
        };
        Some((place, permit))
    }

    /// Calls that have ended since the last time.
    pub(super) fn take_ended(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().ended)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().sessions.is_empty()
    }

    /// Waits until a connection has ended.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

/// A connection's entry; it goes with this.
pub(super) struct Place {
    table: Table,
    id: u64,
    current: SocketAddr,
}

impl Place {
    /// The connection sends there from now on.
    pub(super) fn uses(&mut self, source: SocketAddr) {
        if std::mem::replace(&mut self.current, source) == source {
            return;
        }
        if let Some(entry) = self.table.lock().sessions.get_mut(&self.id) {
            entry.current = source;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.table.lock();
        if let Some(entry) = inner.sessions.remove(&self.id) {
            for source in &entry.sources {
                inner.forget(source, self.id);
            }
            if inner.by_call.get(&entry.username) == Some(&self.id) {
                inner.by_call.remove(&entry.username);
            }
            inner.ended.push(entry.username);
        }
        drop(inner);
        self.table.0.changed.notify_one();
    }
}

/// One of the handshakes that may be under way.
pub(super) struct Permit {
    table: Table,
    prefix: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut inner = self.table.lock();
        inner.handshakes -= 1;
        if let Some(count) = inner.handshakes_by_prefix.get_mut(&self.prefix) {
            *count -= 1;
            if *count == 0 {
                inner.handshakes_by_prefix.remove(&self.prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 1].into(), port)
    }

    fn add(table: &Table, name: &str, port: u16) -> (Place, Permit) {
        let (mailbox, _) = mailbox();
        table.add(name.into(), address(port), mailbox).unwrap()
    }

    #[test]
    fn the_address_in_use_is_never_forgotten() {
        let table = Table::default();
        let (mut place, _permit) = add(&table, "call", 1);
        for port in 2..100 {
            assert!(table.moved("call", address(port)).is_some());
            assert!(table.by_source(&address(1)).is_some(), "at {port}");
        }
        assert!(table.by_source(&address(99)).is_some());
        assert!(table.by_source(&address(50)).is_none());
        place.uses(address(99));
        for port in 100..110 {
            table.moved("call", address(port));
        }
        assert!(table.by_source(&address(99)).is_some());
        assert!(table.by_source(&address(1)).is_none());
        drop(place);
        assert!(table.lock().by_source.is_empty());
    }

    #[test]
    fn an_address_that_another_call_has_now_stays_its_own() {
        let table = Table::default();
        let (_first, _permit) = add(&table, "first", 1);
        table.moved("first", address(2));
        let (_second, _permit) = add(&table, "second", 2);
        for port in 3..20 {
            table.moved("first", address(port));
        }
        assert!(table.is_other(&address(2), "first"));
        assert!(!table.is_other(&address(2), "second"));
    }

    /// The same address again and again pushes no other out.
    #[test]
    fn an_address_counts_once() {
        let table = Table::default();
        let (_place, _permit) = add(&table, "call", 1);
        table.moved("call", address(2));
        for _ in 0..10 {
            table.moved("call", address(3));
        }
        assert!(table.by_source(&address(2)).is_some());
    }
}
