//! `GET /names/NAME` of a real relay: what it says is proved, and `warren verify -` checks it without
//! the network.

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use warren_shared::platform;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::Zone;
use warren_shared::proto::names::resolver::Options;
use warren_tests::peers::{arguments, member};
use warren_tests::program::run_with;
use warren_tests::relays::TestRelay;
use warren_tests::wait::within;

const NAME: &str = "proved-by-itself.p2p";

/// Status, head and body.
async fn get(relay: &TestRelay, path: &str) -> (u16, String, String) {
    let host = relay.url().replace("http://", "");
    let asking = async {
        let mut socket = TcpStream::connect(&host).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    let answer = within("an answer over HTTP", asking).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (
        status.parse().expect("a number"),
        head.to_lowercase(),
        body.to_owned(),
    )
}

async fn verified(text: &str) -> Result<Json, Json> {
    verified_with(text, &[]).await
}

async fn verified_with(text: &str, more: &[&str]) -> Result<Json, Json> {
    let output = run_with(&[&["verify", "-", "--json"], more].concat(), text).await;
    let told = match output.status.success() {
        true => &output.stdout,
        false => &output.stderr,
    };
    let json: Json = serde_json::from_slice(told).expect("JSON");
    match output.status.success() {
        true => Ok(json),
        false => Err(json["error"].clone()),
    }
}

/// A proof by anybody's witnesses looks the same: only those who compare can tell.
async fn compared_with_witnesses_that_are_known(relay: &TestRelay, proof: &str) {
    let plain = async |more: &[&str]| {
        let output = run_with(&[&["verify", "-"], more].concat(), proof).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    };
    let (holds, text) = plain(&[]).await;
    assert!(holds && text.starts_with("NOT compared"), "{text}");
    let (holds, text) = plain(&["--trust", &relay.url()]).await;
    assert!(
        holds && text.starts_with("signed by the witnesses that you trust"),
        "{text}"
    );
    assert!(
        text.contains(": signed 20") && text.contains("counts until 20"),
        "{text}"
    );
    assert!(
        !text.contains("received"),
        "nobody knows when it was: {text}"
    );
    assert_eq!(text.matches(": signed 20").count(), 1, "one zone: {text}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let document = folder.path().join("warren.json");
    let text = get(relay, "/.well-known/warren.json").await.2;
    std::fs::write(&document, text).expect("written");
    let nonsense = folder.path().join("nonsense.json");
    std::fs::write(&nonsense, "{}").expect("written");
    let nonsense = nonsense.to_str().expect("a path in UTF-8");
    let refused = verified_with(proof, &["--trust", nonsense]).await;
    let refused = refused.expect_err("no join document");
    let message = refused["message"].as_str().expect("text");
    assert!(
        message.contains("nonsense.json has no join document"),
        "{message}"
    );
    let document = document.to_str().expect("a path in UTF-8");
    let checked = verified_with(proof, &["--trust", document]).await;
    assert_eq!(checked.expect("the proofs hold")["pinned"], true);

    let data = folder.path().join("peer");
    let mut args = arguments(&[relay.url()], &[]);
    args.data_dir = Some(data.clone());
    let peer = args.start(Vec::new()).await.expect("joined");
    let resolved = peer.node.names().resolve(NAME, Options::default()).await;
    resolved.expect("it is there");
    peer.node.close().await;
    drop(peer);
    let data = ["--data-dir", data.to_str().expect("a path in UTF-8")];
    let checked = verified_with(proof, &data).await;
    assert_eq!(checked.expect("the proofs hold")["pinned"], true);

    let other = TestRelay::first().await;
    let refused = verified_with(proof, &["--trust", &other.url()]).await;
    assert_eq!(
        refused.expect_err("other witnesses")["code"],
        "WRONG_NETWORK"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_says_of_a_name_is_checked_without_it() {
    let relay = TestRelay::first().await;
    let owner = member(&relay.url()).await.expect("joined");
    let names = owner.node.names();
    names.claim(NAME, None, |_| {}).await.expect("claimed");
    let mut zone = Zone::default();
    for (sub, line) in [
        ("", "text:proved"),
        ("www", "alias:proved-by-itself.p2p"),
        ("home", "address:192.168.0.1"),
    ] {
        zone.set(sub, vec![line.parse().expect("a resource")])
            .expect("it fits");
    }
    names.publish(NAME, zone).await.expect("published");

    let (status, head, body) = get(&relay, &format!("/names/www.{NAME}")).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert!(head.contains("cache-control: public, max-age=299") || head.contains("max-age=300"));
    let told: Json = serde_json::from_str(&body).expect("JSON");
    assert_eq!(told["resources"][0]["text"], "proved");
    assert_eq!(told["via"][0], NAME);
    let checked = verified(&body).await.expect("the proofs hold");
    let found = &checked["resolution"];
    assert_eq!(found["resources"], told["resources"]);
    assert_eq!(found["proofs"][0]["owner"], told["proofs"][0]["owner"]);
    assert!(checked["witnessSet"].is_string());

    compared_with_witnesses_that_are_known(&relay, &body).await;

    let (_, _, body) = get(&relay, &format!("/names/home.{NAME}")).await;
    let found = &verified(&body).await.expect("the proofs hold")["resolution"];
    assert_eq!(
        (
            found["resources"].as_array().map(Vec::len),
            &found["hidden"]
        ),
        (Some(0), &1.into())
    );
    let all = verified_with(&body, &["--private"])
        .await
        .expect("the proofs hold");
    assert_eq!(all["resolution"]["resources"][0]["type"], "address");
    let home: Json = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (home["resources"].as_array().map(Vec::len), &home["hidden"]),
        (Some(0), &1.into())
    );

    let mut forged = told.clone();
    let zone = forged["evidence"][1]["zone"]
        .as_str()
        .expect("a zone")
        .to_owned();
    let middle = zone.len() / 2;
    let other = if &zone[middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    forged["evidence"][1]["zone"] =
        format!("{}{other}{}", &zone[..middle], &zone[middle + 1..]).into();
    verified(&forged.to_string())
        .await
        .expect_err("a forged zone");
    let mut swapped = told;
    swapped["evidence"]
        .as_array_mut()
        .expect("two proofs")
        .swap(0, 1);
    let error = verified(&swapped.to_string())
        .await
        .expect_err("a broken chain");
    assert_eq!(error["code"], "PROTOCOL_VIOLATION");

    for (path, status, code) in [
        ("/names/nobody-holds-this.p2p", 404, "NAME_NOT_FOUND"),
        ("/names/-", 400, "NAME_INVALID"),
        ("/names/", 400, "NAME_INVALID"),
    ] {
        let (given, _, body) = get(&relay, path).await;
        let told: Json = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            (given, &told["error"]["code"]),
            (status, &code.into()),
            "{path}"
        );
        assert!(told["error"]["remedy"].is_string());
        let error = verified(&body).await.expect_err("it proves nothing");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(told["error"]["message"].as_str().expect("a message")));
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_the_service_is_unavailable() {
    let stranger = || {
        SigningKey::from_seed(platform::entropy())
            .public()
            .to_peer_id()
    };
    let relay = TestRelay::start(|args| args.witness = vec![stranger(), stranger()]);
    let relay = relay.await.expect("the relay starts");
    let (status, head, body) = get(&relay, "/names/somebody-else.p2p").await;
    assert!(status == 503 && body.contains("NO_QUORUM"), "{body}");
    assert!(head.contains("retry-after: 5"), "{head}");
}
