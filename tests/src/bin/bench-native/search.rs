//! A search in a network of relays in this process, for `cargo xtask bench files`.
//!
//! `bench-native search RELAYS SHARERS` lists a file at each of so many peers, all with one word in common, and prints
//! `{"ready": …}` when all of them are found. Then it reads one command a line and answers each with one line of JSON:
//!
//! - `delay RTT`: from now on all links delay by half of so many milliseconds, each way.
//! - `peer N`, `relay N`: so many peers that have joined and come to rest, or relays, search for the first time. Answers
//!   with the round trips until each had a first result: time divided by RTT, whatever it was waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};
use warren_relay::files::Block;
use warren_shared::net::Node;
use warren_shared::net::files::Files;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::search::Listing;
use warren_shared::proto::files::tree::root_of;
use warren_tests::random::Random;

use super::Failure;
use super::names::network::Network;

const WORD: &str = "holiday";
const AGAIN: Duration = Duration::from_millis(250);
/// Until everything that was listed is found.
const LISTED: Duration = Duration::from_secs(300);
/// A search ends some time after its first result.
const SEARCHED: Duration = Duration::from_secs(120);
/// Who has joined looks around for so many round trips.
const REST: u32 = 20;

struct Bench {
    network: Network,
    sharers: Vec<(Node, Files)>,
    listed: Vec<Cid>,
    random: Random,
    /// Relays that have searched: nobody does so twice.
    turn: usize,
}

pub async fn serve(relays: &str, sharers: &str) -> Result<(), Failure> {
    let mut bench = Bench::start(relays.parse()?, sharers.parse()?).await?;
    println!("{}", json!({"ready": bench.sharers.len()}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split_once(' ') {
            Some(("delay", millis)) => bench.delay(millis)?,
            Some(("peer", count)) => bench.peers(count.parse()?).await?,
            Some(("relay", count)) => bench.relays(count.parse()?).await?,
            _ => return Err(format!("no such command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

impl Bench {
    async fn start(relays: usize, sharers: usize) -> Result<Bench, Failure> {
        let mut random = Random::new();
        let network = Network::grow(relays, &mut random).await?;
        let mut bench = Bench {
            network,
            sharers: Vec::new(),
            listed: Vec::new(),
            random,
            turn: 0,
        };
        for number in 0..sharers {
            bench.list(number).await?;
        }
        timeout(LISTED, bench.all_found())
            .await
            .map_err(|_| "what was listed is not found")??;
        Ok(bench)
    }

    fn delay(&mut self, millis: &str) -> Result<Value, Failure> {
        self.network.links.delay(millis.parse()?)?;
        Ok(json!({ "delay": self.network.links.round_trip().as_millis() as u64 }))
    }

    async fn list(&mut self, number: usize) -> Result<(), Failure> {
        let node = self.network.resident(&mut self.random).await?;
        let files = node.files()?;
        let content = format!("file of {number}").into_bytes();
        let cid = Cid::file(root_of(&content));
        let listing = Listing {
            cid,
            name: format!("{WORD} {number}.txt"),
            size: content.len() as u64,
            media: String::new(),
            tags: Vec::new(),
        };
        let block = Block::new(cid, content).ok_or("content with another id")?;
        files.share(Arc::new(block))?;
        if !files.list(node.sign_listing(&listing)?) {
            return Err("a file is not listed".into());
        }
        files.announce_words(&listing.tokens());
        self.listed.push(cid);
        self.sharers.push((node, files));
        Ok(())
    }

    async fn all_found(&mut self) -> Result<(), Failure> {
        let node = self.network.newcomer(&mut self.random).await?;
        let files = node.files()?;
        while files.search(WORD).await?.len() < self.listed.len() {
            sleep(AGAIN).await;
        }
        node.close().await;
        Ok(())
    }

    async fn peers(&mut self, count: usize) -> Result<Value, Failure> {
        let mut took = Vec::new();
        for _ in 0..count {
            let node = self.network.newcomer(&mut self.random).await?;
            sleep(self.network.links.round_trip() * REST).await;
            took.push(self.timed(&node).await?);
            node.close().await;
        }
        Ok(json!({ "roundTrips": took }))
    }

    async fn relays(&mut self, count: usize) -> Result<Value, Failure> {
        let mut took = Vec::new();
        for _ in 0..count {
            let member = self.network.members.get(self.turn);
            let member = member.ok_or("all relays have searched already")?;
            took.push(self.timed(&member.node).await?);
            self.turn += 1;
        }
        Ok(json!({ "roundTrips": took }))
    }

    /// Round trips until a search has its first result, which must be something that was listed.
    async fn timed(&self, node: &Node) -> Result<f64, Failure> {
        let files = node.files()?;
        let mut first = None;
        let began = Instant::now();
        let searching = files.search_telling(WORD, |hits| {
            first.get_or_insert_with(|| (began.elapsed(), hits));
        });
        timeout(SEARCHED, searching)
            .await
            .map_err(|_| "a search does not end")??;
        let (after, hits) = first.ok_or("a search has no result")?;
        match hits
            .iter()
            .all(|hit| self.listed.contains(&hit.listing.cid))
        {
            true => Ok(after.as_secs_f64() / self.network.links.round_trip().as_secs_f64()),
            false => Err("something was found that nobody listed".into()),
        }
    }
}
