//! Those who disturb the room of `chat.rs`, in a process of their own: what they do takes nothing from those whom they
//! disturb but what the relay lets them.
//!
//! Reads one command a line and answers each with one line of JSON:
//!
//! - `begin ADDRESS ADDRESS ADDRESS`: a flooder, a liar and a silent member come in by one relay, each by the address of
//!   it that is given, and from an address of their own where that is one. The flooder sends valid messages of ever new
//!   authors as fast as they are taken. The liar sends two messages with one number, messages in the name of others,
//!   with damaged signatures, cut short. Whoever is cut off comes back at once with a new peer id. The silent member
//!   says that it has a hundred messages, and gives nobody any.
//! - `end`: they go. Answers with how many packets were sent, how often each was cut off, and how often nobody was let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use warren_shared::net::Route;
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::key::SigningKey;
use warren_tests::guests::{Intruder, public};

use super::Failure;
use super::chat::ROOM;

/// Packets that are signed before they are sent: what signing takes from others on the same machine is no attack.
const READY: usize = 64;
/// Messages of one author: no author speaks too much.
const OF_ONE_AUTHOR: usize = 32;
/// Before who was not let in tries again.
const KNOCK: Duration = Duration::from_millis(250);

#[derive(Clone)]
struct Target {
    network: NetworkId,
    route: Route,
    over: watch::Receiver<bool>,
    counts: Arc<Counts>,
    /// Gone when this one is ready.
    ready: Option<mpsc::Sender<()>>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    flooder: AtomicU64,
    liar: AtomicU64,
    /// How often nobody was let in.
    refused: AtomicU64,
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

/// `bench-native attack NETWORK`.
pub async fn serve(network: &str) -> Result<(), Failure> {
    let network: NetworkId = network.parse()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut attack = None;
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["begin", flooder, liar, silent] => {
                let ways = [route(flooder)?, route(liar)?, route(silent)?];
                attack = Some(Attack::begin(&network, ways).await);
                json!({"begun": true})
            }
            ["end"] => match attack.take() {
                Some(attack) => attack.end().await?,
                None => return Err("nothing has begun".into()),
            },
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

fn route(address: &str) -> Result<Route, Failure> {
    let mut address: Multiaddr = address.parse()?;
    let Some(Protocol::P2p(peer)) = address.pop() else {
        return Err("the address of the relay says not who it is".into());
    };
    Ok(Route {
        peer,
        addresses: vec![address],
    })
}

impl Attack {
    /// Answers when all of them are in and know what to say.
    async fn begin(network: &NetworkId, ways: [Route; 3]) -> Attack {
        let (over, receiver) = watch::channel(false);
        let (ready, mut all_ready) = mpsc::channel::<()>(1);
        let counts = Arc::<Counts>::default();
        let [flooder, liar, silent] = ways.map(|route| Target {
            network: network.clone(),
            route,
            over: receiver.clone(),
            counts: counts.clone(),
            ready: Some(ready.clone()),
        });
        drop(ready);
        let tasks = vec![
            tokio::spawn(persist(flooder, spam, |counts| &counts.flooder)),
            tokio::spawn(persist(liar, lies, |counts| &counts.liar)),
            tokio::spawn(keep_silent(silent)),
        ];
        // Nobody sends anything: it ends when the last one is ready.
        all_ready.recv().await;
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
            refused,
        } = &*self.counts;
        Ok(json!({
            "sent": of(sent),
            "flooderCutOff": of(flooder),
            "liarCutOff": of(liar),
            "refused": of(refused),
        }))
    }
}

impl Target {
    /// Comes in as somebody new, as soon as the relay lets anybody in from there; nobody, if it ends before.
    async fn enter(&mut self) -> Option<Intruder> {
        loop {
            let room = public(ROOM);
            let entering = Intruder::let_in(&self.network, self.route.clone(), &room);
            tokio::select! {
                intruder = entering => if intruder.is_some() {
                    return intruder;
                },
                _ = self.over.wait_for(|over| *over) => return None,
            }
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = sleep(KNOCK) => {}
                _ = self.over.wait_for(|over| *over) => return None,
            }
        }
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

/// Comes back under a new id whenever it was cut off, and goes on; counts how often that was.
async fn persist(
    mut target: Target,
    words: fn(&mut Intruder) -> Vec<Vec<u8>>,
    cut_off: fn(&Counts) -> &AtomicU64,
) {
    while let Some(mut intruder) = target.enter().await {
        let ended = loop {
            let packets = words(&mut intruder);
            target.ready = None;
            if let Some(ended) = target.send(&mut intruder, &packets).await {
                break ended;
            }
        };
        if matches!(ended, Ended::CutOff) {
            cut_off(&target.counts).fetch_add(1, Ordering::Relaxed);
        }
        intruder.node.close().await;
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
    let Some(mut silent) = target.enter().await else {
        return;
    };
    let here = silent.boast();
    let packet = silent.sign(&here);
    target.ready = None;
    target.send(&mut silent, &[packet]).await;
    let _ = target.over.wait_for(|over| *over).await;
    silent.node.close().await;
}
