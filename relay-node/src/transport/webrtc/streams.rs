//! The streams of one connection inside the stack: opened, fed in turns, closed.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};

use str0m::channel::{ChannelData, ChannelId};
use str0m::{Input, Rtc};

use super::agent::Beginning;
use super::driver::broken;
use super::room::Room;
use super::state::{Ended, HANDSHAKE, Key, Shared, Wakers};
use super::{agent, limits};

/// Every stream that the stack knows.
pub(super) struct Streams {
    shared: Shared,
    pub(super) wakers: Wakers,
    beginning: Beginning,
    client: bool,
    hesitation: Hesitation,
    /// By the stack's names.
    keys: HashMap<ChannelId, Key>,
    lines: HashMap<Key, Line>,
    /// Streams of ours that the remote should have confirmed by then.
    unconfirmed: VecDeque<(Instant, Key)>,
    refusals: u32,
    /// Streams with bytes inside the stack.
    sending: Vec<Key>,
    in_stack: usize,
    room: Room,
    /// The stack did not take a message: it holds more than we count until the remote has more.
    refused: bool,
}

/// A stream inside the stack.
struct Line {
    id: ChannelId,
    open: bool,
}

/// For clients that lose what comes before they are ready: see [`agent::Agent::hesitation`].
#[derive(Default)]
struct Hesitation {
    time: Duration,
    /// When the first message on channel 0 may be sent.
    handshake: Option<Instant>,
    /// When our first stream may be opened.
    streams: Option<Instant>,
}

impl Streams {
    pub(super) fn new(
        shared: Shared,
        beginning: Beginning,
        client: bool,
        hesitation: Duration,
    ) -> Self {
        let (mut keys, mut lines) = (HashMap::new(), HashMap::new());
        if let Beginning::Handshake(id) = beginning {
            keys.insert(id, HANDSHAKE);
            lines.insert(HANDSHAKE, Line { id, open: false });
        }
        Streams {
            shared,
            wakers: Wakers::new(),
            beginning,
            client,
            hesitation: Hesitation {
                time: hesitation,
                ..Hesitation::default()
            },
            keys,
            lines,
            unconfirmed: VecDeque::new(),
            refusals: 0,
            sending: Vec::new(),
            in_stack: 0,
            room: Room::new(Instant::now()),
            refused: false,
        }
    }

    /// Does what the application wants and the time has come for. The stack must be drained then.
    pub(super) fn work(&mut self, rtc: &mut Rtc) -> Result<(), Ended> {
        self.refused = false;
        self.open_wanted(rtc)?;
        self.close_unconfirmed(rtc)?;
        if self.hesitation.handshake.is_some_and(is_over) {
            self.hesitation.handshake = None;
            self.open(HANDSHAKE);
        }
        self.send(rtc)
    }

    /// Whether there is more to send that the stack would take.
    pub(super) fn has_work(&self) -> bool {
        let full = self.refused || self.in_stack >= self.room.bytes();
        !full && !self.shared.lock().ready.is_empty()
    }

    /// When there is work whatever happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let unconfirmed = self.unconfirmed.front().map(|(due, _)| *due);
        let held_back = match self.shared.lock().opening.is_empty() {
            true => None,
            false => self.hesitation.streams,
        };
        [unconfirmed, self.hesitation.handshake, held_back]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    pub(super) fn on_data(&mut self, data: ChannelData) -> Result<(), Ended> {
        match self.keys.get(&data.id) {
            Some(key) => self
                .shared
                .lock()
                .arrived(*key, data.data, &mut self.wakers),
            None => Ok(()),
        }
    }

    pub(super) fn on_open(
        &mut self,
        rtc: &mut Rtc,
        id: ChannelId,
        label: &str,
    ) -> Result<(), Ended> {
        match self.keys.get(&id) {
            Some(&HANDSHAKE) if !self.hesitation.time.is_zero() => {
                self.hesitation.handshake = Some(Instant::now() + self.hesitation.time);
            }
            Some(key) => self.open(*key),
            None => match self.beginning {
                Beginning::Handshake(handshake) if id == handshake => {}
                // It has served its purpose.
                Beginning::Init(init) if id == init => rtc.direct_api().close_data_channel(id),
                // Its owner closes it.
                Beginning::TheirInit(false) if label == agent::INIT => {
                    self.beginning = Beginning::TheirInit(true);
                }
                _ => return self.accept(rtc, id),
            },
        }
        Ok(())
    }

    fn open(&mut self, key: Key) {
        if let Some(line) = self.lines.get_mut(&key) {
            line.open = true;
        }
        self.shared.lock().enqueue(key);
    }

    fn accept(&mut self, rtc: &mut Rtc, id: ChannelId) -> Result<(), Ended> {
        // Whoever opens streams also takes them.
        self.hesitation.streams = self.hesitation.streams.map(|_| Instant::now());
        let accepted = self.shared.lock().accept(&mut self.wakers);
        let Some(key) = accepted else {
            tracing::debug!("the remote opened more streams than allowed");
            rtc.direct_api().close_data_channel(id);
            self.refusals += 1;
            if self.refusals > limits::REFUSALS {
                return Err(Ended::new(
                    io::ErrorKind::QuotaExceeded,
                    "the remote goes on opening streams that are refused",
                ));
            }
            return Ok(());
        };
        self.keys.insert(id, key);
        self.lines.insert(key, Line { id, open: true });
        Ok(())
    }

