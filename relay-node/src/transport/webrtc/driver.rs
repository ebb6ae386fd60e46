//! The task of one connection: it owns the stack and is the only one to touch it.
//!
//! The stack does no I/O. After every input it is asked for output until it has none; what it wants
//! to send is gathered and sent at the end of a turn, what concerns streams goes into the shared
//! state. A panic of the stack ends this task and with it this connection, no other.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use str0m::channel::ChannelId;
use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Event, Input, Output, Rtc, RtcError};
use warren_shared::webrtc::fingerprint::Fingerprint;

use super::agent::{self, Agent};
use super::limits;
use super::outgoing::Outgoing;
use super::path::Path;
use super::socket::{Arrived, Socket};
use super::state::{Ended, HANDSHAKE, Key, Shared, Wakers};
use super::table::{Place, Post};

/// DTLS records of the application.
const APPLICATION_DATA: u8 = 23;

/// What a connection's task owns.
pub(super) struct Driver {
    rtc: Rtc,
    socket: Arc<Socket>,
    post: Post,
    shared: Shared,
    path: Path,
    outgoing: Outgoing,
    /// The streams that the stack knows, by its names for them.
    keys: HashMap<ChannelId, Key>,
    lines: HashMap<Key, Line>,
    /// Streams with bytes inside the stack.
    sending: Vec<Key>,
    in_stack: usize,
    connected: bool,
    remote_closed: bool,
    closing_since: Option<Instant>,
    wakers: Wakers,
    _place: Option<Place>,
}

/// A stream inside the stack.
struct Line {
    id: ChannelId,
    open: bool,
}

impl Driver {
    pub(super) fn new(
        agent: Agent,
        socket: Arc<Socket>,
        post: Post,
        shared: Shared,
        path: Path,
        place: Option<Place>,
    ) -> Self {
        let Agent { rtc, handshake } = agent;
        let line = Line {
            id: handshake,
            open: false,
        };
        Driver {
            rtc,
            outgoing: Outgoing::new(&socket),
            socket,
            post,
            shared,
            path,
            keys: HashMap::from([(handshake, HANDSHAKE)]),
            lines: HashMap::from([(HANDSHAKE, line)]),
            sending: Vec::new(),
            in_stack: 0,
            connected: false,
            remote_closed: false,
            closing_since: None,
            wakers: Wakers::new(),
            _place: place,
        }
    }

    /// Runs the connection to its end.
    pub(super) async fn run(mut self) {
        let ended = loop {
            if let Err(ended) = self.turn().await {
                break ended;
            }
        };
        tracing::debug!(remote = %self.path.current(), ?ended, "a WebRTC connection has ended");
        if self.rtc.close().is_ok() {
            let _ = self.drain();
        }
        self.outgoing.send(&self.socket, self.path.local()).await;
        self.shared.update(|state, wakers| state.end(ended, wakers));
    }

    async fn turn(&mut self) -> Result<(), Ended> {
        let deadline = loop {
            self.open_streams()?;
            self.send_messages()?;
            let deadline = self.drain()?;
            self.count_buffered();
            // What was acknowledged may have made room.
            if self.in_stack >= limits::STACK_BUFFER || self.shared.lock().ready.is_empty() {
                break deadline;
            }
        };
        self.outgoing.send(&self.socket, self.path.local()).await;
        self.wakers.drain(..).for_each(std::task::Waker::wake);
        self.check_end()?;
        self.wait(deadline).await
    }

