//! A peer for interop tests: our transports, identify, ping, and an echo of whatever is sent.
//!
//! `echo-node listen ADDRESS` prints its addresses as a line of JSON and answers until it is ended.
//! `echo-node dial ADDRESS BYTES` sends so many bytes there, checks what comes back, and prints what
//! identify told.

use std::process::ExitCode;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, identify, ping};
use libp2p_stream as stream;
use serde_json::json;
use warren_relay::transport::connections;
use warren_relay::transport::webrtc::Certificate;
use warren_shared::net::node::keypair;
use warren_shared::platform;
use warren_shared::proto::key::SigningKey;

const ECHO: StreamProtocol = StreamProtocol::new("/warren-test/echo/1.0.0");
const PATIENCE: Duration = Duration::from_secs(30);
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    stream: stream::Behaviour,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["listen", address] => listen(address).await,
        ["dial", address, bytes] => dial(address, bytes).await,
        _ => Err("usage: echo-node listen ADDRESS | dial ADDRESS BYTES".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn swarm() -> Result<Swarm<Behaviour>, Failure> {
    let key = SigningKey::from_seed(platform::entropy());
    let certificate = Certificate::from_pem(&Certificate::generate()?)?;
    let transport = connections(&key, Some(&certificate), None)?;
    let identity = keypair(&key)?;
    let behaviour = Behaviour {
        identify: identify::Behaviour::new(identify::Config::new(
            "warren-test/1".into(),
            identity.public(),
        )),
        ping: ping::Behaviour::default(),
        stream: stream::Behaviour::new(),
    };
    let id = identity.public().to_peer_id();
    let config = libp2p::swarm::Config::with_executor(platform::executor())
        .with_idle_connection_timeout(Duration::from_secs(60));
    Ok(Swarm::new(transport, behaviour, id, config))
}

async fn listen(address: &str) -> Result<(), Failure> {
    let mut swarm = swarm()?;
    let mut control = swarm.behaviour().stream.new_control();
    let mut incoming = control.accept(ECHO)?;
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            tokio::spawn(async move {
                let _ = send_back(stream).await;
            });
        }
    });
    swarm.listen_on(address.parse()?)?;
    let id = *swarm.local_peer_id();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            println!("{}", json!({"address": format!("{address}/p2p/{id}")}));
        }
    }
}

/// Piece by piece, so that a client may wait for one before it sends the next.
async fn send_back(mut stream: libp2p::Stream) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
    }
}

async fn dial(address: &str, bytes: &str) -> Result<(), Failure> {
    let (address, bytes): (Multiaddr, usize) = (address.parse()?, bytes.parse()?);
    let mut swarm = swarm()?;
    let control = swarm.behaviour().stream.new_control();
    swarm.dial(address)?;
    let (told, peer) = tokio::time::timeout(PATIENCE, identified(&mut swarm)).await??;
    let echoed = tokio::spawn(echo(control, peer, bytes));
    let driven = async {
        loop {
            swarm.select_next_some().await;
        }
    };
    tokio::select! {
        echoed = tokio::time::timeout(PATIENCE, echoed) => echoed???,
        () = driven => {}
    }
    println!(
        "{}",
        json!({
            "peer": peer.to_string(),
            "agent": told.agent_version,
            "protocols": told.protocols.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "echoed": bytes,
        })
    );
    Ok(())
}

async fn identified(swarm: &mut Swarm<Behaviour>) -> Result<(identify::Info, PeerId), Failure> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                info,
                peer_id,
                ..
            })) => return Ok((info, peer_id)),
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            SwarmEvent::ConnectionClosed { cause, .. } => {
                return Err(format!("the connection closed: {cause:?}").into());
            }
            _ => {}
        }
    }
}

async fn echo(mut control: stream::Control, peer: PeerId, bytes: usize) -> Result<(), Failure> {
    let stream = control.open_stream(peer, ECHO).await?;
    let (mut reading, mut writing) = stream.split();
    let sent: Vec<u8> = (0..bytes).map(|at| (at * 31 % 251) as u8).collect();
    let mut received = Vec::with_capacity(bytes);
    let (wrote, read) = futures::join!(
        async {
            writing.write_all(&sent).await?;
            writing.close().await
        },
        reading.read_to_end(&mut received),
    );
    wrote?;
    read?;
    match received == sent {
        true => Ok(()),
        false => Err(format!("{} of {bytes} bytes came back right", received.len()).into()),
    }
}
