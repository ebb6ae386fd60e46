use super::candidate::{BadCandidate, Candidate, Trickled};
use super::sim::{Scene, World, description, way};
use super::wire::{BadMessage, Decoder, Kind, Message};
use super::*;
use crate::error::{Code, Error};
use crate::limits::{
    SIGNALING_BYTES, SIGNALING_CANDIDATES, SIGNALING_DEADLINE, SIGNALING_DESCRIBED,
    SIGNALING_MESSAGE, SIGNALING_ORPHANED,
};
use crate::proto::Millis;
use crate::proto::prng::Prng;

mod glare;
mod wires;

fn say(kind: Kind, data: &str) -> Vec<u8> {
    let data = data.to_owned();
    Message { kind, data }.encode()
}

fn candidate(number: usize) -> Vec<u8> {
    let candidate = Trickled::Candidate(way(0, 1, number));
    say(Kind::Candidate, &candidate.to_json())
}

fn all(attempt: &mut Attempt) -> Vec<Output> {
    std::iter::from_fn(|| attempt.poll()).collect()
}

fn failed(attempt: &mut Attempt, failure: Failure) {
    let ended = vec![Output::Reset, Output::Failed(failure)];
    assert_eq!(all(attempt), ended);
    assert_eq!(attempt.next_wake(), None);
    // Nothing is said after the last word.
    attempt.connected();
    attempt.received(&candidate(0));
    attempt.ended(End::Lost, 0);
    attempt.tick(Millis::MAX);
    attempt.described(String::new());
    attempt.accepted();
    attempt.found(Trickled::End);
    assert_eq!(all(attempt), []);
}

fn offer() -> String {
    description(0, 1)
}

/// One that has sent its offer.
fn dialling() -> Attempt {
    let mut attempt = Attempt::dial(0);
    assert_eq!(all(&mut attempt), [Output::Describe]);
    attempt.described("own".to_owned());
    assert_eq!(all(&mut attempt), [Output::Send(say(Kind::Offer, "own"))]);
    attempt
}

/// One that has an offer, and gave it to its stack.
fn answering() -> Attempt {
    let mut attempt = Attempt::answer(0);
    attempt.received(&say(Kind::Offer, &offer()));
    assert_eq!(all(&mut attempt), [Output::Remote(offer())]);
    attempt
}

/// One that knows both descriptions.
fn known() -> Attempt {
    let mut attempt = dialling();
    attempt.received(&say(Kind::Answer, &offer()));
    attempt.accepted();
    assert_eq!(all(&mut attempt), [Output::Remote(offer())]);
    attempt
}

#[test]
fn who_dials_offers_then_trickles_then_connects() {
    let mut attempt = Attempt::dial(0);
    assert_eq!(all(&mut attempt), [Output::Describe]);
    // The stack may be faster with its candidates than with its description; the remote reads that first.
    attempt.found(Trickled::Candidate(way(0, 0, 0)));
    assert_eq!(all(&mut attempt), []);
    attempt.described("own".to_owned());
    attempt.found(Trickled::End);
    attempt.found(Trickled::End);
    let own = Trickled::Candidate(way(0, 0, 0)).to_json();
    let said = [
        say(Kind::Offer, "own"),
        say(Kind::Candidate, &own),
        say(Kind::Candidate, "null"),
    ];
    assert_eq!(all(&mut attempt), said.map(Output::Send));
    attempt.received(&say(Kind::Answer, &offer()));
    assert_eq!(all(&mut attempt), [Output::Remote(offer())]);
    // The stack is still busy with the description.
    attempt.received(&candidate(7));
    assert_eq!(all(&mut attempt), []);
    attempt.accepted();
    assert_eq!(all(&mut attempt), [Output::Candidate(way(0, 1, 7))]);
    attempt.received(&[candidate(8), say(Kind::Candidate, "")].concat());
    let given = [Output::Candidate(way(0, 1, 8)), Output::NoMoreCandidates];
    assert_eq!(all(&mut attempt), given);
    attempt.connected();
    assert_eq!(all(&mut attempt), [Output::Finish, Output::Connected]);
    assert_eq!(attempt.next_wake(), None);
}

