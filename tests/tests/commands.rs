//! JSON commands between real nodes: who may call, what comes back, and what it costs whoever answers.

use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::pending;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Error};
use warren_shared::limits::{MAX_FRAME, MAX_RPC_BATCH, RPC_CALLS_PER_PEER};
use warren_shared::net::rpc::{Allow, Ask, Fault, Given, Handler, handler};
use warren_shared::net::{Node, Route, protocols};
use warren_shared::proto::cbor;
use warren_shared::proto::record::wire::{decode_frame, encode_frame};
use warren_tests::peers::{member, stranger};
use warren_tests::relays::TestRelay;
use warren_tests::wait::{until, within};

const PATIENCE: Duration = Duration::from_secs(30);

/// A relay that serves, and a peer that knows the way to it and nothing else.
struct Pair {
    relay: TestRelay,
    caller: Node,
    route: Route,
}

impl Pair {
    async fn new() -> Pair {
        let relay = TestRelay::first().await;
        let caller = stranger(relay.node().network());
        let route = relay.route().await;
        Pair {
            relay,
            caller,
            route,
        }
    }

    fn serve(&self, method: &str, handler: Handler) {
        let rpc = self.relay.node().rpc();
        let served = rpc.serve(method, Allow::anyone(), handler);
        served.expect("a free name");
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, Error> {
        let ask = Ask::new(method, params);
        let answer = self.caller.rpc().call(self.route.clone(), &ask);
        within("an answer", answer).await
    }

    async fn end(self) {
        self.caller.close().await;
        self.relay.stop().await;
    }
}

fn echo() -> Handler {
    handler(|_, params| async { Ok(params) })
}

/// Never ends, and tells when it begins and when it is dropped.
fn stuck(begun: mpsc::Sender<oneshot::Receiver<()>>) -> Handler {
    handler(move |_, _| {
        let mut begun = begun.clone();
        async move {
            let (_dropped, drops) = oneshot::channel::<()>();
            begun.send(drops).await.expect("the test listens");
            pending().await
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_and_errors_say_what_is_wrong() {
    let pair = Pair::new().await;
    pair.serve("echo", echo());
    pair.serve(
        "picky",
        handler(|_, _| async { Err(Fault::invalid_params("a number is wanted")) }),
    );
    pair.serve(
        "moody",
        handler(|_, _| async { Err(Fault::new(42, "full moon").because("tonight")) }),
    );
    pair.serve("broken", handler(|_, _| async { panic!("on purpose") }));
    pair.serve(
        "large",
        handler(|_, _| async { Ok(json!("x".repeat(MAX_FRAME))) }),
    );

    for params in [json!({"a": [1, null, "ü"]}), json!([1.5]), Value::Null] {
        let answer = pair.call("echo", params.clone()).await;
        assert_eq!(answer.expect("answered"), params);
    }
    let pong = pair.call("warren.ping", Value::Null).await;
    assert_eq!(pong.expect("built in"), "pong");
    for (method, code, number) in [
        ("missing", Code::Unsupported, "-32601"),
        ("picky", Code::InvalidArgument, "-32602"),
        ("broken", Code::Internal, "-32603"),
        ("moody", Code::Refused, "42"),
        ("large", Code::TooLarge, "-32003"),
    ] {
        let error = pair.call(method, Value::Null).await.expect_err("refused");
        let wanted = if code == Code::Internal {
            Code::Refused
        } else {
            code
        };
        assert_eq!(error.code(), wanted, "{method}");
        assert_eq!(error.detail("rpcCode"), Some(number), "{method}");
    }
    let error = pair.call("moody", Value::Null).await.expect_err("refused");
    assert_eq!(error.detail("data"), Some("\"tonight\""));
    assert!(error.message().contains("full moon"), "{error}");

    // What cannot be said is not sent.
    for (params, code) in [
        (json!(7), Code::InvalidArgument),
        (json!(["x".repeat(MAX_FRAME)]), Code::TooLarge),
    ] {
        let error = pair.call("echo", params).await.expect_err("not sent");
        assert_eq!(error.code(), code);
    }
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_closed_until_a_rule_lets_somebody_in() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let (server, bob, eve) = tokio::join!(member(&url), member(&url), member(&url));
    let [server, bob, eve] = [server, bob, eve].map(|peer| peer.expect("a member"));
    let rules = [
        ("closed", Allow::default()),
        (
            "for-bob",
            Allow {
                peers: vec![bob.node.id().to_bytes()],
                ..Allow::default()
            },
        ),
        (
            "for-the-author",
            Allow {
                authors: vec![*bob.node.author().as_bytes()],
                ..Allow::default()
            },
        ),
        (
            "for-the-room",
            Allow {
                namespaces: vec!["a room".into()],
                ..Allow::default()
            },
        ),
        ("open", Allow::anyone()),
    ];
    for (method, rule) in rules {
        let served = server.node.rpc().serve(method, rule, echo());
        served.expect("a free name");
    }
    bob.node.provide("a room").await.expect("listed");
    until("bob's record is there", || async {
        let (record, _) = eve.node.find_peer(bob.node.id()).await.ok()?;
        record.author
    })
    .await;

    let route = until("the server is found", || async {
        eve.node.route_to(server.node.id()).await.ok()
    })
    .await;
    for (method, bob_may, eve_may) in [
        ("closed", false, false),
        ("for-bob", true, false),
        ("for-the-author", true, false),
        ("for-the-room", true, false),
        ("open", true, true),
    ] {
        for (peer, may) in [(&bob, bob_may), (&eve, eve_may)] {
            let answer = called(peer, &route, method).await;
            match may {
                true => assert_eq!(answer.expect("let in"), json!([method])),
                false => {
                    let error = answer.expect_err("not let in");
                    assert_eq!(error.code(), Code::Refused, "{method}");
                    assert_eq!(error.detail("rpcCode"), Some("-32001"), "{method}");
                }
            }
        }
    }
    for peer in [server, bob, eve] {
        peer.node.close().await;
    }
    relay.stop().await;
}

async fn called(peer: &Peer, route: &Route, method: &str) -> Result<Value, Error> {
    let ask = Ask::new(method, json!([method]));
    within("an answer", peer.node.rpc().call(route.clone(), &ask)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_served_once_and_some_are_taken() {
    let pair = Pair::new().await;
    let rpc = pair.relay.node().rpc();
    pair.serve("echo", echo());
    for taken in ["echo", "warren.ping", "warren.capabilities", "rpc.x", ""] {
        let again = rpc.serve(taken, Allow::anyone(), echo());
        assert_eq!(again.expect_err(taken).code(), Code::InvalidArgument);
    }
    rpc.unserve("echo");
    let gone = pair.call("echo", Value::Null).await;
    assert_eq!(gone.expect_err("gone").code(), Code::Unsupported);
    pair.serve("echo", echo());
    pair.call("echo", Value::Null).await.expect("served again");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_gets_the_error_of_the_specification() {
    let pair = Pair::new().await;
    pair.serve("echo", echo());
    let null = "\"id\":null,\"jsonrpc\":\"2.0\"";
    let parse = format!(r#"{{"error":{{"code":-32700,"message":"Parse error"}},{null}}}"#);
    assert_eq!(pair.raw("{").await, [parse]);
    let invalid = |why: &str| {
        let error = format!(r#"{{"code":-32600,"data":"{why}","message":"Invalid Request"}}"#);
        format!(r#"{{"error":{error},{null}}}"#)
    };
    assert_eq!(pair.raw("[]").await, [invalid("an empty batch")]);
    let object = invalid("not an object");
    assert_eq!(pair.raw("7").await, std::slice::from_ref(&object));
    assert_eq!(pair.raw("[1,2]").await, [format!("[{object},{object}]")]);
    // Nobody responds to notifications: an empty text says that they were taken.
    let silent = r#"{"jsonrpc":"2.0","method":"echo"}"#;
    assert_eq!(pair.raw(silent).await, [""]);
    assert_eq!(pair.raw(&format!("[{silent},{silent}]")).await, [""]);
    let call = r#"{"jsonrpc":"2.0","method":"echo","params":[1],"id":"a"}"#;
    let result = r#"{"id":"a","jsonrpc":"2.0","result":[1]}"#;
    assert_eq!(pair.raw(call).await, [result]);
    let mixed = format!("[{silent},{call},{call}]");
    assert_eq!(pair.raw(&mixed).await, [format!("[{result},{result}]")]);
    // Bytes that are no text in its one encoding are not answered at all.
    let (server, caller) = (pair.relay.node(), pair.caller.id());
    assert_eq!(server.reputation(&caller).await.violations, 0);
    assert!(pair.raw_frame(&[0x78, 0x01, b'x']).await.is_empty());
    until("it is held against the caller", || async {
        let violations = server.reputation(&caller).await.violations;
        (violations == 1).then_some(())
    })
    .await;
    pair.end().await;
}

impl Pair {
    async fn raw(&self, text: &str) -> Vec<String> {
        self.raw_frame(&cbor::encode(&text)).await
    }

    /// Sends a frame, and reads all that comes back.
    async fn raw_frame(&self, frame: &[u8]) -> Vec<String> {
        let protocol = protocols::rpc(self.caller.network());
        let opened = self.caller.handle().open(self.route.clone(), protocol);
        let mut stream = opened.await.expect("a stream").stream;
        let frame = encode_frame(frame).expect("it fits");
        stream.write_all(&frame).await.expect("written");
        stream.flush().await.expect("sent");
        let mut bytes = Vec::new();
        // A reset reads as an error or as the end, depending on the transport.
        let _ = within("the end", stream.read_to_end(&mut bytes)).await;
        let (mut rest, mut texts) = (&bytes[..], Vec::new());
        while let Some((frame, length)) = decode_frame(rest).expect("frames") {
            texts.push(cbor::decode(frame).expect("a text"));
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        texts
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_together_and_in_order() {
    let pair = Pair::new().await;
    pair.serve("echo", echo());
    pair.serve("count", count_to(3));
    let rpc = pair.caller.rpc();
    let batch = |asks: Vec<Ask>| {
        let route = pair.route.clone();
        async move { within("an answer", rpc.batch(route, &asks, PATIENCE)).await }
    };
    let mut asks: Vec<Ask> = (0..MAX_RPC_BATCH - 2)
        .map(|number| Ask::new("echo", json!([number])))
        .collect();
    asks.push(Ask::new("missing", Value::Null));
    asks.push(Ask::new("count", Value::Null));
    let answers = batch(asks.clone()).await.expect("answered");
    assert_eq!(answers.len(), MAX_RPC_BATCH);
    let (good, bad) = answers.split_at(MAX_RPC_BATCH - 2);
    for (number, answer) in good.iter().enumerate() {
        assert_eq!(*answer, Ok(json!([number])));
    }
    let numbers = bad.iter().map(|answer| {
        let error = answer.as_ref().expect_err("refused");
        error.detail("rpcCode").map(str::to_owned)
    });
    let wanted = ["-32601", "-32005"].map(|code| Some(code.to_owned()));
    assert!(numbers.eq(wanted));

    asks.push(Ask::new("echo", Value::Null));
    for wrong in [asks, Vec::new()] {
        let refused = batch(wrong).await.expect_err("not sent");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    pair.end().await;
}

/// Gives the numbers below `end`.
fn count_to(end: u64) -> Handler {
    std::sync::Arc::new(move |_, _| {
        let numbers = stream::iter(0..end).map(|number| Ok(json!(number)));
        async move { Ok(Given::Many(numbers.boxed())) }.boxed()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn many_results_come_one_after_the_other() {
    let pair = Pair::new().await;
    pair.serve("count", count_to(100));
    pair.serve("none", count_to(0));
    pair.serve("echo", echo());
    let failing = |_, _| {
        let parts = [Ok(json!(1)), Err(Fault::failed("out of numbers"))];
        async { Ok(Given::Many(stream::iter(parts).boxed())) }.boxed()
    };
    pair.serve("failing", std::sync::Arc::new(failing));

    let counted = pair.read("count").await;
    let wanted: Vec<_> = (0..100).map(|number| Ok(json!(number))).collect();
    assert_eq!(counted, wanted);
    assert_eq!(pair.read("none").await, []);
    assert_eq!(
        pair.read("echo").await,
        [Ok(json!([7]))],
        "one is one of many"
    );
    let failed = pair.read("failing").await;
    assert_eq!(failed[0], Ok(json!(1)));
    let error = failed[1].as_ref().expect_err("it failed");
    assert!(error.message().contains("out of numbers"), "{error}");
    assert_eq!(failed.len(), 2);

    let error = pair.call("count", Value::Null).await.expect_err("many");
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.remedy().contains("stream"), "{error:?}");
    pair.end().await;
}

impl Pair {
    async fn read(&self, method: &str) -> Vec<Result<Value, Error>> {
        let ask = Ask::new(method, json!([7]));
        let results = self.caller.rpc().stream(self.route.clone(), &ask);
        let results = within("a stream", results).await.expect("opened");
        within("its end", results.collect()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_go_of_a_call_or_of_a_stream_ends_the_work() {
    let pair = Pair::new().await;
    let (begun, mut begins) = mpsc::channel(1);
    pair.serve("stuck", stuck(begun.clone()));
    let endless: Handler = std::sync::Arc::new(move |_, _| {
        let mut begun = begun.clone();
        async move {
            let (dropped, drops) = oneshot::channel::<()>();
            begun.send(drops).await.expect("the test listens");
            let numbers = stream::iter(0..).map(move |number: u64| {
                let _held = &dropped;
                Ok(json!(number))
            });
            Ok(Given::Many(numbers.boxed()))
        }
        .boxed()
    });
    pair.serve("endless", endless);

    let ask = Ask::new("stuck", Value::Null);
    let rpc = pair.caller.rpc();
    let call = rpc.call(pair.route.clone(), &ask).boxed();
    let drops = tokio::select! {
        answer = call => panic!("it never answers: {answer:?}"),
        drops = within("it begins", begins.next()) => drops.expect("begun"),
    };
    within("the handler is dropped", drops)
        .await
        .expect_err("dropped");

    // The same for a caller who has waited long enough.
    let hasty = ask.clone().within(Duration::from_millis(300));
    let late = within("the end", rpc.call(pair.route.clone(), &hasty)).await;
    assert_eq!(late.expect_err("too late").code(), Code::TimedOut);
    let drops = begins.next().await.expect("begun");
    within("the handler is dropped", drops)
        .await
        .expect_err("dropped");

    let ask = Ask::new("endless", Value::Null);
    let results = rpc.stream(pair.route.clone(), &ask).await.expect("opened");
    let some = within("some", results.take(5).collect::<Vec<_>>()).await;
    assert_eq!(some.last(), Some(&Ok(json!(4))));
    let drops = begins.next().await.expect("begun");
    within("the results are dropped", drops)
        .await
        .expect_err("dropped");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_worked_on_and_have_a_limit() {
    let pair = Pair::new().await;
    let (heard, mut hears) = mpsc::unbounded();
    pair.serve(
        "tell",
        handler(move |caller, params| {
            heard
                .unbounded_send((caller.notification, params))
                .expect("the test listens");
            async { Ok(Value::Null) }
        }),
    );
    let rpc = pair.caller.rpc();
    let tell = Ask::new("tell", json!(["hello"]));
    let told = rpc.notify(pair.route.clone(), &tell);
    within("it is taken", told).await.expect("taken");
    let said = within("it is heard", hears.next()).await;
    assert_eq!(said, Some((true, json!(["hello"]))));
    pair.call("tell", Value::Null).await.expect("answered");
    assert_eq!(hears.next().await, Some((false, Value::Null)));
    // Nobody is told that there is nobody to hear it.
    let missing = Ask::new("missing", Value::Null);
    let told = rpc.notify(pair.route.clone(), &missing);
    within("it is taken", told).await.expect("taken");

    // Those that are worked on hold their places, also when the stream has ended.
    let (begun, mut begins) = mpsc::channel(1);
    pair.serve("stuck", stuck(begun));
    let stuck = Ask::new("stuck", Value::Null);
    for _ in 0..RPC_CALLS_PER_PEER {
        let told = rpc.notify(pair.route.clone(), &stuck);
        within("it is taken", told).await.expect("taken");
        drop(within("it begins", begins.next()).await.expect("begun"));
    }
    let beyond = within("an answer", rpc.notify(pair.route.clone(), &stuck)).await;
    let error = beyond.expect_err("too many");
    assert_eq!(error.code(), Code::Overloaded);
    assert_eq!(error.detail("rpcCode"), Some("-32002"));
    // Others have places of their own.
    let other = stranger(pair.relay.node().network());
    let pong = other.handle().ping(pair.route.clone());
    within("an answer", pong).await.expect("answered");
    other.close().await;
    pair.end().await;
}
