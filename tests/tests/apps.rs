//! Rooms, messages and commands of a module that borrows the engine of another one, as tabs have them: here the engine
//! is a peer of this process, and nothing but its lender is used.

#[path = "apps/directories.rs"]
mod directories;
#[path = "apps/directories_kept.rs"]
mod directories_kept;
#[path = "apps/files.rs"]
mod files;
#[path = "apps/folder.rs"]
mod folder;
#[path = "apps/in_place.rs"]
mod in_place;
#[path = "apps/kept.rs"]
mod kept;
#[path = "apps/members.rs"]
mod members;
#[path = "apps/members_stored.rs"]
mod members_stored;
#[path = "apps/pinned.rs"]
mod pinned;
#[path = "apps/reading.rs"]
mod reading;

use std::sync::Arc;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use warren_relay::peer::Peer;
use warren_shared::api::{AppParams, AppSession, Lodging, Outgoing};
use warren_shared::error::{Code, Result};
use warren_shared::limits::FILES_IN_MEMORY;
use warren_shared::net::borrowed::{Engine, Lent, failure_of};
use warren_shared::net::chat::Joined;
use warren_shared::net::direct::{MemoryShelf, Recipient};
use warren_shared::net::files::{MemoryStore, SharedFileStore};
use warren_shared::net::lending::{Lender, told};
use warren_shared::net::outside::Forgetful;
use warren_shared::net::rpc::{Allow, Ask, handler};
use warren_shared::net::streams::{Failure, Protocol};
use warren_shared::proto::chat::{RoomEvent, RoomRef};
use warren_shared::proto::direct::State;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::record::Value as Body;
use warren_tests::peers::{arguments, loopback, member};
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

/// What the page does in a tab: hands over texts and streams.
struct Handed(Lender);

impl Engine for Handed {
    fn ask(&self, what: &'static str, about: String) -> BoxFuture<'static, Result<String>> {
        let lender = self.0.clone();
        async move { lender.ask(what, &about).await }.boxed()
    }

    fn open(&self, to: String, protocol: Protocol) -> BoxFuture<'static, Result<Lent, Failure>> {
        let lender = self.0.clone();
        let opened = async move {
            let opened = lender.open(&to, protocol).await;
            let opened =
                opened.map_err(|error| failure_of(&format!("{}\n{error}", error.code())))?;
            let lent: Lent = Box::new(opened.stream);
            Ok(lent)
        };
        opened.boxed()
    }

    fn accept(&self, protocol: Protocol) -> Result<mpsc::Receiver<(String, Lent)>> {
        let mut incoming = self.0.accept(protocol)?;
        let (mut to, lent) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Some(one) = incoming.next().await {
                let stream: Lent = Box::new(one.stream);
                let _ = to.try_send((one.peer.to_string(), stream));
            }
        });
        Ok(lent)
    }

    fn events(&self) -> mpsc::Receiver<String> {
        let (mut to, events) = mpsc::channel(64);
        let lender = self.0.clone();
        tokio::spawn(async move {
            let Ok(mut happened) = lender.events().await else {
                return;
            };
            while let Some(event) = happened.next().await {
                if let Some(text) = told(&event) {
                    let _ = to.try_send(text);
                }
            }
        });
        events
    }
}

/// A peer, and apps that know nothing of it but what it lends.
struct Tab {
    peer: Peer,
    session: AppSession,
    said: mpsc::Receiver<Outgoing>,
    calls: f64,
    _home: TempDir,
}

/// A peer that lends, and where its keys are.
async fn engine(url: &str) -> (Peer, TempDir) {
    let home = TempDir::new().expect("a folder");
    let mut args = arguments(&[url.to_owned()], &[]);
    args.data_dir = Some(home.path().to_owned());
    let peer = args.start(vec![loopback()]).await.expect("it joins");
    (peer, home)
}

impl Tab {
    async fn open(url: &str) -> Tab {
        let (peer, home) = engine(url).await;
        Tab::beside(peer, home)
    }

    /// The apps start after the engine, which has joined long ago.
    fn beside(peer: Peer, home: TempDir) -> Tab {
        Tab::keeping(peer, home, Arc::new(MemoryStore::new(FILES_IN_MEMORY)))
    }

