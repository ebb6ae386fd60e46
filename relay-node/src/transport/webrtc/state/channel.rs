//! What waits on one stream, in both directions, and what that costs the connection.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;
use warren_shared::net::webrtc::Received;

use super::super::limits;
use super::Wakers;

/// Whether more arrived than may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overrun {
    #[default]
    No,
    /// It did, and the reader has not been told.
    Untold,
    Told,
}

/// One stream.
#[derive(Default)]
pub(in super::super) struct Channel {
    pub(in super::super) outbox: VecDeque<Vec<u8>>,
    pub(super) outbox_bytes: usize,
    /// Bytes inside the stack that the remote has not acknowledged.
    pub(in super::super) buffered: usize,
    pub(super) inbox: VecDeque<Bytes>,
    /// What the inbox costs, and what was taken from it and is not read.
    pub(super) charged: usize,
    /// The second part of that.
    pub(super) taken: usize,
    pub(super) overrun: Overrun,
    pub(super) queued: bool,
    /// The application has no use for it any more.
    pub(in super::super) released: bool,
    /// The remote, or the stack, has closed it.
    pub(super) gone: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Channel {
    pub(super) fn full(&self) -> bool {
        self.outbox_bytes + self.buffered >= limits::STREAM_BUFFER
    }

    pub(in super::super) fn pop(&mut self) -> Option<Vec<u8>> {
        let message = self.outbox.pop_front()?;
        self.outbox_bytes -= message.len();
        Some(message)
    }

    /// Gives back what the stack did not take.
    pub(in super::super) fn unpop(&mut self, message: Vec<u8>) {
        self.outbox_bytes += message.len();
        self.outbox.push_front(message);
    }

    /// Keeps a message for the reader; returns how much more, or less, is charged now.
    pub(super) fn keep(&mut self, message: Vec<u8>, wakers: &mut Wakers) -> isize {
        if self.overrun != Overrun::No {
            return 0;
        }
        wakers.extend(self.reader.take());
        let before = self.charged;
        let cost = message.len() + limits::MESSAGE_COST;
        if before + cost > limits::UNREAD_PER_STREAM {
            self.overrun = Overrun::Untold;
            self.inbox = VecDeque::new();
            self.charged = self.taken;
        } else {
            self.charged += cost;
            self.inbox.push_back(message.into());
        }
        self.charged as isize - before as isize
    }

    /// What the reader finds; nothing when it must wait.
    pub(super) fn next(&mut self) -> Option<Received> {
        if self.overrun == Overrun::Untold {
            self.overrun = Overrun::Told;
            return Some(Received::Overrun);
        }
        if let Some(message) = self.inbox.pop_front() {
            self.taken += message.len() + limits::MESSAGE_COST;
            return Some(Received::Message(message));
        }
        self.gone.then_some(Received::Closed)
    }

    /// The reader has only so much left of what it took; returns the change of what is charged.
    pub(super) fn hold(&mut self, bytes: usize) -> isize {
        let change = bytes as isize - self.taken as isize;
        self.charged = self.charged - self.taken + bytes;
        self.taken = bytes;
        change
    }

    /// Drops what nobody will read; returns how much less is charged.
    pub(super) fn discard(&mut self) -> usize {
        self.inbox = VecDeque::new();
        self.taken = 0;
        std::mem::take(&mut self.charged)
    }

    pub(super) fn wake(&mut self, wakers: &mut Wakers) {
        wakers.extend(self.reader.take());
        wakers.extend(self.writer.take());
    }
}
