//! The page's end: dials a node and measures the connection to it.

use std::io;

use futures::channel::mpsc;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, select_biased};
use js_sys::{Object, Reflect};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{Config, Stream, Swarm};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Transport, ping};
use libp2p_stream::{Control, IncomingStreams};
use libp2p_webrtc_websys as webrtc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::chunked::Chunked;
use crate::peer::{Behaviour, Pings, swarm};
use crate::perf;

const PING_BYTES: usize = 32;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// One peer of the page.
#[wasm_bindgen]
pub struct Peer {
    control: Control,
    dials: mpsc::UnboundedSender<DialOpts>,
}

#[wasm_bindgen]
impl Peer {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Peer, JsError> {
        let key = Keypair::generate_ed25519();
        let transport = webrtc::Transport::new(webrtc::Config::new(&key))
            .map(|(peer, connection), _| (peer, StreamMuxerBox::new(Chunked::new(connection))))
            .boxed();
        let config = Config::with_wasm_executor();
        let swarm = swarm(&key, transport, config, Pings::ByCaller);
        let mut control = swarm.behaviour().streams.new_control();
        spawn_local(answer_pings(control.accept(ping::PROTOCOL_NAME)?));
        let (dials, wanted) = mpsc::unbounded();
        spawn_local(drive(swarm, wanted));
        Ok(Peer { control, dials })
    }

    /// Milliseconds until a ping is answered, over a new connection unless there is one.
    pub async fn dial(&self, address: String) -> Result<f64, JsError> {
        let began = now();
        let mut stream = self.open(&address, ping::PROTOCOL_NAME).await?;
        let sent = [7; PING_BYTES];
        stream.write_all(&sent).await?;
        stream.flush().await?;
        let mut answer = [0; PING_BYTES];
        stream.read_exact(&mut answer).await?;
        let took = now() - began;
        stream.close().await?;
        Ok(took)
    }

    /// `{sendingMs, receivingMs}` of so many bytes each way.
    pub async fn perf(
        &self,
        address: String,
        upload: f64,
        download: f64,
    ) -> Result<Object, JsValue> {
        let stream = self.open(&address, perf::PROTOCOL).await?;
        let measured = perf::measure(stream, upload as u64, download as u64, now)
            .await
            .map_err(JsError::from)?;
        let result = Object::new();
        Reflect::set(&result, &"sendingMs".into(), &measured.sending.into())?;
        Reflect::set(&result, &"receivingMs".into(), &measured.receiving.into())?;
        Ok(result)
    }
}

impl Peer {
    async fn open(&self, address: &str, protocol: StreamProtocol) -> Result<Stream, JsError> {
        let address: Multiaddr = address.parse()?;
        let peer = named(&address).ok_or_else(|| JsError::new("the address names no peer"))?;
        let dial = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(vec![address])
            .build();
        self.dials.unbounded_send(dial)?;
        Ok(self.control.clone().open_stream(peer, protocol).await?)
    }
}

/// A node whose pings are refused stops answering ours.
async fn answer_pings(pings: IncomingStreams) {
    pings
        .for_each_concurrent(None, |(_, stream)| async {
            // It ends with the stream, and why does not matter.
            let _: io::Result<()> = echo(stream).await;
        })
        .await;
}

async fn echo(mut stream: Stream) -> io::Result<()> {
    let mut bytes = [0; PING_BYTES];
    loop {
        stream.read_exact(&mut bytes).await?;
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
}

fn named(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|part| match part {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    })
}

/// Dials come first: an opened stream waits for the connection, but would dial without an address.
async fn drive(mut swarm: Swarm<Behaviour>, mut dials: mpsc::UnboundedReceiver<DialOpts>) {
    loop {
        select_biased! {
            // Refused when there is a connection already, which is then used.
            dial = dials.select_next_some() => drop(swarm.dial(dial)),
            _ = swarm.select_next_some() => {}
        }
    }
}
