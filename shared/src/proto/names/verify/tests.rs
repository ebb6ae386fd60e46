//! Proofs that stand for themselves, and those that do not.

use super::*;
use crate::limits::{DAY, NAME_LEASE};
use crate::proto::names::set::WitnessSet;
use crate::proto::names::{Resource, Zone};
use crate::selftest::names::samples::{
    certificate, certificate_of, handed, key_zone, release, sets, two_sets, zone, zone_with,
};
use crate::selftest::samples::{NOW, author, network};

fn evidence(name: &str) -> Evidence {
    let binding = certificate().verify(&sets()).unwrap();
    Evidence::new(&name.parse().unwrap(), &sets(), Some(&binding), &zone())
}

fn code(evidence: &Evidence, now: Millis) -> Code {
    evidence.verify(Some(&sets()), now).unwrap_err().code()
}

#[test]
fn a_proof_stands_for_itself() {
    let text = serde_json::to_string(&evidence("alice.p2p")).unwrap();
    let evidence = Evidence::from_json(&text).unwrap();
    let verified = evidence.verify(Some(&sets()), NOW).unwrap();
    assert!(verified.pinned);
    assert_eq!(verified.resolution.resources.len(), 7);
    assert_eq!(verified.resolution.proofs[0].owner, author().public());
    assert_eq!(verified.resolution.proofs[0].witnesses.len(), 2);
    let unpinned = evidence.verify(None, NOW).unwrap();
    assert!(!unpinned.pinned && unpinned.witness_set == verified.witness_set);
    let json = serde_json::to_value(&verified).unwrap();
    assert_eq!(json["resolution"]["proofs"][0]["generation"], 1);
    assert_eq!(json["resolution"]["resources"][0]["type"], "peer");
}

#[test]
fn the_name_of_a_key_needs_its_zone_only() {
    let name = Name::of_key(author().public());
    let evidence = Evidence::new(&name, &sets(), None, &key_zone());
    assert!(evidence.verify(None, NOW).is_ok());
    let other = Name::of_key(crate::selftest::samples::transport().public());
    let wrong = Evidence::new(&other, &sets(), None, &key_zone());
    assert_eq!(
        wrong.verify(None, NOW).unwrap_err().code(),
        Code::InvalidKey
    );
}

#[test]
fn a_chain_of_sets_leads_from_the_pinned_one() {
    let binding = certificate().verify(&two_sets()).unwrap();
    let name = "alice".parse().unwrap();
    let evidence = Evidence::new(&name, &two_sets(), Some(&binding), &zone());
    assert!(evidence.verify(Some(&sets()), NOW).unwrap().pinned);
    let strangers = sets().current().keys()[..1].to_vec();
    let set = WitnessSet::new(1, 0, strangers).unwrap();
    let strangers = KnownSets::pinned(network(), set);
    assert!(evidence.verify(Some(&strangers), NOW).is_err());
    let elsewhere = KnownSets::pinned("other".parse().unwrap(), sets().current().clone());
    let error = evidence.verify(Some(&elsewhere), NOW).unwrap_err();
    assert_eq!(error.code(), Code::WrongNetwork);
}

/// The name of a key, which is an alias of alice.
fn alias() -> (Name, Evidence) {
    let (name, root) = (
        Name::of_key(author().public()),
        Root::Key(author().public()),
    );
    let mut zone = Zone::default();
    let target = Resource::Alias("alice".parse().unwrap());
    zone.set("", vec![target]).unwrap();
    let signed = zone.sign(&author(), &network(), &root, 1, (NOW, NOW + DAY));
    let evidence = Evidence::new(&name, &sets(), None, &signed.unwrap());
    (name, evidence)
}

fn whole(name: &Name, evidence: &[Evidence]) -> Result<Verified> {
    let json = serde_json::json!({"name": name, "evidence": evidence, "resources": ["a lie"]});
    verify(&json.to_string(), Some(&sets()), NOW)
}

