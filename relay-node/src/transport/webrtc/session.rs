//! A connection and its streams, as the shared muxer wants them.

use std::io;
use std::task::{Context, Poll, ready};

use futures::future::poll_fn;
use warren_shared::net::webrtc::{Channel, Received, Session};
use warren_shared::webrtc::fingerprint::Fingerprint;
use warren_shared::webrtc::stream::LIMIT_STEP_OF_BROWSERS;

use super::state::{HANDSHAKE, Key, Shared};

/// The application's end of a connection. The connection ends with it.
pub(super) struct Peer(Shared);

impl Peer {
    pub(super) fn new(shared: Shared) -> Self {
        Peer(shared)
    }

    /// Waits for DTLS; gives the remote's certificate and the channel for the handshake.
    pub(super) async fn connected(&self) -> io::Result<(Fingerprint, Pipe)> {
        let certificate = poll_fn(|cx| self.0.poll_connected(cx)).await?;
        Ok((certificate, Pipe::new(self.0.clone(), HANDSHAKE)))
    }

    /// The handshake has told who the remote is: from now on it may have streams.
    pub(super) fn authenticated(&self) {
        self.0.authenticated();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Session for Peer {
    type Channel = Pipe;

    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pipe>> {
        let key = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok(Pipe::new(self.0.clone(), key)))
    }

    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pipe>> {
        let key = ready!(self.0.poll_open(cx))?;
        Poll::Ready(Ok(Pipe::new(self.0.clone(), key)))
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.0.poll_ended(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.close();
        self.0.poll_ended(cx).map(|_| Ok(()))
    }
}

/// A data channel.
pub(super) struct Pipe {
    shared: Shared,
    key: Key,
    released: bool,
}

impl Pipe {
    fn new(shared: Shared, key: Key) -> Self {
        Pipe {
            shared,
            key,
            released: false,
        }
    }
}

impl Channel for Pipe {
    const LIMIT_STEP: u64 = LIMIT_STEP_OF_BROWSERS;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll_writable(self.key, cx)
    }

    fn send(&mut self, message: Vec<u8>) -> io::Result<()> {
        self.shared.send(self.key, message)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        self.shared.poll_message(self.key, cx)
    }

    fn hold(&mut self, bytes: usize) -> u64 {
        self.shared.hold(self.key, bytes)
    }

    fn close(&mut self) {
        if !std::mem::replace(&mut self.released, true) {
            self.shared.release(self.key);
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.close();
    }
}
