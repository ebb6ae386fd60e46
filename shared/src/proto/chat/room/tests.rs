use super::super::keys::RoomRef;
use super::*;
use crate::error::Code;
use crate::limits::{CHAT_BURST, CHAT_LENIENCE, CLOCK_TOLERANCE, SECOND};
use crate::proto::record::Refusal;

const NOW: Millis = 1_700_000_000_000;

fn room(by: u8, secret: Option<[u8; 16]>) -> Room {
    let keys = RoomRef::new("a", secret).unwrap();
    Room::new(RoomConfig {
        keys: keys.keys(&"test".parse().unwrap()),
        author: SigningKey::from_seed([by; 32]),
        nick: format!("n{by}"),
        peer: vec![by],
        session: u64::from(by),
        seed: [by; 32],
    })
    .unwrap()
}

fn text(text: &str) -> Content {
    let (text, to) = (text.to_owned(), None);
    Content::Text { text, to }
}

fn say(room: &mut Room, content: Content, now: Millis) -> (MessageId, Vec<u8>) {
    let (_, packet) = room.draft(content, now).unwrap();
    (room.commit(now).unwrap(), packet)
}

fn events(room: &mut Room) -> Vec<RoomEvent> {
    let outputs = std::iter::from_fn(|| room.poll());
    let events = outputs.filter_map(|output| match output {
        Output::Event(event) => Some(event),
        _ => None,
    });
    events.collect()
}

#[test]
fn messages_of_others_are_unread_until_they_are_read() {
    let (mut me, mut other) = (room(1, None), room(2, None));
    for number in 0..3 {
        let (_, packet) = say(&mut other, text("hello"), NOW + number);
        me.received(packet, NOW).unwrap();
    }
    assert_eq!(me.unread(), 3);
    let told = events(&mut me);
    assert!(told.contains(&RoomEvent::Unread { count: 3 }), "{told:?}");
    me.mark_read();
    assert_eq!(me.unread(), 0);
    let read = me.read();
    say(&mut me, text("mine"), NOW + 5);
    assert_eq!(me.unread(), 0);
    let mut again = room(1, None);
    let kept = me.log().iter().map(|held| held.packet.clone()).collect();
    assert!(again.restore(kept, read, NOW));
    assert_eq!(
        (again.unread(), again.history(None, 9).unwrap().len()),
        (0, 4)
    );
}

#[test]
fn numbers_go_on_after_a_restart_and_are_never_used_again() {
    let mut first = room(1, None);
    let (id, packet) = say(&mut first, text("one"), NOW);
    let mut second = room(1, None);
    second.restore(vec![packet], Stamp::default(), NOW);
    let (next, _) = say(&mut second, text("two"), NOW);
    assert_eq!((id.number, next.number), (1, 2));
    second.draft(text("is it kept?"), NOW).unwrap();
    second.abandon(77);
    let (fresh, _) = say(&mut second, text("three"), NOW);
    assert_eq!((fresh.session, fresh.number), (77, 1));
}

#[test]
fn edits_and_deletions_are_the_authors_alone() {
    let (mut me, mut other) = (room(1, None), room(2, None));
    let (id, packet) = say(&mut other, text("hello"), NOW);
    me.received(packet, NOW).unwrap();
    let (session, number) = (id.session, id.number);
    for content in [
        Content::Delete { session, number },
        Content::Edit {
            session,
            number,
            text: "forged".into(),
        },
    ] {
        assert_eq!(me.draft(content, NOW).unwrap_err().code(), Code::NotFound);
    }
    let edit = Content::Edit {
        session,
        number,
        text: "better".into(),
    };
    let (_, packet) = say(&mut other, edit, NOW);
    me.received(packet, NOW).unwrap();
    let shown = me.history(None, 9).unwrap();
    assert_eq!((shown[0].text.as_str(), shown[0].edited), ("better", true));
    let (_, packet) = say(&mut other, Content::Delete { session, number }, NOW);
    me.received(packet, NOW).unwrap();
    assert!(me.history(None, 9).unwrap().is_empty());
    let told = events(&mut me);
    assert!(
        told.contains(&RoomEvent::Deleted { id: id.to_string() }),
        "{told:?}"
    );
}

