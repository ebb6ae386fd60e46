//! The protocols of one network: their names, their limits, and how to read a network's id out of them.

use std::time::Duration;

use libp2p::StreamProtocol;

use super::streams::Protocol;
use crate::limits;
use crate::proto::NetworkId;

/// What identify announces as the protocol family.
pub const FAMILY: &str = "warren/1";

/// Kademlia, used for routing only.
pub fn kad(network: &NetworkId) -> StreamProtocol {
    named(network, "kad")
}

/// What peers ask each other: one request and one answer on a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Records and provider entries.
    Record,
    /// Names, at their witnesses.
    Names,
    /// JSON-RPC commands.
    Rpc,
    /// Messages of chat rooms.
    History,
}

impl Service {
    /// Its protocol in a network.
    pub fn protocol(self, network: &NetworkId) -> Protocol {
        let (what, streams) = match self {
            Service::Record => ("record", limits::RECORD_STREAMS),
            Service::Names => ("names", limits::NAME_STREAMS),
            Service::Rpc => ("rpc", limits::RPC_STREAMS),
            Service::History => ("history", limits::HISTORY_STREAMS),
        };
        let name = named(network, what);
        Protocol { name, streams }
    }

    /// How long the request and the answer may take together.
    pub fn deadline(self) -> Duration {
        match self {
            Service::Record => limits::RECORD_DEADLINE,
            Service::Names => limits::NAME_DEADLINE,
            Service::Rpc => limits::RPC_DEADLINE,
            Service::History => limits::HISTORY_DEADLINE,
        }
    }
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
    fn the_names_are_those_of_the_specification() {
        let network: NetworkId = "quiet-meadow".parse().unwrap();
        for (service, name) in [
            (Service::Record, "/warren/quiet-meadow/record/1"),
            (Service::Names, "/warren/quiet-meadow/names/1"),
            (Service::Rpc, "/warren/quiet-meadow/rpc/1"),
            (Service::History, "/warren/quiet-meadow/history/1"),
        ] {
            assert_eq!(service.protocol(&network).name.as_ref(), name);
        }
    }

    #[test]
    fn the_network_is_read_back_from_the_kademlia_protocol() {
        let network: NetworkId = "quiet-meadow".parse().unwrap();
        let announced = [StreamProtocol::new("/ipfs/id/1.0.0"), kad(&network)];
        assert_eq!(network_of(&announced), Some(network));
        assert_eq!(network_of(&[StreamProtocol::new("/ipfs/kad/1.0.0")]), None);
    }
}
