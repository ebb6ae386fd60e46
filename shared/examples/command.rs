//! Serves a JSON command in a namespace, and calls it at the best member of that.
//!
//! `cargo run -p warren-relay --example command -- http://127.0.0.1:8080`

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};
use warren_relay::peer::PeerArgs;
use warren_shared::error::Code;
use warren_shared::net::apps::Choice;
use warren_shared::net::rpc::{Allow, Ask, Fault, handler};
use warren_shared::net::{Node, connected};
use warren_shared::proto::select::Weights;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a relay")?;
    let serves = PeerArgs::through(&url).start(Vec::new()).await?;
    // A method is closed to everybody whom its rule does not name.
    let sum = handler(|_caller, params| async move { sum(&params) });
    serves.node.rpc().serve("sum", Allow::anyone(), sum)?;
    serves.node.provide("calculators").await?;

    let calls = PeerArgs::through(&url).start(Vec::new()).await?;
    let ranked = candidates(&calls.node).await?;
    let best = ranked.first().ok_or("nobody calculates")?;
    println!(
        "the best of {} has {} points",
        ranked.len(),
        best.scored.score
    );
    let rpc = calls.node.rpc();
    let asked = Ask::new("sum", json!([1, 2, 39]));
    let answer = rpc.call(connected(best.peer), &asked).await?;
    println!("the sum is {answer}");
    let wrong = Ask::new("sum", json!(["one"]));
    if let Err(error) = rpc.call(connected(best.peer), &wrong).await {
        println!("it says: {error}");
    }
    for peer in [serves, calls] {
        peer.node.close().await;
    }
    Ok(())
}

/// A peer that has only just joined can be found as soon as its relay holds a place for it.
async fn candidates(node: &Node) -> Result<Vec<Choice>, Box<dyn Error>> {
    let mut tries = 0;
    loop {
        match node.select("calculators", Weights::default()).await {
            Err(error) if error.code() == Code::NotFound && tries < 50 => tries += 1,
            ranked => return Ok(ranked?),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn sum(params: &Value) -> Result<Value, Fault> {
    let numbers = params.as_array().into_iter().flatten();
    let sum: Option<i64> = numbers.map(Value::as_i64).sum();
    sum.map(Value::from)
        .ok_or_else(|| Fault::invalid_params("only whole numbers can be added"))
}
