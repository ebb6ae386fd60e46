//! Names in a network of relays in this process, for `cargo xtask bench names`.
//!
//! Reads one command a line and answers each with one line of JSON, so that whoever measures can take
//! turns with another implementation:
//!
//! - `delay RTT`: from now on all links delay by half of so many milliseconds, each way.
//! - `human N`, `key N`: so many relays resolve the human name, or the name of the key, of another one,
//!   which they have not resolved before. Answers with the round trips that each took.
//! - `newcomer N`: so many peers join through a relay that is no witness, and each resolves a human
//!   name as the first thing it does. Witnesses that it cannot find in time do not count as there, so
//!   that this can fail.
//! - `churn`: three of ten relays, one of three witnesses among them, stop without a word.
//! - `read N`: so many relays that are left read each name, past their caches. Answers with how many
//!   of these reads found what was published.
//!
//! Round trips are time: every link delays by half a round trip each way, which is long compared to
//! all computing, and the time a resolution takes is divided by the round trip. So everything counts
//! that somebody has to wait for: connections, handshakes, walks, requests one after the other.

#[path = "names/delayed.rs"]
pub(crate) mod delayed;
#[path = "names/network.rs"]
pub(crate) mod network;

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use warren_shared::net::Node;
use warren_shared::proto::names::resolver::Options;
use warren_shared::proto::names::{Resource, Zone};
use warren_tests::links::Links;
use warren_tests::random::Random;

use self::network::Network;
use super::Failure;

/// Reads under way at once after the churn.
const READERS: usize = 8;

/// A name and what it leads to.
struct Published {
    name: String,
    text: String,
    /// The number of its owner.
    owner: usize,
}

struct Bench {
    network: Network,
    human: Vec<Published>,
    keys: Vec<Published>,
    random: Random,
    /// Readers and names of the resolutions to come: nobody resolves a name twice.
    turn: usize,
}

