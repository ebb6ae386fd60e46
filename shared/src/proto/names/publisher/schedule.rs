//! What an owner holds, and when something must be done about it.
//!
//! Knows certificates, zones and due times. Does not do anything: an [`Operation`](super::Operation)
//! does, and its result is reported here.

use minicbor::{Decode, Encode};

use super::Goal;
use crate::error::Code;
use crate::limits::{DAY, HOUR, MINUTE, NAME_EXTEND_BEFORE, NAME_RENEW_EVERY};
use crate::proto::names::certificate::Certificate;
use crate::proto::names::claim::Claim;
use crate::proto::names::name::Label;
use crate::proto::names::set::KnownSets;
use crate::proto::names::zone::SignedZone;
use crate::proto::prng::Prng;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};
use crate::sorted::SortedMap;

/// First wait after a failure, doubling.
const RETRY_FIRST: Millis = 5 * MINUTE;
/// Longest wait after failures.
const RETRY_LONGEST: Millis = 6 * HOUR;

/// How long a zone counts without its owner.
pub const ZONE_LIFETIME: Millis = 30 * DAY;
/// A zone is signed again when less than this is left.
const ZONE_RENEW_BEFORE: Millis = 20 * DAY;

/// One name that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its proof.
    pub certificate: Certificate,
    /// What is published under it.
    pub zone: Option<SignedZone>,
    turn: Turn,
}

/// When something was shown to others, and when that is due again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Turn {
    shown: Millis,
    due: Millis,
    failures: u64,
    /// Whether nobody said no, but nobody could be asked.
    unreached: bool,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct HoldingWire {
    /// Empty for the name of the owner's key, which needs none.
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
    rows: SortedMap<Label, Holding>,
    /// What is published under the name of the owner's key. Nobody but the owner keeps it for longer
    /// than a record is kept.
    own: Option<(SignedZone, Turn)>,
    prng: Prng,
}

/// Whether a zone must be signed again before it is shown again.
pub fn is_old(zone: &SignedZone, now: Millis) -> bool {
    zone.expires() <= now.saturating_add(ZONE_RENEW_BEFORE)
}

/// Whether a failure says that there was no way to those who must be asked.
fn is_unreached(code: Code) -> bool {
    use Code::{DialFailed, NoQuorum, NoRelay, NotConnected, TimedOut};
    matches!(
        code,
        DialFailed | NoQuorum | NoRelay | NotConnected | TimedOut
    )
}

impl Turn {
    fn done(now: Millis, prng: &mut Prng) -> Turn {
        Turn {
            shown: now,
            due: now.saturating_add(prng.jitter(NAME_RENEW_EVERY)),
            ..Turn::default()
        }
    }

    fn finished(&mut self, failure: Option<Code>, now: Millis, prng: &mut Prng) {
        let Some(code) = failure else {
            *self = Turn::done(now, prng);
            return;
        };
        let wait = RETRY_FIRST << self.failures.min(10);
        self.failures += 1;
        self.unreached = is_unreached(code);
        self.due = now.saturating_add(prng.jitter(wait.min(RETRY_LONGEST)));
    }

    /// Whether it is due. It is due again after [`Self::finished`], or after an hour.
    fn comes(&mut self, now: Millis) -> bool {
        // A clock that jumped back must not stop renewals for long.
        let jumped = self.shown > now.saturating_add(HOUR);
        let comes = self.due <= now || jumped;
        if comes {
            self.due = now.saturating_add(HOUR);
        }
        comes
    }
}

impl Holdings {
    /// None yet.
    pub fn new(seed: u64) -> Holdings {
        Holdings {
            rows: SortedMap::default(),
            own: None,
            prng: Prng::new(seed),
        }
    }

    /// What is held, by name.
    pub fn rows(&self) -> &SortedMap<Label, Holding> {
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
        let turn = Turn::done(now, &mut self.prng);
        let holding = Holding {
            certificate,
            zone,
            turn,
        };
        self.rows.insert(name, holding);
    }

    /// What is published under the name of the owner's key.
    pub fn own(&self) -> Option<&SignedZone> {
        self.own.as_ref().map(|(zone, _)| zone)
    }

