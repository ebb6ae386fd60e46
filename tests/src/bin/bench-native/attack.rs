//! Those who disturb the room of `chat.rs`, in a process of their own: what they do takes nothing from those whom they
//! disturb but what the relay lets them.
//!
//! Reads one command a line and answers each with one line of JSON:
//!
//! - `begin`: a flooder, a liar and a silent member come in by one relay. The flooder sends valid messages of ever new
//!   authors as fast as they are taken. The liar sends two messages with one number, messages in the name of others,
//!   with damaged signatures, cut short. Whoever is cut off comes back at once with a new peer id. The silent member
//!   says that it has a hundred messages, and gives nobody any.
//! - `end`: they go. Answers with how many packets were sent, and how often each was cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use warren_shared::net::Route;
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::chat::Content;
use warren_shared::proto::key::SigningKey;
use warren_tests::guests::{Intruder, public};

use super::Failure;
use super::chat::ROOM;

/// Packets that are signed before they are sent, so that the sender never has to wait for that.
const READY: usize = 1_024;
/// Messages of one author: no author speaks too much.
const OF_ONE_AUTHOR: usize = 32;

#[derive(Clone)]
struct Target {
    network: NetworkId,
    route: Route,
    over: watch::Receiver<bool>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    flooder: AtomicU64,
    liar: AtomicU64,
}

/// Whether somebody was cut off, or it is over.
enum Ended {
    CutOff,
    Over,
}

struct Attack {
    over: watch::Sender<bool>,
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
}

/// `bench-native attack NETWORK ADDRESS`.
pub async fn serve(network: &str, address: &str) -> Result<(), Failure> {
    let network: NetworkId = network.parse()?;
    let mut address: Multiaddr = address.parse()?;
    let Some(Protocol::P2p(peer)) = address.pop() else {
        return Err("the address of the relay says not who it is".into());
    };
    let route = Route {
        peer,
        addresses: vec![address],
    };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut attack = None;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.as_str() {
            "begin" => {
                attack = Some(Attack::begin(&network, &route));
                json!({"begun": true})
            }
            "end" => match attack.take() {
                Some(attack) => attack.end().await?,
                None => return Err("nothing has begun".into()),
            },
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

impl Attack {
    fn begin(network: &NetworkId, route: &Route) -> Attack {
        let (over, receiver) = watch::channel(false);
        let counts = Arc::<Counts>::default();
        let target = Target {
            network: network.clone(),
            route: route.clone(),
            over: receiver,
            counts: counts.clone(),
        };
        let tasks = vec![
            tokio::spawn(flood(target.clone())),
            tokio::spawn(lie(target.clone())),
            tokio::spawn(keep_silent(target)),
        ];
        Attack {
            over,
            counts,
            tasks,
        }
    }

    async fn end(self) -> Result<Value, Failure> {
        self.over.send_replace(true);
        for task in self.tasks {
            task.await?;
        }
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts {
            sent,
            flooder,
            liar,
        } = &*self.counts;
        Ok(json!({"sent": of(sent), "flooderCutOff": of(flooder), "liarCutOff": of(liar)}))
    }
}

impl Target {
    async fn enter(&self) -> Intruder {
        Intruder::at_route(&self.network, self.route.clone(), &public(ROOM)).await
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Sends all of these, unless it ends before.
    async fn send(&mut self, intruder: &mut Intruder, packets: &[Vec<u8>]) -> Option<Ended> {
        for packet in packets {
            tokio::select! {
                sent = intruder.publish(packet) => match sent {
                    Ok(()) => drop(self.counts.sent.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => return Some(Ended::CutOff),
                },
                _ = self.over.wait_for(|over| *over) => return Some(Ended::Over),
            }
        }
        None
    }
}

async fn flood(mut target: Target) {
    while !target.is_over() {
        let mut flooder = target.enter().await;
        let ended = loop {
            let packets = spam(&mut flooder);
            if let Some(ended) = target.send(&mut flooder, &packets).await {
                break ended;
            }
        };
        if matches!(ended, Ended::CutOff) {
            target.counts.flooder.fetch_add(1, Ordering::Relaxed);
        }
        flooder.node.close().await;
    }
}

fn spam(flooder: &mut Intruder) -> Vec<Vec<u8>> {
    let packets = (0..READY).map(|number| {
        if number % OF_ONE_AUTHOR == 0 {
            flooder.author = SigningKey::from_seed(platform::entropy());
        }
        let body = flooder.text(&format!("spam {number}: {}", "x".repeat(64)));
        flooder.sign(&body)
    });
    packets.collect()
}

async fn lie(mut target: Target) {
    while !target.is_over() {
        let mut liar = target.enter().await;
        let ended = loop {
            let packets = lies(&mut liar);
            if let Some(ended) = target.send(&mut liar, &packets).await {
                break ended;
            }
        };
        if matches!(ended, Ended::CutOff) {
            target.counts.liar.fetch_add(1, Ordering::Relaxed);
        }
        liar.node.close().await;
    }
}

/// Two messages with one number, and three that are not valid.
fn lies(liar: &mut Intruder) -> Vec<Vec<u8>> {
    let [one, mut two] = ["one", "two"].map(|text| liar.text(text));
    two.number = one.number;
    let [foreign, damaged, cut] = ["foreign", "damaged", "cut"].map(|text| liar.text(text));
    let mut packets = vec![liar.sign(&one), liar.sign(&two)];
    let somebody = SigningKey::from_seed(platform::entropy()).public();
    packets.push(liar.sign_as(&foreign, &somebody));
    let mut damaged = liar.sign(&damaged);
    damaged.last_mut().into_iter().for_each(|byte| *byte ^= 1);
    packets.push(damaged);
    let mut cut = liar.sign(&cut);
    cut.truncate(cut.len() / 2);
    packets.push(cut);
    packets
}

async fn keep_silent(mut target: Target) {
    let mut silent = target.enter().await;
    let mut here = silent.body(Content::Here {
        peer: silent.node.id().to_bytes(),
        every: 5_000,
        head: 100,
        new: true,
        count: 1_000,
        sum: 12_345,
    });
    here.number = 0;
    let packet = silent.sign(&here);
    target.send(&mut silent, &[packet]).await;
    let _ = target.over.wait_for(|over| *over).await;
    silent.node.close().await;
}
