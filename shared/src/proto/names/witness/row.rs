//! What a witness keeps of one name: one row, written before anything that follows from it is sent.
//!
//! Knows the fields and their bytes, and how a certificate that was shown changes them. Does not sign.

use minicbor::{Decode, Encode};

use crate::limits::{
    CLOCK_TOLERANCE, MAX_NAME_BARS, MAX_NAME_ROW, NAME_BAR, NAME_BAR_LONGEST, NAME_GENERATION_STEP,
    NAME_GRACE, NAME_LEASE_REUSE,
};
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::{Binding, Certificate, Floor};
use crate::proto::names::claim::{Claim, Holder};
use crate::proto::names::wire::Signed;
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Everything durable about one name, beside the zone itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The highest generation that was signed finally or seen certified, and for whom.
    pub top: Option<Top>,
    /// The certificate in force.
    pub bound: Option<Bound>,
    /// A claim signed finally here; whether a quorum did is not known.
    pub half: Option<Half>,
    /// A claim signed provisionally here.
    pub provisional: Option<Half>,
    /// The latest end of all final signatures ever given.
    pub latest: Millis,
    /// The newest zone of the bound owner.
    pub floor: Floor,
    /// Keys that tried, newest attempts and penalties.
    pub bars: Vec<Bar>,
    /// Set by the operator.
    pub denied: Option<Denial>,
}

/// A generation and its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Top {
    /// The generation.
    #[n(0)]
    pub generation: u64,
    /// Who it was signed for.
    #[n(1)]
    pub holder: Holder,
}

/// A certificate in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// As it was shown, verified then.
    pub certificate: Certificate,
    /// The own newest signature of its claim.
    pub own: Option<Signed>,
}

/// A claim signed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// The claim.
    pub claim: Claim,
    /// The signature.
    pub signed: Signed,
}

/// What is remembered of a key that tried to get the name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Bar {
    /// The key.
    #[n(0)]
    pub key: PublicKey,
    /// Attempts it left unfinished.
    #[n(1)]
    pub strikes: u64,
    /// Until when it must wait.
    #[n(2)]
    pub until: Millis,
    /// When its newest attempt was signed: older ones are replays.
    #[n(3)]
    pub issued: Millis,
}

/// The operator's refusal of a name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Denial {
    /// Why.
    #[n(0)]
    pub reason: String,
    /// Since when.
    #[n(1)]
    pub since: Millis,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct HalfWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    claim: Vec<u8>,
    #[n(1)]
    signed: Signed,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct RowWire {
    #[n(0)]
    top: Option<Top>,
    #[cbor(n(1), with = "minicbor::bytes")]
    certificate: Option<Vec<u8>>,
    #[n(2)]
    own: Option<Signed>,
    #[n(3)]
    half: Option<HalfWire>,
    #[n(4)]
    provisional: Option<HalfWire>,
    #[n(5)]
    latest: Millis,
    #[n(6)]
    floor: Floor,
    #[n(7)]
    bars: Vec<Bar>,
    #[n(8)]
    denied: Option<Denial>,
}

fn pack(half: &Half) -> HalfWire {
    HalfWire {
        claim: half.claim.bytes().to_vec(),
        signed: half.signed.clone(),
    }
}

fn unpack(wire: HalfWire) -> Result<Half, Refusal> {
    Ok(Half {
        claim: Claim::decode(&wire.claim)?,
        signed: wire.signed,
    })
}

impl Row {
    /// For the store.
    pub fn encode(&self) -> Vec<u8> {
        let bound = self.bound.as_ref();
        cbor::encode(&RowWire {
            top: self.top,
            certificate: bound.map(|bound| bound.certificate.encode()),
            own: bound.and_then(|bound| bound.own.clone()),
            half: self.half.as_ref().map(pack),
            provisional: self.provisional.as_ref().map(pack),
            latest: self.latest,
            floor: self.floor,
            bars: self.bars.clone(),
            denied: self.denied.clone(),
        })
    }

    /// Reads what [`Self::encode`] wrote. A row that cannot be read must never count as an empty one.
    pub fn decode(bytes: &[u8]) -> Result<Row, Refusal> {
        if bytes.len() > MAX_NAME_ROW {
            return Err(Refusal::Oversized);
        }
        let wire: RowWire = cbor::decode(bytes)?;
        let own = wire.own;
        let bound = wire
            .certificate
            .map(|bytes| Certificate::decode(&bytes))
            .transpose()?
            .map(|certificate| Bound { certificate, own });
        Ok(Row {
            top: wire.top,
            bound,
            half: wire.half.map(unpack).transpose()?,
            provisional: wire.provisional.map(unpack).transpose()?,
            latest: wire.latest,
            floor: wire.floor,
            bars: wire.bars,
            denied: wire.denied,
        })
    }

    /// The highest generation known, 0 for none.
    pub fn top_generation(&self) -> u64 {
        self.top.map_or(0, |top| top.generation)
    }

    /// The certificate that keeps others away from the name at `now`, and until when it does.
    pub fn held(&self, now: Millis) -> Option<(&Certificate, Millis)> {
        let certificate = &self.bound.as_ref()?.certificate;
        let term = certificate.claim.expires().saturating_add(NAME_GRACE);
        let until = term.max(self.latest.saturating_add(CLOCK_TOLERANCE));
        (!certificate.claim.released() && now < until).then_some((certificate, until))
    }

    /// The claim of somebody that may be certified without this witness knowing, and until when it
    /// bars others.
    pub fn maybe_held(&self, now: Millis) -> Option<(&Claim, Millis)> {
        let half = self.half.as_ref()?;
        let until = half
            .signed
            .signature
            .not_after
            .saturating_add(CLOCK_TOLERANCE);
        (now < until).then_some((&half.claim, until))
    }

