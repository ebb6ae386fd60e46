//! What an owner holds, and when something must be done about it.
//!
//! Knows certificates, zones and due times. Does not do anything: an [`Operation`](super::Operation)
//! does, and its result is reported here.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::Goal;
use crate::limits::{HOUR, MINUTE, NAME_EXTEND_BEFORE, NAME_GRACE, NAME_RENEW_EVERY};
use crate::proto::names::certificate::Certificate;
use crate::proto::names::name::Label;
use crate::proto::names::set::KnownSets;
use crate::proto::names::zone::SignedZone;
use crate::proto::prng::Prng;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// First wait after a failure, doubling.
const RETRY_FIRST: Millis = 5 * MINUTE;
/// Longest wait after failures.
const RETRY_LONGEST: Millis = 6 * HOUR;

/// One name that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its proof.
    pub certificate: Certificate,
    /// What is published under it.
    pub zone: Option<SignedZone>,
    /// When the witnesses were last shown both.
    pub shown: Millis,
    /// When it is their turn again.
    due: Millis,
    failures: u64,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct HoldingWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    certificate: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    zone: Option<Vec<u8>>,
    #[n(2)]
    shown: Millis,
}

/// What is to be done about a name.
#[derive(Clone, Debug)]
pub struct Due {
    /// The name.
    pub name: Label,
    /// What to start an operation with.
    pub goal: Goal,
}

/// All names of one owner.
#[derive(Clone, Debug)]
pub struct Holdings {
    rows: BTreeMap<Label, Holding>,
    prng: Prng,
}

impl Holdings {
    /// None yet.
    pub fn new(seed: u64) -> Holdings {
        Holdings {
            rows: BTreeMap::new(),
            prng: Prng::new(seed),
        }
    }

    /// What is held, by name.
    pub fn rows(&self) -> &BTreeMap<Label, Holding> {
        &self.rows
    }

    /// A certificate that an operation wants kept: of one name the one of the highest rank stays. A
    /// certificate of release ends the holding.
    pub fn keep(&mut self, certificate: Certificate, now: Millis) {
        let claim = &certificate.claim;
        let name = claim.name().clone();
        let known = self.rows.get(&name);
        if known.is_some_and(|known| known.certificate.claim.rank() > claim.rank()) {
            return;
        }
        if claim.released() {
            self.rows.remove(&name);
            return;
        }
        let zone = known.and_then(|known| known.zone.clone());
        let zone = zone.filter(|zone| zone.zone().generation == claim.generation());
        let due = now.saturating_add(self.prng.jitter(NAME_RENEW_EVERY));
        let (shown, failures) = (now, 0);
        let holding = Holding {
            certificate,
            zone,
            shown,
            due,
            failures,
        };
        self.rows.insert(name, holding);
    }

    /// A zone that is to stay published.
    pub fn publish(&mut self, name: &Label, zone: SignedZone) {
        if let Some(holding) = self.rows.get_mut(name) {
            let older = |known: &SignedZone| known.floor() < zone.floor();
            if holding.zone.as_ref().is_none_or(older) {
                holding.zone = Some(zone);
            }
        }
    }

    /// The name is somebody else's now.
    pub fn lose(&mut self, name: &Label) {
        self.rows.remove(name);
    }

    /// How an operation ended: when to come back.
    pub fn finished(&mut self, name: &Label, success: bool, now: Millis) {
        let Some(holding) = self.rows.get_mut(name) else {
            return;
        };
        if success {
            holding.failures = 0;
            holding.shown = now;
            holding.due = now.saturating_add(self.prng.jitter(NAME_RENEW_EVERY));
        } else {
            let wait = RETRY_FIRST << holding.failures.min(10);
            holding.failures += 1;
            holding.due = now.saturating_add(self.prng.jitter(wait.min(RETRY_LONGEST)));
        }
    }

    /// What is due at `now`. Each is given once: it comes back after [`Self::finished`], or after an
    /// hour.
    pub fn due(&mut self, sets: &KnownSets, now: Millis) -> Vec<Due> {
        let mut due = Vec::new();
        for (name, holding) in &mut self.rows {
            // A clock that jumped back must not stop renewals for long.
            let jumped = holding.shown > now.saturating_add(HOUR);
            if holding.due > now && !jumped {
                continue;
            }
            holding.due = now.saturating_add(HOUR);
            let claim = &holding.certificate.claim;
            let over = claim.expires().saturating_add(NAME_GRACE) <= now;
            let Ok(binding) = holding.certificate.verify(sets) else {
                continue;
            };
            let binding = Box::new(binding);
            let goal = match &holding.zone {
                _ if over => continue,
                _ if claim.expires() < now.saturating_add(NAME_EXTEND_BEFORE) => Goal::Extend,
                Some(zone) => Goal::Publish(Box::new(zone.clone()), binding),
                None => Goal::Renew(binding),
            };
            let name = name.clone();
            due.push(Due { name, goal });
        }
        due
    }

    /// When [`Self::due`] has something.
    pub fn next_wake(&self) -> Option<Millis> {
        self.rows.values().map(|holding| holding.due).min()
    }

    /// For storage.
    pub fn export(&self) -> Vec<u8> {
        let rows = self.rows.values().map(|holding| HoldingWire {
            certificate: holding.certificate.encode(),
            zone: holding.zone.as_ref().map(|zone| zone.bytes().to_vec()),
            shown: holding.shown,
        });
        cbor::encode(&rows.collect::<Vec<_>>())
    }

    /// Reads what was exported; everything is due at once.
    pub fn restore(bytes: &[u8], seed: u64) -> Result<Holdings, Refusal> {
        let rows: Vec<HoldingWire> = cbor::decode(bytes)?;
        let mut holdings = Holdings::new(seed);
        for row in rows {
            let certificate = Certificate::decode(&row.certificate)?;
            let zone = row.zone.map(|bytes| SignedZone::decode(&bytes));
            let holding = Holding {
                zone: zone.transpose()?,
                shown: row.shown,
                due: 0,
                failures: 0,
                certificate,
            };
            let name = holding.certificate.claim.name().clone();
            holdings.rows.insert(name, holding);
        }
        Ok(holdings)
    }
}
