//! The task of one connection: it owns the stack and is the only one to touch it.
//!
//! The stack does no I/O. After every input it is asked for output until it has none; what it wants
//! to send is gathered and sent at the end of a turn, what concerns streams goes into the shared
//! state. A panic of the stack ends this task and with it this connection, no other.

use std::io;
use std::time::Instant;

use str0m::net::{Protocol, Receive};
use str0m::{Event, Input, Output, Rtc, RtcError};
use warren_shared::webrtc::fingerprint::Fingerprint;

use super::agent::Agent;
use super::limits;
use super::pace::Pace;
use super::path;
use super::socket::Arrived;
use super::state::{Ended, Shared};
use super::streams::Streams;
use super::table::Post;
use super::way::Way;

/// DTLS records of the application, by their first byte.
const APPLICATION_DATA: u8 = 23;

/// What a connection's task owns.
pub(super) struct Driver<W: Way> {
    rtc: Rtc,
    post: Post,
    shared: Shared,
    way: W,
    streams: Streams,
    pace: Pace,
    connected: bool,
    /// A DTLS record has arrived.
    greeted: bool,
    /// Datagrams that the stack has not been asked about since it got them.
    unanswered: usize,
    remote_closed: bool,
    closing_since: Option<Instant>,
}

impl<W: Way> Driver<W> {
    pub(super) fn new(agent: Agent, post: Post, shared: Shared, way: W) -> Self {
        let streams = Streams::new(
            shared.clone(),
            agent.beginning,
            agent.client,
            agent.hesitation,
        );
        Driver {
            rtc: agent.rtc,
            post,
            shared,
            way,
            streams,
            pace: Pace::default(),
            connected: false,
            greeted: false,
            unanswered: 0,
            remote_closed: false,
            closing_since: None,
        }
    }

    /// Runs the connection to its end.
    pub(super) async fn run(mut self) {
        let ended = loop {
            if let Err(ended) = self.turn().await {
                break ended;
            }
        };
        tracing::debug!(remote = %self.way.remote(), ?ended, "a WebRTC connection has ended");
        self.farewell();
        self.way.send().await;
        self.end(ended);
    }

    /// Tells the remote, whatever else the stack has to say: what still arrives, perhaps more than
    /// anybody may, concerns nobody any more.
    fn farewell(&mut self) {
        if self.rtc.close().is_err() {
            return;
        }
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => self.way.transmit(&transmit),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }

    /// Whoever waits for something learns that it will not come.
    fn end(&mut self, ended: Ended) {
        self.shared.update(|state, wakers| state.end(ended, wakers));
        // Those that were to be woken at the end of a turn that has none.
        self.streams.wake();
    }

    async fn turn(&mut self) -> Result<(), Ended> {
        let deadline = loop {
            self.way.work(&mut self.rtc, Instant::now())?;
            self.streams.work(&mut self.rtc)?;
            let deadline = self.drain()?;
            // What was acknowledged may have made room.
            self.streams.count_buffered(&mut self.rtc);
            if !self.streams.has_work() {
                break deadline;
            }
        };
        self.way.send().await;
        self.streams.wake();
        self.check_end()?;
        self.wait(deadline).await
    }

    async fn wait(&mut self, deadline: Instant) -> Result<(), Ended> {
        let others = [
            Some(self.way.silent_at()),
            self.way.due(),
            self.streams.due(),
            self.closing_since.map(|since| since + limits::FAREWELL),
        ];
        let deadline = self.pace.next(Instant::now(), deadline);
        let until = others.into_iter().flatten().fold(deadline, Instant::min);
        tokio::select! {
            arrived = self.post.take() => self.receive_all(arrived),
            () = self.shared.rung() => Ok(()),
            () = self.way.asked() => Ok(()),
            () = tokio::time::sleep_until(until.into()) => {
                let now = Instant::now();
                self.rtc.handle_input(Input::Timeout(now)).map_err(broken)
            }
        }
    }

