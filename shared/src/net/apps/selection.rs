//! The best of those who could do something: the members of a namespace are asked what they have, and scored.

use futures::future::{Either, select};
use futures::{FutureExt, StreamExt, stream};
use libp2p::PeerId;
use serde_json::{Map, Value, json};

use super::Apps;
use super::calls::nobody;
use crate::error::Result;
use crate::limits::{CANDIDATE_PATIENCE, CANDIDATES_AT_ONCE, MAX_CANDIDATES};
use crate::net::finding::connected;
use crate::net::handle::Route;
use crate::net::rpc::Ask;
use crate::platform;
use crate::proto::prng::Prng;
use crate::proto::reputation::Evidence;
use crate::proto::rpc::{CAPABILITIES, PING};
use crate::proto::select::{Candidate, Resources, Scored, TERMS, Weights, rank};
use crate::sorted::sort_short;

/// A member of a namespace, and why it was chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Who it is. It is connected.
    pub peer: PeerId,
    /// What was known of it.
    pub candidate: Candidate,
    /// What that comes to.
    pub scored: Scored,
}

impl Apps {
    /// The members of a namespace that answer, the best first: of large ones, some that chance decides.
    pub async fn select(&self, namespace: &str, weights: Weights) -> Result<Vec<Choice>> {
        let mut chance = Prng::new(u64::from_le_bytes(platform::entropy()));
        let mut routes = self.members(namespace).await?;
        while routes.len() > MAX_CANDIDATES {
            routes.swap_remove(chance.below(routes.len() as u64) as usize);
        }
        let asked = stream::iter(routes).map(|route| self.candidate(route).boxed());
        let found: Vec<_> = asked.buffer_unordered(CANDIDATES_AT_ONCE).collect().await;
        let mut found: Vec<(PeerId, Candidate)> = found.into_iter().flatten().collect();
        if found.is_empty() {
            return Err(nobody(namespace));
        }
        // In the order in which they answered, the same seed would mean another choice.
        sort_short(&mut found, |(one, _), (other, _)| one.cmp(other));
        let candidates: Vec<Candidate> = found.iter().map(|(_, one)| one.clone()).collect();
        let ranked = rank(&candidates, weights, chance.next_u64()).into_iter();
        let choice = |scored: Scored| Choice {
            peer: found[scored.index].0,
            candidate: candidates[scored.index].clone(),
            scored,
        };
        Ok(ranked.map(choice).collect())
    }

    /// What a member says and how fast it is; nothing when it does not answer in time.
    async fn candidate(&self, route: Route) -> Option<(PeerId, Candidate)> {
        let peer = route.peer;
        let asking = async {
            // Who works badly can answer these well, as often as it is looked at.
            let ask = |method| Ask::new(method, Value::Null).uncredited();
            let said = self.rpc.call(route, &ask(CAPABILITIES)).await.ok()?;
            // By now it is connected: a ping measures the way, not the dial.
            let began = platform::now();
            self.rpc.call(connected(peer), &ask(PING)).await.ok()?;
            Some((said, platform::now().saturating_sub(began)))
        };
        let answered = select(asking.boxed(), platform::sleep(CANDIDATE_PATIENCE)).await;
        let Either::Left((Some((said, took)), _)) = answered else {
            self.overlay
                .handle()
                .standings()
                .note(&peer, Evidence::Failed);
            return None;
        };
        let standing = self.overlay.handle().standings().of(&peer);
        // The way may be short while the work is slow: what was seen before counts, too.
        let latency = standing.latency.map_or(took, |known| known.max(took));
        let candidate = Candidate {
            resources: Resources::from_value(&said),
            latency: Some(latency),
            trust: standing.trust(),
        };
        Some((peer, candidate))
    }
}

impl Choice {
    /// For people and programs: scores from 0 to 1, and what each is made of.
    pub fn to_value(&self, weights: Weights) -> Value {
        let of_one = |thousandths: u64| thousandths as f64 / 1_000.0;
        let mut terms = Map::new();
        for ((name, term), weight) in TERMS.iter().zip(self.scored.terms).zip(weights.0) {
            let term = json!({
                "value": of_one(term.value),
                "weight": of_one(weight.into()),
                "points": of_one(term.points),
            });
            terms.insert((*name).to_owned(), term);
        }
        json!({
            "id": self.peer.to_string(),
            "score": of_one(self.scored.score),
            "terms": terms,
            "latencyMs": self.candidate.latency,
            "capabilities": self.candidate.resources.to_value(""),
        })
    }
}
