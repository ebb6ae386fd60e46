//! A relay process whose end nobody announces, for tests of what survives.

use std::path::Path;

use libp2p::{Multiaddr, PeerId};
use serde_json::Value as Json;
use warren_shared::net::Route;
use warren_shared::proto::NetworkId;

use crate::program::Program;
use crate::relays::ANY_PORT;

/// It runs until it is killed.
pub struct Killed {
    program: Program,
    pub network: NetworkId,
    pub route: Route,
}

impl Killed {
    pub async fn start(data: &Path) -> Killed {
        let mut program = Program::start(&small_relay(data));
        let ready = program.event("ready").await;
        let peer: PeerId = text(&ready["peer"]).parse().expect("a peer id");
        let address: Multiaddr = text(&ready["addresses"][0]).parse().expect("an address");
        Killed {
            program,
            network: text(&ready["network"]).parse().expect("a network"),
            route: Route {
                peer,
                addresses: vec![address],
            },
        }
    }

    /// SIGKILL.
    pub async fn kill(self) {
        self.program.kill().await;
    }
}

/// TCP alone, which is all that storing needs.
pub fn small_relay(data: &Path) -> Vec<String> {
    full_relay(data, ["off", ANY_PORT, "off", "off"])
}

/// HTTP, TCP, UDP, QUIC.
pub fn full_relay(data: &Path, [http, tcp, udp, quic]: [&str; 4]) -> Vec<String> {
    let data = data.to_str().expect("a path in text");
    let flags = [
        ("--http", http),
        ("--tcp", tcp),
        ("--udp", udp),
        ("--quic", quic),
        ("--data-dir", data),
    ];
    let flags = flags.iter().flat_map(|(flag, value)| [*flag, *value]);
    let all = ["relay", "--json"].into_iter().chain(flags);
    all.map(str::to_owned).collect()
}

fn text(json: &Json) -> &str {
    json.as_str().expect("text")
}