    async fn wait(&mut self, deadline: Instant) -> Result<(), Ended> {
        let mut until = deadline.min(self.path.silent_at());
        if let Some(since) = self.closing_since {
            until = until.min(since + limits::FAREWELL);
        }
        tokio::select! {
            arrived = self.post.take() => {
                let mut next = arrived;
                for _ in 0..limits::DATAGRAMS_PER_TURN {
                    let Some(arrived) = next else { break };
                    self.receive(&arrived)?;
                    next = self.post.take_now();
                }
                if let Some(arrived) = next {
                    self.receive(&arrived)?;
                }
            }
            () = self.shared.rung() => {}
            () = tokio::time::sleep_until(until.into()) => {
                let now = Instant::now();
                self.rtc.handle_input(Input::Timeout(now)).map_err(broken)?;
            }
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if self.remote_closed {
            return Err(Ended::new(
                io::ErrorKind::ConnectionAborted,
                "the remote closed the connection",
            ));
        }
        if now >= self.path.silent_at() {
            return Err(Ended::new(
                io::ErrorKind::TimedOut,
                "nothing arrived from the remote any more",
            ));
        }
        let (closing, flushed) = {
            let state = self.shared.lock();
            (state.closing, state.is_flushed())
        };
        if closing {
            let since = *self.closing_since.get_or_insert(now);
            if flushed || !self.connected || now >= since + limits::FAREWELL {
                return Err(Ended::new(
                    io::ErrorKind::NotConnected,
                    "this peer closed the connection",
                ));
            }
        }
        Ok(())
    }

    fn receive(&mut self, arrived: &Arrived) -> Result<(), Ended> {
        for datagram in arrived.datagrams() {
            let now = Instant::now();
            self.path.heard(now, arrived, &datagram);
            if !self.connected && datagram.first() == Some(&APPLICATION_DATA) {
                return Err(Ended::new(
                    io::ErrorKind::InvalidData,
                    "the caller speaks of an earlier connection",
                ));
            }
            let contents = Receive::new(Protocol::Udp, self.path.known(), agent::LOCAL, &datagram);
            let Ok(contents) = contents else { continue };
            match self.rtc.handle_input(Input::Receive(now, contents)) {
                Ok(()) => {}
                // Anybody on the way can put in a datagram that is no good.
                Err(error) if self.connected => {
                    tracing::debug!(%error, "a datagram was not understood");
                }
                Err(error) => return Err(broken(error)),
            }
            self.drain()?;
            self.path.settle();
        }
        Ok(())
    }

    /// Takes what the stack has to say, and returns when it wants to be called again.
    fn drain(&mut self) -> Result<Instant, Ended> {
        loop {
            match self.rtc.poll_output().map_err(broken)? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => self.transmit(&transmit),
                Output::Event(event) => self.on_event(event)?,
            }
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let to = self.path.destination(&transmit.contents);
        self.outgoing.push(to, &transmit.contents);
    }

    fn on_event(&mut self, event: Event) -> Result<(), Ended> {
        match event {
            Event::Connected => self.on_connected()?,
            Event::ChannelOpen(id, _) => self.on_open(id),
            Event::ChannelData(data) => {
                if let Some(key) = self.keys.get(&data.id) {
                    let mut state = self.shared.lock();
                    state.arrived(*key, data.data, &mut self.wakers)?;
                }
            }
            Event::ChannelClose(id) => {
                if let Some(key) = self.keys.remove(&id) {
                    self.lines.remove(&key);
                    self.shared.lock().gone(key, &mut self.wakers);
                }
            }
            Event::Closed => self.remote_closed = true,
            _ => {}
        }
        Ok(())
    }

    fn on_connected(&mut self) -> Result<(), Ended> {
        self.connected = true;
        let seen = self.rtc.direct_api().remote_dtls_fingerprint().cloned();
        let digest = seen.and_then(|seen| seen.bytes.try_into().ok());
        let Some(digest) = digest else {
            return Err(Ended::new(
                io::ErrorKind::InvalidData,
                "the remote showed no certificate",
            ));
        };
        let mut state = self.shared.lock();
        state.connected(Fingerprint::new(digest), &mut self.wakers);
        Ok(())
    }

    fn on_open(&mut self, id: ChannelId) {
        let mut state = self.shared.lock();
        if let Some(key) = self.keys.get(&id) {
            if let Some(line) = self.lines.get_mut(key) {
                line.open = true;
            }
            state.enqueue(*key);
            return;
        }
        match state.accept(&mut self.wakers) {
            Some(key) => {
                self.keys.insert(id, key);
                self.lines.insert(key, Line { id, open: true });
            }
            None => {
                drop(state);
                tracing::debug!("the remote opened more streams than allowed");
                self.rtc.direct_api().close_data_channel(id);
            }
        }
    }

    fn open_streams(&mut self) -> Result<(), Ended> {
        let opening = std::mem::take(&mut self.shared.lock().opening);
        if opening.is_empty() {
            return Ok(());
        }
        for key in opening {
            let id = self.rtc.direct_api().create_data_channel(agent::channel());
            self.keys.insert(id, key);
            self.lines.insert(key, Line { id, open: false });
        }
        let now = Instant::now();
        self.rtc.handle_input(Input::Timeout(now)).map_err(broken)
    }

    /// Streams take turns, a message each, while the stack has room.
    fn send_messages(&mut self) -> Result<(), Ended> {
        while self.in_stack < limits::STACK_BUFFER {
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
                self.write(key, id, message)?;
            } else if channel.released && channel.buffered == 0 {
                drop(state);
                self.close_stream(key, id);
            }
        }
        Ok(())
    }

    fn write(&mut self, key: Key, id: ChannelId, message: Vec<u8>) -> Result<(), Ended> {
        let Some(mut channel) = self.rtc.channel(id) else {
            return Ok(());
        };
        let length = message.len();
        if !channel.write(true, &message).map_err(broken)? {
            let mut state = self.shared.lock();
            if let Some(channel) = state.channels.get_mut(&key) {
                channel.unpop(message);
            }
            state.enqueue(key);
            // What the stack holds is more than we counted; that is put right after the next input.
            self.in_stack = limits::STACK_BUFFER;
            return Ok(());
        }
        self.in_stack += length;
        let mut state = self.shared.lock();
        if let Some(channel) = state.channels.get_mut(&key) {
            if channel.buffered == 0 {
                self.sending.push(key);
            }
            channel.buffered += length;
        }
        Ok(())
    }

    fn close_stream(&mut self, key: Key, id: ChannelId) {
        if key == HANDSHAKE {
            // Implementations differ in what the end of channel 0 means to them: it stays.
            self.keys.remove(&id);
            self.lines.remove(&key);
            self.shared.lock().forget(key, &mut self.wakers);
        } else {
            self.rtc.direct_api().close_data_channel(id);
        }
    }

    /// Learns how much of what was sent the remote has.
    fn count_buffered(&mut self) {
        let mut total = 0;
        let sending = std::mem::take(&mut self.sending);
        let mut state = self.shared.lock();
        for key in sending {
            let channel = match self.lines.get(&key) {
                Some(line) => self.rtc.channel(line.id),
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
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let ended = Ended::new(io::ErrorKind::Other, "the connection's task has failed");
        self.shared.update(|state, wakers| state.end(ended, wakers));
    }
}

fn broken(error: RtcError) -> Ended {
    Ended::new(io::ErrorKind::InvalidData, error.to_string())
}
