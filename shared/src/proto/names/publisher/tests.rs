//! From the first question to the confirmed end, with witnesses that answer, refuse or are silent.

use super::schedule::Holdings;
use super::*;
use crate::error::{Code, Error};
use crate::limits::{DAY, MINUTE, NAME_EXTEND_BEFORE, NAME_LEASE, NAME_TERM, RECORD_RETENTION};
use crate::proto::names::certificate::Certificate;
use crate::proto::names::name::Root;
use crate::proto::names::resource::Resource;
use crate::proto::names::testing::Net;
use crate::proto::names::zone::Zone;
use crate::selftest::names::samples::{alice, sets};
use crate::selftest::samples::{NOW, author, network, transport};

fn hand(from: u64, to: &SigningKey, by: &SigningKey, now: Millis) -> Goal {
    let handover = Handover::sign(&network(), &alice(), from, to.public(), by, now);
    Goal::Accept(Box::new(handover.unwrap()))
}

#[test]
fn a_free_name_is_claimed_in_four_round_trips() {
    let mut net = Net::new();
    let binding = net.claim(&author());
    assert_eq!(binding.claim().owner(), author().public());
    assert_eq!((binding.claim().generation(), net.asked), (1, 12));
    assert!(matches!(
        net.progress[..],
        [
            Progress::Asking,
            Progress::Working(_),
            Progress::Reserving,
            Progress::Signing,
            Progress::Confirming,
        ]
    ));
    assert!(!net.kept.is_empty(), "kept before it was shown");
    assert!(binding.certificate().finals.len() >= 2);
    assert!(
        net.rows
            .iter()
            .all(|row| row.as_ref().is_some_and(|row| row.bound.is_some()))
    );
}

#[test]
fn one_silent_witness_does_not_matter_two_do() {
    let mut net = Net::new();
    net.silent.insert(1);
    net.claim(&author());
    net.silent.insert(2);
    let failure = net
        .run(&transport(), Goal::Claim { recovery: None })
        .unwrap_err();
    let Failure::NoQuorum { answered, wanted } = &failure else {
        panic!("{failure:?}");
    };
    assert_eq!((answered.len(), *wanted), (1, 2));
    assert_eq!(Error::from(failure).code(), Code::NoQuorum);
}

#[test]
fn a_taken_name_says_by_whom_and_the_own_is_a_success() {
    let mut net = Net::new();
    let mine = net.claim(&author());
    let failure = net
        .run(&transport(), Goal::Claim { recovery: None })
        .unwrap_err();
    let holder = Some(author().public());
    assert!(matches!(&failure, Failure::Taken { holder: by, until: Some(_) } if *by == holder));
    let error = Error::from(failure);
    assert_eq!(error.code(), Code::NameTaken);
    assert!(error.message().contains(&author().public().to_base36()));
    assert_eq!(net.claim(&author()).claim(), mine.claim());
}

#[test]
fn of_two_at_the_same_moment_one_gets_it() {
    let mut net = Net::new();
    let mut first = net.start(&author(), Goal::Claim { recovery: None });
    let mut second = net.start(&transport(), Goal::Claim { recovery: None });
    // Both have been told that the name is free before either proposes.
    for operation in [&mut first, &mut second] {
        for _ in 0..4 {
            if let Some(Output::Send { to, id, request }) = operation.poll() {
                let response = net.ask(to, &request).unwrap();
                operation.answered(id, response, net.now);
            }
        }
    }
    net.finish(&mut first).unwrap();
    let failure = net.finish(&mut second).unwrap_err();
    assert!(matches!(failure, Failure::Taken { .. }), "{failure:?}");
}

#[test]
fn a_crash_between_the_stages_costs_ten_minutes() {
    let mut net = Net::new();
    let mut crashed = net.start(&author(), Goal::Claim { recovery: None });
    let mut proposals = 0;
    while proposals < 3 {
        match crashed.poll().expect("proposals come") {
            Output::Send { to, id, request } => {
                proposals += usize::from(matches!(request, Request::Propose { .. }));
                let response = net.ask(to, &request).unwrap();
                if proposals == 0 {
                    crashed.answered(id, response, net.now);
                }
            }
            Output::Solve(_) => crashed.solved(0, net.now),
            _ => {}
        }
    }
    net.now += 2 * MINUTE;
    let failure = net
        .run(&author(), Goal::Claim { recovery: None })
        .unwrap_err();
    assert!(matches!(failure, Failure::Barred { .. }), "{failure:?}");
    net.claim(&transport());
}

