//! A witness that dies at every write point: whatever it signed before, it stands by afterwards.
//!
//! Two owners race for a name, step by step: provisional signature, final one, renewal, zones. The
//! process is killed when so many signatures have left it, and a moment later. After its restart it is
//! asked what it knows, and tempted to sign for the other owner.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use warren_shared::limits::DAY;
use warren_shared::net::{Node, Route};
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::key::{PublicKey, SigningKey};
use warren_shared::proto::names::certificate::{Floor, Stage};
use warren_shared::proto::names::claim::{Abandon, Draft, Right};
use warren_shared::proto::names::name::Root;
use warren_shared::proto::names::wire::{Known, NameRefusal, Request, Response, Signed};
use warren_shared::proto::names::work::Hardness;
use warren_shared::proto::names::{
    Certificate, Claim, KnownSets, Label, Resource, SignedZone, WitnessSet, Zone,
};
use warren_tests::count;
use warren_tests::killed::Killed;
use warren_tests::peers::stranger;
use warren_tests::random::Random;
use warren_tests::wait::{until, within};

/// Signatures after which it is killed: two stages, a renewal, some zones; then again.
const WRITE_POINTS: usize = 7;
/// And so many microseconds later at most: within the next write, or behind it.
const LATER: usize = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_signature_that_left_a_witness_is_forgotten() {
    let mut random = Random::new();
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut relay = Killed::start(home.path()).await;
    let peer = stranger(&relay.network);
    let mut signatures = 0;
    for round in 0..count(WRITE_POINTS, 200) {
        let name: Label = format!("contested-{round}").parse().expect("a name");
        let race = Arc::new(Race::new(&peer, &relay, name));
        let (acknowledged, mut counted) = watch::channel(0);
        let owners = [0, 1].map(|_| Owner::new(race.clone(), acknowledged.clone()));
        let keys = owners
            .each_ref()
            .map(|owner| (owner.key.clone(), owner.work));
        let racing = owners.map(|owner| {
            let abandons = random.chance(25);
            tokio::spawn(owner.run(abandons))
        });
        let enough = 1 + round % WRITE_POINTS;
        let reached = counted.wait_for(|count| *count >= enough);
        drop(within("signatures of the witness", reached).await);
        // Any moment is as good as any other: nothing is asserted about it.
        tokio::time::sleep(Duration::from_micros(random.below(LATER) as u64)).await;
        relay.kill().await;
        // Who was refused and waits for the other finds out that nobody is there.
        acknowledged.send_modify(|_| ());
        let mut given = Vec::new();
        for ended in racing {
            given.push(ended.await.expect("an owner does not panic"));
        }
        signatures += given.iter().map(|given| given.count).sum::<usize>();

        relay = Killed::start(home.path()).await;
        let race = Race {
            route: relay.route.clone(),
            ..(*race).clone()
        };
        check(&race, &given, &keys, round).await;
    }
    println!("{signatures} signatures were stood by");
    peer.close().await;
}

/// What the owners race for, and where.
#[derive(Clone)]
struct Race {
    peer: Node,
    network: NetworkId,
    route: Route,
    sets: KnownSets,
    name: Label,
}

impl Race {
    fn new(peer: &Node, relay: &Killed, name: Label) -> Race {
        let witness = PublicKey::from_peer_id(&relay.route.peer.to_string()).expect("a key");
        let set = WitnessSet::new(1, 0, [witness]).expect("a set of one");
        Race {
            peer: peer.clone(),
            network: relay.network.clone(),
            route: relay.route.clone(),
            sets: KnownSets::pinned(relay.network.clone(), set),
            name,
        }
    }

    /// Nothing when the witness is gone.
    async fn ask(&self, request: Request) -> Option<Response> {
        let asked = self.peer.handle().ask_name(self.route.clone(), request);
        asked.await.ok().map(|answer| answer.response)
    }

    /// The signature, or nothing when it is refused; the outer nothing when the witness is gone.
    async fn signed(&self, request: Request) -> Option<Option<Signed>> {
        match self.ask(request).await? {
            Response::Signed { signed } => Some(Some(signed)),
            Response::Refused { .. } => Some(None),
            other => panic!("{other:?}"),
        }
    }

    /// The answer of a witness that runs. A busy machine may be late with it.
    async fn answer(&self, request: Request) -> Response {
        until("the witness answers", || self.ask(request.clone())).await
    }

    async fn known(&self) -> Known {
        let name = self.name.clone();
        match self.answer(Request::Ask { name }).await {
            Response::Known { known } => *known,
            other => panic!("{other:?}"),
        }
    }

    fn claim(&self, owner: &SigningKey, work: u64, generation: u64) -> Claim {
        let draft = Draft {
            network: self.network.clone(),
            name: self.name.clone(),
            generation,
            right: Right::Free { work },
            recovery: None,
            issued: platform::now(),
        };
        draft.sign(owner).expect("signed")
    }

    /// The solution for this owner, as long as the hour lasts.
    fn work(&self, owner: &SigningKey) -> u64 {
        let puzzle = self.claim(owner, 0, 1).puzzle(Hardness::STANDARD);
        puzzle.search(0, u64::MAX).expect("a solution")
    }

    fn zone(&self, owner: &SigningKey, seq: u64) -> SignedZone {
        let mut zone = Zone {
            generation: 1,
            ..Zone::default()
        };
        let text = Resource::Text(format!("version {seq}"));
        zone.set("", vec![text]).expect("it fits");
        let (now, root) = (platform::now(), Root::Human(self.name.clone()));
        let signed = zone.sign(owner, &self.network, &root, seq, (now, now + DAY));
        signed.expect("signed")
    }
}

