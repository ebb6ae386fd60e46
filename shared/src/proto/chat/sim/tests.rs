use super::*;
use crate::limits::{MINUTE, PRESENCE_EVERY, SECOND};

fn text(text: &str) -> Content {
    let (text, to) = (text.to_owned(), None);
    Content::Text { text, to }
}

/// Something that a member may say now.
fn anything(sim: &mut Sim, said: &[MessageId], me: usize) -> Content {
    let author = sim.devices[me].key.public();
    let own: Vec<&MessageId> = said.iter().filter(|id| id.author == author).collect();
    let pick = sim.random.next_u64() as usize;
    let any = said.get(pick % said.len().max(1)).copied();
    let mine = own
        .get(pick % own.len().max(1))
        .map(|id| (id.session, id.number));
    match (sim.random.below(10), any, mine) {
        (0, Some(to), _) => Content::React {
            to,
            mark: "👍".into(),
            on: pick.is_multiple_of(3),
        },
        (1, _, Some((session, number))) => Content::Edit {
            session,
            number,
            text: format!("changed {pick}"),
        },
        (2, _, Some((session, number))) => Content::Delete { session, number },
        (3, to, _) => Content::Text {
            text: format!("answer {pick}"),
            to,
        },
        _ => text(&format!("text {pick}")),
    }
}

#[test]
fn after_loss_and_churn_everybody_has_everything_and_nothing_was_told_twice() {
    for seed in 0..12 {
        let count = 3 + (seed as usize % 8);
        let mut sim = Sim::new(seed, count);
        sim.loss = [0, 5, 30][seed as usize % 3];
        let mut said = Vec::new();
        sim.start(0);
        for _ in 0..80 {
            let number = sim.random.below(count as u64) as usize;
            let present = sim.devices[number].room.is_some();
            match (sim.random.below(20), present) {
                (0, true) => sim.leave(number),
                (1, true) => sim.vanish(number),
                (2, false) => sim.wipe(number),
                (_, false) => sim.start(number),
                _ => {
                    let content = anything(&mut sim, &said, number);
                    let shown = matches!(content, Content::Text { .. });
                    said.extend(sim.say(number, content).filter(|_| shown));
                }
            }
            let pause = sim.random.below(4 * SECOND);
            sim.run(pause);
        }
        for number in 0..count {
            if sim.devices[number].room.is_none() {
                sim.start(number);
            }
        }
        sim.loss = 0;
        sim.run(6 * MINUTE);
        assert!(sim.check() > 20, "seed {seed}: too little happened");
    }
}

/// Many devices at several relays: what gets lost differs from one to the next.
#[test]
fn of_many_members_everybody_gets_everything_from_few() {
    let long = std::env::var_os("WARREN_LONG").is_some();
    let (seeds, count, steps) = if long { (4, 100, 200) } else { (1, 100, 20) };
    for seed in 0..seeds {
        let mut sim = Sim::new(seed, count);
        sim.relays = Some(Relays::new(seed, 3 + count / 10, count));
        sim.loss = 5;
        for number in 0..count {
            sim.start(number);
            sim.run(100);
        }
        let mut said = 0;
        for _ in 0..steps {
            let number = sim.random.below(count as u64) as usize;
            match (sim.random.below(20), sim.devices[number].room.is_some()) {
                (0, true) => sim.leave(number),
                (1, true) => sim.vanish(number),
                (_, false) => sim.start(number),
                (_, true) => said += usize::from(sim.say(number, text("hello")).is_some()),
            }
            let pause = sim.random.below(SECOND);
            sim.run(pause);
        }
        for number in 0..count {
            if sim.devices[number].room.is_none() {
                sim.start(number);
            }
        }
        // Packets and answers go on to be lost.
        let talked = sim.now;
        while !sim.all_have(said) {
            assert!(sim.now < talked + 20 * MINUTE, "seed {seed}: never ends");
            sim.run(SECOND);
        }
        println!(
            "seed {seed}: {said} messages, {} pairs, {} requests, resynchronised after {} ms",
            sim.asked.len(),
            sim.requests,
            sim.now - talked
        );
        while !sim.all_know_all() {
            assert!(sim.now < talked + 30 * MINUTE, "seed {seed}: never ends");
            sim.run(SECOND);
        }
        assert_eq!(sim.check(), said, "seed {seed}");
    }
}