#[test]
fn names_are_handed_over_extended_and_released() {
    let mut net = Net::new();
    let first = net.claim(&author());
    let thief = hand(1, &transport(), &transport(), net.now);
    assert!(net.run(&transport(), thief).is_err());
    let goal = hand(1, &transport(), &author(), net.now);
    let second = net.run(&transport(), goal).unwrap();
    assert_eq!(
        (second.claim().generation(), second.claim().owner()),
        (2, transport().public())
    );
    let stale = net
        .run(&author(), Goal::Renew(Box::new(first)))
        .unwrap_err();
    assert!(matches!(stale, Failure::Taken { .. }), "{stale:?}");
    assert!(net.run(&author(), Goal::Release).is_err());
    net.now = NOW + NAME_TERM - 30 * DAY;
    let extended = net.run(&transport(), Goal::Extend).unwrap();
    assert_eq!(extended.claim().generation(), 2);
    assert!(extended.claim().expires() > NOW + NAME_TERM + 300 * DAY);
    let gone = net.run(&transport(), Goal::Release).unwrap();
    assert!(gone.claim().released());
    net.now += 1;
    assert_eq!(net.claim(&author()).claim().generation(), 4);
}

#[test]
fn an_owner_that_lost_its_certificate_finds_it_again() {
    let mut net = Net::new();
    net.claim(&author());
    net.now += NAME_LEASE + DAY;
    let again = net.claim(&author());
    assert!(again.is_live(net.now), "and its lease is new");
    assert_eq!(again.claim().generation(), 1);
}

#[test]
fn what_is_due_is_done_in_time() {
    let mut net = Net::new();
    let binding = net.claim(&author());
    let zone = Zone::default();
    let mut holdings = Holdings::new(1);
    holdings.keep(binding.certificate().clone(), net.now);
    assert!(holdings.due(&sets(), net.now).is_empty());
    net.now += 2 * DAY;
    let due = holdings.due(&sets(), net.now);
    assert!(
        matches!(
            due[..],
            [schedule::Due {
                goal: Goal::Renew(_),
                ..
            }]
        ),
        "{due:?}"
    );
    assert!(holdings.due(&sets(), net.now).is_empty(), "given once");
    holdings.finished(&alice(), Some(Code::NoQuorum), net.now);
    assert!(holdings.next_wake().unwrap() < net.now + 10 * MINUTE);
    let mut zone = Zone {
        generation: 1,
        ..zone
    };
    zone.set("", vec![Resource::Text("x".to_owned())]).unwrap();
    let signed = net.publish(&author(), zone, &binding);
    holdings.publish(&alice(), signed);
    let mut holdings = Holdings::restore(&holdings.export(), 2).unwrap();
    let due = holdings.due(&sets(), net.now);
    assert!(matches!(
        due[..],
        [schedule::Due {
            goal: Goal::Publish(..),
            ..
        }]
    ));
    let late = binding.claim().expires() - NAME_EXTEND_BEFORE + 1;
    let due = holdings.due(&sets(), late);
    assert!(matches!(
        due[..],
        [schedule::Due {
            goal: Goal::Extend,
            ..
        }]
    ));
    holdings.finished(&alice(), None, late);
    let jumped_back = NOW - 30 * DAY;
    assert_eq!(holdings.due(&sets(), jumped_back).len(), 1);
}

#[test]
fn the_recovery_key_takes_the_name_over_and_nobody_else_does() {
    let mut net = Net::new();
    let (rescue, stranger) = (transport(), SigningKey::from_seed([9; 32]));
    let recovery = Some(rescue.public());
    net.run(&author(), Goal::Claim { recovery }).unwrap();
    for goal in [Goal::Recover, Goal::Find] {
        let refused = net.run(&stranger, goal).unwrap_err();
        assert!(matches!(refused, Failure::Taken { .. }), "{refused:?}");
    }
    let binding = net.run(&rescue, Goal::Recover).unwrap();
    assert_eq!(binding.claim().owner(), rescue.public());
    assert_eq!(binding.claim().generation(), 2);
    let again = net.run(&rescue, Goal::Recover).unwrap();
    assert_eq!(again.claim(), binding.claim(), "it is its already");
    assert!(net.run(&author(), Goal::Find).is_err(), "it was the owner");
}

#[test]
fn only_a_certificate_takes_a_name_from_its_owner() {
    let mut net = Net::new();
    let mine = net.claim(&author());
    net.now = NOW + NAME_TERM - 30 * DAY;
    let liar = sets().current().keys()[0];
    let silent = sets().current().keys()[1];
    let mut extending = net.start(&author(), Goal::Extend);
    let said = loop {
        match extending.poll().expect("an end without waiting") {
            Output::Send { to, id, request } => {
                let proposed = matches!(request, Request::Propose { .. });
                match net.ask(to, &request) {
                    _ if proposed && to == liar => {
                        let (why, until) = (NameRefusal::Taken, Some(net.now + DAY));
                        let (top, certificate) = (1, None);
                        let refused = Response::Refused {
                            why,
                            until,
                            top,
                            certificate,
                        };
                        extending.answered(id, refused, net.now);
                    }
                    Some(response) if !proposed || to != silent => {
                        extending.answered(id, response, net.now);
                    }
                    _ => extending.failed(id, net.now),
                }
            }
            Output::Keep(certificate) => net.kept.push(*certificate),
            Output::Done(done) => break done.unwrap_err(),
            _ => {}
        }
    };
    assert!(
        matches!(said, Failure::Taken { holder: None, .. }),
        "{said:?}"
    );
    assert!(Error::from(said).message().contains("says a witness"));
    let others = |kept: &Certificate| kept.claim.owner() != author().public();
    assert!(!net.kept.iter().any(others), "nothing was proved");

    let mut holdings = Holdings::new(1);
    holdings.keep(mine.certificate().clone(), net.now);
    let theirs = net.run(&transport(), hand(1, &transport(), &author(), net.now));
    let theirs = theirs.unwrap();
    let mut held_by_them = Holdings::new(1);
    held_by_them.keep(theirs.certificate().clone(), net.now);
    held_by_them.lose(mine.claim());
    assert_eq!(held_by_them.rows().len(), 1, "it was before");
    net.run(&author(), Goal::Extend).unwrap_err();
    let proof = net.kept.iter().rfind(|kept| others(kept)).unwrap();
    holdings.lose(&proof.claim);
    assert_eq!(holdings.rows().len(), 0);
}

