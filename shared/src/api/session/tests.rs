use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::channel::oneshot;
use libp2p::core::transport::MemoryTransport;

use super::*;
use crate::api::messages::Hint;
use crate::net::direct::MemoryShelf;
use crate::net::names::cooperative;
use crate::net::outside::{Forgetful, Outside};
use crate::net::swarm::authenticated;
use crate::proto::join::JoinDocument;

/// Keeps a broken run from hanging; how long something takes is never asserted.
const BOUND: Duration = Duration::from_secs(30);

const RELAY: [u8; 32] = [9; 32];

/// One fetch of a page, waiting for the test to answer it.
type Fetch = (String, oneshot::Sender<Result<String>>);

struct Web(mpsc::UnboundedSender<Fetch>);

impl Outside for Web {
    fn fetch(&self, url: String, _: Duration) -> BoxFuture<'static, Result<String>> {
        let (answer, answered) = oneshot::channel();
        self.0.unbounded_send((url, answer)).expect("a test");
        async move { answered.await.expect("the test answers") }.boxed()
    }
}

struct Bench {
    session: Session,
    said: mpsc::Receiver<Outgoing>,
    fetches: mpsc::UnboundedReceiver<Fetch>,
    built: Arc<AtomicUsize>,
}

fn bench() -> Bench {
    let (web, fetches) = mpsc::unbounded();
    let built = Arc::new(AtomicUsize::new(0));
    let count = built.clone();
    let (session, said) = Session::new(Surroundings {
        outside: Arc::new(Web(web)),
        keepsakes: Arc::new(Forgetful::default()),
        shelf: Box::new(|_, _| Arc::new(MemoryShelf::default())),
        solver: cooperative(),
        connections: Box::new(move |key, _| {
            count.fetch_add(1, Ordering::SeqCst);
            authenticated(MemoryTransport::default(), &crate::net::node::keypair(key)?)
        }),
        dialable: |_| Arc::new(|_| true),
    });
    Bench {
        session,
        said,
        fetches,
        built,
    }
}

impl Bench {
    /// Joins through a URL, or through an address in a network that is known.
    async fn start(&self, at: &str) {
        let by_url = at.starts_with("http");
        let params = StartParams {
            join: by_url.then(|| at.to_owned()).into_iter().collect(),
            bootstrap: (!by_url).then(|| at.to_owned()).into_iter().collect(),
            network: (!by_url).then(|| "testnet".to_owned()),
            transport_seed: vec![1; 32],
            author_seed: vec![2; 32],
            ephemeral: false,
            transports: Vec::new(),
            page_origin: None,
        };
        let started = self.session.answer(1.0, Call::Start(params)).await;
        assert!(matches!(started, Ok(Reply::Started { .. })));
    }

    async fn fetch(&mut self) -> Fetch {
        bounded(self.fetches.next()).await.expect("a fetch")
    }

    async fn say(&self, call: Call) -> Result<Reply> {
        bounded(self.session.answer(2.0, call)).await
    }

    /// The session ends when nobody works for it any more.
    async fn ended(self) {
        let Bench { session, said, .. } = self;
        drop(session);
        bounded(said.for_each(|_| async {})).await;
    }
}

async fn bounded<T>(work: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(BOUND, work).await;
    ended.expect("it should have ended by now")
}

fn relay() -> PeerId {
    let pair = crate::net::node::keypair(&SigningKey::from_seed(RELAY));
    pair.expect("a key").public().to_peer_id()
}

fn document() -> String {
    let relay = SigningKey::from_seed(RELAY);
    let document = JoinDocument {
        network: "testnet".parse().expect("a network"),
        peer: self::relay().to_string(),
        addresses: vec!["/memory/7".into()],
        http: None,
        stun: None,
        witnesses: None,
        relays: Vec::new(),
        version: "0".into(),
        now: platform::now(),
    };
    document.to_json(&relay).expect("signed")
}

fn hint(kind: Hint) -> Call {
    Call::Hint { kind }
}

#[tokio::test]
async fn closing_ends_the_search_for_the_network() {
    let mut bench = bench();
    bench.start("http://relay").await;
    let (_, mut answer) = bench.fetch().await;
    bench.say(Call::Close {}).await.expect("closed");
    bounded(answer.cancellation()).await;
    assert_eq!(bench.built.load(Ordering::SeqCst), 0);
    bench.ended().await;
}

#[tokio::test]
async fn a_node_that_is_built_while_closing_is_closed_too() {
    let mut bench = bench();
    bench.start("http://relay").await;
    let (_, answer) = bench.fetch().await;
    // The moment in which the search is over already, and cannot be ended any more.
    bench.session.life().closed = true;
    answer.send(Ok(document())).expect("it waits");
    let started = bench.session.life().started.clone().expect("it started");
    assert!(bounded(started.node).await.is_none());
    assert!(bench.built.load(Ordering::SeqCst) > 0);
    bench.session.life().started = None;
    bench.ended().await;
}

#[tokio::test]
async fn what_was_said_of_the_page_before_the_start_is_remembered() {
    let mut bench = bench();
    bench.say(hint(Hint::Online)).await.expect("remembered");
    bench.say(hint(Hint::Offline)).await.expect("remembered");
    bench.start(&format!("/memory/7/p2p/{}", relay())).await;
    let state = bounded(async {
        loop {
            match bench.said.next().await.expect("a running session") {
                Outgoing::Snapshot(full) if full.snapshot.state != "joining" => {
                    break full.snapshot.state;
                }
                _ => {}
            }
        }
    });
    assert_eq!(state.await, "offline");
    bench.say(Call::Close {}).await.expect("closed");
    let late = bench.say(hint(Hint::Online)).await;
    assert_eq!(late.expect_err("too late").code(), Code::Closed);
}

#[tokio::test]
async fn an_answer_proves_that_there_is_a_network() {
    let mut bench = bench();
    for kind in [Hint::Offline, Hint::Hidden] {
        bench.say(hint(kind)).await.expect("remembered");
    }
    bench.start("http://relay").await;
    let (_, answer) = bench.fetch().await;
    answer.send(Ok(document())).expect("it waits");
    let started = bench.session.life().started.clone().expect("it started");
    assert!(bounded(started.node).await.is_some());
    let expected = Page {
        offline: false,
        hidden: true,
    };
    assert_eq!(bench.session.life().page, expected);
    bench.say(Call::Close {}).await.expect("closed");
}
