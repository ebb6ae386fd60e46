//! What a reader has seen of each name: it never goes back, not even after a reload.
//!
//! Knows generations, holders and the newest zones. Does not know time but to forget the oldest.

use minicbor::{Decode, Encode};

use crate::limits::{MAX_KEY_FLOORS, MAX_NAME_FLOORS};
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::Floor;
use crate::proto::names::claim::Holder;
use crate::proto::names::name::{Name, Root};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};
use crate::sorted::SortedMap;

/// The highest that was seen of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The generation.
    pub generation: u64,
    /// Who held it.
    pub holder: Holder,
    /// The newest zone of that holder.
    pub zone: Floor,
    used: Millis,
}

/// What was seen of all names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floors {
    seen: SortedMap<Root, Seen>,
    /// How many of them are names of keys.
    keys: usize,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct SeenWire {
    #[n(0)]
    name: String,
    #[n(1)]
    generation: u64,
    #[n(2)]
    holder: Holder,
    #[n(3)]
    zone: Floor,
    #[n(4)]
    used: Millis,
}

impl Floors {
    /// What was seen of a name.
    pub fn of(&self, root: &Root) -> Option<&Seen> {
        self.seen.get(root)
    }

    /// What was seen of all names, in their order.
    pub fn all(&self) -> impl Iterator<Item = (&Root, &Seen)> {
        self.seen.iter()
    }

    /// Whether a holder may be believed: of a higher generation, or the one that was seen in this one.
    pub fn allows(&self, root: &Root, generation: u64, holder: Holder) -> bool {
        self.of(root).is_none_or(|seen| {
            let higher = generation > seen.generation;
            higher || (generation == seen.generation && holder == seen.holder)
        })
    }

    /// The zone below which nothing of that holder counts.
    pub fn zone(&self, root: &Root, generation: u64, owner: PublicKey) -> Floor {
        let same = |seen: &&Seen| (seen.generation, seen.holder.owner) == (generation, owner);
        self.of(root)
            .filter(same)
            .map_or(Floor::default(), |seen| seen.zone)
    }

    /// Takes note of a holder, and of a zone if there is one. True if something rose.
    pub fn raise(
        &mut self,
        root: &Root,
        (generation, holder): (u64, Holder),
        zone: Option<Floor>,
        now: Millis,
    ) -> bool {
        if !self.allows(root, generation, holder) {
            return false;
        }
        let fresh = Seen {
            generation,
            holder,
            zone: Floor::default(),
            used: now,
        };
        let before = self.seen.get(root).copied();
        let same = before.filter(|seen| seen.generation == generation);
        let mut seen = same.unwrap_or(fresh);
        seen.zone = seen.zone.max(zone.unwrap_or_default());
        seen.used = now;
        let rose = before
            .is_none_or(|before| (before.generation, before.zone) != (seen.generation, seen.zone));
        self.seen.insert(root.clone(), seen);
        if before.is_none() {
            self.keys += usize::from(matches!(root, Root::Key(_)));
        }
        self.forget_oldest(root);
        rose
    }

    /// Makes room. Names of keys cost nothing, so they take no room from others; of these, what had
    /// other holders before goes last.
    fn forget_oldest(&mut self, new: &Root) {
        let is_key = |root: &Root| matches!(root, Root::Key(_));
        let full = match is_key(new) {
            true => self.keys > MAX_KEY_FLOORS,
            false => self.seen.len() - self.keys > MAX_NAME_FLOORS,
        };
        if !full {
            return;
        }
        let others = self.seen.iter();
        let others = others.filter(|(root, _)| is_key(root) == is_key(new) && *root != new);
        let oldest = others.min_by_key(|(_, seen)| (seen.generation > 1, seen.used));
        if let Some(root) = oldest.map(|(root, _)| root.clone()) {
            self.seen.remove(&root);
            self.keys -= usize::from(is_key(&root));
        }
    }

    /// For storage.
    pub fn export(&self) -> Vec<u8> {
        let rows = self.seen.iter().map(|(root, seen)| SeenWire {
            name: root.name().to_string(),
            generation: seen.generation,
            holder: seen.holder,
            zone: seen.zone,
            used: seen.used,
        });
        cbor::encode(&rows.collect::<Vec<_>>())
    }

    /// Takes in what was exported, here or by another tab: the higher of two counts.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let rows: Vec<SeenWire> = cbor::decode(bytes)?;
        for row in rows {
            let name = Name::find(&row.name).map_err(|_| Refusal::Malformed)?;
            let root = name.root().clone();
            self.raise(
                &root,
                (row.generation, row.holder),
                Some(row.zone),
                row.used,
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;

    fn key(number: usize) -> PublicKey {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
        SigningKey::from_seed(seed).public()
    }

    #[test]
    fn names_that_cost_nothing_take_no_room_from_others() {
        let mut floors = Floors::default();
        let holder = Holder {
            owner: key(0),
            released: false,
        };
        let human = |number: usize| Root::Human(format!("n{number}").parse().expect("a name"));
        let mut raise = |root: &Root, generation, now| {
            assert!(floors.raise(root, (generation, holder), None, now));
        };
        raise(&human(0), 2, 0);
        raise(&human(1), 1, 1);
        for number in 0..MAX_KEY_FLOORS + 8 {
            raise(&Root::Key(key(number)), 0, 2 + number as Millis);
        }
        let later = 1_000_000;
        for number in 2..MAX_NAME_FLOORS + 1 {
            raise(&human(number), 1, later);
        }
        assert_eq!(floors.seen.len(), MAX_KEY_FLOORS + MAX_NAME_FLOORS);
        let has = |root| floors.of(&root).is_some();
        assert!(has(human(0)), "it had another holder before");
        assert!(!has(human(1)) && has(human(2)));
        assert!(!has(Root::Key(key(7))) && has(Root::Key(key(8))));
    }
}
