//! The cache, the floors, aliases, and witnesses that disagree.

mod changed;
mod unsure;

use super::*;
use crate::error::{Code, Error};
use crate::limits::{DAY, MINUTE, NAME_LEASE, SECOND};
use crate::proto::key::SigningKey;
use crate::proto::names::claim::Handover;
use crate::proto::names::publisher::Goal;
use crate::proto::names::resource::Resource;
use crate::proto::names::testing::Net;
use crate::proto::names::zone::Zone;
use crate::selftest::names::samples::{alice, key_zone, sets};
use crate::selftest::samples::{NOW, author, network, transport};

const FRESH: Options = Options {
    fresh: true,
    within: None,
    private: false,
    literal: false,
};

fn resolver() -> Resolver {
    Resolver::new(sets(), Floors::default(), 1)
}

fn text(text: &str) -> Vec<Resource> {
    vec![Resource::Text(text.to_owned())]
}

fn zone(entries: &[(&str, Vec<Resource>)]) -> Zone {
    let mut zone = Zone {
        generation: 1,
        ..Zone::default()
    };
    for (sub, resources) in entries {
        zone.set(sub, resources.clone()).unwrap();
    }
    zone
}

fn alias(name: &str) -> Vec<Resource> {
    vec![Resource::Alias(name.parse().unwrap())]
}

#[test]
fn resolves_with_proof_then_from_the_cache_then_anew() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    net.publish(
        &author(),
        zone(&[("", text("one")), ("blog", text("two"))]),
        &binding,
    );
    let asked = net.asked;
    let found = net
        .resolve(&mut resolver, "blog.alice.p2p", Options::default())
        .unwrap();
    assert_eq!(found.resources, text("two"));
    let proof = &found.proofs[0];
    assert_eq!((proof.owner, proof.generation), (author().public(), 1));
    assert_eq!((proof.witnesses.len(), proof.of, proof.quorum), (3, 3, 2));
    assert!(!proof.cached && !proof.stale && proof.age == 0);
    assert_eq!(net.asked - asked, 3, "one round trip");
    net.now += 4 * MINUTE;
    let again = net
        .resolve(&mut resolver, "alice.p2p", Options::default())
        .unwrap();
    assert_eq!(again.resources, text("one"));
    assert!(again.proofs[0].cached && again.proofs[0].age == 4 * MINUTE);
    assert_eq!((net.asked - asked, again.ttl), (3, MINUTE));
    net.now += 2 * MINUTE;
    let stale = net
        .resolve(&mut resolver, "alice.p2p", Options::default())
        .unwrap();
    assert!(stale.proofs[0].stale, "given at once, and asked for again");
    assert_eq!(net.asked - asked, 6);
    net.now += 1;
    let fresh = net
        .resolve(&mut resolver, "alice.p2p", Options::default())
        .unwrap();
    assert!(fresh.proofs[0].cached && !fresh.proofs[0].stale && fresh.proofs[0].age == 1);
    assert_eq!(resolver.cached(net.now).len(), 1);
    resolver.flush();
    assert!(resolver.cached(net.now).is_empty());
}

#[test]
fn an_owner_sees_an_alias_itself_whatever_is_wrong_where_it_leads() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    let unreadable = format!("{}.p2p", transport().public().to_base36());
    let aliases = ["alice.p2p", "bob.p2p", &unreadable].map(alias);
    let own = Options {
        literal: true,
        ..FRESH
    };
    net.offline = true;
    for alias in aliases {
        net.publish(&author(), zone(&[("", alias.clone())]), &binding);
        assert!(net.resolve(&mut resolver, "alice.p2p", FRESH).is_err());
        let found = net.resolve(&mut resolver, "alice.p2p", own).unwrap();
        assert_eq!(found.resources, alias);
        assert!(found.via.is_empty() && found.proofs.len() == 1);
    }
}

#[test]
fn names_that_do_not_exist_are_remembered_for_a_while() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let mut missing = |net: &mut Net, name| net.resolve(&mut resolver, name, Options::default());
    assert_eq!(missing(&mut net, "alice.p2p"), Err(Unresolved::Unclaimed));
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    assert_eq!(missing(&mut net, "alice.p2p"), Err(Unresolved::Unclaimed));
    net.now += 31 * SECOND;
    assert!(missing(&mut net, "alice.p2p").is_ok());
    let nothing = missing(&mut net, "blog.alice.p2p").unwrap_err();
    assert_eq!(
        nothing,
        Unresolved::Empty {
            owner: author().public()
        }
    );
    assert_eq!(Error::from(nothing).code(), Code::NameNotFound);
}

