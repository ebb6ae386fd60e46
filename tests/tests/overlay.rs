//! The seam below every feature is real: the network's own routing and a directory at one relay
//! pass the same suite, on the same relays.

use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::net::RecordClient;
use warren_shared::net::overlay::{Directory, Kademlia, Overlay};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::key::{Key, SigningKey};
use warren_shared::proto::record::{MutableValue, Record, Value, ValueBlock};
use warren_tests::peers::member;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

const HOUR: u64 = 3_600_000;

/// Two peers, each with its own view through the overlay under test.
struct Sides<'a> {
    network: &'a NetworkId,
    one: &'a dyn Overlay,
    other: &'a dyn Overlay,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_networks_routing_passes() {
    with_two_peers(async |_, one, other| {
        let network = one.node.network();
        let (one, other) = (Kademlia(client(one)), Kademlia(client(other)));
        overlay_suite(Sides {
            network,
            one: &one,
            other: &other,
        })
        .await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_at_one_relay_passes() {
    with_two_peers(async |relay, one, other| {
        let network = one.node.network();
        let relay = relay.id();
        let directory = |peer| Directory {
            client: client(peer),
            relay,
        };
        let (one, other) = (directory(one), directory(other));
        overlay_suite(Sides {
            network,
            one: &one,
            other: &other,
        })
        .await
    })
    .await;
}

async fn overlay_suite(sides: Sides<'_>) -> Result<()> {
    nothing_is_found_before_it_is_stored(&sides).await?;
    a_value_is_found_by_the_other(&sides).await?;
    the_higher_sequence_wins(&sides).await?;
    a_provider_comes_and_goes(&sides).await
}

async fn nothing_is_found_before_it_is_stored(sides: &Sides<'_>) -> Result<()> {
    assert_eq!(
        sides.one.record_at(Key::value(b"never stored")).await?,
        None
    );
    let nobody = Key::namespace(sides.network, "nobody is here")?;
    assert!(sides.other.providers_of(nobody).await?.is_empty());
    Ok(())
}

async fn a_value_is_found_by_the_other(sides: &Sides<'_>) -> Result<()> {
    for value in [
        Value::Json("{\"a\":[1,2]}".into()),
        Value::Bytes(vec![7; 8192]),
    ] {
        let record = Record::Value(ValueBlock::new(&value)?);
        let key = record.key();
        assert!(sides.one.store(record.clone()).await?.stored >= 1);
        assert_eq!(sides.other.record_at(key).await?, Some(record));
    }
    Ok(())
}

async fn the_higher_sequence_wins(sides: &Sides<'_>) -> Result<()> {
    let author = SigningKey::from_seed(platform::entropy());
    let version = |seq| signed(&author, sides.network, seq);
    let key = MutableValue::key(&author.public(), "label");
    sides.one.store(version(1)?).await?;
    sides.other.store(version(3)?).await?;
    assert_eq!(sides.one.record_at(key).await?, Some(version(3)?));
    let refused = sides.one.store(version(2)?).await.unwrap_err();
    assert_eq!(refused.code(), Code::Older);
    assert_eq!(sides.one.record_at(key).await?, Some(version(3)?));
    Ok(())
}

async fn a_provider_comes_and_goes(sides: &Sides<'_>) -> Result<()> {
    let key = Key::namespace(sides.network, "a room")?;
    let own = sides.one.client().handle().id().to_bytes();
    let address = vec![4, 127, 0, 0, 1, 6, 0x0f, 0xa1];
    let before = sides.one.client().now();
    let expires = sides.one.announce(key, vec![address.clone()]).await?;
    assert!(expires > before);

    let found = sides.other.providers_of(key).await?;
    let listed: Vec<_> = found.iter().map(|entry| &entry.peer).collect();
    assert_eq!(listed, [&own]);
    assert_eq!(found[0].addresses, [address]);

    // Nobody else takes it off the list.
    sides.other.withdraw(key).await?;
    assert_eq!(sides.other.providers_of(key).await?.len(), 1);
    sides.one.withdraw(key).await?;
    assert!(sides.other.providers_of(key).await?.is_empty());
    Ok(())
}

/// Always the same bytes for one sequence number.
fn signed(author: &SigningKey, network: &NetworkId, seq: u64) -> Result<Record> {
    let block = ValueBlock::new(&Value::Json(format!("{{\"version\":{seq}}}")))?;
    let issued = platform::now() / HOUR * HOUR;
    let times = (issued, issued + 24 * HOUR);
    MutableValue::sign(author, network, "label", &block, seq, times).map(Record::Signed)
}

fn client(peer: &Peer) -> RecordClient {
    RecordClient::new(
        peer.node.handle().clone(),
        peer.node.network().clone(),
        None,
    )
}

/// Three relays that know each other, and two peers that joined through the first.
async fn with_two_peers(suite: impl AsyncFnOnce(&TestRelay, &Peer, &Peer) -> Result<()>) {
    let first = TestRelay::first().await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let url = first.url();
        let relay = TestRelay::start(|args| args.join = vec![url]).await;
        others.push(relay.expect("another relay"));
    }
    let one = member(&first.url()).await.expect("a peer");
    let other = member(&first.url()).await.expect("another peer");
    within("the suite", suite(&first, &one, &other))
        .await
        .expect("the suite passes");
    one.node.close().await;
    other.node.close().await;
    for relay in others.into_iter().chain([first]) {
        relay.stop().await;
    }
}
