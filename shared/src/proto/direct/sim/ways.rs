//! The ways between the programs, and to the mailbox: what is lost on them, and what comes twice.

use super::{Event, World};
use crate::limits::SECOND;
use crate::proto::Millis;
use crate::proto::direct::mailbox::{self, Leaving, Sender};
use crate::proto::direct::outbox::{Batch, Carried, Errand};
use crate::proto::direct::seal::seal;
use crate::proto::direct::wire::{Delivery, Parcel, Taken};
use crate::proto::key::PublicKey;

/// Whatever comes here comes from one place.
const SOURCE: u64 = 1;
/// How often a program looks into its mailbox.
const FETCH: Millis = 5 * SECOND;

impl World {
    pub(super) fn carry(&mut self, at: usize, life: u64, errand: Errand) {
        let to = errand.to;
        let carried = match errand.batch {
            Batch::Deliver {
                messages,
                settled,
                session,
                first,
            } => {
                let count = messages.len();
                match self.deliver(1 - at, &Delivery::Messages { settled, messages }) {
                    Some(taken) => Carried::Answered {
                        session,
                        first,
                        count,
                        taken,
                    },
                    None => Carried::Unreached {
                        mailboxes: vec![vec![1]],
                    },
                }
            }
            Batch::Leave(parcels) => {
                let left = parcels
                    .into_iter()
                    .filter_map(|(id, parcel)| self.leave(at, to, id, &parcel).then_some(id));
                Carried::Left {
                    ids: left.collect(),
                    mailboxes: vec![vec![1]],
                }
            }
            Batch::Receipts(receipts) => Carried::Receipts(
                receipts
                    .into_iter()
                    .all(|receipt| self.bring(at, to, receipt)),
            ),
        };
        self.soon(Event::Carried(at, life, to, carried));
    }

    fn bring(&mut self, at: usize, to: PublicKey, receipt: Vec<u8>) -> bool {
        let delivery = Delivery::Receipt {
            receipt: receipt.clone(),
        };
        if self.deliver(1 - at, &delivery).is_some() {
            return true;
        }
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(&receipt).as_bytes()[..16]);
        self.leave(at, to, id, &Parcel::Receipt { receipt }.encode())
    }

    /// Brings something to the other program; what it answers, if that comes back.
    fn deliver(&mut self, to: usize, delivery: &Delivery) -> Option<Taken> {
        if self.cut || self.chance(self.faults.loss) {
            return None;
        }
        let now = self.now;
        if self.chance(self.faults.twice) {
            self.turn(to, |post, turn| post.delivered(delivery, SOURCE, now, turn));
        }
        let taken = self.turn(to, |post, turn| post.delivered(delivery, SOURCE, now, turn))?;
        (!self.chance(self.faults.loss)).then_some(taken)
    }

    fn leave(&mut self, at: usize, to: PublicKey, id: [u8; 16], parcel: &[u8]) -> bool {
        if self.chance(self.faults.loss) {
            return false;
        }
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&self.prng.next_u64().to_be_bytes());
        let leaving = Leaving {
            to,
            sender: Sender {
                peer: at as u64,
                source: at as u64,
            },
            id,
            sealed: seal(&to, parcel, entropy),
        };
        let Ok(kept) = mailbox::leave(&mut self.mailbox, &leaving, self.now);
        kept.is_ok() && !self.chance(self.faults.loss)
    }

    pub(super) fn fetch(&mut self, at: usize) {
        if self.nodes[at].post.is_none() {
            return;
        }
        let (now, to, after) = (self.now, self.nodes[at].key.public(), self.nodes[at].after);
        let Ok((entries, more)) = mailbox::waiting(&self.mailbox, &to, after, now);
        let mut places = Vec::new();
        for entry in &entries {
            let done = self.turn(at, |post, turn| {
                post.fetched(&entry.sealed, SOURCE, now, turn)
            });
            match done {
                Some(true) => places.push(entry.place),
                Some(false) => {}
                None => return,
            }
        }
        self.nodes[at].after = match more {
            true => entries.last().map_or(0, |last| last.place),
            false => 0,
        };
        // The word that they are done with may be lost, too.
        if !self.chance(self.faults.loss) {
            let Ok(()) = mailbox::done(&mut self.mailbox, &to, &places);
        }
        self.at(now + FETCH, Event::Fetch(at));
    }
}
