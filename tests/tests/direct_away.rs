//! Direct messages to those who are away: they wait in mailboxes, whatever happens to programs and relays meanwhile.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};

use futures::StreamExt;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::net::{TcpListener, TcpStream};
use warren_shared::net::direct::Recipient;
use warren_shared::proto::direct::State;
use warren_tests::count;
use warren_tests::killed::full_relay;
use warren_tests::letters::{becomes, can_be_found, next, number, resident, send, text};
use warren_tests::program::Program;
use warren_tests::relays::{TestRelay, dead_port};
use warren_tests::wait::{until, within};

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_finds_everything_in_its_mailbox_and_the_sender_hears_of_it() {
    let relay = TestRelay::first().await;
    let homes = [tempfile::tempdir(), tempfile::tempdir()];
    let [at_a, at_b] = homes.map(|home| home.expect("a temporary folder"));
    let a = resident(&relay.url(), at_a.path()).await;
    let b = resident(&relay.url(), at_b.path()).await;
    let to = b.node.author();
    let mut messages = b.node.direct().messages();
    let first = tokio::spawn(async move {
        let told = next(&mut messages).await;
        // Asking for the next one says that this one is read; nothing more comes.
        assert!(messages.next().await.is_none());
        told
    });
    can_be_found(&a.node, &b.node).await;
    // Found by its peer id, too.
    let sent = until("the peer is known", || async {
        let to = Recipient::Peer(b.node.id());
        a.node.direct().send(to, text(0)).await.ok()
    })
    .await;
    becomes(&sent, State::Delivered).await;
    b.node.close().await;
    assert_eq!(number(&first.await.expect("no panic")), 0);
    drop(b);

    let total = count(150, 900);
    let mut sent = Vec::new();
    for number in 1..=total {
        sent.push(send(&a.node, to, number).await);
    }
    for one in &sent {
        becomes(one, State::Waiting).await;
    }
    // The sender is away when the recipient comes back.
    a.node.close().await;
    drop(a);
    let b = resident(&relay.url(), at_b.path()).await;
    let mut messages = b.node.direct().messages();
    for expected in 1..=total {
        assert_eq!(number(&next(&mut messages).await), expected);
    }
    // And hears of it when it is back itself.
    let a = resident(&relay.url(), at_a.path()).await;
    until("all are known to be delivered", || async {
        let history = a.node.direct().history(to, None, 256).await.expect("kept");
        let states: BTreeSet<&str> = history.iter().map(|told| told.state.as_str()).collect();
        (states == BTreeSet::from(["delivered"])).then_some(())
    })
    .await;
    for node in [&a.node, &b.node] {
        node.close().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mailbox_has_acknowledged_survives_the_relay() {
    let homes = [
        tempfile::tempdir(),
        tempfile::tempdir(),
        tempfile::tempdir(),
    ];
    let [at_relay, at_a, at_b] = homes.map(|home| home.expect("a temporary folder"));
    let [http, tcp] = [dead_port(), dead_port()].map(|port| format!("127.0.0.1:{port}"));
    let start = || Program::start(&full_relay(at_relay.path(), [&http, &tcp, "off", "off"]));
    let mut relay = start();
    let ready = relay.event("ready").await;
    let url = ready["http"].as_str().expect("a URL").to_owned();
    let b = resident(&url, at_b.path()).await;
    let to = b.node.author();
    let reading = b.node.direct().messages();
    let listening = tokio::spawn(reading.collect::<Vec<_>>());
    let a = resident(&url, at_a.path()).await;
    can_be_found(&a.node, &b.node).await;
    b.node.close().await;
    drop((b, listening));

    let total = count(60, 600);
    let mut sent = Vec::new();
    for number in 0..total {
        sent.push(send(&a.node, to, number).await);
    }
    becomes(sent.last().expect("some"), State::Waiting).await;
    // From now on nobody but the relay has them.
    relay.kill().await;
    a.node.close().await;
    drop(a);
    std::fs::remove_dir_all(at_a.path()).expect("removed");

    let mut relay = start();
    relay.event("ready").await;
    let b = resident(&url, at_b.path()).await;
    let mut messages = b.node.direct().messages();
    for expected in 0..total {
        assert_eq!(number(&next(&mut messages).await), expected);
    }
    b.node.close().await;
    relay.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_an_address_that_leads_nowhere_before_a_mailbox_is_used() {
    let relay = TestRelay::first().await;
    let homes = [tempfile::tempdir(), tempfile::tempdir()];
    let [at_a, at_b] = homes.map(|home| home.expect("a temporary folder"));
    let a = resident(&relay.url(), at_a.path()).await;
    let b = resident(&relay.url(), at_b.path()).await;
    let (to, peer) = (b.node.author(), b.node.id());
    let mut messages = b.node.direct().messages();
    let listening = tokio::spawn(async move { messages.next().await });
    can_be_found(&a.node, &b.node).await;
    let port = until("its address is published", || async {
        let (record, _) = a.node.find_peer(peer).await.ok()?;
        record.addresses.into_iter().find_map(own_port)
    })
    .await;
    b.node.close().await;
    drop(b);
    assert!(listening.await.expect("no panic").is_none());

    // Somebody is there who takes calls and never says a word.
    let mute = until("the port is free", || async {
        TcpListener::bind(("127.0.0.1", port)).await.ok()
    })
    .await;
    let sent = send(&a.node, to, 1).await;
    becomes(&sent, State::Waiting).await;
    let (call, _) = within("it is called", mute.accept()).await.expect("a call");
    assert!(is_open(call), "the call had ended before");
    let b = resident(&relay.url(), at_b.path()).await;
    let mut messages = b.node.direct().messages();
    assert_eq!(number(&next(&mut messages).await), 1);
    for node in [&a.node, &b.node] {
        node.close().await;
    }
    relay.stop().await;
}

fn is_open(call: TcpStream) -> bool {
    let mut call = call.into_std().expect("a socket");
    loop {
        match call.read(&mut [0; 1_024]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// Where a peer itself listens.
fn own_port(address: Vec<u8>) -> Option<u16> {
    let address = Multiaddr::try_from(address).ok()?;
    let relayed = address.iter().any(|part| part == Protocol::P2pCircuit);
    let port = address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    port.filter(|_| !relayed)
}
