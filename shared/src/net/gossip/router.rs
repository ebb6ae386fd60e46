//! What a relay does for topics: joins those that its peers want, and passes on what proves itself.
//!
//! Knows who wants which topic, rates, and whether a packet may be passed on. The mesh is gossipsub's.

use std::collections::{HashMap, HashSet};

use libp2p::PeerId;
use libp2p::gossipsub::{IdentTopic, MessageAcceptance, MessageId};

use super::paced::Waited;
use crate::limits;
use crate::net::admission::Subscriber;
use crate::net::chat::HistorySlot;
use crate::proto::chat::Topic;
use crate::proto::chat::offences::{Offences, Patience};
use crate::proto::chat::packet::{Outside, check_time, inspect};
use crate::proto::chat::rates::{Rate, Rates};
use crate::proto::key::PublicKey;
use crate::proto::record::Refusal;
use crate::proto::{Millis, NetworkId};

/// A packet that was checked.
pub struct Checked {
    pub id: MessageId,
    pub source: PeerId,
    pub topic: Topic,
    pub packet: Vec<u8>,
    pub seen: Result<Outside, Refusal>,
}

/// The topics of a relay.
pub struct Router {
    network: NetworkId,
    /// Who wants a topic, other relays excepted: they would keep each other in it for ever.
    wanted: HashMap<Topic, HashSet<PeerId>>,
    /// How many packets of a topic are being verified: it is left after them, or they would reach nobody.
    checking: HashMap<Topic, usize>,
    /// Those that say they are relays: nobody joins a topic for them.
    claimed: HashSet<PeerId>,
    /// Those of them that this relay has dialled, and that answered as relays.
    relays: HashSet<PeerId>,
    /// What each author says in each topic: who is in many is heard in each of them.
    authors: Rates<(PublicKey, Topic)>,
    rooms: Rates<Topic>,
    sources: Rates<PeerId>,
    /// What each peer sends into each topic.
    voices: Rates<(PeerId, Topic)>,
    /// What all peers of one address send into each topic.
    crowds: Rates<(Subscriber, Topic)>,
    from_relays: Rates<PeerId>,
    offences: Offences<PeerId>,
    offenders: Vec<PeerId>,
    history: HistorySlot,
}

impl Router {
    pub fn new(network: NetworkId, history: HistorySlot) -> Router {
        let author = Rate {
            burst: limits::CHAT_BURST * limits::CHAT_LENIENCE,
            per_second: limits::CHAT_PER_SECOND * limits::CHAT_LENIENCE,
        };
        let source = Rate {
            burst: limits::CHAT_SOURCE_BURST,
            per_second: limits::CHAT_SOURCE_PER_SECOND,
        };
        let many = |rate: Rate, share: u32| Rate {
            burst: rate.burst * share,
            per_second: rate.per_second * share,
        };
        let crowd = many(author, limits::CHAT_CROWD);
        let patience = Patience {
            limit: limits::CHAT_OFFENCES,
            forgiven_per_second: limits::CHAT_FORGIVEN_PER_SECOND,
        };
        let most = limits::MAX_CHAT_RATES;
        Router {
            network,
            wanted: HashMap::new(),
            checking: HashMap::new(),
            claimed: HashSet::new(),
            relays: HashSet::new(),
            authors: Rates::new(author, most),
            rooms: Rates::new(source, most),
            sources: Rates::new(source, most),
            voices: Rates::new(author, most),
            crowds: Rates::new(crowd, most),
            from_relays: Rates::new(many(source, limits::CHAT_RELAY_SHARE), most),
            offences: Offences::new(patience, most),
            offenders: Vec::new(),
            history,
        }
    }

    /// A peer wants a topic; that one, if this relay is to join it.
    pub fn subscribed(&mut self, peer: PeerId, topic: &str) -> Option<IdentTopic> {
        let topic = Topic::parse(&self.network, topic)?;
        if self.claimed.contains(&peer) {
            return None;
        }
        let of_peer = self.wanted.values().filter(|peers| peers.contains(&peer));
        if of_peer.count() >= limits::MAX_TOPICS_PER_PEER {
            return None;
        }
        if let Some(peers) = self.wanted.get_mut(&topic) {
            peers.insert(peer);
            return None;
        }
        if self.wanted.len() >= limits::MAX_TOPICS {
            return None;
        }
        self.wanted.insert(topic, HashSet::from([peer]));
        Some(self.name(&topic))
    }

    /// A peer does not want a topic any more; that one, if this relay is to leave it.
    pub fn unsubscribed(&mut self, peer: &PeerId, topic: &str) -> Option<IdentTopic> {
        let topic = Topic::parse(&self.network, topic)?;
        let peers = self.wanted.get_mut(&topic)?;
        peers.remove(peer);
        self.abandoned(topic)
    }

    /// A peer is gone: the topics that nobody else wants.
    pub fn gone(&mut self, peer: &PeerId) -> Vec<IdentTopic> {
        self.claimed.remove(peer);
        self.relays.remove(peer);
        self.wants_nothing(peer)
    }

