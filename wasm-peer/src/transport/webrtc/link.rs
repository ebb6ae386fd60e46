//! What the channels of one peer connection share: memory for what arrives, an end, and each other.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use warren_shared::webrtc::stream;

use super::channel::{DataChannel, Wire};

/// What may have arrived on all channels of a connection and wait for its readers. Data channels
/// push: what nobody reads in time cannot be left with the remote.
const MAX_UNREAD: usize = 16 * 1024 * 1024;
/// What a remote may have under way on a channel when it has very many.
const WINDOW_LEAST: u64 = 64 * 1024;
/// Channels that the remote opened and libp2p has not taken yet; it takes them as fast as it runs.
const MAX_INBOUND: usize = 256;

/// Shared by a connection, its channels and the event handlers of both.
#[derive(Default)]
pub(super) struct Link {
    unread: Cell<usize>,
    /// Bytes of the largest message that both browsers take; less than any when that is not known.
    pub largest: Cell<usize>,
    end: RefCell<Option<&'static str>>,
    inbound: RefCell<VecDeque<DataChannel>>,
    channels: RefCell<HashMap<u64, Rc<Wire>>>,
    next_channel: Cell<u64>,
    /// ICE hears nothing at the moment.
    pub silent: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Link {
    /// Counts what has arrived; too much ends the connection.
    pub fn arrived(&self, bytes: usize) -> bool {
        let unread = self.unread.get() + bytes;
        if unread > MAX_UNREAD {
            self.end("the readers were too slow: 16 MiB had arrived that nobody read");
            return false;
        }
        self.unread.set(unread);
        true
    }

    /// What had arrived was read, or is not wanted any more.
    pub fn read(&self, bytes: usize) {
        self.unread.set(self.unread.get().saturating_sub(bytes));
    }

    /// What had arrived is still kept.
    pub fn keep(&self, bytes: usize) {
        self.unread.set(self.unread.get() + bytes);
    }

    /// What the remote may have under way on one channel: all channels together fit.
    pub fn window(&self) -> u64 {
        let share = MAX_UNREAD / self.channels.borrow().len().max(1);
        (share as u64).clamp(WINDOW_LEAST, stream::WINDOW)
    }

    /// Whether the browser still has something to send.
    pub fn is_sending(&self) -> bool {
        self.channels
            .borrow()
            .values()
            .any(|wire| wire.is_sending())
    }

    /// Takes a channel that the remote has opened.
    pub fn offer(&self, channel: DataChannel) {
        if self.inbound.borrow().len() >= MAX_INBOUND {
            tracing::debug!("the remote opens streams faster than they are taken");
            return;
        }
        self.inbound.borrow_mut().push_back(channel);
        self.wake();
    }

    /// The next channel that the remote has opened.
    pub fn poll_inbound(&self, cx: &mut Context<'_>) -> Poll<io::Result<DataChannel>> {
        if let Some(channel) = self.inbound.borrow_mut().pop_front() {
            return Poll::Ready(Ok(channel));
        }
        self.register(cx);
        Poll::Pending
    }

    /// Makes a channel reachable for the end of the connection.
    pub fn add(&self, make: impl FnOnce(u64) -> Rc<Wire>) -> Rc<Wire> {
        let id = self.next_channel.get();
        self.next_channel.set(id + 1);
        let wire = make(id);
        self.channels.borrow_mut().insert(id, wire.clone());
        wire
    }

    /// A channel has released what it held.
    pub fn remove(&self, id: u64) {
        self.channels.borrow_mut().remove(&id);
    }

    /// The connection is over; the first reason counts.
    pub fn end(&self, reason: &'static str) {
        self.end.borrow_mut().get_or_insert(reason);
        self.wake();
    }

    /// Why the connection is over.
    pub fn ended(&self) -> Option<io::Error> {
        let reason = (*self.end.borrow())?;
        Some(io::Error::new(io::ErrorKind::ConnectionReset, reason))
    }

    /// Ends every channel; nothing happens on them any more.
    pub fn cut(&self) {
        let inbound = std::mem::take(&mut *self.inbound.borrow_mut());
        drop(inbound);
        let channels = std::mem::take(&mut *self.channels.borrow_mut());
        for wire in channels.into_values() {
            wire.cut();
        }
    }

    /// Wakes the task of the connection at the next event.
    pub fn register(&self, cx: &Context<'_>) {
        self.waker.borrow_mut().replace(cx.waker().clone());
    }

    /// Wakes the task of the connection.
    pub fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