#[test]
fn who_answers_describes_itself_second() {
    let mut attempt = Attempt::answer(0);
    assert_eq!(all(&mut attempt), []);
    attempt.received(&candidate(3));
    attempt.received(&say(Kind::Offer, &offer()));
    assert_eq!(all(&mut attempt), [Output::Remote(offer())]);
    attempt.accepted();
    let asked = [Output::Describe, Output::Candidate(way(0, 1, 3))];
    assert_eq!(all(&mut attempt), asked);
    attempt.described("own".to_owned());
    assert_eq!(all(&mut attempt), [Output::Send(say(Kind::Answer, "own"))]);
    attempt.ended(End::Finished, 1);
    attempt.connected();
    assert_eq!(all(&mut attempt), [Output::Finish, Output::Connected]);
}

#[test]
fn what_comes_after_the_connection_changes_nothing() {
    let mut attempt = known();
    attempt.connected();
    assert_eq!(all(&mut attempt), [Output::Finish, Output::Connected]);
    attempt.received(&[0xff; 100]);
    attempt.ended(End::Lost, 5);
    attempt.unreachable();
    attempt.refused("late");
    attempt.give_way();
    attempt.cancel();
    attempt.connected();
    attempt.tick(Millis::MAX);
    attempt.found(Trickled::Candidate(way(0, 0, 0)));
    assert_eq!(all(&mut attempt), []);
}

#[test]
fn waiting_is_bounded() {
    for mut attempt in [Attempt::answer(0), dialling(), answering()] {
        assert_eq!(attempt.next_wake(), Some(SIGNALING_DESCRIBED));
        attempt.tick(SIGNALING_DESCRIBED - 1);
        assert_eq!(all(&mut attempt), []);
        attempt.tick(SIGNALING_DESCRIBED);
        failed(&mut attempt, Failure::Unanswered);
    }
    let mut attempt = known();
    assert_eq!(attempt.next_wake(), Some(SIGNALING_DEADLINE));
    attempt.tick(SIGNALING_DEADLINE);
    failed(&mut attempt, Failure::TimedOut);
}

#[test]
fn a_stream_that_ends_too_early_ends_the_attempt() {
    for end in [End::Finished, End::Lost] {
        for mut attempt in [Attempt::answer(0), dialling()] {
            attempt.ended(end, 1);
            failed(&mut attempt, Failure::Ended);
        }
    }
    // Nobody would hear the answer.
    let mut attempt = answering();
    attempt.ended(End::Lost, 1);
    failed(&mut attempt, Failure::Ended);
    // But whoever has only finished does.
    let mut attempt = answering();
    attempt.ended(End::Finished, 1);
    attempt.accepted();
    attempt.described("own".to_owned());
    let answered = [Output::Describe, Output::Send(say(Kind::Answer, "own"))];
    assert_eq!(all(&mut attempt), answered);
}

#[test]
fn a_stream_lost_later_leaves_a_moment_to_connect() {
    let mut attempt = known();
    attempt.ended(End::Lost, 3_000);
    attempt.found(Trickled::Candidate(way(0, 0, 0)));
    assert_eq!(all(&mut attempt), []);
    assert_eq!(attempt.next_wake(), Some(3_000 + SIGNALING_ORPHANED));
    attempt.connected();
    assert_eq!(all(&mut attempt), [Output::Connected]);

    let mut attempt = known();
    attempt.ended(End::Lost, SIGNALING_DEADLINE - 1);
    assert_eq!(attempt.next_wake(), Some(SIGNALING_DEADLINE));
    attempt.tick(SIGNALING_DEADLINE);
    assert_eq!(all(&mut attempt), [Output::Failed(Failure::TimedOut)]);
}

#[test]
fn what_comes_out_of_turn_ends_the_attempt() {
    let wrong = |mut attempt: Attempt, kind| {
        attempt.received(&say(kind, &offer()));
        failed(&mut attempt, Failure::Unexpected(kind));
    };
    wrong(Attempt::answer(0), Kind::Answer);
    wrong(answering(), Kind::Offer);
    wrong(answering(), Kind::Answer);
    wrong(dialling(), Kind::Offer);
    wrong(known(), Kind::Answer);
    let mut early = Attempt::dial(0);
    assert_eq!(all(&mut early), [Output::Describe]);
    wrong(early, Kind::Answer);
}

