//! Carries messages to other peers and into mailboxes, and looks into the own ones. Finds out where they
//! are; decides nothing about messages.

use std::sync::Arc;

use libp2p::PeerId;

use super::agent::Surroundings;
use crate::error::{Code, Error, Result};
use crate::limits::{MAILBOX_COPIES, MAX_PEER_RELAYS};
use crate::net::address;
use crate::net::finding::connected;
use crate::net::handle::{Handle, Route};
use crate::net::overlay::{Kademlia, Overlay};
use crate::net::streams::Service;
use crate::platform;
use crate::proto::direct::wire::{
    Delivery, Left, MailboxAnswer, MailboxRequest, NotTaken, Parcel, Taken, Waiting,
};
use crate::proto::direct::{Batch, Carried, Contact, Device, Errand, Id, seal};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Record;
use crate::proto::record::peer::{AuthorProof, PeerRecord};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Carrier {
    pub handle: Handle,
    pub network: NetworkId,
    pub author: SigningKey,
    overlay: Arc<Kademlia>,
    own: PublicKey,
}

/// An errand's end, and where its recipient was found.
pub(super) struct Done {
    pub to: PublicKey,
    pub contact: Contact,
    pub carried: Carried,
}

impl Carrier {
    pub fn new(surroundings: Surroundings) -> Self {
        Carrier {
            handle: surroundings.handle,
            network: surroundings.network,
            author: surroundings.author,
            overlay: surroundings.overlay,
            own: surroundings.own,
        }
    }

    /// Does an errand.
    pub async fn carry(self, errand: Errand) -> Done {
        let Errand {
            to,
            mut contact,
            batch,
        } = errand;
        let carried = match batch {
            Batch::Deliver {
                messages,
                settled,
                session,
                first,
            } => {
                let count = messages.len();
                let delivery = Delivery::Messages { settled, messages };
                match self.deliver(&to, &mut contact, &delivery).await {
                    Reached::Answered(taken) => Carried::Answered {
                        session,
                        first,
                        count,
                        taken,
                    },
                    Reached::Nobody => Carried::Unreached {
                        mailboxes: contact.mailboxes(),
                    },
                    Reached::NoRelay => Carried::Parked,
                }
            }
            Batch::Leave(parcels) => Carried::Left {
                ids: self.leave(&to, &mut contact, &parcels).await,
                mailboxes: contact.mailboxes(),
            },
            Batch::Receipts(receipts) => {
                Carried::Receipts(self.bring(&to, &mut contact, receipts).await)
            }
        };
        Done {
            to,
            contact,
            carried,
        }
    }

    /// Gives something to one of the author's peers: to a connected one at once, otherwise to one of those
    /// that the author has named last. The latter are looked for in the network, which takes a relay; a peer whose
    /// addresses are still known is found without.
    async fn deliver(&self, to: &PublicKey, contact: &mut Contact, delivery: &Delivery) -> Reached {
        let mut asked = Asked::default();
        for peer in peers_of(contact) {
            if self.is_connected(peer).await && self.give(peer, None, delivery, &mut asked).await {
                return asked.reached();
            }
        }
        if self.handle.state().await != Ok("joined") {
            for peer in peers_of(contact) {
                if !asked.peers.contains(&peer) && self.give(peer, None, delivery, &mut asked).await
                {
                    return asked.reached();
                }
            }
            return match asked.reached() {
                Reached::Nobody => Reached::NoRelay,
                reached => reached,
            };
        }
        self.look_up(to, contact).await;
        for peer in peers_of(contact) {
            // Who has not answered on a connection is dialled when that is gone.
            if asked.answered.contains(&peer)
                || asked.peers.contains(&peer) && self.is_connected(peer).await
            {
                continue;
            }
            let Ok(Some(route)) = self.route_to(peer, Some(to)).await else {
                continue;
            };
            if self.give(peer, Some(route), delivery, &mut asked).await {
                break;
            }
        }
        asked.reached()
    }

