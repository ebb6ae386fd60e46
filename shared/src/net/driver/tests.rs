//! The driver over a transport that does nothing but change its addresses.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Pending, pending};
use futures::{FutureExt, StreamExt};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, PeerId, Transport};

use super::super::direct::MemoryShelf;
use super::super::names::cooperative;
use super::super::node::{Node, NodeConfig};
use super::super::outside::{Forgetful, Outside};
use super::*;
use crate::error::{Code, Error};
use crate::proto::homes::HomesConfig;
use crate::proto::key::SigningKey;

type Never = Pending<io::Result<(PeerId, StreamMuxerBox)>>;
type Change = TransportEvent<Never, io::Error>;

/// Listens wherever it is told to, in name only.
struct Roaming {
    listener: Arc<Mutex<Option<ListenerId>>>,
    own: mpsc::UnboundedSender<Change>,
    changes: mpsc::UnboundedReceiver<Change>,
}

impl Transport for Roaming {
    type Output = (PeerId, StreamMuxerBox);
    type Error = io::Error;
    type ListenerUpgrade = Never;
    type Dial = Never;

    fn listen_on(
        &mut self,
        listener_id: ListenerId,
        listen_addr: Multiaddr,
    ) -> std::result::Result<(), TransportError<io::Error>> {
        *self.listener.lock().unwrap() = Some(listener_id);
        let heard = TransportEvent::NewAddress {
            listener_id,
            listen_addr,
        };
        self.own.unbounded_send(heard).unwrap();
        Ok(())
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        _: Multiaddr,
        _: DialOpts,
    ) -> std::result::Result<Never, TransportError<io::Error>> {
        Ok(pending())
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Change> {
        match self.changes.poll_next_unpin(context) {
            Poll::Ready(Some(change)) => Poll::Ready(change),
            _ => Poll::Pending,
        }
    }
}

struct Nowhere;

impl Outside for Nowhere {
    fn fetch(&self, _: String, _: Duration) -> BoxFuture<'static, Result<String>> {
        async { Err(Error::new(Code::DialFailed, "there is no network here")) }.boxed()
    }
}

fn relay(connections: Roaming, listen: Multiaddr) -> Node {
    let key = SigningKey::from_seed([1; 32]);
    Node::start(NodeConfig {
        network: "test".parse().unwrap(),
        role: Role::Relay,
        transport_key: key.clone(),
        author_key: key,
        connections: connections.boxed(),
        listen: vec![listen],
        external: Vec::new(),
        store: None,
        names: None,
        mailboxes: None,
        keepsakes: Arc::new(Forgetful::default()),
        shelf: Arc::new(MemoryShelf::default()),
        stacks: None,
        relay_only: false,
        solver: cooperative(),
        homes: HomesConfig::native(),
        outside: Arc::new(Nowhere),
        dialable: Arc::new(|_| true),
        ping_every: Duration::from_secs(60),
        capabilities: Vec::new(),
    })
    .unwrap()
}

/// Waits until the node has so many addresses; gives them.
async fn addresses(node: &Node, count: usize) -> Vec<String> {
    let mut events = node.handle().events_only().await.unwrap();
    let patience = Duration::from_secs(20);
    let changed = async {
        loop {
            let addresses = node.handle().addresses().await.unwrap();
            if addresses.len() == count {
                return addresses;
            }
            events.next().await.expect("the node runs");
        }
    };
    tokio::time::timeout(patience, changed).await.unwrap()
}

#[tokio::test]
async fn an_address_that_is_gone_is_not_told_any_more() {
    let (own, changes) = mpsc::unbounded();
    let listener = Arc::default();
    let transport = Roaming {
        listener: Arc::clone(&listener),
        own: own.clone(),
        changes,
    };
    let [home, declared] =
        ["/ip4/192.0.2.1/tcp/1", "/ip4/203.0.113.1/tcp/1"].map(|text| text.parse().unwrap());
    let node = relay(transport, Multiaddr::clone(&home));
    addresses(&node, 1).await;
    let vouched = vec![Multiaddr::clone(&declared)];
    node.handle().declare(vouched).await.unwrap();
    addresses(&node, 2).await;

    let listener_id = listener.lock().unwrap().expect("it listens");
    let gone = TransportEvent::AddressExpired {
        listener_id,
        listen_addr: home,
    };
    own.unbounded_send(gone).unwrap();
    let left = addresses(&node, 1).await;
    assert!(left[0].starts_with(&declared.to_string()), "{left:?}");
    node.close().await;
}
