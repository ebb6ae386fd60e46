//! Links with a known delay between nodes on one machine, so that time can be counted in round trips.
//!
//! Every port gets a forwarder in front of it that holds back what it passes on, each way. There is no
//! delay at first, so that a large network is grown quickly, and then it is set for all at once. A forwarder
//! accepts a connection at once, so it also holds back what the dialler says first, for as long as
//! the dialler would still have been connecting: a connection costs one round trip, as it does in
//! TCP. Whoever gives [`detour`] to its nodes need not know that they do not meet directly.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener as Bound};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Transport, tcp};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

const CHUNK: usize = 64 * 1024;
/// Chunks on their way at once; a link is a delay, not a limit of speed.
const UNDER_WAY: usize = 1_024;

/// All links, with the same delay. Cheap to clone.
#[derive(Clone)]
pub struct Links {
    delay: Delay,
    /// Links outlive the runtimes of the nodes that open them.
    runtime: Handle,
    entrances: Arc<Mutex<HashMap<u16, u16>>>,
}

/// Microseconds each way.
#[derive(Clone, Default)]
struct Delay(Arc<AtomicU64>);

impl Delay {
    fn one_way(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Links {
    /// Links that live as long as the runtime that this is called in.
    pub fn new() -> Links {
        Links {
            delay: Delay::default(),
            runtime: Handle::current(),
            entrances: Arc::default(),
        }
    }

    /// From now on a question and its answer take this long on their way.
    pub fn set_round_trip(&self, round_trip: Duration) {
        let micros = u64::try_from(round_trip.as_micros() / 2).unwrap_or(u64::MAX);
        self.delay.0.store(micros, Ordering::Relaxed);
    }

    /// See [`Links::set_round_trip`].
    pub fn round_trip(&self) -> Duration {
        self.delay.one_way() * 2
    }

    /// The port to dial in order to reach this one with the delay.
    pub fn entrance(&self, port: u16) -> io::Result<u16> {
        let mut entrances = self
            .entrances
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entrance) = entrances.get(&port) {
            return Ok(*entrance);
        }
        let bound = Bound::bind((Ipv4Addr::LOCALHOST, 0))?;
        bound.set_nonblocking(true)?;
        let entrance = bound.local_addr()?.port();
        let _inside = self.runtime.enter();
        let listener = TcpListener::from_std(bound)?;
        self.runtime
            .spawn(accept(listener, port, self.delay.clone()));
        entrances.insert(port, entrance);
        Ok(entrance)
    }
}

impl Default for Links {
    fn default() -> Self {
        Links::new()
    }
}

/// The port to dial in the place of another one.
pub type Entrance = Arc<dyn Fn(u16) -> io::Result<u16> + Send + Sync>;

/// TCP that dials other ports than it is told to.
pub fn detour(entrance: Entrance) -> Detour {
    Detour {
        tcp: tcp::tokio::Transport::new(tcp::Config::new().nodelay(true)),
        entrance,
    }
}

/// See [`detour`].
pub struct Detour {
    tcp: tcp::tokio::Transport,
    entrance: Entrance,
}

impl Transport for Detour {
    type Output = <tcp::tokio::Transport as Transport>::Output;
    type Error = io::Error;
    type ListenerUpgrade = <tcp::tokio::Transport as Transport>::ListenerUpgrade;
    type Dial = <tcp::tokio::Transport as Transport>::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.tcp.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.tcp.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let part = |part| match part {
            Protocol::Tcp(port) => (self.entrance)(port).map(Protocol::Tcp),
            other => Ok(other),
        };
        let other: io::Result<Multiaddr> = address.into_iter().map(part).collect();
        self.tcp
            .dial(other.map_err(TransportError::Other)?, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.tcp).poll(context)
    }
}

async fn accept(listener: TcpListener, port: u16, delay: Delay) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(forward(near, port, delay.clone()));
    }
}

/// One connection; it ends when both sides have.
async fn forward(near: TcpStream, port: u16, delay: Delay) -> io::Result<()> {
    let (dialled, one_way) = (Instant::now(), delay.one_way());
    sleep(one_way).await;
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let Ok(far) = connected else {
        // The refusal takes its time too.
        sleep(one_way).await;
        return Ok(());
    };
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::join!(
        pump(near_in, far_out, &delay, dialled + 2 * one_way),
        pump(far_in, near_out, &delay, dialled),
    );
    Ok(())
}

/// Passes on what is said, each chunk by the delay later, as if nothing had been said before `first`.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: &Delay,
    first: Instant,
) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let read = async move {
        let mut more = true;
        while more {
            let mut chunk = Vec::with_capacity(CHUNK);
            // A broken connection ends as a closed one does.
            let length = from.read_buf(&mut chunk).await.unwrap_or(0);
            more = length > 0;
            let due = Instant::now().max(first) + delay.one_way();
            more &= sender.send((due, chunk)).await.is_ok();
        }
    };
    let write = async move {
        while let Some((due, chunk)) = under_way.recv().await {
            sleep_until(due).await;
            if chunk.is_empty() || to.write_all(&chunk).await.is_err() {
                let _ = to.shutdown().await;
                return;
            }
        }
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_costs_one_round_trip_and_a_question_another() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut asker, _) = server.accept().await.unwrap();
            let question = asker.read_u8().await.unwrap();
            asker.write_u8(question + 1).await.unwrap();
        });
        let links = Links::new();
        links.set_round_trip(Duration::from_millis(40));
        let entrance = links.entrance(port).unwrap();
        assert_eq!(links.entrance(port).unwrap(), entrance);
        let began = Instant::now();
        let mut asker = TcpStream::connect((Ipv4Addr::LOCALHOST, entrance))
            .await
            .unwrap();
        asker.write_u8(1).await.unwrap();
        assert_eq!(asker.read_u8().await.unwrap(), 2);
        assert!(began.elapsed() >= 2 * links.round_trip());
        assert!(asker.read_u8().await.is_err(), "the end is passed on");
    }
}
