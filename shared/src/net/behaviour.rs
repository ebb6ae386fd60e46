//! Which libp2p protocols a Warren peer speaks, composed once for every kind of peer.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::kad::{self, Mode};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{connection_limits, identify, ping, relay};

use super::guard;
use super::protocols;
use super::streams::{self, Service};
use crate::limits;
use crate::proto::NetworkId;

/// What a peer is to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Asks, and is found through its relays: a tab or a command-line peer.
    Peer,
    /// Also routes, stores and relays for others.
    Relay,
}

/// All protocols of one peer.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    /// Refuses connections beyond [`limits`].
    pub limits: connection_limits::Behaviour,
    /// Refuses inbound connections beyond those of one address.
    pub guard: guard::Behaviour,
    /// Tells protocols and addresses, and learns those of others.
    pub identify: identify::Behaviour,
    /// Notices connections that have died.
    pub ping: ping::Behaviour,
    /// Finds the nodes closest to a key; stores nothing.
    pub kad: kad::Behaviour<kad::store::MemoryStore>,
    /// Records, names, commands, and protocols that are plain streams.
    pub streams: streams::Behaviour,
    /// Routes topics; on relays only. All others are leaves: see `gossip`.
    #[cfg(feature = "server")]
    pub gossip: libp2p::swarm::behaviour::toggle::Toggle<super::gossip::paced::Paced>,
    /// Reserves places at relays, and dials through them.
    pub relay_client: relay::client::Behaviour,
    /// Carries circuits; on relays only.
    #[cfg(feature = "server")]
    pub relay_server: libp2p::swarm::behaviour::toggle::Toggle<relay::Behaviour>,
    /// Tells others whether they can be dialled; on relays only.
    #[cfg(feature = "server")]
    pub autonat: libp2p::swarm::behaviour::toggle::Toggle<libp2p::autonat::v2::server::Behaviour>,
}

impl Behaviour {
    pub(super) fn new(
        key: &Keypair,
        network: &NetworkId,
        role: Role,
        ping_every: Duration,
        relay_client: relay::client::Behaviour,
    ) -> Self {
        let id = key.public().to_peer_id();
        Behaviour {
            limits: connection_limits::Behaviour::new(connection_limits(role)),
            guard: guard::Behaviour::default(),
            identify: identify::Behaviour::new(
                identify::Config::new(protocols::FAMILY.into(), key.public())
                    .with_agent_version(concat!("warren/", env!("CARGO_PKG_VERSION")).into())
                    .with_push_listen_addr_updates(true),
            ),
            ping: ping::Behaviour::new(
                ping::Config::new()
                    .with_interval(ping_every)
                    .with_timeout(ping_timeout(ping_every)),
            ),
            kad: kademlia(id, network, role),
            streams: streams::Behaviour::new(
                answered(role)
                    .iter()
                    .map(|service| (*service, service.protocol(network))),
            ),
            #[cfg(feature = "server")]
            gossip: (role == Role::Relay).then(gossip).into(),
            relay_client,
            #[cfg(feature = "server")]
            relay_server: relay_server(id, role).into(),
            #[cfg(feature = "server")]
            autonat: (role == Role::Relay)
                .then(libp2p::autonat::v2::server::Behaviour::default)
                .into(),
        }
    }
}

/// A lost peer must be noticed well within the five seconds that a reconnection may take.
fn ping_timeout(every: Duration) -> Duration {
    every.clamp(Duration::from_secs(2), Duration::from_secs(10))
}

/// Which requests a peer answers as such: it is asked for records, names and mailboxes only when it routes for others.
fn answered(role: Role) -> &'static [Service] {
    match role {
        Role::Peer => &[],
        #[cfg(not(feature = "server"))]
        Role::Relay => &[Service::Record, Service::Names],
        #[cfg(feature = "server")]
        Role::Relay => &[Service::Record, Service::Names, Service::Mailbox],
    }
}

fn connection_limits(role: Role) -> connection_limits::ConnectionLimits {
    let (total, inbound) = match role {
        Role::Peer => (limits::PEER_CONNECTIONS, limits::PEER_INBOUND),
        Role::Relay => (limits::RELAY_CONNECTIONS, limits::RELAY_CONNECTIONS),
    };
    connection_limits::ConnectionLimits::default()
        .with_max_established(Some(total))
        .with_max_established_incoming(Some(inbound))
        .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(limits::PENDING_CONNECTIONS))
}

/// Kademlia routes and nothing else: it keeps no records and no providers of its own.
fn kademlia(
    id: libp2p::PeerId,
    network: &NetworkId,
    role: Role,
) -> kad::Behaviour<kad::store::MemoryStore> {
    let mut config = kad::Config::new(protocols::kad(network));
    config
        .set_query_timeout(limits::LOOKUP_DEADLINE)
        .set_replication_factor(
            NonZeroUsize::new(limits::REPLICATION).expect("replication is not zero"),
        )
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_caching(kad::Caching::Disabled)
        .disjoint_query_paths(true)
        .set_periodic_bootstrap_interval(Some(limits::ROUTING_REFRESH));
    let nothing = kad::store::MemoryStoreConfig {
        max_records: 0,
        max_provided_keys: 0,
        ..Default::default()
    };
    let store = kad::store::MemoryStore::with_config(id, nothing);
    let mut kad = kad::Behaviour::with_config(id, store, config);
    kad.set_mode(Some(match role {
        Role::Peer => Mode::Client,
        Role::Relay => Mode::Server,
    }));
    kad
}