    fn wants_nothing(&mut self, peer: &PeerId) -> Vec<IdentTopic> {
        let mut topics = Vec::new();
        for (topic, peers) in &mut self.wanted {
            if peers.remove(peer) {
                topics.push(*topic);
            }
        }
        let left = topics.into_iter();
        left.filter_map(|topic| self.abandoned(topic)).collect()
    }

    /// A peer says that it is a relay: it wants nothing for itself.
    pub fn claims(&mut self, peer: PeerId) -> Vec<IdentTopic> {
        self.claimed.insert(peer);
        self.wants_nothing(&peer)
    }

    /// A peer is a relay, as this one has seen for itself: it speaks for many. As long as it is connected.
    pub fn relay(&mut self, peer: PeerId) {
        self.relays.insert(peer);
    }

    /// Whether a peer is known to be a relay.
    pub fn is_relay(&self, peer: &PeerId) -> bool {
        self.relays.contains(peer)
    }

    /// A peer had more to say than is read.
    pub fn held(&mut self, waited: Waited, now: Millis) {
        let Waited { peer, in_one } = waited;
        let points = match in_one {
            true => limits::CHAT_OFFENCE_EXCESS,
            false => limits::CHAT_OFFENCE_HASTE,
        };
        if !self.relays.contains(&peer) {
            self.offended(peer, points, now);
        }
    }

    fn abandoned(&mut self, topic: Topic) -> Option<IdentTopic> {
        let nobody = self.wanted.get(&topic)?.is_empty();
        let done = !self.checking.contains_key(&topic);
        (nobody && done).then(|| {
            self.wanted.remove(&topic);
            self.name(&topic)
        })
    }

    fn name(&self, topic: &Topic) -> IdentTopic {
        IdentTopic::new(topic.text(&self.network))
    }

    /// The topic of a packet that is worth to be looked at, until [`Self::looked_at`]. `from`: where its source
    /// connected from.
    pub fn admits(
        &mut self,
        source: PeerId,
        from: Option<Subscriber>,
        topic: &str,
        now: Millis,
    ) -> Option<Topic> {
        let topic = Topic::parse(&self.network, topic)?;
        if self.relays.contains(&source) {
            // What is too much there was said by others.
            let allowed = self.from_relays.allow(source, now);
            return allowed.then(|| self.looks_at(topic));
        }
        let allowed = self.sources.allow(source, now) && self.voices.allow((source, topic), now);
        if !allowed {
            self.offended(source, limits::CHAT_OFFENCE_EXCESS, now);
            return None;
        }
        // Too much of that may be said by others of the same address.
        let fits = from.is_none_or(|from| self.crowds.allow((from, topic), now));
        fits.then(|| self.looks_at(topic))
    }

    fn looks_at(&mut self, topic: Topic) -> Topic {
        *self.checking.entry(topic).or_default() += 1;
        topic
    }

    /// A packet that was admitted is passed on, or will not be; its topic, if this relay is to leave it now.
    pub fn looked_at(&mut self, topic: Topic) -> Option<IdentTopic> {
        if let Some(packets) = self.checking.get_mut(&topic) {
            *packets -= 1;
            if *packets == 0 {
                self.checking.remove(&topic);
            }
        }
        self.abandoned(topic)
    }

    /// Those that have offended too often since this was asked last.
    pub fn offenders(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.offenders)
    }

    fn offended(&mut self, source: PeerId, points: u32, now: Millis) {
        if self.offences.add(source, points, now) {
            self.offenders.push(source);
        }
    }

    /// Whether a packet is passed on. What lasts is kept, where that is wanted.
    pub fn judge(&mut self, checked: Checked, now: Millis) -> MessageAcceptance {
        let Checked {
            source,
            topic,
            packet,
            seen,
            ..
        } = checked;
        let seen = match seen {
            Ok(seen) => seen,
            // Somebody newer may know what to make of it.
            Err(Refusal::UnknownVersion) => return MessageAcceptance::Ignore,
            Err(why) => {
                tracing::debug!(%source, %why, "a packet is not passed on");
                // Other relays have verified it, and everybody else has made it.
                self.offended(source, limits::CHAT_OFFENCE_INVALID, now);
                return MessageAcceptance::Reject;
            }
        };
        // What was said long ago is history: it comes to those who ask, and costs nobody's rate here.
        let old = seen.time + limits::CLOCK_TOLERANCE < now;
        if old || check_time(seen.time, seen.lasts, now).is_err() {
            return MessageAcceptance::Ignore;
        }
        let allowed = match seen.author() {
            Some(author) => self.authors.allow((author, topic), now),
            // Who speaks in a private room cannot be seen; the room as a whole has a rate.
            None => self.rooms.allow(topic, now),
        };
        if !allowed {
            return MessageAcceptance::Ignore;
        }
        if let Some(history) = self.history.get().filter(|_| seen.lasts) {
            history.keep(topic, seen, packet);
        }
        MessageAcceptance::Accept
    }
}

/// Checks a packet; takes a moment.
pub fn check(id: MessageId, source: PeerId, topic: Topic, packet: Vec<u8>) -> Checked {
    let seen = inspect(&topic, &packet);
    Checked {
        id,
        source,
        topic,
        packet,
        seen,
    }
}

#[cfg(test)]
mod tests;