#[test]
fn of_too_many_names_that_do_not_exist_the_latest_are_remembered() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let mut missing = |net: &mut Net, number: usize| {
        let name = format!("nobody-{number}.p2p");
        let found = net.resolve(&mut resolver, &name, Options::default());
        assert_eq!(found, Err(Unresolved::Unclaimed));
        resolver.missing.len()
    };
    for number in 0..MAX_RESOLVED + 10 {
        net.now += 1;
        assert_eq!(missing(&mut net, number), (number + 1).min(MAX_RESOLVED));
    }
    let asked = net.asked;
    missing(&mut net, MAX_RESOLVED + 9);
    assert_eq!(net.asked, asked);
    missing(&mut net, 9);
    assert!(net.asked > asked);
}

#[test]
fn too_few_answers_are_said_to_be_too_few() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    net.silent.extend([0, 1]);
    let failed = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap_err();
    assert!(matches!(&failed, Unresolved::NoQuorum { answered, wanted: 2 } if answered.len() == 1));
    net.silent.clear();
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    net.silent.extend([0, 1]);
    let found = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap();
    assert_eq!(
        found.resources,
        text("one"),
        "a live certificate proves itself"
    );
}

#[test]
fn a_lease_that_ended_is_renewed_by_whoever_asks() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    net.now += NAME_LEASE + DAY;
    let found = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap();
    assert!(found.proofs[0].live_until > Some(net.now + 6 * DAY));
    net.now += NAME_LEASE + DAY;
    net.silent.extend([0, 1]);
    let failed = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap_err();
    assert_eq!(Error::from(failed).code(), Code::NameExpired);
    net.silent.clear();
    net.now = NOW + 366 * DAY;
    let failed = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap_err();
    assert!(matches!(failed, Unresolved::Expired { .. }));
}

#[test]
fn leases_are_renewed_in_passing() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    net.now += 4 * DAY;
    net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap();
    let (cached, _) = resolver.evidence(&Root::Human(alice())).unwrap();
    assert_eq!(cached.unwrap().live_until(), net.now + NAME_LEASE);
}

#[test]
fn nothing_below_a_floor_is_believed_not_even_after_a_reload() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    let old = net.publish(&author(), zone(&[("", text("old"))]), &binding);
    net.now += MINUTE;
    net.publish(&author(), zone(&[("", text("new"))]), &binding);
    net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap();
    assert!(net.floors_rose > 0);
    let mut floors = Floors::default();
    floors.restore(&resolver.floors().export()).unwrap();
    let mut reloaded = Resolver::new(sets(), floors, 2);
    // The witnesses are put back to an old state, and the overlay has the old zone only.
    for (row, stored) in net.rows.iter_mut().zip(&mut net.zones) {
        row.as_mut().unwrap().floor = old.floor();
        *stored = Some(old.bytes().to_vec());
    }
    net.overlay.push(old.bytes().to_vec());
    for resolver in [&mut resolver, &mut reloaded] {
        let failed = net.resolve(resolver, "alice.p2p", FRESH).unwrap_err();
        assert_eq!(failed, Unresolved::RolledBack);
    }
    let before = net.rows.clone();
    let handover = Handover::sign(
        &network(),
        &alice(),
        1,
        transport().public(),
        &author(),
        net.now,
    );
    let goal = Goal::Accept(Box::new(handover.unwrap()));
    let moved = net.run(&transport(), goal).unwrap();
    net.publish(&transport(), zone(&[("", text("moved"))]), &moved);
    let found = net.resolve(&mut reloaded, "alice.p2p", FRESH).unwrap();
    assert_eq!(found.resources, text("moved"));
    net.rows = before;
    let failed = net.resolve(&mut reloaded, "alice.p2p", FRESH).unwrap_err();
    assert_eq!(
        failed,
        Unresolved::RolledBack,
        "an old certificate is shown again"
    );
}

#[test]
fn a_zone_that_no_witness_has_comes_from_the_overlay() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    let signed = net.publish(&author(), zone(&[("", text("one"))]), &binding);
    net.zones = vec![None; 3];
    net.overlay.push(signed.bytes().to_vec());
    let found = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap();
    assert_eq!(found.resources, text("one"));
    net.overlay.clear();
    let failed = net.resolve(&mut resolver, "alice.p2p", FRESH).unwrap_err();
    assert_eq!(failed, Unresolved::RolledBack, "there was one");
}

