//! A peer connection as libp2p sees it: streams that open, streams that arrive, an end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use super::{Channel, Substream};

/// A peer connection with data channels.
pub trait Session: Unpin + Send + 'static {
    /// Its data channels.
    type Channel: Channel;

    /// A channel that the remote opened.
    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Channel>>;

    /// A channel of ours. It may be handed out before the remote has confirmed it.
    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Channel>>;

    /// Ready once the connection has ended, with the reason.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Error>;

    /// Ends the connection; ready when the remote was told as well as can be.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A [`Session`] for libp2p.
pub struct Muxer<S>(S);

impl<S: Session> Muxer<S> {
    /// Takes over the session; channel 0 must have served its purpose.
    pub fn new(session: S) -> Self {
        Muxer(session)
    }
}

impl<S: Session> StreamMuxer for Muxer<S> {
    type Substream = Substream<S::Channel>;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let channel = ready!(self.0.poll_inbound(cx))?;
        Poll::Ready(Ok(Substream::inbound(channel)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        let channel = ready!(self.0.poll_outbound(cx))?;
        Poll::Ready(Ok(Substream::outbound(channel)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        self.0.poll_ended(cx).map(Err)
    }
}
