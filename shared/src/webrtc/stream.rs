//! One stream on one data channel: both halves, how they end, and how much may be under way.
//!
//! Data channels have no flow control that a browser's reader could use: whatever arrives is
//! delivered. So a reader of ours tells its sender how much it takes in all ([`Frame::limit`]):
//! with the first payload of its own, and again as it reads. A sender of ours keeps to that as soon
//! as it has seen one. A sender of another implementation does not know limits; when its reader
//! stops, what it may pile up here is bounded, and the stream then fails with an error that says so.
//!
//! A remote that has neither told a limit nor sent a large message gets small ones. One that has told a limit reads frames as
//! this does, and gets the largest that the channels carry.
//!
//! What to call: [`Stream::receive`] with every message of the channel; [`Stream::read`] and
//! [`Stream::write`] for the application; [`Stream::next_frame`] after each of them until it is
//! empty, sending what it gives. [`Stream::settled`] says when the channel can be closed.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::frame::{
    CAUTIOUS_MESSAGE, CAUTIOUS_PAYLOAD, Decoder, Flag, Frame, MAX_PAYLOAD, largest_payload,
};

mod outcome;

pub use outcome::{Failed, Read, Urgency};

/// What a reader lets its sender have under way. Half of it fills the sender's buffer, so that the
/// other half is enough for 100 ms at 10 MiB/s.
pub const WINDOW: u64 = 2 * 1024 * 1024;
/// A stream on which this end has written nothing tells its first limit after so much.
const FIRST_LIMIT_AFTER: u64 = 64 * 1024;
/// What a limit adds to a frame, at most.
const LIMIT_OVERHEAD: usize = 2 + 10;
/// A new limit is told when it moves by this much. Each takes a packet, and whoever carries it some of its time.
pub const LIMIT_STEP: u64 = WINDOW / 8;
/// The same towards browsers, which may drop what comes in while they send. What is lost is sent again at once only when
/// three more follow it, and after a second otherwise: the sender must not stand still before they do.
pub const LIMIT_STEP_OF_BROWSERS: u64 = WINDOW / 32;
/// Unread bytes of a sender that knows no limits; the stream fails beyond. A sender that does know
/// them may have this much in its buffers and on the way before it learns of the first one.
pub const MAX_UNREAD: usize = 8 * 1024 * 1024;

/// Payloads up to this size are copied together.
const CRUMB: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Open,
    /// The remote has sent everything.
    Finished,
    /// The application does not want more; what comes is dropped.
    Stopped,
    Failed(Failed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Open,
    /// Everything was sent; the remote has not said that it has it.
    Finishing,
    Finished,
    Failed(Failed),
}

/// The state of one stream.
#[derive(Debug)]
pub struct Stream {
    decoder: Decoder,
    /// This end has given up on the remote: nothing that it sends is looked at any more.
    broken: bool,
    receiving: Receiving,
    /// The remote's end of its half was acknowledged, which happens once.
    acknowledged: bool,
    inbox: VecDeque<Bytes>,
    /// Small payloads, put together: each on its own would cost more than it holds.
    crumbs: BytesMut,
    unread: usize,
    received: u64,
    window: u64,
    step: u64,
    limit_told: u64,
    sending: Sending,
    sent: u64,
    limit_seen: Option<u64>,
    /// The remote has sent a message that is too large for the implementations that take only
    /// small ones.
    large_seen: bool,
    /// Largest payload of a frame for a remote of our kind.
    largest: usize,
    /// What waits to be sent. Each flag is there at most once, and so is a limit: a remote that does
    /// not take what it asks for cannot make it longer.
    frames: VecDeque<Frame>,
}

impl Default for Stream {
    fn default() -> Self {
        Stream {
            decoder: Decoder::default(),
            broken: false,
            receiving: Receiving::Open,
            acknowledged: false,
            inbox: VecDeque::new(),
            crumbs: BytesMut::new(),
            unread: 0,
            received: 0,
            window: WINDOW,
            step: LIMIT_STEP,
            limit_told: 0,
            sending: Sending::Open,
            sent: 0,
            limit_seen: None,
            large_seen: false,
            largest: MAX_PAYLOAD,
            frames: VecDeque::new(),
        }
    }
}

impl Stream {
    /// Takes a message of the channel.
    pub fn receive(&mut self, message: Bytes) {
        if self.broken {
            return;
        }
        self.large_seen |= message.len() > CAUTIOUS_MESSAGE;
        self.decoder.push(message);
        while let Some(frame) = self.decoder.next() {
            match frame {
                Ok(frame) => {
                    self.receive_frame(frame);
                    if self.broken {
                        return;
                    }
                }
                Err(error) => {
                    self.fail(Failed::Frame(error));
                    return;
                }
            }
        }
    }