#[test]
fn marks_are_put_and_taken_away() {
    let mut me = room(1, None);
    let (to, _) = say(&mut me, text("hello"), NOW);
    let react = |mark: &str, on| Content::React {
        to,
        mark: mark.into(),
        on,
    };
    for content in [
        react("👍", true),
        react("👎", true),
        react("👍", true),
        react("👎", false),
    ] {
        say(&mut me, content, NOW);
    }
    let reactions = me.history(None, 1).unwrap().remove(0).reactions;
    assert_eq!(reactions.len(), 1);
    assert_eq!(
        (reactions[0].mark.as_str(), reactions[0].authors.len()),
        ("👍", 1)
    );
}

#[test]
fn too_much_at_once_is_refused_at_both_ends() {
    let (mut me, mut other) = (room(1, None), room(2, None));
    let said = (0..2 * CHAT_BURST).filter(|_| {
        let drafted = other.draft(text("spam"), NOW).is_ok();
        drafted && other.commit(NOW).is_ok()
    });
    assert_eq!(said.count(), CHAT_BURST as usize);
    other.draft(text("later"), NOW + SECOND).unwrap();

    let packets = (0..3 * CHAT_BURST).map(|number| {
        let said = other.write(text(&format!("{number}")), 1_000 + u64::from(number), NOW);
        said.unwrap().1
    });
    let packets: Vec<Vec<u8>> = packets.collect();
    let taken = packets
        .into_iter()
        .filter(|packet| me.received(packet.clone(), NOW).is_ok());
    assert_eq!(taken.count(), (CHAT_BURST * CHAT_LENIENCE) as usize);
}

#[test]
fn strangers_and_wrong_times_change_nothing() {
    let (mut me, mut other) = (room(1, Some([1; 16])), room(2, Some([2; 16])));
    let (_, packet) = say(&mut other, text("hello"), NOW);
    assert!(me.received(packet, NOW).is_err());
    let mut ahead = room(3, Some([1; 16]));
    let (_, packet) = say(&mut ahead, text("hello"), NOW + CLOCK_TOLERANCE + 1);
    assert_eq!(me.received(packet, NOW), Err(Refusal::FutureDated));
    assert!(events(&mut me).is_empty());
    assert_eq!((me.log().digest().count, me.members().len()), (0, 0));
}

#[test]
fn an_answer_is_later_than_what_it_answers_whatever_the_clocks_say() {
    let (mut me, mut slow) = (room(1, None), room(2, None));
    let (to, packet) = say(&mut me, text("question"), NOW);
    slow.received(packet, NOW - SECOND).unwrap();
    let answer = Content::Text {
        text: "answer".into(),
        to: Some(to),
    };
    let (_, packet) = say(&mut slow, answer, NOW - SECOND);
    me.received(packet, NOW).unwrap();
    let texts: Vec<String> = me
        .history(None, 9)
        .unwrap()
        .into_iter()
        .map(|one| one.text)
        .collect();
    assert_eq!(texts, ["question", "answer"]);
}

#[test]
fn who_gives_damaged_history_is_blamed_and_for_what_only_members_see_nobody_is() {
    for secret in [None, Some([9; 16])] {
        let (mut me, mut other) = (room(1, secret), room(2, secret));
        let (_, good) = say(&mut other, text("good"), NOW);
        let (_, mut bad) = say(&mut other, text("bad"), NOW);
        *bad.last_mut().unwrap() ^= 1;
        let blames = |me: &mut Room, packets: Vec<Vec<u8>>| {
            let more = false;
            me.answered(&vec![7], Some(Answer::Packets { packets, more }), NOW);
            let outputs = std::iter::from_fn(|| me.poll());
            outputs.filter(|one| *one == Output::Blame(vec![7])).count()
        };
        assert_eq!(blames(&mut me, vec![bad.clone(), bad, good.clone()]), 1);
        assert_eq!(
            me.history(None, 9).unwrap().len(),
            1,
            "what is good counts all the same"
        );
        assert_eq!(blames(&mut me, vec![good]), 0);
    }
}