#[test]
fn an_answer_is_checked_from_zone_to_zone() {
    let (name, first) = alias();
    let second = evidence("alice.p2p");
    let found = whole(&name, &[first.clone(), second.clone()]).unwrap();
    assert_eq!(found.resolution.name, name);
    assert_eq!(found.resolution.via, ["alice".parse().unwrap()]);
    assert_eq!(found.resolution.resources.len(), 7);
    assert_eq!(found.resolution.proofs.len(), 2);
    assert!(found.pinned && found.witness_set.is_some());
    assert_eq!(
        whole(&name, std::slice::from_ref(&first))
            .unwrap()
            .resolution
            .resources
            .len(),
        1
    );
    let alice = "alice".parse().unwrap();
    let single = serde_json::to_string(&second).unwrap();
    assert!(
        verify(&single, None, NOW).is_ok(),
        "one proof alone does as well"
    );

    let other = Evidence {
        sets: evidence_in(&two_sets()).sets,
        ..second.clone()
    };
    for (name, evidence) in [
        (&name, vec![]),
        (&name, vec![second.clone()]),
        (&name, vec![first.clone(), first.clone()]),
        (&alice, vec![second.clone(), second.clone()]),
        (&name, vec![first.clone(), other]),
        (&name, vec![first; 10]),
    ] {
        let error = whole(name, &evidence).unwrap_err();
        assert_eq!(error.code(), Code::ProtocolViolation, "{error:?}");
    }
}

fn evidence_in(sets: &KnownSets) -> Evidence {
    let binding = certificate().verify(sets).unwrap();
    Evidence::new(&"alice".parse().unwrap(), sets, Some(&binding), &zone())
}

#[test]
fn anything_else_is_refused_with_its_reason() {
    assert_eq!(
        code(&evidence("alice"), NOW + NAME_LEASE),
        Code::NameExpired
    );
    assert_eq!(code(&evidence("alice"), NOW + 400 * DAY), Code::NameExpired);
    assert_eq!(code(&evidence("no.alice"), NOW), Code::NameNotFound);
    assert_eq!(code(&evidence("bob"), NOW), Code::ProtocolViolation);
    assert_eq!(
        code(
            &Evidence {
                certificate: None,
                ..evidence("alice")
            },
            NOW
        ),
        Code::ProtocolViolation
    );
    let with = |certificate: &Certificate, zone: &SignedZone| {
        let binding = certificate.verify(&sets()).unwrap();
        Evidence::new(&"alice".parse().unwrap(), &sets(), Some(&binding), zone)
    };
    assert_eq!(
        code(&with(&certificate(), &zone_with(2, NOW)), NOW),
        Code::InvalidKey
    );
    assert_eq!(
        code(&with(&certificate_of(&handed()), &zone()), NOW),
        Code::InvalidKey
    );
    assert_eq!(
        code(&with(&certificate_of(&release()), &zone()), NOW),
        Code::NameNotFound
    );
    let mut forged = evidence("alice");
    forged.zone.replace_range(20..21, "_");
    assert!(forged.verify(None, NOW).is_err());
    assert!(Evidence::from_json("{}").is_err());
    assert!(Evidence::from_json(&" ".repeat(10_000_000)).is_err());
}

#[test]
fn a_refusal_is_told_as_what_it_is() {
    let refusal = r#"{"error":{"code":"NAME_NOT_FOUND","message":"nobody holds this name","remedy":"Claim it.","retryable":true}}"#;
    let error = verify(refusal, None, NOW).unwrap_err();
    assert!(
        error.to_string().contains("nobody holds this name"),
        "{error}"
    );
    assert_eq!(error.remedy(), "Claim it.");
    let error = verify(" \n", None, NOW).unwrap_err();
    assert!(error.to_string().contains("nothing was given"), "{error}");
}

#[test]
fn what_is_private_is_left_out_when_it_is_to_be() {
    let mut verified = evidence("alice.p2p").verify(None, NOW).unwrap();
    let all = verified.resolution.resources.clone();
    verified.hide_private();
    let public = all.iter().filter(|it| it.is_public()).count();
    assert_eq!(verified.resolution.resources.len(), public);
    assert_eq!(verified.resolution.hidden, all.len() - public);
}