/// `bench-native names NODES NAMES`.
pub async fn serve(nodes: &str, names: &str) -> Result<(), Failure> {
    let mut bench = Bench::start(nodes.parse()?, names.parse()?).await?;
    println!("{}", json!({"ready": bench.network.members.len()}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["delay", millis] => bench.delay(millis)?,
            [kind @ ("human" | "key"), count] => bench.resolve(kind, count.parse()?).await?,
            ["newcomer", count] => bench.newcomers(count.parse()?).await?,
            ["churn"] => json!({"stopped": bench.network.churn()}),
            ["read", count] => bench.read(count.parse()?).await,
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

/// `bench-native links`: for each port on standard input, the port to dial instead; and `delay`.
pub async fn links() -> Result<(), Failure> {
    let links = Links::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split_once(' ') {
            Some(("delay", millis)) => {
                links.set_round_trip(Duration::from_millis(millis.parse()?));
                json!("set")
            }
            _ => json!(links.entrance(line.parse()?)?),
        };
        println!("{answer}");
    }
    Ok(())
}

impl Bench {
    async fn start(nodes: usize, names: usize) -> Result<Bench, Failure> {
        let mut random = Random::new();
        let network = Network::grow(nodes, &mut random).await?;
        let mut owners: Vec<usize> = (0..network.members.len()).collect();
        random.shuffle(&mut owners);
        let mut bench = Bench {
            network,
            human: Vec::new(),
            keys: Vec::new(),
            random,
            turn: 0,
        };
        for (number, owner) in owners.into_iter().cycle().take(names).enumerate() {
            bench.publish(number, owner).await?;
        }
        Ok(bench)
    }

    fn delay(&mut self, millis: &str) -> Result<Value, Failure> {
        self.network.links.delay(millis.parse()?)?;
        Ok(json!({ "delay": self.network.links.round_trip().as_millis() as u64 }))
    }

    /// The owner claims a name and fills it, and fills that of its key.
    async fn publish(&mut self, number: usize, owner: usize) -> Result<(), Failure> {
        let node = &self.network.members[owner].node;
        let human = format!("resident-{number}.p2p");
        node.names().claim(&human, None, |_| {}).await?;
        let key = node.names().owner().to_base36();
        for (name, all) in [(human, &mut self.human), (key, &mut self.keys)] {
            let text = format!("{name} of {owner}");
            node.names().publish(&name, zone(&text)?).await?;
            all.retain(|known| known.name != name);
            all.push(Published { name, text, owner });
        }
        Ok(())
    }

    async fn resolve(&mut self, kind: &str, count: usize) -> Result<Value, Failure> {
        let mut took = Vec::new();
        for _ in 0..count {
            let (reader, name) = self.pair(kind);
            let node = &self.network.members[reader].node;
            took.push(self.timed(node, &self.of(kind)[name]).await?);
        }
        Ok(json!({ "roundTrips": took }))
    }

    async fn newcomers(&mut self, count: usize) -> Result<Value, Failure> {
        let (mut took, mut failed) = (Vec::new(), 0);
        for _ in 0..count {
            let node = self.network.newcomer(&mut self.random).await?;
            let name = &self.human[self.random.below(self.human.len())];
            match self.timed(&node, name).await {
                Ok(round_trips) => took.push(round_trips),
                Err(error) => {
                    eprintln!("a newcomer does not resolve {}: {error}", name.name);
                    failed += 1;
                }
            }
            node.close().await;
        }
        Ok(json!({ "roundTrips": took, "failed": failed }))
    }

    /// Round trips until a name is resolved, which must not come from a cache.
    async fn timed(&self, node: &Node, name: &Published) -> Result<f64, Failure> {
        let began = Instant::now();
        let found = node.names().resolve(&name.name, Options::default()).await?;
        let took = began.elapsed().as_secs_f64() / self.network.links.round_trip().as_secs_f64();
        match found.resources == [Resource::Text(name.text.clone())] && !found.proofs[0].cached {
            true => Ok(took),
            false => Err(format!("{} leads to {:?}", name.name, found.resources).into()),
        }
    }

    fn of(&self, kind: &str) -> &[Published] {
        match kind {
            "key" => &self.keys,
            _ => &self.human,
        }
    }

    /// A relay and the number of a name of another one. The relays take turns; after one round of all
    /// of them the names move on by one.
    fn pair(&mut self, kind: &str) -> (usize, usize) {
        let (names, relays) = (self.of(kind).len(), self.network.members.len());
        loop {
            let (reader, round) = (self.turn % relays, self.turn / relays);
            let name = (reader + round) % names;
            self.turn += 1;
            if self.of(kind)[name].owner != reader {
                return (reader, name);
            }
        }
    }

    async fn read(&mut self, count: usize) -> Value {
        let living: Vec<usize> = (0..self.network.members.len())
            .filter(|number| !self.network.members[*number].doomed)
            .collect();
        let mut share = serde_json::Map::new();
        for kind in ["human", "key"] {
            let of = self.of(kind).len() * count;
            let reads: Vec<(usize, usize)> = (0..of)
                .map(|read| (living[self.random.below(living.len())], read / count))
                .collect();
            let reads = reads.into_iter().map(|(reader, name)| {
                readable(&self.network.members[reader].node, &self.of(kind)[name])
            });
            let found = stream::iter(reads).buffer_unordered(READERS);
            let found = found.filter(|found| std::future::ready(*found)).count();
            share.insert(kind.to_owned(), json!({"found": found.await, "of": of}));
        }
        Value::Object(share)
    }
}

async fn readable(node: &Node, name: &Published) -> bool {
    let fresh = Options {
        fresh: true,
        ..Options::default()
    };
    match node.names().resolve(&name.name, fresh).await {
        Ok(found) => found.resources == [Resource::Text(name.text.clone())],
        Err(error) => {
            eprintln!("{} is not readable: {error}", name.name);
            false
        }
    }
}

fn zone(text: &str) -> Result<Zone, Failure> {
    let mut zone = Zone::default();
    zone.set("", vec![Resource::Text(text.to_owned())])?;
    Ok(zone)
}