    fn receive_frame(&mut self, frame: Frame) {
        if let Some(limit) = frame.limit {
            // Limits never shrink: a smaller one was overtaken.
            self.limit_seen = self.limit_seen.max(Some(limit));
            self.tell_limit();
        }
        if !frame.payload.is_empty() && self.receiving == Receiving::Open {
            self.received += frame.payload.len() as u64;
            self.unread += frame.payload.len();
            self.keep(frame.payload);
            if self.unread > MAX_UNREAD {
                self.fail(Failed::TooSlow);
                return;
            }
            self.tell_limit();
        }
        if let Some(flag) = frame.flag {
            self.receive_flag(flag);
        }
    }

    fn receive_flag(&mut self, flag: Flag) {
        match (flag, self.sending) {
            (Flag::Fin, _) => {
                if !std::mem::replace(&mut self.acknowledged, true) {
                    self.frames.push_back(Frame::flag(Flag::FinAck));
                }
                if matches!(self.receiving, Receiving::Open | Receiving::Stopped) {
                    self.receiving = Receiving::Finished;
                }
            }
            // What was finished before it was not wanted any more was sent all the same.
            (Flag::FinAck | Flag::StopSending, Sending::Finishing) => {
                self.sending = Sending::Finished;
            }
            (Flag::StopSending, Sending::Open) => {
                self.sending = Sending::Failed(Failed::Stopped);
                self.frames.push_back(Frame::flag(Flag::Reset));
            }
            (Flag::FinAck | Flag::StopSending, _) => {}
            // Everything has arrived: there is nothing left to give up.
            (Flag::Reset, _) if self.receiving == Receiving::Finished => {}
            (Flag::Reset, _) => {
                self.discard();
                self.receiving = Receiving::Failed(Failed::Reset);
            }
        }
    }

    /// The channel holds more than a reader may leave unread; what it held is gone.
    pub fn overrun(&mut self) {
        if !self.broken {
            self.fail(Failed::TooSlow);
        }
    }

    /// The channel is gone.
    pub fn lost(&mut self) {
        if matches!(self.receiving, Receiving::Open | Receiving::Stopped) {
            self.receiving = Receiving::Failed(Failed::Lost);
        }
        match self.sending {
            Sending::Open => self.sending = Sending::Failed(Failed::Lost),
            // Implementations that know no acknowledgement close the channel instead.
            Sending::Finishing => self.sending = Sending::Finished,
            Sending::Finished | Sending::Failed(_) => {}
        }
        self.frames.clear();
    }

