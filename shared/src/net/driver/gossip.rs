//! Topics at a relay: what gossipsub reports, and what it is told to do.

use futures::FutureExt;
use futures::channel::oneshot;
use libp2p::PeerId;
use libp2p::gossipsub::{self, IdentTopic, Message, MessageAcceptance, MessageId};

use super::super::gossip::paced::{Event, Paced, Topics};
use super::super::gossip::router::{Checked, check};
use super::{Done, Driver};
use crate::proto::Millis;
use crate::proto::chat::Topic;
use crate::proto::reputation::Evidence;
use crate::{limits, platform};

impl Driver {
    pub(super) fn gossiped(&mut self, event: Event) {
        match event {
            Event::Topics(event) => self.heard(event),
            Event::Held(waited) => {
                self.router.held(waited, platform::now());
                self.cut_off();
            }
        }
    }

    fn heard(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Subscribed { peer_id, topic, .. } => {
                let join = self.router.subscribed(peer_id, topic.as_str());
                if let (Some(topic), Some(gossip)) = (join, self.gossip())
                    && let Err(error) = gossip.subscribe(&topic)
                {
                    tracing::warn!(%error, "a topic could not be joined");
                }
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                let left = self.router.unsubscribed(&peer_id, topic.as_str());
                self.leave_topics(left);
            }
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => self.packet(propagation_source, message_id, message),
            _ => {}
        }
    }

    /// Signatures are verified beside the loop.
    fn packet(&mut self, source: PeerId, id: MessageId, message: Message) {
        let now = platform::now();
        let name = message.topic.as_str();
        let from = self.paced().and_then(|paced| paced.subscriber(&source));
        let Some(topic) = self.router.admits(source, from, name, now) else {
            self.report(&id, &source, MessageAcceptance::Ignore);
            return self.cut_off();
        };
        let (done, ended) = oneshot::channel();
        platform::spawn(async move {
            let _ = done.send(check(id, source, topic, message.data));
        });
        let checked = ended.map(move |checked| Done::Checked(topic, checked.ok().map(Box::new)));
        self.jobs.push(checked.boxed());
    }

    /// A packet was verified, unless that was broken off.
    pub(super) fn checked(&mut self, topic: Topic, checked: Option<Box<Checked>>) {
        if let Some(checked) = checked {
            self.judge(*checked);
        }
        let left = self.router.looked_at(topic);
        self.leave_topics(left);
    }

    fn judge(&mut self, checked: Checked) {
        let (id, source) = (checked.id.clone(), checked.source);
        let verdict = self.router.judge(checked, platform::now());
        if matches!(verdict, MessageAcceptance::Reject) {
            self.keeper.standings().note(&source, Evidence::Invalid);
        }
        self.report(&id, &source, verdict);
        self.cut_off();
    }

    /// Has nothing to do, for a while, with those that have offended too often.
    fn cut_off(&mut self) {
        for peer in self.router.offenders() {
            tracing::warn!(%peer, "a peer floods rooms or sends what is not valid: it is cut off");
            self.keeper.standings().note(&peer, Evidence::Violated);
            let until = platform::now() + limits::CHAT_BARRED;
            self.swarm.behaviour_mut().guard.bar(peer, until);
            self.restrain(&peer, until);
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// What comes from the address of a peer that is cut off has less room, and none when that happens often: new
    /// peer ids cost nothing.
    fn restrain(&mut self, peer: &PeerId, until: Millis) {
        if self.router.is_relay(peer) {
            return;
        }
        let Some(paced) = self.paced() else {
            return;
        };
        if let Some(subscriber) = paced.subscriber(peer) {
            paced.restrain(subscriber, until);
            let guard = &mut self.swarm.behaviour_mut().guard;
            guard.bar_often(subscriber, until);
        }
    }

    fn report(&mut self, id: &MessageId, source: &PeerId, verdict: MessageAcceptance) {
        if let Some(gossip) = self.gossip() {
            gossip.report_message_validation_result(id, source, verdict);
        }
    }

    /// A peer has said whether it is a relay. One that is not gets every packet of its topics; one that is may say
    /// much once this node has dialled it, since anybody can say so.
    pub(super) fn is_router(&mut self, peer: PeerId, relay: bool) {
        if !relay {
            if let Some(gossip) = self.gossip() {
                gossip.add_explicit_peer(&peer);
            }
            return;
        }
        if let Some(gossip) = self.gossip() {
            gossip.remove_explicit_peer(&peer);
        }
        let left = self.router.claims(peer);
        self.leave_topics(left);
        if !self.table.dialled(&peer).is_empty() {
            self.router.relay(peer);
            if let Some(paced) = self.paced() {
                paced.is_relay(&peer);
            }
        }
    }

    /// Nothing connects to a peer any more.
    pub(super) fn left_topics(&mut self, peer: &PeerId) {
        if let Some(gossip) = self.gossip() {
            gossip.remove_explicit_peer(peer);
        }
        let left = self.router.gone(peer);
        self.leave_topics(left);
    }

    fn leave_topics(&mut self, topics: impl IntoIterator<Item = IdentTopic>) {
        if let Some(gossip) = self.gossip() {
            for topic in topics {
                gossip.unsubscribe(&topic);
            }
        }
    }

    fn gossip(&mut self) -> Option<&mut Topics> {
        self.paced().map(|paced| &mut paced.topics)
    }

    fn paced(&mut self) -> Option<&mut Paced> {
        self.swarm.behaviour_mut().gossip.as_mut()
    }
}
