//! What a connection's task and the streams of the application share.
//!
//! One lock per connection, held for moments, never while anybody is woken.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::Notify;
use warren_shared::webrtc::fingerprint::Fingerprint;

use super::limits;

/// A stream's number in this state. It is never used again, unlike that on the wire.
pub(super) type Key = u64;
/// Channel 0.
pub(super) const HANDSHAKE: Key = 0;

/// The state of one connection, and the bell of its task.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    bell: Notify,
}

/// Waiting tasks, woken once the lock is free.
pub(super) type Wakers = Vec<Waker>;

#[derive(Default)]
pub(super) struct State {
    pub(super) channels: HashMap<Key, Channel>,
    next: Key,
    /// Streams to open.
    pub(super) opening: VecDeque<Key>,
    /// Streams with something to send, or to close; each at most once.
    pub(super) ready: VecDeque<Key>,
    /// Streams that the remote has opened, for the application to take.
    arrived: VecDeque<Key>,
    unread: usize,
    /// The remote's certificate, once DTLS is connected.
    connected: Option<Fingerprint>,
    pub(super) closing: bool,
    ended: Option<Ended>,
    waiting: Vec<Waker>,
}

/// Why a connection is over.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    kind: io::ErrorKind,
    reason: String,
}

impl Ended {
    pub(super) fn new(kind: io::ErrorKind, reason: impl Into<String>) -> Self {
        Ended {
            kind,
            reason: reason.into(),
        }
    }

    fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.reason.clone())
    }
}

/// One stream.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) outbox: VecDeque<Vec<u8>>,
    outbox_bytes: usize,
    /// Bytes inside the stack that the remote has not acknowledged.
    pub(super) buffered: usize,
    inbox: VecDeque<Bytes>,
    queued: bool,
    /// The application has no use for it any more.
    pub(super) released: bool,
    /// The remote, or the stack, has closed it.
    gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Channel {
    fn full(&self) -> bool {
        self.outbox_bytes + self.buffered >= limits::STREAM_BUFFER
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let message = self.outbox.pop_front()?;
        self.outbox_bytes -= message.len();
        Some(message)
    }

    /// Gives back what the stack did not take.
    pub(super) fn unpop(&mut self, message: Vec<u8>) {
        self.outbox_bytes += message.len();
        self.outbox.push_front(message);
    }

    fn wake(&mut self, wakers: &mut Wakers) {
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }
}

impl State {
    fn insert(&mut self) -> Key {
        let key = self.next;
        self.next += 1;
        self.channels.insert(key, Channel::default());
        key
    }

    /// Puts a stream in line for the task.
    pub(super) fn enqueue(&mut self, key: Key) {
        if let Some(channel) = self.channels.get_mut(&key)
            && !channel.queued
        {
            channel.queued = true;
            self.ready.push_back(key);
        }
    }

    /// The next stream in line.
    pub(super) fn next_ready(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.queued = false;
        }
        Some(key)
    }

    /// The stack holds so many bytes of this stream.
    pub(super) fn set_buffered(&mut self, key: Key, bytes: usize, wakers: &mut Wakers) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.buffered = bytes;
            if !channel.full() {
                wakers.extend(channel.writer.take());
            }
            if bytes == 0 && channel.released {
                self.enqueue(key);
            }
        }
    }

    /// A stream of the remote's; nothing when there are too many.
    pub(super) fn accept(&mut self, wakers: &mut Wakers) -> Option<Key> {
        if self.channels.len() >= limits::STREAMS || self.arrived.len() >= limits::UNACCEPTED {
            return None;
        }
        let key = self.insert();
        self.arrived.push_back(key);
        wakers.append(&mut self.waiting);
        Some(key)
    }

    /// A message arrived; an error when nobody reads what comes.
    pub(super) fn arrived(
        &mut self,
        key: Key,
        message: Vec<u8>,
        wakers: &mut Wakers,
    ) -> Result<(), Ended> {
        let Some(channel) = self.channels.get_mut(&key) else {
            return Ok(());
        };
        if channel.released {
            return Ok(());
        }
        self.unread += message.len();
        channel.inbox.push_back(message.into());
        wakers.extend(channel.reader.take());
        if self.unread > limits::UNREAD {
            let reason = format!("the remote sent more than {} bytes unread", limits::UNREAD);
            return Err(Ended::new(io::ErrorKind::QuotaExceeded, reason));
        }
        Ok(())
    }

    /// A stream was closed underneath.
    pub(super) fn gone(&mut self, key: Key, wakers: &mut Wakers) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.gone = true;
            channel.outbox.clear();
            channel.outbox_bytes = 0;
            channel.buffered = 0;
            channel.wake(wakers);
            if channel.released {
                self.forget(key, wakers);
            }
        }
    }

    /// Nobody needs the stream any more.
    pub(super) fn forget(&mut self, key: Key, wakers: &mut Wakers) {
        if let Some(mut channel) = self.channels.remove(&key) {
            channel.wake(wakers);
            self.unread -= channel.inbox.iter().map(Bytes::len).sum::<usize>();
            // There may be room for another one now.
            wakers.append(&mut self.waiting);
        }
    }

    pub(super) fn connected(&mut self, certificate: Fingerprint, wakers: &mut Wakers) {
        self.connected = Some(certificate);
        wakers.append(&mut self.waiting);
    }

    pub(super) fn end(&mut self, ended: Ended, wakers: &mut Wakers) {
        self.ended.get_or_insert(ended);
        for channel in self.channels.values_mut() {
            channel.gone = true;
            channel.outbox.clear();
            channel.outbox_bytes = 0;
            channel.wake(wakers);
        }
        self.channels.retain(|_, channel| !channel.released);
        wakers.append(&mut self.waiting);
    }

    /// The remote has everything that was written.
    pub(super) fn is_flushed(&self) -> bool {
        let mut all = self.channels.values();
        all.all(|channel| channel.outbox.is_empty() && channel.buffered == 0)
    }

    /// Several tasks of the application may wait for the connection itself.
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }
}

