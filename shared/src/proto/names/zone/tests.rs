//! Entries, order and limits.

use super::*;
use crate::limits::{CLOCK_TOLERANCE, DAY, MAX_ZONE_TEXT};
use crate::selftest::names::samples::{alice, key_zone, resources, zone, zone_with};
use crate::selftest::samples::{NOW, author, network, transport};

fn text(text: &str) -> Resource {
    Resource::Text(text.to_owned())
}

fn signed(zone: &Zone) -> Result<SignedZone> {
    let times = (NOW, NOW + DAY);
    zone.sign(&author(), &network(), &Root::Human(alice()), NOW, times)
}

#[test]
fn entries_are_found_and_replaced() {
    let mut zone = Zone {
        generation: 1,
        ..Zone::default()
    };
    zone.set("blog", vec![text("one")]).unwrap();
    zone.set("", resources()).unwrap();
    zone.set("@", vec![text("apex")]).unwrap();
    zone.set("XN--Bcher-KVA", vec![text("books")]).unwrap();
    zone.set("_http._tcp", vec![text("service")]).unwrap();
    zone.set("blog", vec![text("two")]).unwrap();
    assert_eq!(zone.entries.len(), 4);
    assert_eq!(zone.find("blog").unwrap().resources, [text("two")]);
    assert_eq!(zone.find("").unwrap().resources, [text("apex")]);
    assert!(zone.find("xn--bcher-kva").is_some() && zone.find("none").is_none());
    zone.set("blog", vec![]).unwrap();
    assert!(zone.find("blog").is_none());
    let signed = signed(&zone).unwrap();
    assert_eq!(SignedZone::decode(signed.bytes()).unwrap(), signed);
}

#[test]
fn limits_hold_when_signing_and_when_reading() {
    let wrong = [
        Zone {
            ttl: 1,
            ..Zone::default()
        },
        Zone {
            ttl: 100_000,
            ..Zone::default()
        },
        Zone {
            generation: u64::MAX,
            ..Zone::default()
        },
        entry("Blog", vec![text("x")]),
        entry("a..b", vec![text("x")]),
        entry("x", vec![]),
        entry("x", vec![text("x"); 17]),
        entry("x", vec![text(&"x".repeat(MAX_ZONE_TEXT + 1))]),
        entry("x", vec![text("x"), Resource::Alias(alice().into())]),
    ];
    for mut zone in wrong {
        zone.generation = zone.generation.max(1);
        assert!(signed(&zone).is_err(), "{zone:?}");
        let body = Body {
            payload: cbor::encode(&zone),
            ..self::zone().envelope().body().clone()
        };
        let forged = Envelope::sign(body, &author()).unwrap();
        assert_eq!(
            SignedZone::read(forged),
            Err(Refusal::Malformed),
            "{zone:?}"
        );
    }
    let many: Zone = Zone {
        generation: 1,
        entries: (0..257)
            .map(|at| entry(&format!("{at:03}"), vec![text("")]).entries.remove(0))
            .collect(),
        ..Zone::default()
    };
    assert!(signed(&many).is_err());
}

fn entry(sub: &str, resources: Vec<Resource>) -> Zone {
    let (sub, ttl) = (sub.to_owned(), None);
    Zone {
        entries: vec![Entry {
            sub,
            ttl,
            resources,
        }],
        ..Zone::default()
    }
}

#[test]
fn a_zone_belongs_to_one_name_owner_and_generation() {
    let root = Root::Human(alice());
    let owner = (author().public(), 1);
    let check =
        |zone: &SignedZone, root: &Root, owner, now| zone.belongs(&network(), root, owner, now);
    assert_eq!(check(&zone(), &root, owner, NOW), Ok(()));
    let wrong = Err(Refusal::WrongKey);
    assert_eq!(check(&zone(), &root, (transport().public(), 1), NOW), wrong);
    assert_eq!(check(&zone_with(2, NOW), &root, owner, NOW), wrong);
    let bob = Root::Human("bob".parse().unwrap());
    assert_eq!(check(&zone(), &bob, owner, NOW), wrong);
    let key = Root::Key(author().public());
    assert_eq!(check(&zone(), &key, owner, NOW), wrong);
    assert_eq!(
        check(&key_zone(), &key, (author().public(), 0), NOW),
        Ok(())
    );
    let end = NOW + 30 * DAY + CLOCK_TOLERANCE;
    assert_eq!(check(&zone(), &root, owner, end), Err(Refusal::Expired));
    let early = NOW - CLOCK_TOLERANCE - 1;
    assert_eq!(
        check(&zone(), &root, owner, early),
        Err(Refusal::FutureDated)
    );
    let other = "other".parse().unwrap();
    assert_eq!(
        zone().belongs(&other, &root, owner, NOW),
        Err(Refusal::WrongNetwork)
    );
}

#[test]
fn the_zone_of_a_key_has_no_generation() {
    let zone = Zone {
        generation: 1,
        ..Zone::default()
    };
    let times = (NOW, NOW + DAY);
    let key = Root::Key(author().public());
    assert!(zone.sign(&author(), &network(), &key, NOW, times).is_err());
    let human = Zone::default();
    assert!(
        human
            .sign(&author(), &network(), &Root::Human(alice()), NOW, times)
            .is_err()
    );
    assert!(
        SignedZone::location(&author().public(), &key)
            != SignedZone::location(&author().public(), &Root::Human(alice()))
    );
    assert_eq!(
        key_zone().envelope().key(),
        SignedZone::location(&author().public(), &key)
    );
}

#[test]
fn people_write_zones_as_they_like() {
    let text = r#"{"generation":1,"entries":[
        {"sub":"www","resources":[{"type":"alias","name":"alice"}]},
        {"sub":"@","ttl":60,"resources":[{"type":"address","ip":"8.8.8.8"}]}]}"#;
    let zone: Zone = serde_json::from_str(text).unwrap();
    let zone = zone.tidy().unwrap();
    assert_eq!(zone.entries[0].sub, "");
    assert_eq!(
        (zone.ttl_of(""), zone.ttl_of("www"), zone.ttl_of("no")),
        (60_000, 300_000, 300_000)
    );
    signed(&zone).unwrap();
    let again = serde_json::to_string(&zone).unwrap();
    assert_eq!(serde_json::from_str::<Zone>(&again).unwrap(), zone);
    let twice = text.replace("\"@\"", "\"www\"");
    assert!(
        serde_json::from_str::<Zone>(&twice)
            .unwrap()
            .tidy()
            .is_err()
    );
}
