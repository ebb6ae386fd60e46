//! Many streams over one: yamux, with frames that suit what carries them.
//!
//! What is sent in bulk goes in frames that fill one message of noise each. Four times as many small ones, which is what others
//! send, cost four times as many trips through everything between two streams, and browsers feel that.

mod muxer;
#[cfg(feature = "server")]
mod portioned;
mod substream;

use std::future::{Ready, ready};
use std::io;
use std::iter;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use yamux::{Config, Connection, Mode};

use self::muxer::Muxer;
use crate::limits::{YAMUX_SENT, YAMUX_STREAMS};

const NAME: &str = "/yamux/1.0.0";

/// What a connection is made of. Browsers are not sent long frames by their relays.
#[cfg(feature = "server")]
type Below<C> = portioned::Portioned<C>;
#[cfg(not(feature = "server"))]
type Below<C> = C;

#[cfg(feature = "server")]
fn below<C>(io: C) -> Below<C> {
    portioned::Portioned::new(io)
}

#[cfg(not(feature = "server"))]
fn below<C>(io: C) -> Below<C> {
    io
}

/// The upgrade.
#[derive(Clone, Copy)]
pub(super) struct Yamux;

impl Yamux {
    fn on<C: AsyncRead + AsyncWrite + Unpin>(io: C, mode: Mode) -> Muxer<Below<C>> {
        let mut config = Config::default();
        config.set_max_num_streams(YAMUX_STREAMS);
        config.set_split_send_size(YAMUX_SENT);
        Muxer::new(Connection::new(below(io), config, mode))
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(NAME)
    }
}

impl<C> InboundConnectionUpgrade<C> for Yamux
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Muxer<Below<C>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Output>>;

    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Self::on(io, Mode::Server)))
    }
}

impl<C> OutboundConnectionUpgrade<C> for Yamux
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Muxer<Below<C>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Output>>;

    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Self::on(io, Mode::Client)))
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use futures::future::{Either, select};
    use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use libp2p::core::muxing::StreamMuxer;

    use super::*;
    use crate::net::noise::{MAX_PLAIN, tests::pipe::pipe};

    const HEADER: usize = 12;
    const BULK: usize = 2 * YAMUX_SENT + 5;

    /// How many bytes of data each frame has that goes out, until all have.
    async fn sent(bulk: Vec<u8>) -> Vec<usize> {
        let (io, mut remote) = pipe(1 << 20, 1 << 20);
        let mut muxer = Yamux::on(io, Mode::Client);
        let opened = poll_fn(|cx| Pin::new(&mut muxer).poll_outbound(cx)).await;
        let mut stream = opened.unwrap();
        let writing = async {
            stream.write_all(&bulk).await.unwrap();
            stream.flush().await.unwrap();
            std::future::pending::<()>().await;
        };
        let driving = poll_fn(|cx| Pin::new(&mut muxer).poll(cx));
        let reading = async {
            let (mut lengths, mut header) = (Vec::new(), [0; HEADER]);
            while lengths.iter().sum::<usize>() < bulk.len() {
                remote.read_exact(&mut header).await.unwrap();
                if header[1] == 0 {
                    let length = u32::from_be_bytes(*header.last_chunk().unwrap()) as usize;
                    remote.read_exact(&mut vec![0; length]).await.unwrap();
                    lengths.push(length);
                }
            }
            lengths
        };
        let busy = Box::pin(futures::future::join(writing, driving));
        match select(busy, Box::pin(reading)).await {
            Either::Left(_) => panic!("the connection has ended"),
            Either::Right((lengths, _)) => lengths,
        }
    }

    #[tokio::test]
    async fn bulk_goes_in_frames_that_fill_a_message_of_noise() {
        assert_eq!(YAMUX_SENT + HEADER, MAX_PLAIN);
        let mut lengths = sent(vec![7; BULK]).await;
        lengths.retain(|length| *length > 0);
        assert_eq!(lengths, [YAMUX_SENT, YAMUX_SENT, 5]);
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_stream_hears_that_this_end_closes_the_connection() {
        // A window of yamux fits into it: what stops the writer is the window.
        let (io, _remote) = pipe(1 << 20, 1 << 20);
        let mut muxer = Yamux::on(io, Mode::Client);
        let mut muxer = Pin::new(&mut muxer);
        let opened = poll_fn(|cx| muxer.as_mut().poll_outbound(cx)).await;
        let mut stream = opened.unwrap();
        let [reader, writer] = [(); 2].map(|()| Arc::new(Woken::default()));
        let [reads, writes] = [&reader, &writer].map(|woken| Waker::from(woken.clone()));
        let mut reads = Context::from_waker(&reads);
        let mut writes = Context::from_waker(&writes);
        let mut drives = Context::from_waker(Waker::noop());
        let mut stream = Pin::new(&mut stream);
        while stream
            .as_mut()
            .poll_write(&mut writes, &[7; 65_536])
            .is_ready()
        {
            assert!(muxer.as_mut().poll(&mut drives).is_pending());
        }
        assert!(stream.as_mut().poll_write(&mut writes, &[7]).is_pending());
        assert!(stream.as_mut().poll_read(&mut reads, &mut [0]).is_pending());
        let before = [&reader, &writer].map(|woken| woken.0.load(Ordering::Relaxed));

        let closed = muxer.as_mut().poll_close(&mut drives);
        assert!(!matches!(closed, Poll::Ready(Err(_))));
        let after = [&reader, &writer].map(|woken| woken.0.load(Ordering::Relaxed));
        assert!(after[0] > before[0] && after[1] > before[1], "{after:?}");
        let read = stream.as_mut().poll_read(&mut reads, &mut [0]);
        let written = stream.as_mut().poll_write(&mut writes, &[7]);
        assert!(matches!(read, Poll::Ready(Err(_))));
        assert!(matches!(written, Poll::Ready(Err(_))));
    }
}
