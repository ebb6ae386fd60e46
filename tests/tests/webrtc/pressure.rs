//! Readers that do not read, and strangers who put in datagrams of their own.

use std::io;

use futures::{AsyncReadExt, AsyncWriteExt};

use super::proxy::Proxy;
use super::support::{Connection, Server, at, connect, echo, patient};

const MIB: usize = 1024 * 1024;
const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

/// Writes to a reader that has never said how much it takes.
async fn pour(client: &Connection, total: usize) -> io::Result<()> {
    let mut stream = client.open().await?;
    for _ in 0..total / MIB {
        stream.write_all(&vec![7; MIB]).await?;
    }
    stream.flush().await?;
    // It must not be dropped: that would end it.
    std::mem::forget(stream);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_pauses_costs_its_stream_only() {
    let mut server = Server::start(LOOPBACK).await;
    let client = connect(&server.address).await;
    let accepted = server.accept().await;
    patient(pour(&client, 24 * MIB)).await.unwrap();
    let mut paused = patient(accepted.accept()).await.unwrap();
    accepted.echo_everything();
    echo(client.open().await.unwrap(), MIB).await;
    let mut buffer = vec![0; MIB];
    let error = loop {
        match patient(paused.read(&mut buffer)).await {
            Ok(count) => assert!(count > 0, "it did not end by itself"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("too slow"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_nobody_reads_ends_and_the_remote_is_told() {
    let mut server = Server::start(LOOPBACK).await;
    let client = connect(&server.address).await;
    let accepted = server.accept().await;
    for _ in 0..4 {
        let client = client.clone();
        tokio::spawn(async move { pour(&client, 7 * MIB).await });
    }
    let why = patient(accepted.ended()).await;
    assert!(why.contains("unread"), "{why}");
    let why = patient(client.ended()).await;
    assert!(why.contains("the remote closed"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn inserted_datagrams_break_no_handshake() {
    let mut server = Server::start(LOOPBACK).await;
    let proxy = Proxy::start(server.socket()).await;
    proxy.insert(&[
        &[22; 60],
        &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 3, 1, 2, 3],
        &[23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 3, 1, 2, 3],
        &[128; 40],
    ]);
    let client = connect(&at(&server.address, proxy.address)).await;
    server.accept().await.echo_everything();
    echo(client.open().await.unwrap(), MIB).await;
    client.close().await;
}