#[cfg(feature = "server")]
fn gossip() -> super::gossip::paced::Paced {
    use super::gossip::paced::{Paced, Topics};
    use libp2p::gossipsub;
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .max_transmit_size(limits::MAX_GOSSIP)
        .max_publish_messages(limits::GOSSIP_TOGETHER)
        // Stock relays end the stream of a neighbour that has more than 160 topics.
        .max_control_message_size(limits::MAX_GOSSIP)
        .connection_handler_queue_len(limits::GOSSIP_BACKLOG)
        .duplicate_cache_time(limits::GOSSIP_REMEMBERED)
        .message_id_fn(|message| blake3::hash(&message.data).as_bytes()[..20].to_vec().into())
        .build()
        .expect("the gossipsub configuration is consistent");
    // Stock relays pass over the topics of a neighbour that has more than a hundred of them.
    let topics = gossipsub::MaxCountSubscriptionFilter {
        filter: gossipsub::AllowAllSubscriptionFilter {},
        max_subscribed_topics: limits::MAX_TOPICS,
        max_subscriptions_per_request: limits::MAX_TOPICS,
    };
    let keys = gossipsub::MessageAuthenticity::Anonymous;
    let topics = Topics::new_with_subscription_filter(keys, config, topics);
    Paced::new(topics.expect("anonymous messages need no signing key"))
}

/// Stock defaults (16 circuits, 128 KiB, two minutes) are too small for browsers, and stock rate
/// limiters lock out many users behind one address.
#[cfg(feature = "server")]
fn relay_server(id: libp2p::PeerId, role: Role) -> Option<relay::Behaviour> {
    (role == Role::Relay).then(|| relay::Behaviour::new(id, relay_config()))
}

#[cfg(feature = "server")]
fn relay_config() -> relay::Config {
    let (per_ip, token_of_ip) = rate(limits::CIRCUITS_PER_IP_PER_MINUTE);
    let (per_peer, token_of_peer) = rate(limits::CIRCUITS_PER_PEER_PER_MINUTE);
    relay::Config {
        max_reservations: limits::RELAY_RESERVATIONS,
        max_reservations_per_peer: limits::RELAY_RESERVATIONS_PER_PEER,
        reservation_duration: limits::RESERVATION_LIFETIME,
        reservation_rate_limiters: Vec::new(),
        max_circuits: limits::RELAY_CIRCUITS,
        max_circuits_per_peer: limits::RELAY_CIRCUITS_PER_PEER,
        max_circuit_duration: limits::CIRCUIT_LIFETIME,
        max_circuit_bytes: limits::CIRCUIT_BYTES,
        circuit_src_rate_limiters: Vec::new(),
    }
    .reservation_rate_per_peer(per_peer, token_of_peer)
    .reservation_rate_per_ip(per_ip, token_of_ip)
    .circuit_src_per_peer(per_peer, token_of_peer)
    .circuit_src_per_ip(per_ip, token_of_ip)
}

/// As the rate limiters count: tokens in the bucket, and the time until one more is put into it.
#[cfg(feature = "server")]
fn rate(per_minute: u32) -> (NonZeroU32, Duration) {
    let tokens = NonZeroU32::new(per_minute).expect("limits are not zero");
    (tokens, Duration::from_secs(60) / per_minute)
}

#[cfg(not(feature = "server"))]
const _: fn() = || {
    let _ = NonZeroU32::MIN;
};

#[cfg(all(test, feature = "server", not(target_family = "wasm")))]
mod tests {
    use std::time::Instant;

    use libp2p::{Multiaddr, PeerId};

    use super::*;

    #[test]
    fn a_minute_gives_as_many_circuits_as_the_limits_say() {
        let mut config = relay_config();
        let (start, peer) = (Instant::now(), PeerId::random());
        let address: Multiaddr = "/ip4/203.0.113.1/tcp/1".parse().unwrap();
        let mut granted = |after: u64| {
            let now = start + Duration::from_secs(after);
            let mut count = 0;
            while config.circuit_src_rate_limiters[0].try_next(peer, &address, now) {
                count += 1;
            }
            count
        };
        assert_eq!(granted(0), limits::CIRCUITS_PER_PEER_PER_MINUTE);
        assert_eq!(granted(30), limits::CIRCUITS_PER_PEER_PER_MINUTE / 2);
    }

    #[test]
    fn strangers_leave_a_peer_connections_of_its_own() {
        let shown = format!("{:?}", connection_limits(Role::Peer));
        let inbound = format!("max_established_incoming: Some({})", limits::PEER_INBOUND);
        assert!(shown.contains(&inbound), "{shown}");
        const { assert!(limits::PEER_INBOUND < limits::PEER_CONNECTIONS) };
    }
}