    fn check_end(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if self.remote_closed {
            return Err(Ended::new(
                io::ErrorKind::ConnectionAborted,
                "the remote closed the connection",
            ));
        }
        if now >= self.way.silent_at() {
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

    /// Takes what waits, up to the bound of a turn.
    fn receive_all(&mut self, first: Option<Arrived>) -> Result<(), Ended> {
        let Some(first) = first else {
            return Err(Ended::new(
                io::ErrorKind::NotConnected,
                "the listener is gone",
            ));
        };
        let mut taken = self.receive(&first)?;
        while taken < limits::DATAGRAMS_PER_TURN {
            let Some(next) = self.post.take_now() else {
                break;
            };
            taken += self.receive(&next)?;
        }
        self.answer()
    }

    /// Gives the stack one datagram after the other; returns how many there were.
    fn receive(&mut self, arrived: &Arrived) -> Result<usize, Ended> {
        let mut taken = 0;
        for datagram in arrived.datagrams() {
            taken += 1;
            let now = Instant::now();
            if self.way.intercepts(&mut self.rtc, arrived, &datagram) {
                continue;
            }
            let (remote, local) = self.way.ends(arrived);
            let contents = Receive::new(Protocol::Udp, remote, local, &datagram);
            let Ok(contents) = contents else { continue };
            let input = Input::Receive(now, contents);
            if !self
                .way
                .admits(&self.rtc, &input, arrived.source, &datagram)
            {
                continue;
            }
            let record = path::is_record(&datagram);
            if record && !self.takes_record(&datagram)? {
                continue;
            }
            // What ends or steers a connection finds all answered that was before it.
            let bulk = record && self.connected && datagram.len() >= limits::BULK_RECORD;
            if !bulk {
                self.answer()?;
            }
            self.way.heard(now, arrived, &datagram);
            if let Err(error) = self.rtc.handle_input(input) {
                // Anybody on the way can put in a datagram that is no good. One that breaks the
                // handshake keeps it from being done in time.
                tracing::debug!(%error, "a datagram was not understood");
            }
            self.unanswered += 1;
            if !bulk || self.unanswered == limits::RECORDS_AT_ONCE {
                self.answer()?;
            }
        }
        Ok(taken)
    }

    /// Lets the stack answer what it was given.
    fn answer(&mut self) -> Result<(), Ended> {
        if std::mem::take(&mut self.unanswered) > 0 {
            self.drain()?;
            self.way.settle();
        }
        Ok(())
    }

    /// Whether the stack should see a DTLS record now.
    fn takes_record(&mut self, record: &[u8]) -> Result<bool, Ended> {
        let first = !std::mem::replace(&mut self.greeted, true);
        if first && record.first() == Some(&APPLICATION_DATA) {
            return Err(Ended::new(
                io::ErrorKind::InvalidData,
                "the caller speaks of an earlier connection",
            ));
        }
        Ok(!self.shared.lock().is_held_back())
    }

    /// Takes what the stack has to say, and returns when it wants to be called again.
    fn drain(&mut self) -> Result<Instant, Ended> {
        loop {
            match self.rtc.poll_output().map_err(broken)? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => self.way.transmit(&transmit),
                Output::Event(event) => self.on_event(event)?,
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Ended> {
        self.way.on_event(&mut self.rtc, &event)?;
        match event {
            Event::Connected => self.on_connected()?,
            Event::ChannelOpen(id, label) => self.streams.on_open(&mut self.rtc, id, &label)?,
            Event::ChannelData(data) => self.streams.on_data(data)?,
            Event::ChannelClose(id) => self.streams.on_close(&mut self.rtc, id),
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
        state.connected(Fingerprint::new(digest), &mut self.streams.wakers);
        Ok(())
    }
}

impl<W: Way> Drop for Driver<W> {
    fn drop(&mut self) {
        self.end(Ended::new(
            io::ErrorKind::Other,
            "the connection's task has failed",
        ));
    }
}

/// The stack cannot go on.
pub(super) fn broken(error: RtcError) -> Ended {
    Ended::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests;
