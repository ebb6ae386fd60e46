//! WebSockets handed from an HTTP server to libp2p, over real sockets and with foreign clients.

use std::{
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
};

use axum::{
    Router,
    extract::{ConnectInfo, State, ws::WebSocketUpgrade},
    response::Response,
    routing::any,
};
use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
        upgrade::Version,
    },
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping,
    swarm::SwarmEvent,
    yamux,
};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use warren_relay::transport::ws::{self, Limits, WsAcceptor, WsTransport};
use warren_shared::net::swarm::{Connections, authenticated};

/// The longest one, behind its length.
const NOISE_FRAME: usize = 2 + 65_535;

type Socket = ws::WsStream<axum::extract::ws::WebSocket>;

#[derive(Clone)]
struct App {
    acceptor: WsAcceptor,
    local: SocketAddr,
}

async fn upgrade(
    State(app): State<App>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Response {
    ws::configure(upgrade).on_upgrade(move |socket| async move {
        app.acceptor.accept(socket, app.local, remote, false).await;
    })
}

/// An HTTP server that upgrades everything, and the transport fed by it.
async fn serve(limits: Limits) -> (SocketAddr, WsTransport) {
    let (acceptor, transport) = ws::channel(limits);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let local = listener.local_addr().unwrap();
    let app = Router::new()
        .fallback(any(upgrade))
        .with_state(App { acceptor, local });
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    (local, transport)
}

fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip())
        .with(Protocol::Tcp(address.port()))
        .with(Protocol::Ws("/".into()))
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/any/path")
}

async fn next(
    transport: &mut WsTransport,
) -> TransportEvent<<WsTransport as Transport>::ListenerUpgrade, std::io::Error> {
    poll_fn(|cx| Pin::new(&mut *transport).poll(cx)).await
}

/// Listens on `address` and waits for one connection.
async fn accept_one(transport: &mut WsTransport, address: SocketAddr) -> Socket {
    transport
        .listen_on(ListenerId::next(), multiaddr(address))
        .unwrap();
    let TransportEvent::NewAddress { listen_addr, .. } = next(transport).await else {
        panic!("expected an address");
    };
    assert_eq!(listen_addr, multiaddr(address));
    accept_next(transport).await
}

async fn accept_next(transport: &mut WsTransport) -> Socket {
    let TransportEvent::Incoming { upgrade, .. } = next(transport).await else {
        panic!("expected a connection");
    };
    upgrade.await.unwrap()
}

/// A peer of the libp2p that everybody has, or of ours, by what it puts on the bytes of a transport.
fn pinging(connections: impl FnOnce(&Keypair) -> Connections) -> Swarm<ping::Behaviour> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_other_transport(connections)
        .unwrap()
        .with_behaviour(|_| ping::Behaviour::default())
        .unwrap()
        .build()
}

