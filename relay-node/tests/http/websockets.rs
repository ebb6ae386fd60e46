//! WebSockets on the port of the page.

use std::{future::poll_fn, pin::Pin};

use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{ListenerId, TransportEvent},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use warren_relay::{http::HttpLimits, transport::ws::WsStream};

use crate::{
    support::{Running, limits},
    tls::{self, Pair},
};

type Socket = WsStream<axum::extract::ws::WebSocket>;

async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: S, url: &str) -> WebSocketStream<S> {
    client_async(url, stream).await.unwrap().0
}

async fn accept(server: &mut Running, security: &str) -> (Socket, Multiaddr) {
    let port = server.address.port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}{security}");
    server
        .transport
        .listen_on(ListenerId::next(), address.parse().unwrap())
        .unwrap();
    loop {
        let event = poll_fn(|cx| Pin::new(&mut server.transport).poll(cx)).await;
        if let TransportEvent::Incoming {
            upgrade,
            local_addr,
            ..
        } = event
        {
            assert_eq!(local_addr.to_string(), address);
            return (upgrade.await.unwrap(), local_addr);
        }
    }
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut WebSocketStream<S>,
    socket: &mut Socket,
) {
    client.send(Message::binary(&b"there"[..])).await.unwrap();
    let mut bytes = [0; 5];
    socket.read_exact(&mut bytes).await.unwrap();
    socket.write_all(b"and back").await.unwrap();
    socket.flush().await.unwrap();
    let reply = client.next().await.unwrap().unwrap();
    assert_eq!(reply, Message::binary(&b"and back"[..]));
}

#[tokio::test]
async fn every_path_takes_websockets() {
    let mut server = Running::start().await;
    for path in ["/", "/health", "/some/where"] {
        let url = format!("ws://localhost{path}");
        let mut client = open(server.connect().await, &url).await;
        let (mut socket, _) = accept(&mut server, "/ws").await;
        echo(&mut client, &mut socket).await;
    }
}

#[tokio::test]
async fn websockets_work_over_tls() {
    let pair = Pair::new();
    let mut server = Running::start_with(Some(pair.files()), limits()).await;
    let stream = tls::connect(&server, &pair.trusted).await.unwrap();
    let mut client = open(stream, "wss://localhost/").await;
    let (mut socket, _) = accept(&mut server, "/tls/ws").await;
    echo(&mut client, &mut socket).await;
}

#[tokio::test]
async fn an_open_websocket_outlives_the_patience_and_counts_as_a_connection() {
    let limits = HttpLimits {
        connections: 2,
        patience: std::time::Duration::from_millis(50),
        ..limits()
    };
    let mut server = Running::start_with(None, limits).await;
    let mut client = open(server.connect().await, "ws://localhost/").await;
    let (mut socket, _) = accept(&mut server, "/ws").await;

    let mut silent = server.connect().await;
    let refused = server.ask("GET /health HTTP/1.1\nHost: x").await;
    assert_eq!(refused.status, 503);
    // Closed when the patience has run out.
    let end = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut Vec::new()).await;
    end.unwrap();
    echo(&mut client, &mut socket).await;
}

#[tokio::test]
async fn a_shutdown_leaves_websockets_to_the_swarm() {
    let mut server = Running::start().await;
    let mut client = open(server.connect().await, "ws://localhost/").await;
    let (mut socket, _) = accept(&mut server, "/ws").await;
    server.shut_down().await;
    echo(&mut client, &mut socket).await;
}

#[tokio::test]
async fn a_half_hearted_upgrade_is_refused() {
    let server = Running::start().await;
    let reply = server
        .ask("GET / HTTP/1.1\nHost: x\nUpgrade: websocket\nSec-WebSocket-Version: 13")
        .await;
    assert_eq!(reply.status, 400);
}