    /// With files in this store.
    fn keeping(peer: Peer, home: TempDir, files: SharedFileStore) -> Tab {
        let seed = |name: &str| {
            let bytes = std::fs::read(home.path().join(name)).expect("a key");
            SigningKey::from_seed(bytes.as_slice().try_into().expect("a seed"))
        };
        let lender = peer.node.lender().expect("it lends");
        let (session, said) = AppSession::new(Lodging {
            engine: Arc::new(Handed(lender)),
            transport: seed("identity.key"),
            author: seed("author.key"),
            keepsakes: Arc::new(Forgetful::default()),
            shelf: Box::new(|_, _| Arc::new(MemoryShelf::default())),
            files: Box::new(move |_, _| files.clone()),
            stacks: None,
            measurable: false,
        });
        Tab {
            peer,
            session,
            said,
            calls: 0.0,
            _home: home,
        }
    }

    /// Starts a call; its number.
    fn call(&mut self, method: &str, params: Value) -> f64 {
        self.calls += 1.0;
        let (session, id) = (self.session.clone(), self.calls);
        let params: AppParams = serde_json::from_value(params).expect("parameters");
        let call = params.call(method).expect("a call");
        tokio::spawn(async move { session.serve(id, call).await });
        id
    }

    /// The next thing that a call says: an item, or how it ended.
    async fn says(&mut self, call: f64) -> std::result::Result<Value, Code> {
        let value = |reply| {
            let text = serde_json::to_value(&reply).expect("it can be written");
            // Answers that are written already are texts of JSON.
            let inner = text
                .as_str()
                .and_then(|text| serde_json::from_str(text).ok());
            inner.unwrap_or(text)
        };
        within("the call says something", async {
            loop {
                match self.said.next().await.expect("the session is there") {
                    Outgoing::Ok { id, reply } | Outgoing::Item { id, item: reply }
                        if id == call =>
                    {
                        return Ok(value(reply));
                    }
                    Outgoing::Error { id, error } if id == call => return Err(error.code()),
                    _ => {}
                }
            }
        })
        .await
    }

    async fn asks(&mut self, method: &str, params: Value) -> std::result::Result<Value, Code> {
        let call = self.call(method, params);
        self.says(call).await
    }

    async fn close(mut self) {
        self.asks("close", json!({})).await.expect("closed");
        self.peer.node.close().await;
    }
}

