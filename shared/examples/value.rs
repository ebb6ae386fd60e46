//! Joins a network, stores a value under its hash and one under a label, and reads both back.
//!
//! `cargo run -p warren-relay --example value -- http://127.0.0.1:8080`

use std::error::Error;

use warren_relay::peer::PeerArgs;
use warren_shared::net::node::value_of;
use warren_shared::proto::record::Value;

const HOUR: u64 = 3_600_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a relay")?;
    let peer = PeerArgs::through(&url).start(Vec::new()).await?;
    let node = &peer.node;
    println!("joined as {}", node.id());

    // The key is the hash of the value: it never changes, and proves itself.
    let value = Value::Json(r#"{"hello":"world"}"#.to_owned());
    let (key, report) = node.put(&value).await?;
    println!("stored by {} node(s)", report.stored);
    let record = node.get(key).await?;
    println!("read {}", json(value_of(&record)?.value()));

    // The key is this author and the label: only the author can store a newer version.
    for text in ["\"first\"", "\"second\""] {
        let value = Value::Json(text.to_owned());
        let (key, version, _) = node.set("status", &value, HOUR).await?;
        let record = node.get(key).await?;
        println!(
            "read {} of version {version}",
            json(value_of(&record)?.value())
        );
    }
    node.close().await;
    Ok(())
}

fn json(value: &Value) -> String {
    match value {
        Value::Json(text) => text.clone(),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}
