//! What a connection's task and the streams of the application share.
//!
//! One lock per connection, held for moments, never while anybody is woken.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use warren_shared::net::webrtc::Received;
use warren_shared::webrtc::fingerprint::Fingerprint;
use warren_shared::webrtc::stream;

use self::channel::Channel;
pub(super) use self::ended::Ended;
use self::ended::lost;
use super::limits;

mod channel;
mod ended;

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
    /// What all streams together are charged.
    unread: usize,
    /// What has arrived of a caller that has not said who it is.
    early: Option<usize>,
    /// The remote's certificate, once DTLS is connected.
    connected: Option<Fingerprint>,
    pub(super) closing: bool,
    ended: Option<Ended>,
    waiting: Vec<Waker>,
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
        if let Some(early) = &mut self.early {
            *early += message.len() + limits::MESSAGE_COST;
        }
        let change = channel.keep(message, wakers);
        self.unread = self.unread.saturating_add_signed(change);
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
            self.unread -= channel.discard();
            // There may be room for another one now.
            wakers.append(&mut self.waiting);
        }
    }

    /// A caller that has not said who it is has channel 0, and little more. What it sends beyond that
    /// is not taken: it sends it again, and by then it may be known.
    pub(super) fn is_held_back(&self) -> bool {
        let many = self.next > HANDSHAKE + 1 + limits::EARLY_STREAMS;
        self.early
            .is_some_and(|bytes| many || bytes > limits::UNAUTHENTICATED)
    }

    /// What the remote may have under way on one stream: all streams together fit.
    fn window(&self) -> u64 {
        let share = limits::UNREAD / self.channels.len().max(1);
        (share as u64).clamp(limits::WINDOW_LEAST, stream::WINDOW)
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

    /// Whether the application has dropped this stream, or nobody knows it any more.
    pub(super) fn is_released(&self, key: Key) -> bool {
        self.channels
            .get(&key)
            .is_none_or(|channel| channel.released)
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

    /// The state of a connection with a caller, who has yet to say who it is.
    pub(super) fn with_caller() -> Self {
        let shared = Shared::new();
        shared.lock().early = Some(0);
        shared
    }

    /// The state of a connection that is negotiated: it has no channel 0.
    pub(super) fn negotiated() -> Self {
        let shared = Shared::default();
        shared.lock().next = HANDSHAKE + 1;
        shared
    }

    /// The remote has said who it is.
    pub(super) fn authenticated(&self) {
        self.lock().early = None;
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

    pub(super) fn poll_message(&self, key: Key, cx: &Context<'_>) -> Poll<Received> {
        let mut state = self.lock();
        let Some(channel) = state.channels.get_mut(&key) else {
            return Poll::Ready(Received::Closed);
        };
        if let Some(received) = channel.next() {
            return Poll::Ready(received);
        }
        channel.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The reader holds so many bytes of what it has taken; answers the window of the stream.
    pub(super) fn hold(&self, key: Key, bytes: usize) -> u64 {
        let mut state = self.lock();
        if let Some(channel) = state.channels.get_mut(&key) {
            let change = channel.hold(bytes);
            state.unread = state.unread.saturating_add_signed(change);
        }
        state.window()
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
            let unread = channel.discard();
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

#[cfg(test)]
mod tests;
