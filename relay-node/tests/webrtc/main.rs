//! WebRTC-direct between native ends.

mod support;

use futures::{AsyncReadExt, AsyncWriteExt};
use support::{Server, connect, echo, patient};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_mebibyte_comes_back() {
    let mut server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
    let client = connect(&server.address).await;
    assert_eq!(client.peer, server.peer);
    let accepted = server.accept().await;
    accepted.echo_everything();
    echo(client.open().await.unwrap(), MIB).await;
    client.close().await;
    patient(accepted.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_open_streams() {
    let mut server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
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