    pub(super) fn on_close(&mut self, rtc: &mut Rtc, id: ChannelId) {
        if let Some(key) = self.keys.remove(&id) {
            self.lines.remove(&key);
            self.shared.lock().gone(key, &mut self.wakers);
        }
        if self.beginning == Beginning::Handshake(id) && self.client {
            // Some servers close channel 0 after the handshake. Its number is taken for good, so
            // that nothing late can be meant for another stream.
            let again = rtc.direct_api().create_data_channel(agent::channel_0());
            self.beginning = Beginning::Handshake(again);
        }
    }

    fn open_wanted(&mut self, rtc: &mut Rtc) -> Result<(), Ended> {
        let mut state = self.shared.lock();
        if state.opening.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        if !self.hesitation.time.is_zero() {
            let hesitation = self.hesitation.time;
            let from = self.hesitation.streams.get_or_insert(now + hesitation);
            if *from > now {
                return Ok(());
            }
        }
        let opening = std::mem::take(&mut state.opening);
        drop(state);
        for key in opening {
            let id = rtc.direct_api().create_data_channel(agent::channel());
            let line = Line { id, open: false };
            self.keys.insert(id, key);
            self.lines.insert(key, line);
            self.unconfirmed.push_back((now + limits::OPENING, key));
        }
        rtc.handle_input(Input::Timeout(now)).map_err(broken)
    }

    /// Streams take turns, a message each, while the stack has room.
    fn send(&mut self, rtc: &mut Rtc) -> Result<(), Ended> {
        while self.in_stack < self.room.bytes() && !self.refused {
            let mut state = self.shared.lock();
            let Some(key) = state.next_ready() else {
                break;
            };
            // One that is not open yet is put in line again when it is.
            let Some(line) = self.lines.get(&key).filter(|line| line.open) else {
                continue;
            };
            let Some(channel) = state.channels.get_mut(&key) else {
                continue;
            };
            let id = line.id;
            if let Some(message) = channel.pop() {
                let more = !channel.outbox.is_empty() || channel.released;
                if more {
                    state.enqueue(key);
                }
                drop(state);
                self.write(rtc, key, id, message)?;
            } else if channel.released && channel.buffered == 0 {
                drop(state);
                self.leave(rtc, key, id);
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        rtc: &mut Rtc,
        key: Key,
        id: ChannelId,
        message: Vec<u8>,
    ) -> Result<(), Ended> {
        let Some(mut channel) = rtc.channel(id) else {
            return Ok(());
        };
        let taken = channel.write(true, &message).map_err(broken)?;
        let mut state = self.shared.lock();
        let Some(channel) = state.channels.get_mut(&key) else {
            return Ok(());
        };
        if taken {
            if channel.buffered == 0 {
                self.sending.push(key);
            }
            channel.buffered += message.len();
            self.in_stack += message.len();
            self.room.written(Instant::now(), message.len());
        } else {
            channel.unpop(message);
            state.enqueue(key);
            self.refused = true;
        }
        Ok(())
    }

    /// Nobody here needs the stream any more. Who should close it, and when, was decided above.
    fn leave(&mut self, rtc: &mut Rtc, key: Key, id: ChannelId) {
        if key == HANDSHAKE {
            // Implementations differ in what the end of channel 0 means to them: it stays.
            self.keys.remove(&id);
            self.lines.remove(&key);
            self.shared.lock().forget(key, &mut self.wakers);
        } else {
            rtc.direct_api().close_data_channel(id);
        }
    }

    /// Closes streams that the application has dropped and the remote has never confirmed.
    fn close_unconfirmed(&mut self, rtc: &mut Rtc) -> Result<(), Ended> {
        while let Some((due, key)) = self.unconfirmed.front().copied() {
            let line = self.lines.get(&key).filter(|line| !line.open);
            let Some(id) = line.map(|line| line.id) else {
                self.unconfirmed.pop_front();
                continue;
            };
            if !is_over(due) {
                break;
            }
            self.unconfirmed.pop_front();
            if rtc.direct_api().sctp_stream_id_by_channel_id(id).is_none() {
                return Err(Ended::new(
                    io::ErrorKind::QuotaExceeded,
                    "no number is left for another stream",
                ));
            }
            let mut state = self.shared.lock();
            if state.is_released(key) {
                // The line stays until the stack says that it is closed.
                state.forget(key, &mut self.wakers);
                rtc.direct_api().close_data_channel(id);
            } else {
                drop(state);
                let again = Instant::now() + limits::OPENING;
                self.unconfirmed.push_back((again, key));
            }
        }
        Ok(())
    }

    /// Learns how much of what was sent the remote has.
    pub(super) fn count_buffered(&mut self, rtc: &mut Rtc) {
        let mut total = 0;
        let sending = std::mem::take(&mut self.sending);
        let mut state = self.shared.lock();
        for key in sending {
            let channel = match self.lines.get(&key) {
                Some(line) => rtc.channel(line.id),
                None => None,
            };
            let buffered = channel.map_or(0, |mut channel| channel.buffered_amount());
            state.set_buffered(key, buffered, &mut self.wakers);
            total += buffered;
            if buffered > 0 {
                self.sending.push(key);
            }
        }
        self.in_stack = total;
        self.room.held(Instant::now(), total);
    }
}

fn is_over(due: Instant) -> bool {
    due <= Instant::now()
}

#[cfg(test)]
mod tests;
