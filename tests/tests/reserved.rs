//! A peer has relays forward connections to it that know nothing of its network: plain ones of libp2p.

use std::time::{Duration, SystemTime};

use futures::channel::mpsc;
use futures::{AsyncWriteExt, StreamExt};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, identify, relay};
use libp2p_stream as stream;
use tokio::task::JoinHandle;
use warren_relay::transport::connections;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::node::keypair;
use warren_shared::net::{Event, Node};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::key::SigningKey;
use warren_tests::peers::{arguments, loopback, stranger};
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    relay: Toggle<relay::Behaviour>,
    streams: stream::Behaviour,
}

/// Somebody of libp2p who has never heard of us.
struct Foreign {
    id: PeerId,
    address: Multiaddr,
    streams: stream::Control,
    running: JoinHandle<()>,
}

impl Foreign {
    async fn start(config: Option<relay::Config>) -> Foreign {
        let key = SigningKey::from_seed(platform::entropy());
        let identity = keypair(&key).expect("a key").public();
        let id = identity.to_peer_id();
        let behaviour = Behaviour {
            identify: identify::Behaviour::new(identify::Config::new("foreign/1".into(), identity)),
            relay: config
                .map(|config| relay::Behaviour::new(id, config))
                .into(),
            streams: stream::Behaviour::new(),
        };
        let streams = behaviour.streams.new_control();
        let config = libp2p::swarm::Config::with_executor(platform::executor())
            .with_idle_connection_timeout(Duration::from_secs(600));
        let transport = connections(&key, None, None).expect("transports");
        let mut swarm = Swarm::new(transport, behaviour, id, config);
        swarm.listen_on(loopback()).expect("a port");
        let address = within("it listens", async {
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    return address;
                }
            }
        })
        .await;
        // What it tells those for whom it forwards connections.
        swarm.add_external_address(address.clone());
        let running = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Foreign {
            id,
            address: address.with_p2p(id).expect("an address without an id"),
            streams,
            running,
        }
    }

    /// Where others reach a peer through it.
    fn address_of(&self, peer: &Node) -> String {
        format!("{}/p2p-circuit/p2p/{}", self.address, peer.id())
    }

    async fn stop(self) {
        self.running.abort();
        let ended = self.running.await;
        assert!(ended.is_err_and(|ended| ended.is_cancelled()), "it ran");
    }
}

/// A peer of a network of its own. It joins nothing.
fn peer(network: &str) -> Node {
    let network: NetworkId = network.parse().expect("a network");
    stranger(&network)
}

async fn reserve(peer: &Node, relay: &Foreign) -> Result<()> {
    let connected = within("a dial", peer.connect(&relay.address.to_string())).await;
    assert_eq!(connected.expect("it answers"), relay.id);
    within("an answer", peer.handle().reserve(relay.id)).await
}

async fn addresses(peer: &Node) -> Vec<String> {
    peer.handle().addresses().await.expect("it runs")
}