#[test]
fn a_late_joiner_gets_a_long_history_in_pages() {
    for seed in 0..2 {
        let mut sim = Sim::new(seed, 3);
        sim.start(0);
        sim.start(1);
        for number in 0..600 {
            sim.say(number % 2, text(&format!("{number} {}", "x".repeat(300))))
                .unwrap();
            sim.run(300);
        }
        sim.start(2);
        sim.run(10 * SECOND);
        assert_eq!(sim.check(), 600);
        let synced = |event: &&(Millis, RoomEvent)| matches!(event.1, RoomEvent::Synced {});
        assert_eq!(sim.devices[2].events.iter().filter(synced).count(), 1);
    }
}

#[test]
fn members_are_known_within_two_seconds_and_missed_within_fifteen() {
    let mut sim = Sim::new(4, 12);
    for number in 0..12 {
        sim.start(number);
        sim.run(700);
    }
    let came = sim.now;
    sim.run(1_300);
    let all = |sim: &Sim, number: usize| {
        let room = sim.devices[number].room.as_ref().unwrap();
        room.members().len()
    };
    assert!((0..12).all(|number| all(&sim, number) == 11));
    let nicks = sim.devices[11].room.as_ref().unwrap().members();
    assert!(
        nicks.iter().any(|member| member.nick == "n3"),
        "since {came}"
    );

    sim.run(MINUTE);
    sim.vanish(3);
    sim.run(3 * PRESENCE_EVERY);
    assert!(
        sim.present()
            .into_iter()
            .all(|number| all(&sim, number) == 10)
    );
    sim.leave(4);
    sim.run(SECOND);
    assert!(
        sim.present()
            .into_iter()
            .all(|number| all(&sim, number) == 9)
    );
    let lost = |lost: bool| {
        let events = sim.devices[0].events.iter();
        let left = events.filter(
            |(_, event)| matches!(event, RoomEvent::Left { lost: was, .. } if *was == lost),
        );
        left.count()
    };
    assert_eq!((lost(true), lost(false)), (1, 1));
}

#[test]
fn a_gap_is_shown_and_filled() {
    let mut sim = Sim::new(0, 2);
    sim.start(0);
    sim.start(1);
    sim.run(SECOND);
    sim.loss = 100;
    for _ in 0..3 {
        sim.say(0, text("nobody hears this")).unwrap();
    }
    sim.run(200);
    sim.loss = 0;
    sim.say(0, text("this is heard")).unwrap();
    sim.run(MINUTE);
    let counts: Vec<u64> = sim.devices[1]
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            RoomEvent::Missing { count } => Some(*count),
            _ => None,
        })
        .collect();
    assert_eq!((counts.first(), counts.last()), (Some(&3), Some(&0)));
    assert_eq!(sim.check(), 4);
}

#[test]
fn what_came_last_is_missed_although_nothing_follows() {
    let mut sim = Sim::new(1, 3);
    (0..3).for_each(|number| sim.start(number));
    sim.run(SECOND);
    sim.loss = 100;
    sim.say(0, text("nobody hears this")).unwrap();
    sim.loss = 0;
    sim.run(MINUTE);
    assert_eq!(sim.check(), 1);
}

#[test]
fn quiet_rooms_ask_nobody() {
    let mut sim = Sim::new(2, 8);
    (0..8).for_each(|number| sim.start(number));
    sim.say(3, text("hello")).unwrap();
    sim.run(MINUTE);
    sim.check();
    let before = sim.requests;
    sim.run(10 * MINUTE);
    assert_eq!(sim.requests, before);
}

#[test]
fn typing_is_told_and_ends_by_itself() {
    let mut sim = Sim::new(3, 2);
    sim.start(0);
    sim.start(1);
    sim.run(2 * SECOND);
    let now = sim.now;
    let room = sim.devices[0].room.as_mut().unwrap();
    room.typing(true, now).unwrap();
    sim.drain(0);
    sim.run(10 * SECOND);
    let typing: Vec<bool> = sim.devices[1]
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            RoomEvent::Typing { on, .. } => Some(*on),
            _ => None,
        })
        .collect();
    assert_eq!(typing, [true, false]);
}