    /// Reads into `buffer`. What arrived before the remote failed is still read, except after a
    /// reset.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Read, Failed> {
        let mut read = 0;
        while read < buffer.len() {
            if self.inbox.is_empty() && !self.crumbs.is_empty() {
                self.inbox.push_back(self.crumbs.split().freeze());
            }
            let Some(chunk) = self.inbox.front_mut() else {
                break;
            };
            let length = chunk.len().min(buffer.len() - read);
            buffer[read..read + length].copy_from_slice(&chunk[..length]);
            chunk.advance(length);
            read += length;
            if chunk.is_empty() {
                self.inbox.pop_front();
            }
        }
        if read > 0 {
            self.unread -= read;
            self.tell_limit();
            return Ok(Read::Bytes(read));
        }
        match self.receiving {
            Receiving::Open if !buffer.is_empty() => Ok(Read::Nothing),
            Receiving::Open => Ok(Read::Bytes(0)),
            Receiving::Finished | Receiving::Stopped => Ok(Read::End),
            Receiving::Failed(why) => Err(why),
        }
    }

    /// How many bytes may be written now; 0 means that the remote must read first.
    pub fn writable(&self) -> Result<usize, Failed> {
        match self.sending {
            Sending::Open => {
                let limit = self.limit_seen.unwrap_or(u64::MAX);
                let room = limit.saturating_sub(self.sent);
                let mut largest = match (self.limit_seen, self.large_seen) {
                    (Some(_), _) => self.largest,
                    (None, true) => MAX_PAYLOAD,
                    (None, false) => CAUTIOUS_PAYLOAD,
                };
                if self.sent == 0 {
                    largest -= LIMIT_OVERHEAD;
                }
                Ok(usize::try_from(room).unwrap_or(usize::MAX).min(largest))
            }
            Sending::Finishing | Sending::Finished => Err(Failed::Closed),
            Sending::Failed(why) => Err(why),
        }
    }

    /// The message that carries `payload`, which must not be longer than [`Stream::writable`] says.
    pub fn write(&mut self, payload: &[u8]) -> Vec<u8> {
        debug_assert!(self.writable().is_ok_and(|room| payload.len() <= room));
        let first = self.sent == 0 && self.receiving == Receiving::Open;
        self.sent += payload.len() as u64;
        if !first {
            return Frame::encode_payload(payload);
        }
        self.limit_told = self.limit();
        let frame = Frame {
            payload: Bytes::copy_from_slice(payload),
            limit: Some(self.limit_told),
            ..Frame::default()
        };
        frame.encode()
    }

    /// Says that nothing more will be written.
    pub fn finish(&mut self) {
        if self.sending == Sending::Open {
            self.sending = Sending::Finishing;
            self.frames.push_back(Frame::flag(Flag::Fin));
        }
    }

    /// Gives up whatever is still open, as when the application drops the stream.
    pub fn abandon(&mut self) {
        self.discard();
        if self.receiving == Receiving::Open {
            self.receiving = Receiving::Stopped;
            self.frames.push_back(Frame::flag(Flag::StopSending));
        }
        if self.sending == Sending::Open {
            self.sending = Sending::Failed(Failed::Closed);
            self.frames.push_back(Frame::flag(Flag::Reset));
        }
    }

    /// The next frame to send, beside those of [`Stream::write`].
    pub fn next_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Whether something waits to be sent, and whether it ends a half of the stream. A limit alone
    /// can wait: the next one says the same and more.
    pub fn has_frames(&self) -> Option<Urgency> {
        let flags = self.frames.iter().any(|frame| frame.flag.is_some());
        match (self.frames.is_empty(), flags) {
            (true, _) => None,
            (false, true) => Some(Urgency::Flag),
            (false, false) => Some(Urgency::Limit),
        }
    }

    /// Whether both ends know that nothing more will come, so that the channel can be closed.
    pub fn settled(&self) -> bool {
        let received = matches!(self.receiving, Receiving::Finished | Receiving::Failed(_));
        let sent = matches!(self.sending, Sending::Finished | Sending::Failed(_));
        received && sent && self.frames.is_empty()
    }

    /// Bytes that arrived and were not read.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// Bytes of memory in use by what arrived.
    pub fn held(&self) -> usize {
        self.unread + self.decoder.held()
    }

    /// Sets what the sender may have under way from now on, at most [`WINDOW`]. What was allowed
    /// before stays allowed.
    pub fn set_window(&mut self, window: u64) {
        self.window = window.min(WINDOW);
    }

    /// Sets by how much a limit moves before it is told.
    pub fn set_step(&mut self, step: u64) {
        self.step = step;
    }

    /// Sets how many bytes a message of the channel may have.
    pub fn set_largest(&mut self, message: usize) {
        self.largest = largest_payload(message);
    }

    /// As much as a frame to this remote may carry: what is written in crumbs is put together so far.
    pub fn largest(&self) -> usize {
        match self.limit_seen {
            Some(_) => self.largest,
            None => MAX_PAYLOAD,
        }
    }

    /// What this end takes in all: a window beyond what was read.
    fn limit(&self) -> u64 {
        self.received - self.unread as u64 + self.window
    }

    /// Allows the sender more. The limit moves in steps, so that a reader of a few bytes at a time
    /// does not answer each of them. It is told on its own only to those who know what it is:
    /// others take a frame without payload for the end of the stream.
    fn tell_limit(&mut self) {
        if self.receiving != Receiving::Open || self.limit_seen.is_none() {
            return;
        }
        let limit = self.limit();
        let first = self.limit_told == 0 && self.received >= FIRST_LIMIT_AFTER;
        let step = self.step.min(self.window / 4);
        if first || self.limit_told > 0 && limit >= self.limit_told + step {
            self.limit_told = limit;
            self.frames.retain(|frame| frame.flag.is_some());
            self.frames.push_back(Frame::limit(limit));
        }
    }

    fn keep(&mut self, payload: Bytes) {
        if payload.len() <= CRUMB {
            self.crumbs.extend_from_slice(&payload);
            return;
        }
        if !self.crumbs.is_empty() {
            self.inbox.push_back(self.crumbs.split().freeze());
        }
        self.inbox.push_back(payload);
    }

    fn fail(&mut self, why: Failed) {
        self.discard();
        self.broken = true;
        self.decoder = Decoder::default();
        self.receiving = Receiving::Failed(why);
        if !matches!(self.sending, Sending::Finished | Sending::Failed(_)) {
            self.sending = Sending::Failed(why);
        }
        self.frames.clear();
        self.frames.push_back(Frame::flag(Flag::StopSending));
        self.frames.push_back(Frame::flag(Flag::Reset));
    }

    fn discard(&mut self) {
        self.inbox.clear();
        self.crumbs = BytesMut::new();
        self.unread = 0;
    }
}

#[cfg(test)]
mod tests;
