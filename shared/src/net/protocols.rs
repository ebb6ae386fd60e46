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

/// JSON commands: a stream for each message.
pub fn rpc(network: &NetworkId) -> Protocol {
    Protocol {
        name: named(network, "rpc"),
        streams: limits::RPC_STREAMS,
        // Commands may not bear repetition.
        hasty: false,
    }
}

/// Files: requests and answers in turn, on one stream.
#[cfg(feature = "files")]
pub fn files(network: &NetworkId) -> Protocol {
    Protocol {
        name: named(network, "file"),
        streams: limits::FILE_STREAMS,
        // All that is asked bears repetition.
        hasty: true,
    }
}

/// Requests to keep a file, one after the other on one stream.
#[cfg(feature = "files")]
pub fn keep(network: &NetworkId) -> Protocol {
    Protocol {
        name: named(network, "keep"),
        streams: limits::KEEP_STREAMS,
        // Whether the remote speaks it says whether it keeps files at all.
        hasty: false,
    }
}

/// Topics of chat rooms. The stream lasts, and keeps no connection open.
pub const GOSSIP: Protocol = Protocol {
    name: StreamProtocol::new("/meshsub/1.1.0"),
    streams: limits::GOSSIP_STREAMS,
    hasty: false,
};

/// How two peers that nobody can dial come to a direct connection.
pub const SIGNALING: Protocol = Protocol {
    name: StreamProtocol::new(crate::webrtc::signaling::PROTOCOL),
    streams: limits::SIGNALING_STREAMS,
    // Whether the remote speaks it decides what is done next.
    hasty: false,
};

/// What peers ask each other: one request and one answer on a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Records and provider entries.
    Record,
    /// Names, at their witnesses.
    Names,
    /// Direct messages, and receipts for them.
    #[cfg(feature = "apps")]
    Direct,
    /// Messages that wait at a relay.
    #[cfg(feature = "apps")]
    Mailbox,
    /// Messages of chat rooms.
    #[cfg(feature = "apps")]
    History,
}

impl Service {
    /// Its protocol in a network.
    pub fn protocol(self, network: &NetworkId) -> Protocol {
        let (what, streams) = match self {
            Service::Record => ("record", limits::RECORD_STREAMS),
            Service::Names => ("names", limits::NAME_STREAMS),
            #[cfg(feature = "apps")]
            Service::Direct => ("direct", limits::DIRECT_STREAMS),
            #[cfg(feature = "apps")]
            Service::Mailbox => ("mailbox", limits::MAILBOX_STREAMS),
            #[cfg(feature = "apps")]
            Service::History => ("history", limits::HISTORY_STREAMS),
        };
        let name = named(network, what);
        // All that they are asked bears repetition.
        let hasty = true;
        Protocol {
            name,
            streams,
            hasty,
        }
    }

    /// How long the request and the answer may take together.
    pub fn deadline(self) -> Duration {
        match self {
            Service::Record => limits::RECORD_DEADLINE,
            Service::Names => limits::NAME_DEADLINE,
            #[cfg(feature = "apps")]
            Service::Direct => limits::DIRECT_DEADLINE,
            #[cfg(feature = "apps")]
            Service::Mailbox => limits::MAILBOX_DEADLINE,
            #[cfg(feature = "apps")]
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
            (Service::Direct, "/warren/quiet-meadow/direct/1"),
            (Service::Mailbox, "/warren/quiet-meadow/mailbox/1"),
            (Service::History, "/warren/quiet-meadow/history/1"),
        ] {
            assert_eq!(service.protocol(&network).name.as_ref(), name);
        }
        assert_eq!(rpc(&network).name.as_ref(), "/warren/quiet-meadow/rpc/1");
        #[cfg(feature = "files")]
        for (protocol, name) in [
            (files(&network), "/warren/quiet-meadow/file/1"),
            (keep(&network), "/warren/quiet-meadow/keep/1"),
        ] {
            assert_eq!(protocol.name.as_ref(), name);
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