impl Shared {
    /// The state of a new connection, with channel 0.
    pub(super) fn new() -> Self {
        let shared = Shared::default();
        shared.lock().insert();
        shared
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes whom it concerns.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State, &mut Wakers) -> T) -> T {
        let mut wakers = Wakers::new();
        let result = change(&mut self.lock(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Waits until an application has something for the task.
    pub(super) async fn rung(&self) {
        self.0.bell.notified().await;
    }

    pub(super) fn ring(&self) {
        self.0.bell.notify_one();
    }

    pub(super) fn poll_connected(&self, cx: &Context<'_>) -> Poll<io::Result<Fingerprint>> {
        let mut state = self.lock();
        match (&state.connected, &state.ended) {
            (_, Some(ended)) => Poll::Ready(Err(ended.error())),
            (Some(certificate), None) => Poll::Ready(Ok(*certificate)),
            (None, None) => {
                state.wait(cx);
                Poll::Pending
            }
        }
    }

    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<io::Error> {
        let mut state = self.lock();
        match &state.ended {
            Some(ended) => Poll::Ready(ended.error()),
            None => {
                state.wait(cx);
                Poll::Pending
            }
        }
    }

    pub(super) fn poll_accept(&self, cx: &Context<'_>) -> Poll<io::Result<Key>> {
        let mut state = self.lock();
        if let Some(key) = state.arrived.pop_front() {
            return Poll::Ready(Ok(key));
        }
        if let Some(ended) = &state.ended {
            return Poll::Ready(Err(ended.error()));
        }
        state.wait(cx);
        Poll::Pending
    }

    pub(super) fn poll_open(&self, cx: &Context<'_>) -> Poll<io::Result<Key>> {
        let mut state = self.lock();
        if let Some(ended) = &state.ended {
            return Poll::Ready(Err(ended.error()));
        }
        if state.channels.len() >= limits::STREAMS {
            state.wait(cx);
            return Poll::Pending;
        }
        let key = state.insert();
        state.opening.push_back(key);
        drop(state);
        self.ring();
        Poll::Ready(Ok(key))
    }

    pub(super) fn poll_writable(&self, key: Key, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        let ended = state.ended.clone();
        let Some(channel) = state.channels.get_mut(&key).filter(|it| !it.gone) else {
            return Poll::Ready(Err(lost(ended)));
        };
        if channel.full() {
            channel.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn send(&self, key: Key, message: Vec<u8>) -> io::Result<()> {
        let mut state = self.lock();
        let ended = state.ended.clone();
        let Some(channel) = state.channels.get_mut(&key).filter(|it| !it.gone) else {
            return Err(lost(ended));
        };
        channel.outbox_bytes += message.len();
        channel.outbox.push_back(message);
        state.enqueue(key);
        drop(state);
        self.ring();
        Ok(())
    }

    pub(super) fn poll_message(&self, key: Key, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        let Some(channel) = state.channels.get_mut(&key) else {
            return Poll::Ready(None);
        };
        if let Some(message) = channel.inbox.pop_front() {
            state.unread -= message.len();
            return Poll::Ready(Some(message));
        }
        if channel.gone {
            return Poll::Ready(None);
        }
        channel.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The application is done with a stream.
    pub(super) fn release(&self, key: Key) {
        self.update(|state, wakers| {
            let Some(channel) = state.channels.get_mut(&key) else {
                return;
            };
            channel.released = true;
            channel.reader = None;
            channel.writer = None;
            let unread: usize = channel.inbox.drain(..).map(|message| message.len()).sum();
            let gone = channel.gone;
            state.unread -= unread;
            match gone {
                true => state.forget(key, wakers),
                false => state.enqueue(key),
            }
        });
        self.ring();
    }

    /// The application is done with the connection.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.ring();
    }
}

fn lost(ended: Option<Ended>) -> io::Error {
    let closed = || Ended::new(io::ErrorKind::ConnectionReset, "the stream was closed");
    ended.unwrap_or_else(closed).error()
}

#[cfg(test)]
mod tests;
