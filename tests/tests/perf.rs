//! Measuring a connection: over every native transport, and refused where nobody allowed it.

use futures::future::join_all;
use libp2p::Multiaddr;
use warren_shared::error::Code;
use warren_tests::peers::stranger;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::within;

const UPLOAD: u64 = 3 * 1024 * 1024 + 1;
const DOWNLOAD: u64 = 2 * 1024 * 1024 + 7;

async fn relay(perf: bool) -> TestRelay {
    let started = TestRelay::start(|args| {
        args.quic = Some(ANY_PORT.into());
        args.udp = Some(ANY_PORT.into());
        args.perf = perf;
    });
    started.await.expect("the relay starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_transport_moves_what_was_asked_for() {
    let relay = relay(true).await;
    for part in ["/tcp/", "/ws", "/quic-v1", "/webrtc-direct"] {
        let addresses = relay.snapshot().await.addresses;
        let plain =
            |text: &&String| text.contains(part) && (part != "/tcp/" || !text.contains("/ws"));
        let address = addresses.iter().find(plain).expect("such an address");
        let address: Multiaddr = address.parse().expect("its own address");
        let node = stranger(relay.node().network());
        within(
            "a dial",
            node.handle().dial(Some(relay.id()), vec![address]),
        )
        .await
        .expect("connected");
        let measured = within("a measurement", node.measure(relay.id(), UPLOAD, DOWNLOAD))
            .await
            .expect("measured");
        assert_eq!(
            (measured.sent, measured.received),
            (UPLOAD, DOWNLOAD),
            "{part}"
        );
        node.close().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_that_come_all_at_once_wait_for_their_turn() {
    let relay = relay(true).await;
    for part in ["/tcp/", "/webrtc-direct"] {
        let addresses = relay.snapshot().await.addresses;
        let address = addresses.iter().find(|text| text.contains(part));
        let address: Multiaddr = address.expect("such one").parse().expect("its own address");
        let node = stranger(relay.node().network());
        let dial = node.handle().dial(Some(relay.id()), vec![address]);
        within("a dial", dial).await.expect("connected");
        let all = (0..300).map(|_| node.measure(relay.id(), 64, 64));
        for measured in within("all measurements", join_all(all)).await {
            assert_eq!(measured.expect("measured").received, 64, "{part}");
        }
        node.close().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_not_told_to_refuses() {
    let relay = relay(false).await;
    let node = stranger(relay.node().network());
    let route = relay.route().await;
    within(
        "a dial",
        node.handle().dial(Some(route.peer), route.addresses),
    )
    .await
    .expect("connected");
    let error = within("a measurement", node.measure(relay.id(), 1, 1))
        .await
        .expect_err("nobody allowed it");
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.remedy().contains("--perf"));
    node.close().await;
    relay.stop().await;
}