#[test]
fn a_name_that_its_new_holder_gave_up_is_lost() {
    let mut net = Net::new();
    let mine = net.claim(&author());
    let mut holdings = Holdings::new(1);
    holdings.keep(mine.certificate().clone(), net.now);
    net.run(&transport(), hand(1, &transport(), &author(), net.now))
        .unwrap();
    net.run(&transport(), Goal::Release).unwrap();
    net.kept.clear();
    let nobody = net.run(&author(), Goal::Find).unwrap_err();
    assert_eq!(nobody, Failure::Unheld);
    for proof in &net.kept {
        holdings.lose(&proof.claim);
    }
    assert_eq!(holdings.rows().len(), 0);
}

#[test]
fn finding_a_name_changes_nothing() {
    let mut net = Net::new();
    let nobody = net.run(&author(), Goal::Find).unwrap_err();
    assert_eq!(nobody, Failure::Unheld);
    let claimed = net.claim(&author());
    net.now += DAY;
    let found = net.run(&author(), Goal::Find).unwrap();
    assert_eq!(found.claim(), claimed.claim());
}

#[test]
fn what_failed_is_tried_again_as_soon_as_there_is_a_way() {
    let owner = author();
    let root = Root::Key(owner.public());
    let times = (NOW, NOW + schedule::ZONE_LIFETIME);
    let zone = Zone::default().sign(&owner, &network(), &root, 1, times);
    let mut holdings = Holdings::new(1);
    holdings.publish_own(zone.unwrap(), NOW);
    holdings.retry(NOW);
    assert!(!holdings.own_due(NOW), "nothing has failed");
    let later = NOW + 2 * DAY;
    assert!(holdings.own_due(later));
    for (failure, again) in [(Code::NoRelay, true), (Code::Refused, false)] {
        holdings.own_finished(Some(failure), later);
        assert!(!holdings.own_due(later + 1));
        holdings.retry(later + 1);
        assert_eq!(holdings.own_due(later + 1), again, "{failure:?}");
    }
}

/// The store of others forgets what is not stored again; zones end.
#[test]
fn the_zone_of_a_key_outlives_every_store() {
    let owner = author();
    let root = Root::Key(owner.public());
    let sign = |now: Millis| {
        let times = (now, now + schedule::ZONE_LIFETIME);
        Zone::default().sign(&owner, &network(), &root, now, times)
    };
    let mut holdings = Holdings::new(1);
    let mut published = sign(NOW).unwrap();
    let mut kept_until = NOW + RECORD_RETENTION;
    holdings.publish_own(published.clone(), NOW);
    for hour in 0..40 * 24 {
        let now = NOW + hour * HOUR;
        assert!(now < kept_until, "forgotten after {hour} hours");
        assert!(now < published.expires(), "over after {hour} hours");
        if !holdings.own_due(now) {
            continue;
        }
        // Every third time nobody is there; every fifth the owner begins again.
        holdings.own_finished((hour % 3 == 0).then_some(Code::TimedOut), now);
        if hour % 3 == 0 {
            continue;
        }
        if schedule::is_old(&published, now) {
            published = sign(now).unwrap();
            holdings.publish_own(published.clone(), now);
        }
        kept_until = now + RECORD_RETENTION;
        if hour % 5 == 0 {
            holdings = Holdings::restore(&holdings.export(), hour).unwrap();
        }
    }
    assert_eq!(holdings.own(), Some(&published));
    assert!(published.expires() > NOW + 40 * DAY);
}

#[test]
fn what_witnesses_refuse_is_told_with_what_to_do() {
    for (why, told) in [
        (NameRefusal::RateLimited, "60 times a minute"),
        (NameRefusal::Denied, "ask them"),
        (NameRefusal::NoRight, "Look who holds"),
    ] {
        let error = Error::from(Failure::Refused(why));
        assert!(error.remedy().contains(told), "{}", error.remedy());
    }
}