async fn until_gone(peer: &Node, address: &str) {
    until("the address is gone", || async {
        let told = addresses(peer).await;
        told.iter().all(|other| other != address).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_relay_forwards_connections_until_it_is_told_otherwise() {
    let relay = Foreign::start(Some(relay::Config::default())).await;
    let (ann, bob, carl) = (peer("one"), peer("two"), peer("three"));
    let address = relay.address_of(&ann);
    reserve(&ann, &relay).await.expect("a place");
    assert!(addresses(&ann).await.contains(&address));
    reserve(&ann, &relay).await.expect("the same one");

    let reached = within("a circuit", bob.connect(&address)).await;
    assert_eq!(reached.expect("ann answers"), ann.id());
    let seen = bob.handle().snapshot().await.expect("it runs");
    let relayed = seen.connections.iter().find(|link| link.relayed);
    assert_eq!(relayed.expect("a circuit").peer, ann.id().to_string());

    ann.handle().release(relay.id).await.expect("it runs");
    until_gone(&ann, &address).await;
    let refused = within("a dial", carl.connect(&address)).await;
    assert_eq!(refused.unwrap_err().code(), Code::DialFailed);

    until("a place again", || async {
        reserve(&ann, &relay).await.ok()
    })
    .await;
    assert!(addresses(&ann).await.contains(&address));
    let reached = within("a circuit", carl.connect(&address)).await;
    assert_eq!(reached.expect("ann answers"), ann.id());
    futures::join!(ann.close(), bob.close(), carl.close());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_ends_with_its_relay() {
    let relay = Foreign::start(Some(relay::Config::default())).await;
    let ann = peer("one");
    reserve(&ann, &relay).await.expect("a place");
    let (address, id) = (relay.address_of(&ann), relay.id);
    assert!(addresses(&ann).await.contains(&address));
    relay.stop().await;
    until_gone(&ann, &address).await;
    let gone = within("an answer", ann.handle().reserve(id)).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotConnected);
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_place_is_told_why() {
    let full = relay::Config {
        max_reservations: 0,
        ..relay::Config::default()
    };
    let ann = peer("one");
    for (config, why) in [(Some(full), "limit"), (None, "")] {
        let relay = Foreign::start(config).await;
        let error: Error = reserve(&ann, &relay).await.unwrap_err();
        assert_eq!(error.code(), Code::Refused, "{error:?}");
        let cause = error.cause().expect("a cause");
        assert!(cause.contains(why) && !cause.is_empty(), "{cause}");
        assert_eq!(addresses(&ann).await, [""; 0]);
        relay.stop().await;
    }
    ann.close().await;
}

/// What a relay says that agrees, in the messages of libp2p.
fn agreed(address: &Multiaddr) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut expire = now.expect("a time after 1970").as_secs() + 3_600;
    let mut reservation = vec![0x08];
    while expire >= 0x80 {
        reservation.push(expire as u8 | 0x80);
        expire >>= 7;
    }
    let address = address.to_vec();
    reservation.extend([expire as u8, 0x12, address.len() as u8]);
    reservation.extend(address);
    let status = [0x28, 100];
    let mut message = vec![0x08, 2, 0x1a, reservation.len() as u8];
    message.extend(reservation.into_iter().chain(status));
    message.insert(0, message.len() as u8);
    message
}

async fn agree(relay: &Foreign, mut asked: Stream) {
    let answer = agreed(&relay.address);
    asked.write_all(&answer).await.expect("it listens");
    asked.close().await.expect("it listens");
}

/// Until this peer tells that its addresses have changed to such.
async fn told(events: &mut mpsc::Receiver<Event>, wanted: impl Fn(&[String]) -> bool) {
    within("an event", async {
        while let Some(event) = events.next().await {
            if let Event::Addresses { addresses } = event
                && wanted(&addresses)
            {
                return;
            }
        }
        panic!("the peer was closed");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_no_more_gets_no_place() {
    let mut relay = Foreign::start(None).await;
    let mut asked = relay.streams.accept(relay::HOP_PROTOCOL_NAME).unwrap();
    let ann = peer("one");
    let mut events = ann.handle().events_only().await.expect("it runs");
    let address = relay.address_of(&ann);
    let connected = within("a dial", ann.connect(&relay.address.to_string())).await;
    connected.expect("it answers");
    let ask = || {
        let (handle, id) = (ann.handle().clone(), relay.id);
        tokio::spawn(async move { handle.reserve(id).await })
    };

    let asking = ask();
    let (_, first) = within("a request", asked.next()).await.expect("it runs");
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    agree(&relay, first).await;
    told(&mut events, |addresses| addresses.contains(&address)).await;
    told(&mut events, |addresses| !addresses.contains(&address)).await;

    // The place went with its connection.
    until("it is closed", || async {
        let connected = ann.handle().is_connected(relay.id).await;
        (!connected.expect("it runs")).then_some(())
    })
    .await;
    let connected = within("a dial", ann.connect(&relay.address.to_string())).await;
    connected.expect("it answers");

    // Two ask for one place, with one request.
    let asking = [ask(), ask()];
    let (_, second) = within("a request", asked.next()).await.expect("it runs");
    agree(&relay, second).await;
    for asking in asking {
        let answer = within("an answer", asking).await.expect("it ends");
        answer.expect("a place");
    }
    assert!(addresses(&ann).await.contains(&address));
    ann.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_are_not_given_up() {
    let relay = TestRelay::first().await;
    let ann = arguments(&[relay.url()], &[]).start(Vec::new()).await;
    let ann = ann.expect("a peer joins").node;
    let circuit = until("a circuit is reserved", || async {
        let mut told = addresses(&ann).await.into_iter();
        told.find(|text| text.contains("/p2p-circuit"))
    })
    .await;
    let handle = ann.handle();
    let answer = within("an answer", handle.reserve(relay.id())).await;
    answer.expect("it is there already");
    handle.release(relay.id()).await.expect("it runs");
    assert!(addresses(&ann).await.contains(&circuit));
    let bob = peer("two");
    let reached = within("a circuit", bob.connect(&circuit)).await;
    assert_eq!(reached.expect("ann answers"), ann.id());
    futures::join!(ann.close(), bob.close());
    relay.stop().await;
}
