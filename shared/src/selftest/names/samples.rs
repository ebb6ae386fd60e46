//! One valid example of everything about names: fixed keys, fixed times.

use crate::limits::{DAY, NAME_LEASE, NAME_PROVISIONAL};
use crate::proto::key::SigningKey;
use crate::proto::names::certificate::{Certificate, Floor, Stage, WitnessSignature};
use crate::proto::names::claim::{Abandon, Claim, Draft, Handover, Right};
use crate::proto::names::name::{Label, Name, Root};
use crate::proto::names::resolver::floors::Floors;
use crate::proto::names::resource::Resource;
use crate::proto::names::set::{Endorsement, KnownSets, Succession, WitnessSet};
use crate::proto::names::wire::{Answer, HalfFinal, Known, NameRefusal, Request, Response, Signed};
use crate::proto::names::witness::row::{Bar, Bound, Denial, Half, Row, Top};
use crate::proto::names::zone::{SignedZone, Zone};
use crate::selftest::samples::{NOW, author, bytes_block, network, transport};

/// The name of all samples.
pub fn alice() -> Label {
    "alice".parse().expect("a valid name")
}

/// The witnesses' keys, in the order of the set.
pub fn witnesses() -> Vec<SigningKey> {
    let mut keys: Vec<_> = [11, 12, 13]
        .map(|seed| SigningKey::from_seed([seed; 32]))
        .into();
    keys.sort_by_key(SigningKey::public);
    keys
}

/// The set of epoch 1, pinned.
pub fn sets() -> KnownSets {
    let keys = witnesses();
    let set = WitnessSet::new(1, 0, keys.iter().map(SigningKey::public)).expect("a valid set");
    KnownSets::pinned(network(), set)
}

/// The set of epoch 2: another third witness.
pub fn succession() -> Succession {
    let (keys, sets) = (witnesses(), sets());
    let members = [&keys[0], &keys[1], &SigningKey::from_seed([14; 32])].map(SigningKey::public);
    let set = WitnessSet::new(2, NOW + DAY, members).expect("a valid set");
    let endorse = |member: usize| Endorsement {
        member: member as u64,
        signature: sets
            .current()
            .endorse(&network(), &set, &keys[member])
            .try_into()
            .expect("64 bytes"),
    };
    let signatures = vec![endorse(0), endorse(1)];
    Succession { set, signatures }
}

/// Both sets.
pub fn two_sets() -> KnownSets {
    let mut sets = sets();
    sets.learn(succession()).expect("it follows");
    sets
}

fn draft(generation: u64, right: Right) -> Draft {
    Draft {
        network: network(),
        name: alice(),
        generation,
        right,
        recovery: Some(SigningKey::from_seed([5; 32]).public()),
        issued: NOW,
    }
}

/// The author claims the name.
pub fn claim() -> Claim {
    let right = Right::Free { work: 42 };
    draft(1, right).sign(&author()).expect("valid fields")
}

/// The author hands it to the transport key.
pub fn handover() -> Handover {
    Handover::sign(
        &network(),
        &alice(),
        1,
        transport().public(),
        &author(),
        NOW,
    )
    .expect("valid fields")
}

/// The transport key takes it.
pub fn handed() -> Claim {
    let right = Right::Handed(Box::new(handover()));
    draft(2, right).sign(&transport()).expect("valid fields")
}

/// The author gives it up.
pub fn release() -> Claim {
    let right = Right::Release { from: 1 };
    draft(2, right).sign(&author()).expect("valid fields")
}

/// The author does not pursue its claim.
pub fn abandon() -> Abandon {
    Abandon::sign(&claim(), &author(), NOW).expect("valid fields")
}

/// A witness's signature of a claim.
pub fn signature(claim: &Claim, member: usize, stage: Stage) -> WitnessSignature {
    let life = match stage {
        Stage::Provisional => NAME_PROVISIONAL,
        Stage::Final => NAME_LEASE,
    };
    let seat = (1, member as u64);
    let key = &witnesses()[member];
    WitnessSignature::sign(claim, seat, stage, NOW + life, Floor::default(), key)
}

/// The certificate of a claim, by two of three.
pub fn certificate_of(claim: &Claim) -> Certificate {
    Certificate {
        claim: claim.clone(),
        epoch: 1,
        finals: vec![
            signature(claim, 0, Stage::Final),
            signature(claim, 1, Stage::Final),
        ],
    }
}

/// The author's certificate.
pub fn certificate() -> Certificate {
    certificate_of(&claim())
}