#[test]
fn descriptions_are_looked_at_before_a_stack_sees_them() {
    let two = offer() + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
    let audio = offer().replace("m=application", "m=audio");
    let naked = offer().replace("fingerprint", "finger");
    let long = format!(
        "{}{}",
        offer(),
        "a=candidate:x\r\n".repeat(SIGNALING_CANDIDATES + 1)
    );
    for bad in [String::new(), two, audio, naked, long] {
        let mut attempt = Attempt::answer(0);
        attempt.received(&say(Kind::Offer, &bad));
        let outputs = all(&mut attempt);
        let [Output::Reset, Output::Failed(failure)] = outputs.as_slice() else {
            panic!("{bad:?}: {outputs:?}");
        };
        let counted = bad.contains("a=candidate");
        assert_eq!(matches!(failure, Failure::TooMuch), counted, "{failure:?}");
        assert_eq!(
            matches!(failure, Failure::Description(_)),
            !counted,
            "{failure:?}"
        );
    }
}

#[test]
fn candidates_and_bytes_are_bounded() {
    let mut attempt = known();
    for number in 0..SIGNALING_CANDIDATES {
        attempt.received(&candidate(number));
    }
    assert_eq!(all(&mut attempt).len(), SIGNALING_CANDIDATES);
    attempt.received(&candidate(0));
    failed(&mut attempt, Failure::TooMuch);

    let mut attempt = known();
    let end = say(Kind::Candidate, "");
    let before = say(Kind::Answer, &offer()).len();
    for _ in 0..(SIGNALING_BYTES - before) / end.len() {
        attempt.received(&end);
    }
    assert_eq!(all(&mut attempt), [Output::NoMoreCandidates]);
    attempt.received(&end);
    failed(&mut attempt, Failure::TooMuch);

    // What this end has found beyond is not told.
    let mut attempt = known();
    for number in 0..SIGNALING_CANDIDATES * 2 {
        attempt.found(Trickled::Candidate(way(0, 0, number)));
    }
    attempt.found(Trickled::End);
    assert_eq!(all(&mut attempt).len(), SIGNALING_CANDIDATES + 1);
}

/// Whatever a stack finds, the other end can hear what is said of it.
#[test]
fn what_is_said_is_within_the_limits_of_whoever_hears_it() {
    let (mut near, mut far) = (Attempt::dial(0), Attempt::answer(0));
    for number in 0..SIGNALING_CANDIDATES * 2 {
        let mut way = way(0, 0, number);
        way.text += &"x".repeat([10, 100, 2_000][number % 3]);
        near.found(Trickled::Candidate(way));
    }
    let inside = "a=candidate:x\r\n".repeat(60);
    near.described(offer() + &inside);
    let mut told = 0;
    for output in all(&mut near) {
        if let Output::Send(bytes) = output {
            told += 1;
            far.received(&bytes);
        }
    }
    assert_eq!(told, 1 + SIGNALING_CANDIDATES - 60);
    assert_eq!(all(&mut far), [Output::Remote(offer() + &inside)]);
    assert!(far.next_wake().is_some(), "it goes on");

    let mut attempt = Attempt::dial(0);
    assert_eq!(all(&mut attempt), [Output::Describe]);
    attempt.described("x".repeat(SIGNALING_MESSAGE));
    failed(
        &mut attempt,
        Failure::Stack("its description is too long".to_owned()),
    );
}

#[test]
fn failures_tell_what_to_do() {
    let table = [
        (
            Failure::Message(BadMessage::Damaged),
            Code::ProtocolViolation,
        ),
        (
            Failure::Candidate(BadCandidate::Damaged),
            Code::ProtocolViolation,
        ),
        (Failure::Unexpected(Kind::Offer), Code::ProtocolViolation),
        (Failure::TooMuch, Code::TooLarge),
        (Failure::Ended, Code::DialFailed),
        (Failure::Unanswered, Code::TimedOut),
        (Failure::TimedOut, Code::TimedOut),
        (Failure::Unreachable, Code::DialFailed),
        (Failure::Stack("no".to_owned()), Code::Unsupported),
        (Failure::Yielded, Code::DialFailed),
        (Failure::Cancelled, Code::Cancelled),
    ];
    for (failure, code) in table {
        let text = failure.to_string();
        let error = Error::from(failure);
        assert_eq!((error.code(), error.cause()), (code, Some(text.as_str())));
        assert!(error.remedy().ends_with('.'));
    }
}
