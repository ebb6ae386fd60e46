//! Two ends in one process, without a swarm around them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Shared as SharedFuture;
use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, SubstreamBox};
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::core::{Endpoint, Transport};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{Mutex, mpsc, oneshot};
use warren_relay::transport::webrtc::{Certificate, transport};
use warren_shared::net::swarm::Connections;

/// What hangs must fail: the longest work here takes a minute on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

pub async fn patient<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it should not take so long")
}

/// A node with an identity and a certificate of its own.
fn node() -> (PeerId, Connections) {
    let key = Keypair::generate_ed25519();
    let certificate = Certificate::from_pem(&Certificate::generate().unwrap()).unwrap();
    (key.public().to_peer_id(), transport(&key, &certificate))
}

/// A listening node.
pub struct Server {
    pub peer: PeerId,
    pub address: Multiaddr,
    accepted: mpsc::UnboundedReceiver<Connection>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    pub async fn start(address: &str) -> Server {
        let (peer, connections) = node();
        Server::with(peer, connections, address).await
    }

    /// The same on any transport.
    pub async fn with(peer: PeerId, mut connections: Connections, address: &str) -> Server {
        connections
            .listen_on(ListenerId::next(), address.parse().unwrap())
            .unwrap();
        let address = patient(async {
            loop {
                if let TransportEvent::NewAddress { listen_addr, .. } = next(&mut connections).await
                {
                    return listen_addr;
                }
            }
        })
        .await;
        let (sender, accepted) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            tokio::select! {
                () = accept(connections, sender) => {}
                _ = stopped => {}
            }
        });
        Server {
            peer,
            address,
            accepted,
            _stop: stop,
        }
    }

    pub async fn accept(&mut self) -> Connection {
        patient(self.accepted.recv()).await.unwrap()
    }
}

impl Server {
    /// Where it listens, as a socket address.
    pub fn socket(&self) -> SocketAddr {
        socket_of(&self.address)
    }
}

pub fn socket_of(address: &Multiaddr) -> SocketAddr {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        _ => panic!("{address} is no UDP address"),
    }
}

/// The same server at another port.
pub fn at(address: &Multiaddr, socket: SocketAddr) -> Multiaddr {
    address
        .replace(1, |_| Some(Protocol::Udp(socket.port())))
        .unwrap()
}

async fn next(
    connections: &mut Connections,
) -> TransportEvent<<Connections as Transport>::ListenerUpgrade, io::Error> {
    poll_fn(|cx| Pin::new(&mut *connections).poll(cx)).await
}

async fn accept(mut connections: Connections, sender: mpsc::UnboundedSender<Connection>) {
    loop {
        if let TransportEvent::Incoming { upgrade, .. } = next(&mut connections).await {
            let sender = sender.clone();
            tokio::spawn(async move {
                if let Ok((peer, muxer)) = upgrade.await {
                    let _ = sender.send(Connection::new(peer, muxer));
                }
            });
        }
    }
}

pub async fn try_connect(address: &Multiaddr) -> io::Result<Connection> {
    try_connect_with(node().1, address).await
}

/// The same on any transport.
pub async fn try_connect_with(
    mut connections: Connections,
    address: &Multiaddr,
) -> io::Result<Connection> {
    let options = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    };
    let dialling = connections
        .dial(address.clone(), options)
        .map_err(|error| io::Error::other(error.to_string()))?;
    // The stock transport reads its sockets only while it is polled.
    let polling = tokio::spawn(async move {
        loop {
            next(&mut connections).await;
        }
    });
    let (peer, muxer) = dialling.await?;
    let connection = Connection::new(peer, muxer);
    let ended = connection.ended.clone();
    tokio::spawn(async move {
        ended.await;
        polling.abort();
    });
    Ok(connection)
}

pub async fn connect(address: &Multiaddr) -> Connection {
    patient(try_connect(address)).await.unwrap()
}

type Ended = SharedFuture<Pin<Box<dyn Future<Output = String> + Send>>>;

/// A connection with a task that drives it.
#[derive(Clone)]
pub struct Connection {
    pub peer: PeerId,
    inbound: Arc<Mutex<mpsc::UnboundedReceiver<SubstreamBox>>>,
    orders: mpsc::UnboundedSender<Order>,
    ended: Ended,
}

enum Order {
    Open(oneshot::Sender<io::Result<SubstreamBox>>),
    Close,
}

impl Connection {
    fn new(peer: PeerId, muxer: StreamMuxerBox) -> Connection {
        let (streams, inbound) = mpsc::unbounded_channel();
        let (orders, taken) = mpsc::unbounded_channel();
        let (tell, ended) = oneshot::channel();
        tokio::spawn(async move {
            let mut task = Task {
                muxer,
                streams,
                orders: taken,
                opening: None,
                closing: false,
            };
            let why = poll_fn(|cx| task.poll(cx)).await;
            drop(task);
            let _ = tell.send(why);
        });
        Connection {
            peer,
            inbound: Arc::new(Mutex::new(inbound)),
            orders,
            ended: async { ended.await.unwrap() }.boxed().shared(),
        }
    }

