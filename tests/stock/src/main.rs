//! `stock-node`: listens for WebRTC-direct on a free loopback port and answers `/perf/1.0.0` until it is killed.
//!
//! Prints one line of JSON once it listens: `{"address": MULTIADDR}`.

use std::error::Error;

use futures::StreamExt;
use futures::future::select;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, Swarm, SwarmEvent};
use libp2p::{PeerId, Transport};
use libp2p_stream::IncomingStreams;
use libp2p_webrtc::tokio::{self as webrtc, Certificate};
use stock::chunked::{Chunked, LONGEST_GATE};
use stock::peer::{Behaviour, Pings, swarm};
use stock::perf;

const LISTEN: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = Keypair::generate_ed25519();
    let config = Config::with_tokio_executor();
    let mut swarm = swarm(&key, transport(&key)?, config, Pings::ByItself);
    let measurements = swarm
        .behaviour()
        .streams
        .new_control()
        .accept(perf::PROTOCOL)?;
    swarm.listen_on(LISTEN.parse()?)?;
    select(Box::pin(drive(swarm)), Box::pin(serve(measurements))).await;
    Ok(())
}

fn transport(key: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn Error>> {
    let certificate = Certificate::generate(&mut rand::rng())?;
    Ok(webrtc::Transport::new(key.clone(), certificate)
        .map(|(peer, connection), _| {
            let gate = Box::pin(tokio::time::sleep(LONGEST_GATE));
            (peer, StreamMuxerBox::new(Chunked::gated(connection, gate)))
        })
        .boxed())
}

async fn drive(mut swarm: Swarm<Behaviour>) {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                println!(
                    "{{\"address\": \"{address}/p2p/{}\"}}",
                    swarm.local_peer_id()
                );
            }
            SwarmEvent::IncomingConnectionError { error, .. } => eprintln!("refused: {error}"),
            SwarmEvent::ConnectionClosed {
                cause: Some(cause), ..
            } => eprintln!("closed: {cause}"),
            _ => {}
        }
    }
}

async fn serve(measurements: IncomingStreams) {
    measurements
        .for_each_concurrent(None, |(_, stream)| async {
            if let Err(error) = perf::answer(stream).await {
                eprintln!("a measurement ended early: {error}");
            }
        })
        .await;
}
