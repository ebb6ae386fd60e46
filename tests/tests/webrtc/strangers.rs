//! Packets of people who never become peers.

use futures::future::join_all;
use tokio::net::UdpSocket;
use warren_shared::webrtc::stun::{Kind, Packet, check_request};
use warren_shared::webrtc::ufrag::Call;
use warren_tests::count;

use super::support::{Server, connect, echo, patient};

const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

/// A plain "what is my address?".
const QUESTION: [u8; 20] = [
    0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
];

#[tokio::test(flavor = "multi_thread")]
async fn plain_stun_is_answered_within_limits() {
    let server = Server::start(LOOPBACK).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut buffer = [0; 1_500];
    socket.send_to(&QUESTION, server.socket()).await.unwrap();
    let length = patient(socket.recv(&mut buffer)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let answer = Packet::parse(&buffer[..length]).unwrap();
    assert_eq!(
        (answer.kind, answer.transaction.as_slice()),
        (Kind::Success, &QUESTION[8..])
    );
    // XOR-MAPPED-ADDRESS comes first: family 1, then port and address under the magic cookie.
    let mapped = u16::from_be_bytes([buffer[26] ^ 0x21, buffer[27] ^ 0x12]);
    assert_eq!((buffer[25], mapped), (1, port));
}

/// Callers who never prove their address cost nothing that an honest one would need.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_calls_keeps_nobody_out() {
    const PER_SOCKET: usize = 100;
    let mut server = Server::start(LOOPBACK).await;
    let target = server.socket();
    let sockets = count(2_000, 100_000) / PER_SOCKET;
    let flood = tokio::spawn(async move {
        let all = (0..sockets).map(|_| async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            for _ in 0..PER_SOCKET {
                let call = Call::v1(&rand::random());
                let packet = check_request(b"transaction!", &call.username(), |_| [7; 20]);
                let _ = socket.send_to(&packet, target).await;
            }
        });
        join_all(all).await;
    });
    let mut honest = 0;
    while !flood.is_finished() || honest == 0 {
        let client = connect(&server.address).await;
        let accepted = server.accept().await;
        accepted.echo_everything();
        echo(client.open().await.unwrap(), 10_000).await;
        client.close().await;
        honest += 1;
    }
    flood.await.unwrap();
}