    /// A zone that is to stay published under the name of the owner's key.
    pub fn publish_own(&mut self, zone: SignedZone, now: Millis) {
        if self.own().is_none_or(|known| known.floor() < zone.floor()) {
            self.own = Some((zone, Turn::done(now, &mut self.prng)));
        }
    }

    /// Whether the zone of the owner's key is due; given once, as [`Self::due`].
    pub fn own_due(&mut self, now: Millis) -> bool {
        self.own.as_mut().is_some_and(|(_, turn)| turn.comes(now))
    }

    /// How storing the zone of the owner's key ended: with nothing, or with this failure.
    pub fn own_finished(&mut self, failure: Option<Code>, now: Millis) {
        if let Some((_, turn)) = &mut self.own {
            turn.finished(failure, now, &mut self.prng);
        }
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

    /// Another owner's claim, with a certificate: a holding of a lower rank is over.
    pub fn lose(&mut self, to: &Claim) {
        let known = self.rows.get(to.name());
        if known.is_some_and(|known| known.certificate.claim.rank() < to.rank()) {
            self.rows.remove(to.name());
        }
    }

    /// How an operation ended, with nothing or with this failure: when to come back.
    pub fn finished(&mut self, name: &Label, failure: Option<Code>, now: Millis) {
        if let Some(holding) = self.rows.get_mut(name) {
            holding.turn.finished(failure, now, &mut self.prng);
        }
    }

    /// What is due at `now`. Each is given once: it comes back after [`Self::finished`], or after an
    /// hour.
    pub fn due(&mut self, sets: &KnownSets, now: Millis) -> Vec<Due> {
        let mut due = Vec::new();
        for (name, holding) in self.rows.iter_mut() {
            if !holding.turn.comes(now) {
                continue;
            }
            let claim = &holding.certificate.claim;
            let over = claim.held_until() <= now;
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

    /// What failed for want of a way to others is due again: there is one once more. Who refused is not
    /// asked more often for that.
    pub fn retry(&mut self, now: Millis) {
        let own = self.own.iter_mut().map(|(_, turn)| turn);
        let rows = self.rows.values_mut().map(|holding| &mut holding.turn);
        for turn in rows.chain(own).filter(|turn| turn.unreached) {
            turn.due = now;
        }
    }

    /// When [`Self::due`] or [`Self::own_due`] has something.
    pub fn next_wake(&self) -> Option<Millis> {
        let rows = self.rows.values().map(|holding| &holding.turn);
        let own = self.own.iter().map(|(_, turn)| turn);
        rows.chain(own).map(|turn| turn.due).min()
    }

    /// For storage.
    pub fn export(&self) -> Vec<u8> {
        let rows = self.rows.values().map(|holding| HoldingWire {
            certificate: holding.certificate.encode(),
            zone: holding.zone.as_ref().map(|zone| zone.bytes().to_vec()),
            shown: holding.turn.shown,
        });
        let own = self.own.iter().map(|(zone, turn)| HoldingWire {
            certificate: Vec::new(),
            zone: Some(zone.bytes().to_vec()),
            shown: turn.shown,
        });
        cbor::encode(&rows.chain(own).collect::<Vec<_>>())
    }

    /// Reads what was exported; everything is due at once.
    pub fn restore(bytes: &[u8], seed: u64) -> Result<Holdings, Refusal> {
        let rows: Vec<HoldingWire> = cbor::decode(bytes)?;
        let mut holdings = Holdings::new(seed);
        for row in rows {
            let zone = row.zone.map(|bytes| SignedZone::decode(&bytes));
            let zone = zone.transpose()?;
            let turn = Turn {
                shown: row.shown,
                ..Turn::default()
            };
            if row.certificate.is_empty() {
                holdings.own = zone.map(|zone| (zone, turn));
                continue;
            }
            let holding = Holding {
                certificate: Certificate::decode(&row.certificate)?,
                zone,
                turn,
            };
            let name = holding.certificate.claim.name().clone();
            holdings.rows.insert(name, holding);
        }
        Ok(holdings)
    }
}
