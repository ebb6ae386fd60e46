//! A signed record is read from the nodes that a peer knows, while the responsible ones are still being
//! looked for: when enough of them agree, and not before. Whoever provides something is told by those that are
//! connected.

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::pending;
use warren_relay::peer::Peer;
use warren_shared::error::Result;
use warren_shared::limits::{DAY, READ_QUORUM};
use warren_shared::net::overlay::{Kademlia, Overlay};
use warren_shared::net::{RecordClient, Route};
use warren_shared::platform;
use warren_shared::proto::key::{Key, SigningKey};
use warren_shared::proto::record::{MutableValue, Record, Value, ValueBlock};
use warren_tests::peers::member;
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

/// More than have to agree, so that those who do are not all.
const RELAYS: usize = READ_QUORUM + 2;

/// The network's own routing, but no walk through it ever ends.
struct Endless(Kademlia);

#[async_trait]
impl Overlay for Endless {
    fn client(&self) -> &RecordClient {
        self.0.client()
    }

    async fn closest_to(&self, _: Key) -> Result<Vec<Route>> {
        pending().await
    }

    async fn near(&self, key: Key) -> Result<Vec<Route>> {
        self.0.near(key).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enough_known_nodes_that_agree_are_believed_and_fewer_are_not() {
    let mut relays = vec![TestRelay::first().await];
    while relays.len() < RELAYS {
        let url = relays[0].url();
        let relay = TestRelay::start(|args| args.join = vec![url]).await;
        relays.push(relay.expect("a relay joins"));
    }
    let reader = member(&relays[0].url()).await.expect("a peer");
    knows(&reader, RELAYS).await;
    let overlay = Endless(Kademlia(client(&reader)));
    for (label, holders) in [("everywhere", RELAYS), ("enough", READ_QUORUM)] {
        let record = stored(&reader, &relays[..holders], label).await;
        let found = within("a read", overlay.record_at(record.key())).await;
        assert_eq!(found.expect("an answer"), Some(record), "{label}");
    }
    let record = stored(&reader, &relays[1..READ_QUORUM], "too few").await;
    let near = overlay.near(record.key()).await.expect("a table");
    assert_eq!(near.len(), RELAYS);
    let client = overlay.client();
    assert_eq!(client.agreed(near.clone(), record.key()).await, None);
    let found = client.read(near, record.key()).await.expect("an answer");
    assert_eq!(found, Some(record), "whoever was looked for counts alone");
    reader.node.close().await;
    for relay in relays {
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_provides_is_told_while_the_responsible_nodes_are_still_looked_for() {
    let relay = TestRelay::first().await;
    let provider = member(&relay.url()).await.expect("a peer");
    provider.node.provide("a room").await.expect("listed");
    let reader = member(&relay.url()).await.expect("another peer");
    knows(&reader, 1).await;
    let overlay = Endless(Kademlia(client(&reader)));
    let key = Key::namespace(reader.node.network(), "a room").expect("a key");
    let mut lists = overlay.provider_lists(key);
    let list = within("a list", lists.next()).await.expect("not the end");
    let listed = list.expect("an answer");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].peer, provider.node.id().to_bytes());
    drop(lists);
    provider.node.close().await;
    reader.node.close().await;
    relay.stop().await;
}

/// Waits until a reader knows so many relays.
async fn knows(reader: &Peer, relays: usize) {
    until("the reader knows the relays", async || {
        let snapshot = reader.node.handle().snapshot().await.ok()?;
        (snapshot.routing.size == relays).then_some(())
    })
    .await;
}

/// A record of a new author, kept by these relays.
async fn stored(by: &Peer, relays: &[TestRelay], label: &str) -> Record {
    let block = ValueBlock::new(&Value::Json("{}".to_owned())).expect("a value");
    let author = SigningKey::from_seed(platform::entropy());
    let now = platform::now();
    let network = by.node.network();
    let signed = MutableValue::sign(&author, network, label, &block, 1, (now, now + DAY));
    let record = Record::Signed(signed.expect("signed"));
    let mut routes = Vec::new();
    for relay in relays {
        routes.push(relay.route().await);
    }
    let report = client(by).write(routes, record.clone()).await;
    assert_eq!(report.expect("stored").stored, relays.len());
    record
}

fn client(peer: &Peer) -> RecordClient {
    let node = &peer.node;
    RecordClient::new(node.handle().clone(), node.network().clone(), None)
}