#[test]
fn newcomers_do_not_make_a_member_speak_all_the_time() {
    let mut me = room(1, None);
    me.enter(NOW);
    let mut spoken = 0;
    // Somebody new every tenth of a second, of an author who is here already or not.
    for number in 0..600u64 {
        let now = NOW + number * SECOND / 10;
        let mut other = room(2 + (number % 200) as u8, None);
        other.abandon(number);
        other.enter(now);
        let here = std::iter::from_fn(|| other.poll());
        let here = here.filter_map(|output| match output {
            Output::Publish(packet) => Some(packet),
            _ => None,
        });
        here.for_each(|packet| me.received(packet, now).unwrap());
        me.tick(now);
        let said = std::iter::from_fn(|| me.poll());
        spoken += said
            .filter(|output| matches!(output, Output::Publish(_)))
            .count();
    }
    // All of them together say so sixteen times a second.
    assert!(me.members().len() > 100, "{}", me.members().len());
    assert!(spoken < 60, "{spoken} times in a minute");
}

#[test]
fn who_names_many_peers_is_asked_at_one() {
    let (mut me, mut other) = (room(1, None), room(2, None));
    me.enter(NOW);
    let mut asked = std::collections::BTreeSet::new();
    for number in 0..40u64 {
        let now = NOW + number * SECOND;
        let here = Content::Here {
            peer: vec![2, number as u8],
            every: 5_000,
            head: 0,
            new: false,
            count: 9,
            sum: 9,
        };
        let (_, packet) = other.write(here, 0, now).unwrap();
        me.received(packet, now).unwrap();
        me.tick(now + SECOND - 1);
        while let Some(output) = me.poll() {
            if let Output::Ask(peer, _) = output {
                asked.insert(peer);
            }
        }
        let waiting = me.sync.holders();
        assert!(waiting <= 1, "{waiting} peers of one member");
    }
    assert!(!asked.is_empty());
}

#[test]
fn history_before_what_is_not_here_is_an_error() {
    let mut me = room(1, None);
    let (one, _) = say(&mut me, text("one"), NOW);
    let (two, _) = say(&mut me, text("two"), NOW + 1);
    assert_eq!(me.history(Some(&two), 9).unwrap().len(), 1);
    assert!(me.history(Some(&one), 9).unwrap().is_empty());
    let (session, number) = (two.session, two.number);
    say(&mut me, Content::Delete { session, number }, NOW + 2);
    let error = me.history(Some(&two), 9).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

#[test]
fn pages_of_history_part_nobody_who_spoke_at_one_moment() {
    let mut me = room(1, None);
    for by in 2..8 {
        let (_, packet) = say(&mut room(by, None), text(&format!("from {by}")), NOW);
        me.received(packet, NOW).unwrap();
    }
    let whole = me.history(None, 9).unwrap();
    assert_eq!(whole.len(), 6);
    assert!(
        whole
            .iter()
            .all(|entry| (entry.time, entry.count) == (NOW, 0))
    );
    let mut paged: Vec<Entry> = Vec::new();
    loop {
        let before = paged.first().map(|entry| entry.id.parse().unwrap());
        let page = me.history(before.as_ref(), 2).unwrap();
        if page.is_empty() {
            break;
        }
        paged.splice(..0, page);
    }
    assert_eq!(paged, whole);
}

#[test]
fn numbers_are_not_used_again_when_none_of_them_is_found() {
    let (mut me, mut other) = (room(1, None), room(2, None));
    let (_, packet) = say(&mut other, text("hello"), NOW);
    // Own messages have made room for those of others.
    assert!(!me.restore(vec![packet], Stamp::default(), NOW));
    assert!(
        room(1, None).restore(Vec::new(), Stamp::default(), NOW),
        "the first time"
    );
}

#[test]
fn after_a_silence_what_was_heard_counts_no_more_than_what_is_given() {
    let (mut me, mut other) = (room(1, None), room(2, None));
    let (_, packet) = say(&mut other, text("hello"), NOW);
    me.received(packet, NOW).unwrap();
    let heard_when_given = |me: &mut Room, now| {
        let (packets, more) = (Vec::new(), false);
        me.answered(&vec![7], Some(Answer::Packets { packets, more }), now);
        me.holds().heard
    };
    let soon = NOW + limits::CHAT_SILENCE - 1;
    assert_eq!(heard_when_given(&mut me, soon), 1);
    // Whoever says that it is there is heard, too.
    let (_, packet) = other.write(Content::Typing { on: true }, 0, soon).unwrap();
    me.received(packet, soon).unwrap();
    assert_eq!(heard_when_given(&mut me, soon + 1), 1);
    let later = soon + limits::CHAT_SILENCE;
    assert_eq!(heard_when_given(&mut me, later), 0);
    assert_eq!(me.history(None, 9).unwrap().len(), 1, "it is still there");
}