/// Every kind of resource.
pub fn resources() -> Vec<Resource> {
    let cid = bytes_block().key().to_string();
    vec![
        Resource::Peer(transport().public()),
        Resource::Address([8, 8, 8, 8].into(), 443),
        Resource::Address([0x2a00, 0, 0, 0, 0, 0, 0, 1].into(), 0),
        Resource::File(cid.parse().expect("a content identifier")),
        Resource::Site(cid.parse().expect("a content identifier")),
        Resource::Url("https://example.org/".to_owned()),
        Resource::Text("hello".to_owned()),
    ]
}

fn entries(generation: u64) -> Zone {
    let mut zone = Zone {
        generation,
        ..Zone::default()
    };
    let bob = Name::parse("bob.p2p").expect("a name");
    zone.set("", resources()).expect("valid entries");
    zone.set("blog", vec![Resource::Alias(bob)])
        .expect("valid entries");
    zone
}

/// The author's zone.
pub fn zone() -> SignedZone {
    zone_with(1, NOW)
}

/// A zone of the author in some generation.
pub fn zone_with(generation: u64, seq: u64) -> SignedZone {
    let times = (NOW, NOW + 30 * DAY);
    let root = Root::Human(alice());
    entries(generation)
        .sign(&author(), &network(), &root, seq, times)
        .expect("valid fields")
}

/// The zone of the author's key.
pub fn key_zone() -> SignedZone {
    let times = (NOW, NOW + 30 * DAY);
    let root = Root::Key(author().public());
    entries(0)
        .sign(&author(), &network(), &root, NOW, times)
        .expect("valid fields")
}

fn signed(claim: &Claim, member: usize, stage: Stage) -> Signed {
    let (epoch, signature) = (1, signature(claim, member, stage));
    Signed { epoch, signature }
}

/// A row with everything in it.
pub fn row() -> Row {
    let half = |claim: Claim, stage| Half {
        signed: signed(&claim, 0, stage),
        claim,
    };
    Row {
        top: Some(Top {
            generation: 2,
            holder: handed().holder(),
        }),
        bound: Some(Bound {
            certificate: certificate(),
            own: Some(signed(&claim(), 0, Stage::Final)),
        }),
        half: Some(half(handed(), Stage::Final)),
        provisional: Some(half(release(), Stage::Provisional)),
        latest: NOW + NAME_LEASE,
        floor: zone().floor(),
        bars: vec![Bar {
            key: author().public(),
            strikes: 1,
            until: NOW,
            issued: NOW,
        }],
        denied: Some(Denial {
            reason: "a court order".to_owned(),
            since: NOW,
        }),
    }
}

/// What a reader has seen.
pub fn floors() -> Floors {
    let mut floors = Floors::default();
    let root = Root::Human(alice());
    let zone = Some(zone().floor());
    floors.raise(&root, (1, claim().holder()), zone, NOW);
    floors
}

/// One request of each kind.
pub fn requests() -> Vec<Request> {
    vec![
        Request::Ask { name: alice() },
        Request::Propose {
            claim: handed().bytes().to_vec(),
            follows: Some(certificate().encode()),
        },
        Request::Finalise {
            claim: claim().bytes().to_vec(),
            epoch: 1,
            provisionals: vec![
                signature(&claim(), 0, Stage::Provisional),
                signature(&claim(), 1, Stage::Provisional),
            ],
        },
        Request::Renew {
            certificate: certificate().encode(),
        },
        Request::Abandon {
            abandon: abandon().bytes().to_vec(),
        },
        Request::Publish {
            zone: zone().bytes().to_vec(),
            certificate: None,
        },
        Request::Sets { after: 1 },
    ]
}

/// One answer of each kind.
pub fn answers() -> Vec<Answer> {
    let known = Known {
        epoch: 1,
        top: 2,
        certificate: Some(certificate().encode()),
        own: Some(signed(&claim(), 0, Stage::Final)),
        half: Some(HalfFinal {
            claim: handed().bytes().to_vec(),
            signed: signed(&handed(), 0, Stage::Final),
        }),
        busy: Some(NOW + NAME_PROVISIONAL),
        zone: Some(zone().bytes().to_vec()),
    };
    let nothing = Known {
        epoch: 1,
        ..Known::default()
    };
    let responses = [
        Response::Known {
            known: Box::new(known),
        },
        Response::Known {
            known: Box::new(nothing),
        },
        Response::Signed {
            signed: signed(&claim(), 0, Stage::Final),
        },
        Response::Abandoned,
        Response::Sets {
            sets: vec![succession()],
        },
        Response::Refused {
            why: NameRefusal::Taken,
            until: Some(NOW),
            top: 1,
            certificate: Some(certificate().encode()),
        },
    ];
    let answers = responses.into_iter();
    answers
        .map(|response| Answer { now: NOW, response })
        .collect()
}