    /// The provisional signature that counts at `now`.
    pub fn reserved(&self, now: Millis) -> Option<&Half> {
        let provisional = self.provisional.as_ref()?;
        (now < provisional.signed.signature.not_after).then_some(provisional)
    }

    /// Takes note that time has passed: whoever let a provisional signature run out must wait.
    pub fn settle(&mut self, now: Millis) {
        if self.reserved(now).is_some() {
            return;
        }
        let Some(half) = self.provisional.take() else {
            return;
        };
        let bar = self.bar(half.claim.owner());
        bar.strikes = (bar.strikes + 1).min(16);
        let wait = NAME_BAR << (bar.strikes - 1);
        let end = half.signed.signature.not_after;
        bar.until = end.saturating_add(wait.min(NAME_BAR_LONGEST));
    }

    /// Whether nothing is lost with it: nothing was signed finally or seen certified, no key has to
    /// wait, and all that was proposed is too old to be proposed again.
    pub fn can_go(mut self, now: Millis) -> bool {
        self.settle(now);
        let Row {
            top: None,
            bound: None,
            half: None,
            provisional: None,
            latest: 0,
            floor: _,
            bars,
            denied: None,
        } = self
        else {
            return false;
        };
        let over = |bar: &Bar| {
            let replayed = bar.issued.saturating_add(2 * CLOCK_TOLERANCE);
            bar.until <= now && replayed < now
        };
        bars.iter().all(over)
    }

    /// The entry of a key; the one that matters least makes room for it.
    pub fn bar(&mut self, key: PublicKey) -> &mut Bar {
        let at = match self.bars.iter().position(|bar| bar.key == key) {
            Some(at) => at,
            None => self.new_bar(key),
        };
        &mut self.bars[at]
    }

    fn new_bar(&mut self, key: PublicKey) -> usize {
        if self.bars.len() >= MAX_NAME_BARS {
            let least =
                (0..self.bars.len()).min_by_key(|at| (self.bars[*at].until, self.bars[*at].issued));
            self.bars.remove(least.unwrap_or(0));
        }
        self.bars.push(Bar {
            key,
            strikes: 0,
            until: 0,
            issued: 0,
        });
        self.bars.len() - 1
    }

    /// Takes note of a certificate that anybody may show. The keys of an epoch that is over may have
    /// leaked: for as long as its leases may live they get no further than rule G would let them,
    /// and nowhere after that. Only what is in force already is known again.
    pub fn admit(&mut self, shown: &Binding, now: Millis) -> Adopted {
        let claim = shown.claim();
        let bound = self.bound.as_ref().map(|bound| &bound.certificate.claim);
        let in_force = bound.is_some_and(|known| known.hash() == claim.hash());
        let reach = self.top_generation().saturating_add(NAME_GENERATION_STEP);
        let near = shown.is_current(now) || claim.generation() <= reach;
        let higher = bound.is_none_or(|known| known.rank() < claim.rank());
        if !in_force && higher && !(shown.is_recent(now) && near) {
            return Adopted::Retired;
        }
        self.adopt(shown)
    }

    /// Takes note of a certificate. What it replaces is forgotten, but never a signature that was
    /// given: `top` and `latest` only grow.
    pub fn adopt(&mut self, shown: &Binding) -> Adopted {
        let claim = shown.claim();
        if let Some(bound) = &mut self.bound {
            let known = &bound.certificate.claim;
            if known.hash() == claim.hash() {
                bound.refresh(shown);
                return Adopted::InForce;
            }
            if known.generation() == claim.generation() && known.holder() != claim.holder() {
                return Adopted::Conflict;
            }
            if known.rank() > claim.rank() {
                return Adopted::Older;
            }
        }
        self.replace(shown);
        Adopted::InForce
    }

    fn replace(&mut self, shown: &Binding) {
        let claim = shown.claim();
        let top = Top {
            generation: claim.generation(),
            holder: claim.holder(),
        };
        let same_holder = self.bound.as_ref().is_some_and(|bound| {
            let known = &bound.certificate.claim;
            (known.generation(), known.holder()) == (top.generation, top.holder)
        });
        if !same_holder {
            self.floor = Floor::default();
        }
        if self.top_generation() <= top.generation {
            self.top = Some(top);
        }
        let signed_here = |half: &Half| half.claim.hash() == claim.hash();
        let own = self.half.as_ref().filter(|half| signed_here(half));
        let own = own.map(|half| half.signed.clone());
        self.half
            .take_if(|half| half.claim.generation() <= top.generation);
        // Whoever was reserving it has lost, and is not to blame.
        self.provisional.take();
        self.bound = Some(Bound {
            certificate: shown.certificate().clone(),
            own,
        });
    }
}

impl Bound {
    /// Keeps the certificate that counts longer, but does not write for a few hours' difference.
    fn refresh(&mut self, shown: &Binding) {
        let ends = |certificate: &Certificate| {
            let finals = certificate.finals.iter();
            finals.map(|each| each.not_after).min().unwrap_or(0)
        };
        let (old, new) = (ends(&self.certificate), ends(shown.certificate()));
        let (known, epoch) = (self.certificate.epoch, shown.certificate().epoch);
        let longer = epoch == known && new >= old.saturating_add(NAME_LEASE_REUSE);
        if epoch > known || longer {
            self.certificate = shown.certificate().clone();
        }
    }
}

/// What became of a certificate that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// It is the one in force.
    InForce,
    /// Another one of a higher rank is in force.
    Older,
    /// Its witness set was replaced so long ago that nothing new is believed of it.
    Retired,
    /// Another owner was certified in the same generation: a quorum of witnesses has lied.
    Conflict,
}