#[test]
fn keys_are_resolved_without_witnesses() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    net.silent.extend([0, 1, 2]);
    let name = Name::of_key(author().public()).to_string();
    let failed = net.resolve(&mut resolver, &name, FRESH).unwrap_err();
    assert_eq!(
        failed,
        Unresolved::Empty {
            owner: author().public()
        }
    );
    net.overlay.push(key_zone().bytes().to_vec());
    net.overlay
        .push(crate::selftest::names::samples::zone().bytes().to_vec());
    let found = net.resolve(&mut resolver, &name, FRESH).unwrap();
    assert_eq!((found.resources.len(), net.asked), (7, 0));
    assert_eq!(found.proofs[0].generation, 0);
}

#[test]
fn aliases_lead_on_but_not_in_circles() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    let key = Name::of_key(author().public());
    let entries = [
        ("", alias("www.alice.p2p")),
        ("www", alias(&key.to_string())),
        ("circle", alias("ring.alice.p2p")),
        ("ring", alias("circle.alice.p2p")),
        ("self", alias("self.alice.p2p")),
    ];
    net.publish(&author(), zone(&entries), &binding);
    net.overlay.push(key_zone().bytes().to_vec());
    let found = net
        .resolve(&mut resolver, "alice.p2p", Options::default())
        .unwrap();
    assert_eq!(found.via, ["www.alice.p2p".parse().unwrap(), key]);
    assert_eq!((found.proofs.len(), found.resources.len()), (3, 7));
    for name in ["circle.alice.p2p", "self.alice.p2p"] {
        let failed = net
            .resolve(&mut resolver, name, Options::default())
            .unwrap_err();
        assert!(matches!(failed, Unresolved::AliasLoop(_)), "{name}");
    }
    let far: Vec<_> = (0..10)
        .map(|at| (format!("a{at}"), alias(&format!("a{}.alice", at + 1))))
        .collect();
    let far: Vec<_> = far
        .iter()
        .map(|(sub, to)| (sub.as_str(), to.clone()))
        .collect();
    net.now += 1;
    net.publish(&author(), zone(&far), &binding);
    let failed = net.resolve(&mut resolver, "a0.alice", FRESH).unwrap_err();
    assert!(
        matches!(failed, Unresolved::AliasLoop(_)),
        "too far: {failed:?}"
    );
}

#[test]
fn private_addresses_are_given_when_asked_for() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    let address = |ip: &str| Resource::Address(ip.parse().unwrap(), 80);
    let both = vec![address("192.168.0.1"), address("8.8.8.8")];
    net.publish(&author(), zone(&[("", both.clone())]), &binding);
    let found = net
        .resolve(&mut resolver, "alice", Options::default())
        .unwrap();
    assert_eq!(
        (found.resources, found.hidden),
        (vec![address("8.8.8.8")], 1)
    );
    let all = Options {
        private: true,
        ..Options::default()
    };
    assert_eq!(
        net.resolve(&mut resolver, "alice", all).unwrap().resources,
        both
    );
}

#[test]
fn a_clock_that_jumps_back_does_not_keep_old_answers_alive() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    net.resolve(&mut resolver, "alice", Options::default())
        .unwrap();
    let asked = net.asked;
    net.now -= 11 * MINUTE;
    let failed = net.resolve(&mut resolver, "alice", Options::default());
    assert!(net.asked > asked, "asked again: {failed:?}");
}

#[test]
fn a_half_final_that_a_quorum_signed_is_found_and_passed_on() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let owner = SigningKey::from_seed([21; 32]);
    let mut crashed = net.start(&owner, Goal::Claim { recovery: None });
    loop {
        use crate::proto::names::publisher::Output as Did;
        match crashed.poll() {
            Some(Did::Send {
                request: Request::Renew { .. },
                ..
            }) => break,
            Some(Did::Send { to, id, request }) => {
                let response = net.ask(to, &request).unwrap();
                crashed.answered(id, response, net.now);
            }
            Some(Did::Solve(_)) => crashed.solved(0, net.now),
            Some(_) => {}
            None => panic!("it goes on"),
        }
    }
    assert!(net.rows.iter().flatten().all(|row| row.bound.is_none()));
    let failed = net.resolve(&mut resolver, "alice", FRESH).unwrap_err();
    assert_eq!(
        failed,
        Unresolved::Empty {
            owner: owner.public()
        }
    );
    let seen = resolver.floors().of(&Root::Human(alice())).unwrap();
    assert_eq!(seen.holder.owner, owner.public());
    assert_eq!(net.claim(&owner).claim().generation(), 1);
}
