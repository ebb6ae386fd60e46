//! What was not heard, what was heard before, and what need not be believed.

use super::*;
use crate::proto::names::wire::Known;
use crate::selftest::names::samples::{certificate, succession, two_sets};

#[test]
fn keys_of_a_set_that_was_replaced_raise_no_floor() {
    let forged = certificate().encode();
    let root = Root::Human(alice());
    let seen_after = |time: Millis| {
        let mut resolver = Resolver::new(two_sets(), Floors::default(), 1);
        let now = succession().set.from() + time;
        resolver.start(&Name::from(alice()), FRESH, now);
        while let Some(output) = resolver.poll() {
            match output {
                Output::Ask { id, request, .. } => match request {
                    Request::Ask { .. } => {
                        let known = Known {
                            epoch: 2,
                            certificate: Some(forged.clone()),
                            ..Known::default()
                        };
                        let known = Box::new(known);
                        resolver.answered(id, Response::Known { known }, now);
                    }
                    _ => resolver.failed(id, now),
                },
                Output::FindZone { id, .. } => resolver.zones_found(id, &[], now),
                Output::Done { result, .. } => assert!(result.is_err()),
                _ => {}
            }
        }
        resolver.floors().of(&root).is_some()
    };
    assert!(seen_after(DAY), "a lease of the old set that still lives");
    assert!(!seen_after(NAME_LEASE + 1));
}

#[test]
fn a_name_that_was_held_is_not_free_because_its_witnesses_forgot() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    net.resolve(&mut resolver, "alice", FRESH).unwrap();
    let rows = std::mem::replace(&mut net.rows, vec![None; 3]);
    let failed = net.resolve(&mut resolver, "alice", FRESH).unwrap_err();
    assert_eq!(failed, Unresolved::RolledBack);
    assert_eq!(resolver.cached(net.now).len(), 1, "what was proved is kept");
    net.rows = rows;
    net.run(&author(), Goal::Release).unwrap();
    let gone = net.resolve(&mut resolver, "alice", FRESH).unwrap_err();
    assert_eq!(gone, Unresolved::Unclaimed);
}

#[test]
fn an_overlay_that_cannot_be_read_says_nothing_about_what_is_there() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let name = Name::of_key(author().public()).to_string();
    let get =
        |net: &mut Net, resolver: &mut Resolver, options| net.resolve(resolver, &name, options);
    net.offline = true;
    let failed = get(&mut net, &mut resolver, FRESH).unwrap_err();
    assert_eq!(failed, Unresolved::TimedOut, "nothing is known");
    net.offline = false;
    net.overlay.push(key_zone().bytes().to_vec());
    get(&mut net, &mut resolver, Options::default()).expect("the failure is not remembered");
    net.offline = true;
    net.now += DAY / 2;
    for _ in 0..2 {
        let stale = get(&mut net, &mut resolver, Options::default()).unwrap();
        assert!(stale.proofs[0].stale, "the cache is kept");
    }
    let failed = get(&mut net, &mut resolver, FRESH).unwrap_err();
    assert_eq!(Error::from(failed).code(), Code::TimedOut);
    net.overlay.clear();
    net.offline = false;
    let failed = get(&mut net, &mut resolver, FRESH).unwrap_err();
    assert_eq!(failed, Unresolved::RolledBack, "a zone was seen before");
}

#[test]
fn an_overlay_that_is_silent_is_given_up_in_time() {
    let mut resolver = resolver();
    resolver.start(&Name::of_key(author().public()), FRESH, NOW);
    assert!(matches!(resolver.poll(), Some(Output::FindZone { .. })));
    let wake = resolver.next_wake().unwrap();
    resolver.tick(wake - 1);
    assert_eq!(resolver.poll(), None);
    resolver.tick(wake);
    let done = resolver.poll().unwrap();
    assert!(matches!(
        done,
        Output::Done {
            result: Err(Unresolved::TimedOut),
            ..
        }
    ));
}