    pub async fn open(&self) -> io::Result<SubstreamBox> {
        let (sender, opened) = oneshot::channel();
        self.orders
            .send(Order::Open(sender))
            .map_err(|_| io::ErrorKind::NotConnected)?;
        patient(opened)
            .await
            .map_err(|_| io::ErrorKind::NotConnected)?
    }

    pub async fn accept(&self) -> Option<SubstreamBox> {
        self.inbound.lock().await.recv().await
    }

    /// Ends it, telling the remote.
    pub async fn close(&self) {
        let _ = self.orders.send(Order::Close);
        patient(self.ended()).await;
    }

    /// Waits for the end; gives the reason.
    pub async fn ended(&self) -> String {
        self.ended.clone().await
    }

    pub fn echo_everything(&self) {
        self.echo_in_pieces(LARGE);
    }

    /// Echoes, writing no more than that at once.
    pub fn echo_in_pieces(&self, piece: usize) {
        let connection = self.clone();
        tokio::spawn(async move {
            while let Some(stream) = connection.accept().await {
                tokio::spawn(send_back(stream, piece));
            }
        });
    }
}

/// Flushes what it writes: the other end may wait for the rest of it.
async fn send_back(mut stream: SubstreamBox, piece: usize) -> io::Result<()> {
    let mut buffer = vec![0; piece];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
    }
}

struct Task {
    muxer: StreamMuxerBox,
    streams: mpsc::UnboundedSender<SubstreamBox>,
    orders: mpsc::UnboundedReceiver<Order>,
    opening: Option<oneshot::Sender<io::Result<SubstreamBox>>>,
    closing: bool,
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        let mut muxer = Pin::new(&mut self.muxer);
        if self.closing {
            return muxer.poll_close(cx).map(|_| "closed here".into());
        }
        if let Poll::Ready(Err(error)) = muxer.as_mut().poll(cx) {
            return Poll::Ready(error.to_string());
        }
        loop {
            match muxer.as_mut().poll_inbound(cx) {
                Poll::Ready(Ok(stream)) => {
                    let _ = self.streams.send(stream);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(error.to_string()),
                Poll::Pending => break,
            }
        }
        loop {
            if let Some(opening) = self.opening.take() {
                match muxer.as_mut().poll_outbound(cx) {
                    Poll::Ready(result) => {
                        let _ = opening.send(result);
                    }
                    Poll::Pending => {
                        self.opening = Some(opening);
                        return Poll::Pending;
                    }
                }
            }
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(Order::Open(opening))) => self.opening = Some(opening),
                Poll::Ready(Some(Order::Close) | None) => {
                    self.closing = true;
                    return self.poll(cx);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// More than one message of a data channel.
const LARGE: usize = 64 * 1024;

/// Sends `total` bytes and checks that they come back, and that the end comes back, too.
pub async fn echo(stream: SubstreamBox, total: usize) {
    let (mut read, mut write) = exchange(stream, total, LARGE).await;
    patient(write.close()).await.unwrap();
    let mut rest = Vec::new();
    patient(read.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty(), "{} bytes too many", rest.len());
}

/// Sends `total` bytes, no more than `piece` at once, and checks that they come back.
pub async fn exchange(stream: SubstreamBox, total: usize, piece: usize) -> Halves {
    let (read, write) = stream.split();
    let sending = tokio::spawn(send(write, total, piece));
    let read = patient(receive(read, total)).await;
    (read, patient(sending).await.unwrap())
}

type Halves = (ReadHalf<SubstreamBox>, WriteHalf<SubstreamBox>);

async fn send(
    mut write: WriteHalf<SubstreamBox>,
    total: usize,
    piece: usize,
) -> WriteHalf<SubstreamBox> {
    let mut pattern = Pattern::default();
    let mut left = total;
    while left > 0 {
        let chunk = pattern.next(left.min(piece));
        left -= chunk.len();
        write.write_all(&chunk).await.unwrap();
        write.flush().await.unwrap();
    }
    write
}

async fn receive(mut read: ReadHalf<SubstreamBox>, total: usize) -> ReadHalf<SubstreamBox> {
    let mut pattern = Pattern::default();
    let mut buffer = vec![0; LARGE];
    let mut received = 0;
    while received < total {
        let count = read.read(&mut buffer).await.unwrap();
        assert!(count > 0, "it ended after {received} bytes");
        assert_eq!(
            buffer[..count],
            pattern.next(count),
            "after {received} bytes"
        );
        received += count;
    }
    read
}

/// Bytes that differ everywhere, so that a swapped or lost piece shows.
#[derive(Default)]
pub struct Pattern(u64);

impl Pattern {
    pub fn next(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| {
                self.0 += 1;
                (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
            })
            .collect()
    }
}