async fn hears(room: &mut Joined, text: &str) {
    let heard = async {
        while let Some(event) = room.events.next().await {
            if matches!(&event, RoomEvent::Message { message } if message.text == text) {
                return;
            }
        }
        panic!("the room was closed");
    };
    within(text, heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_borrowed_engine_carries_rooms_messages_and_commands() {
    let relay = TestRelay::first().await;
    let mut tab = Tab::open(&relay.url()).await;
    let ben = member(&relay.url()).await.expect("it joins");
    let id = ben.node.id().to_string();

    let lobby = RoomRef::new("lobby", None).expect("a name");
    let mut room = ben
        .node
        .chat()
        .expect("a peer may chat")
        .join(&lobby, "Ben")
        .await
        .expect("entered");
    room.send("before").await.expect("sent");
    let join = tab.call(
        "chat",
        json!({"chat": "join", "room": "lobby", "nick": "Ada"}),
    );
    let entered = tab.says(join).await.expect("entered");
    let here = json!({"chat": "send", "room": entered["id"], "text": "from a tab"});
    tab.asks("chat", here).await.expect("sent");
    hears(&mut room, "from a tab").await;
    room.send("to a tab").await.expect("sent");
    let texts = json!({"chat": "history", "room": entered["id"]});
    let mut known = Vec::new();
    while known != ["before", "from a tab", "to a tab"] {
        let messages = tab.asks("chat", texts.clone()).await.expect("messages");
        let messages = messages.as_array().expect("a list");
        known = messages
            .iter()
            .map(|one| one["text"].as_str().unwrap_or_default().to_owned())
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    let serve = tab.call(
        "rpcServe",
        json!({"method": "greet", "text": r#"{"anyone": true}"#}),
    );
    tab.says(serve).await.expect("served");
    let greet = {
        let (route, ben) = (
            until("the tab can be found", || async {
                ben.node.route_to(tab.peer.node.id()).await.ok()
            })
            .await,
            ben.node.clone(),
        );
        tokio::spawn(async move {
            ben.rpc()
                .call(route, &Ask::new("greet", json!(["Ben"])))
                .await
        })
    };
    let asked = tab.says(serve).await.expect("a call");
    assert_eq!(
        (&asked["peer"], &asked["params"]),
        (&json!(id), &json!(["Ben"]))
    );
    let result = json!({"call": asked["call"], "text": r#""hello Ben""#});
    tab.asks("rpcResult", result).await.expect("taken");
    assert_eq!(
        greet.await.expect("it ran").expect("answered"),
        json!("hello Ben")
    );
    let twice = handler(|_, params| async move { Ok(json!(params[0].as_u64().map(|n| n * 2))) });
    ben.node
        .rpc()
        .serve("twice", Allow::anyone(), twice)
        .expect("served");
    let call = json!({"id": id, "method": "twice", "text": "[21]"});
    assert_eq!(tab.asks("rpcCall", call).await, Ok(json!(42)));
    let call = json!({"id": id, "method": "thrice"});
    assert_eq!(tab.asks("rpcCall", call).await, Err(Code::Unsupported));

    let mut messages = ben.node.direct().messages();
    let send = json!({"direct": "send", "target": id, "value": {"json": r#""psst""#}});
    let sent = tab.asks("direct", send).await.expect("stored");
    let got = within("it comes", messages.next())
        .await
        .expect("it runs")
        .expect("a message");
    assert_eq!(got.body, Body::Json(r#""psst""#.to_owned()));
    // A slow machine may have left it in a mailbox as well, before Ben's receipt came.
    let mut state = json!("sending");
    while state == "sending" || state == "waiting" {
        let ask = json!({"direct": "state", "id": sent["id"], "text": state});
        state = tab.asks("direct", ask).await.expect("it is known");
    }
    assert_eq!(state, "delivered");
    tab.close().await;
    room.leave().await;
    ben.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_apps_start_is_taken_when_they_do() {
    let relay = TestRelay::first().await;
    let (peer, home) = engine(&relay.url()).await;
    let ben = member(&relay.url()).await.expect("it joins");
    let to = Recipient::Peer(peer.node.id());
    let first = until("the peer says for whom it runs", || async {
        let body = Body::Json("0".to_owned());
        ben.node.direct().send(to, body).await.ok()
    })
    .await;
    let mut last = first;
    for number in 1..100 {
        let body = Body::Json(number.to_string());
        let sent = ben.node.direct().send(to, body).await;
        last = sent.expect("there is room");
    }
    // Nobody reads there: all that can be is that they wait.
    let mut states = last.states();
    let waiting = async {
        loop {
            let state = states.next().await.expect("it ends later");
            if state.expect("the peer runs") == State::Waiting {
                return;
            }
        }
    };
    within("they wait in a mailbox", waiting).await;
    // From now on nobody brings them.
    ben.node.close().await;

    let mut tab = Tab::beside(peer, home);
    let mut place = Value::Null;
    for number in 0..100 {
        let next = json!({"direct": "next", "place": place});
        let told = tab.asks("direct", next).await.expect("a message");
        assert_eq!(told[0]["body"]["json"], number.to_string(), "{told}");
        place = told[0]["place"].clone();
    }
    tab.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_does_not_reach_is_said() {
    let relay = TestRelay::first().await;
    let mut tab = Tab::open(&relay.url()).await;
    let nobody = libp2p::PeerId::random().to_string();
    let call = json!({"id": nobody, "method": "x"});
    assert!(tab.asks("rpcCall", call).await.is_err());
    let room = json!({"chat": "history", "room": "nowhere"});
    assert_eq!(tab.asks("chat", room).await, Err(Code::NotFound));
    tab.peer.node.close().await;
    let call = json!({"namespace": "nobody", "method": "x"});
    assert!(
        tab.asks("rpcCall", call).await.is_err(),
        "the engine was closed"
    );
    relay.stop().await;
}
