//! The protocol names of one network, and how to read a network's id out of them.

use libp2p::StreamProtocol;

use crate::proto::NetworkId;

/// What identify announces as the protocol family.
pub const FAMILY: &str = "warren/1";

/// Kademlia, used for routing only.
pub fn kad(network: &NetworkId) -> StreamProtocol {
    named(network, "kad")
}

/// Records and provider entries.
pub fn record(network: &NetworkId) -> StreamProtocol {
    named(network, "record")
}

/// Names, at their witnesses.
pub fn names(network: &NetworkId) -> StreamProtocol {
    named(network, "names")
}

/// JSON-RPC commands between peers.
pub fn rpc(network: &NetworkId) -> StreamProtocol {
    named(network, "rpc")
}

fn named(network: &NetworkId, what: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/warren/{network}/{what}/1"))
        .expect("the name starts with a slash")
}

/// Finds the network id in the protocols that a relay announces.
pub fn network_of(protocols: &[StreamProtocol]) -> Option<NetworkId> {
    protocols.iter().find_map(|protocol| {
        let mut parts = protocol.as_ref().split('/').skip(1);
        let (family, network, what) = (parts.next()?, parts.next()?, parts.next()?);
        (family == "warren" && what == "kad")
            .then(|| network.parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_read_back_from_the_kademlia_protocol() {
        let network: NetworkId = "quiet-meadow".parse().unwrap();
        let announced = [StreamProtocol::new("/ipfs/id/1.0.0"), kad(&network)];
        assert_eq!(network_of(&announced), Some(network));
        assert_eq!(network_of(&[StreamProtocol::new("/ipfs/kad/1.0.0")]), None);
    }
}
