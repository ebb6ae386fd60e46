//! Streams that carry much, and many of them.

use std::future::poll_fn;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use futures::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::core::muxing::SubstreamBox;
use tokio::sync::Notify;
use warren_tests::count;
use warren_tests::wait::until;

use super::support::{Pattern, Server, connect, echo, patient};

const MIB: usize = 1024 * 1024;
const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_comes_back() {
    for (address, total) in [(LOOPBACK, 64 * MIB), ("/ip6/::1/udp/0/webrtc-direct", MIB)] {
        let mut server = Server::start(address).await;
        let client = connect(&server.address).await;
        assert_eq!(client.peer, server.peer);
        let accepted = server.accept().await;
        accepted.echo_everything();
        echo(client.open().await.unwrap(), total).await;
        client.close().await;
        let why = patient(accepted.ended()).await;
        assert!(why.contains("the remote closed the connection"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_open_streams() {
    let mut server = Server::start(LOOPBACK).await;
    let client = connect(&server.address).await;
    let accepted = server.accept().await;
    for (from, to) in [(&client, &accepted), (&accepted, &client)] {
        let mut out = from.open().await.unwrap();
        out.write_all(b"hello").await.unwrap();
        out.close().await.unwrap();
        let mut inward = patient(to.accept()).await.unwrap();
        let mut read = Vec::new();
        patient(inward.read_to_end(&mut read)).await.unwrap();
        assert_eq!(read, b"hello");
    }
}

/// The reader stops again and again until the writer is held up, and loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_pausing_reader_holds_up_the_writer() {
    const TOTAL: usize = 64 * MIB;
    let mut server = Server::start(LOOPBACK).await;
    let client = connect(&server.address).await;
    let accepted = server.accept().await;
    let held_up = Arc::new(Notify::new());
    let told = held_up.clone();
    let writing = tokio::spawn(async move {
        let mut stream = client.open().await.unwrap();
        let mut pattern = Pattern::default();
        for _ in 0..TOTAL / MIB {
            write_telling(&mut stream, &pattern.next(MIB), &told).await;
        }
        stream.close().await.unwrap();
        client
    });
    let mut stream = patient(accepted.accept()).await.unwrap();
    let mut pattern = Pattern::default();
    let mut buffer = vec![0; MIB];
    for megabyte in 0..TOTAL / MIB {
        patient(stream.read_exact(&mut buffer)).await.unwrap();
        assert_eq!(buffer, pattern.next(MIB), "in megabyte {megabyte}");
        if megabyte % 8 == 0 && megabyte < TOTAL / MIB - 8 {
            patient(held_up.notified()).await;
        }
    }
    assert_eq!(patient(stream.read(&mut buffer)).await.unwrap(), 0);
    writing.await.unwrap();
}

/// Writes, and says so whenever it must wait.
async fn write_telling(stream: &mut SubstreamBox, mut bytes: &[u8], held_up: &Notify) {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| {
            let polled = Pin::new(&mut *stream).poll_write(cx, bytes);
            if polled.is_pending() {
                held_up.notify_one();
            }
            polled
        });
        let written = patient(written).await.unwrap();
        bytes = &bytes[written..];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_lives_through_many_streams() {
    const AT_ONCE: usize = 64;
    let mut server = Server::start(LOOPBACK).await;
    let client = connect(&server.address).await;
    let accepted = server.accept().await;
    accepted.echo_everything();
    let streams = stream::iter(0..count(1_000, 10_000)).map(|number: usize| {
        let client = client.clone();
        async move { echo(client.open().await.unwrap(), 1 + number % 300).await }
    });
    streams.buffer_unordered(AT_ONCE).collect::<()>().await;
    client.close().await;
    patient(accepted.ended()).await;
}

/// The socket stays as long as a connection uses it, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn connections_outlive_their_listener() {
    let mut server = Server::start("/ip4/0.0.0.0/udp/0/webrtc-direct").await;
    let socket = server.socket();
    let client = connect(&server.address).await;
    let accepted = server.accept().await;
    accepted.echo_everything();
    drop(server);
    echo(client.open().await.unwrap(), MIB).await;
    client.close().await;
    patient(accepted.ended()).await;
    let port = ("0.0.0.0", socket.port());
    until("the port is free", || async { UdpSocket::bind(port).ok() }).await;
}
