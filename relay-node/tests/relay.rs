//! A whole relay in this process: what it says by HTTP, and what it leaves behind.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use warren_relay::config::{RelayArgs, RelayConfig};
use warren_relay::relay::Relay;
use warren_relay::store::RedbStore;
use warren_shared::proto::join::JoinDocument;
use warren_shared::store::StoreLimits;

const ANY_PORT: &str = "127.0.0.1:0";

async fn start(data: &Path) -> Relay {
    let args = RelayArgs {
        http: Some(ANY_PORT.into()),
        tcp: Some(ANY_PORT.into()),
        udp: Some("off".into()),
        quic: Some("off".into()),
        data_dir: Some(data.to_owned()),
        ..RelayArgs::default()
    };
    let config = RelayConfig::load_with(args, &|_| None).unwrap();
    Relay::start(config).await.unwrap()
}

/// Status line and body.
async fn get(relay: &Relay, path: &str, host: &str) -> (String, String) {
    let url = relay.page_url().unwrap();
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_host_that_is_too_long_is_refused_in_words() {
    let data = tempfile::tempdir().unwrap();
    let relay = start(data.path()).await;
    let (status, body) = get(&relay, "/.well-known/warren.json", "relay.example").await;
    assert!(status.contains("200"), "{status}");
    let document = JoinDocument::from_json(&body).unwrap();
    assert_eq!(document.http.as_deref(), Some("http://relay.example"));

    let long = "a".repeat(600);
    let (status, body) = get(&relay, "/.well-known/warren.json", &long).await;
    assert!(status.contains("400"), "{status}");
    assert!(body.contains("Host header"), "{body}");
    relay.stop().await;
}

#[tokio::test]
async fn health_tells_of_the_store() {
    let data = tempfile::tempdir().unwrap();
    let relay = start(data.path()).await;
    let (_, body) = get(&relay, "/health", "x").await;
    let health: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&health["status"], &health["store"]),
        (&"ok".into(), &"ok".into())
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_stopped_relay_gives_its_store_free_whoever_still_knows_it() {
    let data = tempfile::tempdir().unwrap();
    let relay = start(data.path()).await;
    let still_known = relay.node().clone();
    relay.stop().await;
    RedbStore::open(data.path(), StoreLimits::default()).unwrap();
    drop(still_known);
}
