//! One room of many peers in this process, for `cargo xtask bench chat`.
//!
//! Reads one command a line and answers each with one line of JSON, so that whoever measures can take turns with
//! another implementation:
//!
//! - `quiet N`: so many messages are said one after the other, each by another peer and only when everybody has
//!   heard the last one. Answers with the milliseconds that each delivery took, from the call that says it to the
//!   event that tells it, and with how many never came.
//! - `flooded N`: the same, while somebody floods the room as fast as its relay takes it, until it is cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::timeout;
use warren_shared::error::Code;
use warren_shared::limits::CHAT_OFFENCES;
use warren_shared::proto::chat::{RoomEvent, RoomRef};
use warren_tests::guests::{Guest, Intruder, public};
use warren_tests::peers::one_of_many;
use warren_tests::relays::TestRelay;
use warren_tests::wait::until;

use super::Failure;

/// A message that has not come after this was lost, for these purposes.
const PATIENCE: Duration = Duration::from_secs(10);
/// A peer that has said too much waits so long.
const BREATH: Duration = Duration::from_millis(250);

type Heard = (usize, Arc<str>, Instant);

struct Bench {
    relays: Vec<TestRelay>,
    guests: Vec<Guest>,
    room: RoomRef,
    heard: mpsc::UnboundedReceiver<Heard>,
    said: usize,
}

/// `bench-native chat RELAYS PEERS`.
pub async fn serve(relays: &str, peers: &str) -> Result<(), Failure> {
    let mut bench = Bench::start(relays.parse()?, peers.parse()?).await?;
    println!("{}", json!({"ready": bench.guests.len()}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split_once(' ') {
            Some(("quiet", count)) => bench.talk(count.parse()?).await?,
            Some(("flooded", count)) => {
                let flood = tokio::spawn(flood(bench.spam().await));
                let answer = bench.talk(count.parse()?).await;
                flood.await?;
                answer?
            }
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

impl Bench {
    async fn start(relays: usize, peers: usize) -> Result<Bench, Failure> {
        let mut all = vec![TestRelay::first().await];
        while all.len() < relays {
            let known = all[0].url();
            all.push(TestRelay::start(|args| args.join = vec![known]).await?);
        }
        let room = public("bench");
        let (tell, heard) = mpsc::unbounded_channel();
        let mut guests = Vec::new();
        for number in 0..peers {
            let node = one_of_many(&all[number % all.len()]).await?;
            let mut guest = Guest::of(node, &room, &format!("guest {number}")).await;
            listen(&mut guest, number, tell.clone());
            guests.push(guest);
        }
        let others = peers - 1;
        for guest in &guests {
            until("everybody knows everybody", || async {
                let members = guest.room.members().await.ok()?;
                (members.len() == others).then_some(())
            })
            .await;
        }
        Ok(Bench {
            relays: all,
            guests,
            room,
            heard,
            said: 0,
        })
    }

    /// Signed beforehand, so that it takes nobody's processor but the relays'.
    async fn spam(&self) -> (Intruder, Vec<Vec<u8>>) {
        let mut flooder = Intruder::at(&self.relays[0], &self.room).await;
        let spam = (0..CHAT_OFFENCES * 2).map(|number| {
            let body = flooder.text(&format!("spam {number}"));
            flooder.sign(&body)
        });
        let spam = spam.collect();
        (flooder, spam)
    }

    async fn talk(&mut self, count: usize) -> Result<Value, Failure> {
        let (mut took, mut lost) = (Vec::new(), 0);
        for _ in 0..count {
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
        }
        Ok(json!({"took": took, "lost": lost}))
    }

    async fn say(&self, speaker: usize, text: &str) -> Result<Instant, Failure> {
        loop {
            let began = Instant::now();
            match self.guests[speaker].room.send(text).await {
                Ok(_) => return Ok(began),
                Err(error) if error.code() == Code::Overloaded => tokio::time::sleep(BREATH).await,
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

/// Sends until it is cut off, or has nothing more to send.
async fn flood((mut flooder, spam): (Intruder, Vec<Vec<u8>>)) {
    for packet in spam {
        if flooder.publish(&packet).await.is_err() {
            break;
        }
    }
    flooder.node.close().await;
}