/// What the witness gave one owner.
#[derive(Default)]
struct Given {
    count: usize,
    /// A provisional signature that was not given back, and until when it counts.
    reserved: Option<u64>,
    finally: Option<Claim>,
    renewed: bool,
    floor: Floor,
}

struct Owner {
    key: SigningKey,
    work: u64,
    race: Arc<Race>,
    acknowledged: watch::Sender<usize>,
    given: Given,
}

impl Owner {
    fn new(race: Arc<Race>, acknowledged: watch::Sender<usize>) -> Owner {
        let key = SigningKey::from_seed(platform::entropy());
        Owner {
            work: race.work(&key),
            key,
            race,
            acknowledged,
            given: Given::default(),
        }
    }

    /// Goes on until the witness is gone.
    async fn run(mut self, abandons: bool) -> Given {
        let mut changes = self.acknowledged.subscribe();
        while let Some(owned) = self.attempt(abandons && self.given.count == 0).await {
            if owned.is_some() {
                continue;
            }
            // Whoever is refused waits for the other to go on.
            if changes.changed().await.is_err() {
                break;
            }
        }
        self.given
    }

    /// The outer nothing when the witness is gone, the inner one when it refuses.
    async fn attempt(&mut self, abandons: bool) -> Option<Option<()>> {
        let claim = self.race.claim(&self.key, self.work, 1);
        let bytes = claim.bytes().to_vec();
        let propose = Request::Propose {
            claim: bytes.clone(),
            follows: None,
        };
        let Some(provisional) = self.race.signed(propose).await? else {
            return Some(None);
        };
        self.take(&claim, &provisional, Stage::Provisional);
        if abandons {
            self.given.reserved = None;
            return self.abandon(&claim).await;
        }
        let finalise = Request::Finalise {
            claim: bytes,
            epoch: provisional.epoch,
            provisionals: vec![provisional.signature],
        };
        let Some(last) = self.race.signed(finalise).await? else {
            return Some(None);
        };
        self.given.reserved = None;
        self.given.finally = Some(claim.clone());
        self.take(&claim, &last, Stage::Final);
        let certificate = Certificate {
            claim: claim.clone(),
            epoch: last.epoch,
            finals: vec![last.signature],
        };
        let certificate = certificate.encode();
        let renew = Request::Renew {
            certificate: certificate.clone(),
        };
        let lease = self.race.signed(renew).await?.expect("it stands by it");
        self.given.renewed = true;
        self.take(&claim, &lease, Stage::Final);
        for seq in 1.. {
            let zone = self.race.zone(&self.key, seq);
            let publish = Request::Publish {
                zone: zone.bytes().to_vec(),
                certificate: Some(certificate.clone()),
            };
            // Too many for a minute: the rest of the round is somebody else's.
            let Some(lease) = self.race.signed(publish).await? else {
                return Some(None);
            };
            assert_eq!(lease.signature.floor, zone.floor());
            self.given.floor = zone.floor();
            self.take(&claim, &lease, Stage::Final);
        }
        Some(None)
    }

    async fn abandon(&mut self, claim: &Claim) -> Option<Option<()>> {
        let abandon = Abandon::sign(claim, &self.key, platform::now());
        let abandon = abandon.expect("signed").bytes().to_vec();
        self.race.ask(Request::Abandon { abandon }).await?;
        self.acknowledged.send_modify(|count| *count += 1);
        Some(Some(()))
    }

    fn take(&mut self, claim: &Claim, signed: &Signed, stage: Stage) {
        let set = self.race.sets.get(signed.epoch).expect("the only set");
        assert!(
            signed.signature.verify(claim, set, stage),
            "a true signature"
        );
        if stage == Stage::Provisional {
            self.given.reserved = Some(signed.signature.not_after);
        }
        self.given.count += 1;
        self.acknowledged.send_modify(|count| *count += 1);
    }
}

/// The witness knows all that it gave, and gives the other owner nothing against it.
async fn check(race: &Race, given: &[Given], keys: &[(SigningKey, u64); 2], round: usize) {
    let final_for: Vec<usize> = (0..2).filter(|at| given[*at].finally.is_some()).collect();
    assert!(
        final_for.len() < 2,
        "round {round}: two owners of one generation"
    );
    let known = race.known().await;
    for (at, given) in given.iter().enumerate() {
        let (other, work) = &keys[1 - at];
        if given.finally.is_some() {
            assert!(
                known.top >= 1,
                "round {round}: a final signature was forgotten"
            );
        }
        if given.renewed {
            let kept = known.certificate.as_deref().map(Certificate::decode);
            let kept = kept.expect("a certificate").expect("a readable one");
            assert_eq!(kept.claim.owner(), keys[at].0.public(), "round {round}");
        }
        if given.floor > Floor::default() {
            let zone = known.zone.as_deref().map(SignedZone::decode);
            let zone = zone.expect("a zone").expect("a readable one");
            assert!(zone.floor() >= given.floor, "round {round}: an older zone");
            let own = known.own.as_ref().expect("its own signature");
            assert!(
                own.signature.floor >= given.floor,
                "round {round}: a lower floor"
            );
        }
        let reserved = given.reserved.is_some_and(|until| platform::now() < until);
        if given.finally.is_none() && !reserved {
            continue;
        }
        for generation in [1, 2] {
            let claim = race.claim(other, *work, generation).bytes().to_vec();
            let tempted = race.answer(Request::Propose {
                claim,
                follows: None,
            });
            let refused = matches!(tempted.await, Response::Refused { why, .. } if why != NameRefusal::RateLimited);
            assert!(refused, "round {round}: it signed for another owner");
        }
    }
}
