//! One room of many peers in this process, for `cargo xtask bench chat`.
//!
//! Reads one command a line and answers each with one line of JSON, so that whoever measures can take turns with
//! another implementation:
//!
//! - `talk N MS`: so many messages are said, each by another peer, so long after the last one and only when everybody
//!   has heard that. Answers with the milliseconds that each delivery took, from the call that says it to the event
//!   that tells it, how many never came, and how much memory this process has in use.
//!
//! `attack.rs` is who disturbs them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use warren_shared::error::Code;
use warren_shared::proto::chat::RoomEvent;
use warren_tests::guests::{Guest, public};
use warren_tests::peers::one_of_many;
use warren_tests::relays::TestRelay;
use warren_tests::wait::until;

use super::{Failure, usage};

/// The room that everybody is in.
pub const ROOM: &str = "bench";
/// Relays are reached at every address of the machine, or of its network namespace.
const EVERYWHERE: &str = "0.0.0.0:0";
/// Messages that were said before.
const EARLIER: usize = 20;
/// A message that has not come after this was lost, for these purposes.
const PATIENCE: Duration = Duration::from_secs(10);
/// A peer that has said too much waits so long.
const BREATH: Duration = Duration::from_millis(250);

type Heard = (usize, Arc<str>, Instant);

struct Bench {
    relays: Vec<TestRelay>,
    guests: Vec<Guest>,
    heard: mpsc::UnboundedReceiver<Heard>,
    said: usize,
}

/// `bench-native chat RELAYS PEERS`.
pub async fn serve(relays: &str, peers: &str) -> Result<(), Failure> {
    let mut bench = Bench::start(relays.parse()?, peers.parse()?).await?;
    let (network, address) = bench.entrance().await;
    println!(
        "{}",
        json!({"ready": bench.guests.len(), "network": network, "address": address})
    );
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["talk", count, pace] => {
                let pace = Duration::from_millis(pace.parse()?);
                bench.talk(count.parse()?, pace).await?
            }
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

impl Bench {
    async fn start(relays: usize, peers: usize) -> Result<Bench, Failure> {
        let mut all = Vec::new();
        while all.len() < relays {
            let relay = TestRelay::start(|args| {
                args.join = all.iter().map(TestRelay::url).collect();
                args.tcp = Some(EVERYWHERE.into());
            });
            all.push(relay.await?);
        }
        let room = public(ROOM);
        // Whoever comes has something to ask for, as in any room that is not new.
        let first = Guest::of(one_of_many(&all[0]).await?, &room, "the first").await;
        for number in 0..EARLIER {
            first.room.send(&format!("earlier {number}")).await?;
        }
        let (tell, heard) = mpsc::unbounded_channel();
        let mut guests = Vec::new();
        for number in 0..peers {
            let node = one_of_many(&all[number % all.len()]).await?;
            let mut guest = Guest::of(node, &room, &format!("guest {number}")).await;
            listen(&mut guest, number, tell.clone());
            guests.push(guest);
        }
        for guest in &guests {
            until("everybody knows everybody and everything", || async {
                let members = guest.room.members().await.ok()?;
                let messages = guest.room.holds().await.ok()?.messages;
                (members.len() == peers && messages == EARLIER).then_some(())
            })
            .await;
        }
        first.close().await;
        let others = peers - 1;
        for guest in &guests {
            until("the first has left", || async {
                let members = guest.room.members().await.ok()?;
                (members.len() == others).then_some(())
            })
            .await;
        }
        Ok(Bench {
            relays: all,
            guests,
            heard,
            said: 0,
        })
    }

    /// Where those come in who disturb: the network and the address of a relay.
    async fn entrance(&self) -> (String, String) {
        let relay = &self.relays[0];
        (relay.node().network().to_string(), relay.address().await)
    }

    async fn talk(&mut self, count: usize, pace: Duration) -> Result<Value, Failure> {
        let (mut took, mut lost) = (Vec::new(), 0);
        for _ in 0..count {
            let next = sleep(pace);
            let speaker = self.said % self.guests.len();
            self.said += 1;
            let text = format!("message {}: {}", self.said, "x".repeat(64));
            let began = self.say(speaker, &text).await?;
            let mut missing = self.guests.len() - 1;
            while missing > 0 {
                match timeout(PATIENCE, self.heard.recv()).await {
                    Ok(Some((who, heard, at))) if *heard == *text && who != speaker => {
                        took.push((at - began).as_secs_f64() * 1_000.0);
                        missing -= 1;
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
            lost += missing;
            next.await;
        }
        Ok(json!({"took": took, "lost": lost, "memory": usage::resident()?}))
    }

    async fn say(&self, speaker: usize, text: &str) -> Result<Instant, Failure> {
        loop {
            let began = Instant::now();
            match self.guests[speaker].room.send(text).await {
                Ok(_) => return Ok(began),
                Err(error) if error.code() == Code::Overloaded => sleep(BREATH).await,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn listen(guest: &mut Guest, number: usize, tell: mpsc::UnboundedSender<Heard>) {
    let nobody = futures::channel::mpsc::channel(0).1;
    let mut events = std::mem::replace(&mut guest.room.events, nobody);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let RoomEvent::Message { message } = event {
                let _ = tell.send((number, message.text.into(), Instant::now()));
            }
        }
    });
}
