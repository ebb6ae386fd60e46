//! The stock libp2p transport, which knows version 1 and takes messages of at most 8 KiB.

use futures::StreamExt;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::ListenerId;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Transport, identify};
use libp2p_webrtc::tokio as stock;
use warren_relay::transport::webrtc::{Certificate, transport};
use warren_shared::net::swarm::Connections;

use super::support::{
    Connection, Server, at, connect, echo, exchange, patient, try_connect, try_connect_with,
};

const MIB: usize = 1024 * 1024;
const LOOPBACK: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

fn stock_node() -> (PeerId, Connections) {
    let key = Keypair::generate_ed25519();
    (key.public().to_peer_id(), stock_transport(&key))
}

fn stock_transport(key: &Keypair) -> Connections {
    // Several TLS stacks are in the tree, and it does not choose one itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = stock::Certificate::generate(&mut rand::rng()).unwrap();
    stock::Transport::new(key.clone(), certificate)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed()
}

fn our_transport(key: &Keypair) -> Connections {
    let pem = Certificate::generate().unwrap();
    transport(key, &Certificate::from_pem(&pem).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_dials_ours() {
    let mut server = Server::start(LOOPBACK).await;
    let (_, mut stock) = stock_node();
    // It dials from a listener's port, and only from there.
    let any = LOOPBACK.parse().unwrap();
    stock.listen_on(ListenerId::next(), any).unwrap();
    let client = patient(try_connect_with(stock, &server.address))
        .await
        .unwrap();
    both_ways(&server.accept().await, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_dials_stock() {
    let (peer, stock) = stock_node();
    let mut server = Server::with(peer, stock, LOOPBACK).await;
    let client = connect(&server.address).await;
    both_ways(&client, &server.accept().await).await;
}

/// The stock end breaks when it is asked to write more than a message at once.
const STOCK_PIECE: usize = 4 * 1024;

/// It also breaks on the acknowledgement when it ends its half before it has read everything, so
/// here it does not.
async fn both_ways(ours: &Connection, stock: &Connection) {
    stock.echo_in_pieces(STOCK_PIECE);
    echo(ours.open().await.unwrap(), MIB).await;
    ours.echo_everything();
    exchange(stock.open().await.unwrap(), MIB, STOCK_PIECE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identify_completes_with_stock() {
    let (a, b) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    identify(swarm(&a, our_transport(&a)), swarm(&b, stock_transport(&b))).await;
    identify(swarm(&a, stock_transport(&a)), swarm(&b, our_transport(&b))).await;
}

fn swarm(key: &Keypair, connections: Connections) -> Swarm<identify::Behaviour> {
    // Long lists of protocols must pass: the stock pairing with browsers breaks on them.
    let agent = "x".repeat(3_000);
    let config = identify::Config::new("/test/1".into(), key.public()).with_agent_version(agent);
    let peer = key.public().to_peer_id();
    Swarm::new(
        connections,
        identify::Behaviour::new(config),
        peer,
        Config::with_tokio_executor(),
    )
}

/// Both ends must learn who the other is.
async fn identify(mut client: Swarm<identify::Behaviour>, mut server: Swarm<identify::Behaviour>) {
    // The stock client dials from a listener's port, and only from there.
    client.listen_on(LOOPBACK.parse().unwrap()).unwrap();
    server.listen_on(LOOPBACK.parse().unwrap()).unwrap();
    patient(async {
        let address: Multiaddr = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = server.select_next_some().await {
                break address;
            }
        };
        client.dial(address).unwrap();
        let (mut client_knows, mut server_knows) = (false, false);
        while !(client_knows && server_knows) {
            tokio::select! {
                event = client.select_next_some() => client_knows |= identified(&event),
                event = server.select_next_some() => server_knows |= identified(&event),
            }
        }
    })
    .await;
}

fn identified(event: &SwarmEvent<identify::Event>) -> bool {
    matches!(event, SwarmEvent::Behaviour(identify::Event::Received { info, .. })
        if info.agent_version.len() == 3_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_certificate_is_refused() {
    let server = Server::start(LOOPBACK).await;
    let other = Server::start(LOOPBACK).await;
    let wrong = at(&other.address, server.socket());
    let refused = patient(try_connect(&wrong)).await.err();
    refused.expect("the certificate is another");
}