#[tokio::test]
async fn a_libp2p_websocket_client_pings_through_the_upgraded_socket() {
    let (address, transport) = serve(Limits::default()).await;
    let mut server = pinging(|key| authenticated(transport, key).unwrap());
    server.listen_on(multiaddr(address)).unwrap();
    let server_id = *server.local_peer_id();

    let tcp = libp2p::tcp::tokio::Transport::default();
    let mut client = pinging(|key| {
        libp2p::websocket::Config::new(tcp)
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(key).unwrap())
            .multiplex(yamux::Config::default())
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed()
    });
    client
        .dial(multiaddr(address).with(Protocol::P2p(server_id)))
        .unwrap();

    tokio::spawn(async move {
        loop {
            server.select_next_some().await;
        }
    });
    loop {
        match client.select_next_some().await {
            SwarmEvent::Behaviour(ping::Event { result, peer, .. }) => {
                result.unwrap();
                assert_eq!(peer, server_id);
                return;
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn large_writes_arrive_whole_in_messages_of_one_noise_frame_and_close_is_the_end() {
    let (address, mut transport) = serve(Limits::default()).await;
    let (mut client, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let mut stream = accept_one(&mut transport, address).await;

    let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        stream.write_all(&sent).await.unwrap();
        stream.close().await.unwrap();
    });

    let mut received = Vec::new();
    let mut largest = 0;
    while let Some(message) = client.next().await {
        if let Message::Binary(bytes) = message.unwrap() {
            largest = largest.max(bytes.len());
            received.extend_from_slice(&bytes);
        }
    }
    assert!(received == expected, "got {} bytes", received.len());
    assert_eq!(largest, NOISE_FRAME);
    writer.await.unwrap();
}

#[tokio::test]
async fn small_writes_between_flushes_become_one_message() {
    let (address, mut transport) = serve(Limits::default()).await;
    let (mut client, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let mut stream = accept_one(&mut transport, address).await;

    stream.write_all(b"one, ").await.unwrap();
    stream.write_all(b"two").await.unwrap();
    stream.flush().await.unwrap();

    let message = client.next().await.unwrap().unwrap();
    assert_eq!(message, Message::binary(&b"one, two"[..]));
}

#[tokio::test]
async fn a_reader_sees_bytes_then_the_end_when_the_remote_closes() {
    let (address, mut transport) = serve(Limits::default()).await;
    let (mut client, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let mut stream = accept_one(&mut transport, address).await;

    client.send(Message::binary(&b"hel"[..])).await.unwrap();
    client
        .send(Message::Ping("still there?".into()))
        .await
        .unwrap();
    client.send(Message::binary(&b""[..])).await.unwrap();
    client.send(Message::binary(&b"lo"[..])).await.unwrap();
    client.close(None).await.unwrap();

    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"hello");
}

#[tokio::test]
async fn a_text_message_is_a_protocol_error() {
    let (address, mut transport) = serve(Limits::default()).await;
    let (mut client, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let mut stream = accept_one(&mut transport, address).await;

    client.send(Message::text("hello?")).await.unwrap();

    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(close_code(&mut client).await, 1003);
}

#[tokio::test]
async fn an_oversized_message_is_refused() {
    let (address, mut transport) = serve(Limits::default()).await;
    let (mut client, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let mut stream = accept_one(&mut transport, address).await;

    let writer = tokio::spawn(async move {
        // Fails midway when the server has already hung up.
        let _ = client.send(Message::binary(vec![0; 2 * 1024 * 1024])).await;
    });
    stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    drop(stream);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_writer_waits_for_a_reader_that_does_not_read() {
    let (address, mut transport) = serve(Limits::default()).await;
    let (_client, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let mut stream = accept_one(&mut transport, address).await;

    // Far more than the socket buffers of the kernel hold: ends only because of backpressure.
    let chunk = vec![0; 64 * 1024];
    let mut written = 0;
    loop {
        let step =
            poll_fn(|cx| std::task::Poll::Ready(Pin::new(&mut stream).poll_write_all(cx, &chunk)))
                .await;
        match step {
            Some(count) => written += count,
            None => break,
        }
        assert!(written < 256 * 1024 * 1024, "nothing holds the writer back");
    }
}

trait PollWriteAll {
    fn poll_write_all(self, cx: &mut std::task::Context<'_>, bytes: &[u8]) -> Option<usize>;
}

impl PollWriteAll for Pin<&mut Socket> {
    /// `None` when the socket takes nothing more.
    fn poll_write_all(self, cx: &mut std::task::Context<'_>, bytes: &[u8]) -> Option<usize> {
        match futures::AsyncWrite::poll_write(self, cx, bytes) {
            std::task::Poll::Ready(count) => Some(count.unwrap()),
            std::task::Poll::Pending => None,
        }
    }
}

#[tokio::test]
async fn a_full_queue_answers_try_again_later() {
    let (address, mut transport) = serve(Limits { accept_queue: 1 }).await;
    // Nothing takes sockets from the queue, so of two clients one is turned away.
    let (mut first, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let (mut second, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .unwrap();
    let code = tokio::select! {
        code = close_code(&mut first) => code,
        code = close_code(&mut second) => code,
    };
    assert_eq!(code, 1013);
    accept_one(&mut transport, address).await;
}

async fn close_code<S>(client: &mut tokio_tungstenite::WebSocketStream<S>) -> u16
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        if let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() {
            return frame.code.into();
        }
    }
}

#[tokio::test]
async fn an_unspecified_address_announces_the_interfaces() {
    let (_acceptor, mut transport) = ws::channel(Limits::default());
    transport
        .listen_on(
            ListenerId::next(),
            "/ip4/0.0.0.0/tcp/8080/tls/ws".parse().unwrap(),
        )
        .unwrap();
    let loopback: Multiaddr = "/ip4/127.0.0.1/tcp/8080/tls/ws".parse().unwrap();
    loop {
        if let TransportEvent::NewAddress { listen_addr, .. } = next(&mut transport).await
            && listen_addr == loopback
        {
            return;
        }
    }
}

#[tokio::test]
async fn listeners_end_with_the_server_and_on_request() {
    let (acceptor, mut transport) = ws::channel(Limits::default());
    let (kept, removed) = (ListenerId::next(), ListenerId::next());
    for id in [kept, removed] {
        transport
            .listen_on(id, "/ip4/127.0.0.1/tcp/80/ws".parse().unwrap())
            .unwrap();
        next(&mut transport).await;
    }
    assert!(transport.remove_listener(removed));
    assert!(!transport.remove_listener(removed));
    drop(acceptor);
    for expected in [removed, kept] {
        let TransportEvent::ListenerClosed { listener_id, .. } = next(&mut transport).await else {
            panic!("expected the end of a listener");
        };
        assert_eq!(listener_id, expected);
    }
}

#[test]
fn dialling_is_left_to_another_transport() {
    let (_acceptor, mut transport) = ws::channel(Limits::default());
    let options = DialOpts {
        role: libp2p::core::Endpoint::Dialer,
        port_use: PortUse::Reuse,
    };
    let result = transport.dial("/ip4/127.0.0.1/tcp/80/ws".parse().unwrap(), options);
    assert!(matches!(
        result,
        Err(TransportError::MultiaddrNotSupported(_))
    ));
}