    /// Whether that was the last word.
    async fn give(
        &self,
        peer: PeerId,
        route: Option<Route>,
        delivery: &Delivery,
        asked: &mut Asked,
    ) -> bool {
        asked.peers.push(peer);
        let route = route.unwrap_or_else(|| connected(peer));
        let Some(taken) = self.hand_over(route, delivery).await else {
            return false;
        };
        let last = is_final(&taken);
        asked.answered.push(peer);
        asked.taken = Some(taken);
        last
    }

    async fn is_connected(&self, peer: PeerId) -> bool {
        self.handle.is_connected(peer).await.unwrap_or(false)
    }

    async fn hand_over(&self, route: Route, delivery: &Delivery) -> Option<Taken> {
        let peer = route.peer;
        let taken = self.handle.exchange(Service::Direct, route, delivery).await;
        taken
            .inspect_err(|error| tracing::debug!(%peer, %error, "a message was not delivered"))
            .ok()
    }

    /// What the author itself says of where it is.
    async fn look_up(&self, author: &PublicKey, contact: &mut Contact) {
        match self.overlay.record_at(Contact::key(author)).await {
            Ok(Some(Record::Signed(envelope))) => {
                if let Ok(found) = Contact::open(&envelope) {
                    contact.merge(found, platform::now());
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "no contact record was found"),
        }
    }

    /// What a peer has published, if it has.
    pub async fn peer_record(&self, peer: PeerId) -> Result<Option<PeerRecord>> {
        let found = self.overlay.peer_record(peer).await?;
        Ok(found.map(|(record, _)| record))
    }

    /// How to reach a peer; nothing when it is not there, or runs for somebody else by now.
    async fn route_to(&self, peer: PeerId, author: Option<&PublicKey>) -> Result<Option<Route>> {
        if self.handle.is_connected(peer).await? {
            return Ok(Some(connected(peer)));
        }
        let Some(record) = self.peer_record(peer).await? else {
            return Ok(None);
        };
        let runs_for = record.author.map(|proof| proof.author());
        if author.is_some_and(|author| runs_for != Some(*author)) {
            return Ok(None);
        }
        let addresses = address::parsed(record.addresses);
        Ok(Some(Route { peer, addresses }))
    }

    /// Leaves parcels in some of the author's mailboxes; which of them are in at least one.
    async fn leave(
        &self,
        to: &PublicKey,
        contact: &mut Contact,
        parcels: &[(Id, Vec<u8>)],
    ) -> Vec<Id> {
        if contact.mailboxes().is_empty() {
            self.look_up(to, contact).await;
        }
        let (mut kept, mut copies) = (0, 0);
        for mailbox in contact.mailboxes() {
            if copies == MAILBOX_COPIES {
                break;
            }
            let left = self.leave_at(&mailbox, to, parcels).await;
            match left {
                Ok(count) => {
                    copies += 1;
                    kept = kept.max(count);
                }
                Err(error) => tracing::debug!(%error, "a mailbox does not take a message"),
            }
        }
        parcels.iter().take(kept).map(|(id, _)| *id).collect()
    }

    async fn leave_at(
        &self,
        mailbox: &[u8],
        to: &PublicKey,
        parcels: &[(Id, Vec<u8>)],
    ) -> Result<usize> {
        let sealed = parcels.iter().map(|(id, parcel)| Left {
            id: *id,
            sealed: seal(to, parcel, platform::entropy()),
        });
        let request = MailboxRequest::Leave {
            to: *to,
            parcels: sealed.collect(),
        };
        match self.ask_mailbox(mailbox, &request).await? {
            MailboxAnswer::Kept { count } if count > 0 => Ok(count as usize),
            MailboxAnswer::Refused { why } => Err(why.into()),
            _ => Err(beside_the_point()),
        }
    }

    async fn ask_mailbox(&self, mailbox: &[u8], request: &MailboxRequest) -> Result<MailboxAnswer> {
        let peer = PeerId::from_bytes(mailbox).map_err(|error| {
            Error::new(Code::InvalidArgument, "a mailbox is no peer").caused_by(error)
        })?;
        let route = self.route_to(peer, None).await?.ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("the mailbox {peer} cannot be found"),
            )
        })?;
        self.handle.exchange(Service::Mailbox, route, request).await
    }

    /// Brings receipts to the author, or leaves them in its mailboxes.
    async fn bring(&self, to: &PublicKey, contact: &mut Contact, receipts: Vec<Vec<u8>>) -> bool {
        let mut left = Vec::new();
        for receipt in receipts {
            let delivery = Delivery::Receipt { receipt };
            let away = !left.is_empty();
            if away || self.deliver(to, contact, &delivery).await.is_in_vain() {
                let Delivery::Receipt { receipt } = delivery else {
                    continue;
                };
                let mut id = Id::default();
                id.copy_from_slice(&blake3::hash(&receipt).as_bytes()[..16]);
                left.push((id, Parcel::Receipt { receipt }.encode()));
            }
        }
        left.is_empty() || self.leave(to, contact, &left).await.len() == left.len()
    }

    /// What waits in one of the own mailboxes, after it has forgotten what is done with.
    pub async fn fetch(
        &self,
        mailbox: &[u8],
        after: u64,
        done: Vec<u64>,
    ) -> Result<(Vec<Waiting>, bool)> {
        let now = self.overlay.client().now();
        let proof = AuthorProof::sign(&self.author, &self.own, &self.network, now)?;
        let request = MailboxRequest::Fetch {
            proof: proof.bytes().to_vec(),
            after,
            done,
        };
        match self.ask_mailbox(mailbox, &request).await? {
            MailboxAnswer::Waiting { entries, more } => Ok((entries, more)),
            MailboxAnswer::Refused { why } => Err(why.into()),
            MailboxAnswer::Kept { .. } => Err(beside_the_point()),
        }
    }

    /// The relays that keep messages for this peer now.
    pub async fn homes(&self) -> Result<Vec<Vec<u8>>> {
        let homes = self.handle.reserved().await?.into_iter();
        let homes = homes.take(MAX_PEER_RELAYS);
        Ok(homes.map(|peer| peer.to_bytes()).collect())
    }

    /// Adds this peer to the contact record of its author; all that is in it then.
    pub async fn publish(&self, mailboxes: Vec<Vec<u8>>) -> Result<Contact> {
        let key = Contact::key(&self.author.public());
        let now = self.overlay.client().now();
        let (mut contact, mut seq) = (Contact::default(), now);
        if let Some(Record::Signed(envelope)) = self.overlay.record_at(key).await? {
            seq = seq.max(envelope.body().seq + 1);
            contact.merge(Contact::open(&envelope)?, now);
        }
        contact.add(Device {
            peer: self.handle.id().to_bytes(),
            mailboxes,
            seen: now,
        });
        let envelope = contact.sign(&self.author, &self.network, seq, now)?;
        self.overlay.store(Record::Signed(envelope)).await?;
        Ok(contact)
    }
}

/// Who was asked, and what was said last.
#[derive(Default)]
struct Asked {
    peers: Vec<PeerId>,
    answered: Vec<PeerId>,
    taken: Option<Taken>,
}

impl Asked {
    fn reached(self) -> Reached {
        self.taken.map_or(Reached::Nobody, Reached::Answered)
    }
}

/// How far a delivery came.
enum Reached {
    Answered(Taken),
    Nobody,
    /// There was no relay to look for anybody with.
    NoRelay,
}

impl Reached {
    fn is_in_vain(&self) -> bool {
        !matches!(self, Reached::Answered(_))
    }
}

fn peers_of(contact: &Contact) -> Vec<PeerId> {
    let devices = contact.devices.iter();
    let peers = devices.filter_map(|device| PeerId::from_bytes(&device.peer).ok());
    peers.collect()
}

/// Whether other peers of the author would say nothing else: one may read while another one does not.
fn is_final(taken: &Taken) -> bool {
    match taken {
        Taken::Until { .. } => true,
        Taken::Refused { why } => matches!(why, NotTaken::Blocked | NotTaken::Invalid),
    }
}

fn beside_the_point() -> Error {
    Error::new(
        Code::ProtocolViolation,
        "a mailbox answered with something else",
    )
}
