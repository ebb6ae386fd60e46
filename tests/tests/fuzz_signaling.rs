//! Fuzzed signalling: what a stranger sends on a stream of `/webrtc-signaling`, to whoever dials and whoever answers.

use std::mem::discriminant;

use warren_shared::error::Error;
use warren_shared::limits::{
    SIGNALING_BYTES, SIGNALING_CANDIDATE, SIGNALING_CANDIDATES, SIGNALING_MESSAGE,
};
use warren_shared::webrtc::sdp::Description;
use warren_shared::webrtc::signaling::candidate::Trickled;
use warren_shared::webrtc::signaling::wire::{BadMessage, Decoder, Message};
use warren_shared::webrtc::signaling::{Attempt, End, Failure, Output};
use warren_tests::fuzz::fuzz;

#[test]
fn signaling() {
    let words: [&[u8]; 9] = [
        &[0x08, 0x00, 0x12],
        &[0x08, 0x01, 0x12],
        &[0x08, 0x02, 0x12],
        &[0x04, 0x08, 0x02, 0x12, 0x00],
        &[0x80, 0x80, 0x01],
        b"{\"candidate\":\"",
        b"\"sdpMLineIndex\":0",
        b"null",
        b"m=application ",
    ];
    fuzz("signaling", &words, |input| {
        let messages = messages(input);
        let ends = [true, false].map(|dials| one_end(input, dials));
        (messages, ends)
    });
}

/// The same messages are found however they are cut, and each is written as it is read.
fn messages(input: &[u8]) -> (usize, bool) {
    let whole = found(input, input.len());
    for piece in [1, 3, 1_000] {
        assert_eq!(found(input, piece), whole, "in pieces of {piece}");
    }
    for message in &whole.0 {
        let bytes = message.encode();
        // Fields may have come in a shorter form, with the text left out.
        if bytes.len() <= SIGNALING_MESSAGE {
            let again = found(&bytes, bytes.len());
            assert_eq!(again, (vec![message.clone()], None));
        }
    }
    (whole.0.len().min(4), whole.1.is_some())
}

fn found(input: &[u8], piece: usize) -> (Vec<Message>, Option<BadMessage>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for bytes in input.chunks(piece.max(1)) {
        decoder.push(bytes);
        while let Some(message) = decoder.next() {
            match message {
                Ok(message) => messages.push(message),
                Err(error) => {
                    assert_eq!(decoder.held(), 0);
                    return (messages, Some(error));
                }
            }
        }
        assert!(
            decoder.held() <= SIGNALING_MESSAGE + 10,
            "no more than a message waits"
        );
    }
    (messages, None)
}

/// Whatever comes, an end asks its stack for nothing that it should not, and ends once.
fn one_end(input: &[u8], dials: bool) -> Vec<u64> {
    let whole = outcome(input, dials, input.len().max(1));
    for piece in [1, 7, 4_096] {
        let cut = outcome(input, dials, piece);
        if input.len() <= SIGNALING_BYTES {
            assert_eq!(cut.failure, whole.failure, "in pieces of {piece}");
        }
        if whole.failure.is_none() {
            // What the stack is asked for may come before or after what it is told.
            assert_eq!(
                sorted(cut.done),
                sorted(whole.done.clone()),
                "in pieces of {piece}"
            );
        }
    }
    whole.signature()
}

#[derive(Default)]
struct Outcome {
    /// The kinds of what was to be done.
    done: Vec<u64>,
    failure: Option<Failure>,
}

impl Outcome {
    fn signature(&self) -> Vec<u64> {
        let mut done: Vec<u64> = self.done.iter().take(8).copied().collect();
        done.extend(self.failure.as_ref().map(kind));
        done
    }
}

fn sorted(mut done: Vec<u64>) -> Vec<u64> {
    done.sort_unstable();
    done
}

fn outcome(input: &[u8], dials: bool, piece: usize) -> Outcome {
    let mut attempt = match dials {
        true => Attempt::dial(0),
        false => Attempt::answer(0),
    };
    let mut outcome = Outcome::default();
    obey(&mut attempt, &mut outcome);
    for bytes in input.chunks(piece) {
        attempt.received(bytes);
        obey(&mut attempt, &mut outcome);
    }
    let candidates = outcome.done.iter().filter(|done| **done == 2).count();
    assert!(candidates <= SIGNALING_CANDIDATES);
    if outcome.failure.is_some() {
        attempt.connected();
        attempt.ended(End::Lost, 1);
        assert_eq!(attempt.poll(), None, "the last word was said");
        assert_eq!(attempt.next_wake(), None);
    } else {
        let mut after = Outcome::default();
        attempt.tick(u64::MAX);
        obey(&mut attempt, &mut after);
        assert!(after.failure.is_some(), "it ends in time");
    }
    outcome
}

fn obey(attempt: &mut Attempt, outcome: &mut Outcome) {
    while let Some(output) = attempt.poll() {
        assert_eq!(outcome.failure, None, "nothing follows the last word");
        outcome.done.push(match output {
            Output::Describe => {
                attempt.described("v=0".to_owned());
                0
            }
            Output::Remote(description) => {
                Description::parse(&description).expect("it was looked at");
                assert_eq!(
                    description.matches("\nm=").count(),
                    usize::from(!description.starts_with("m="))
                );
                attempt.accepted();
                1
            }
            Output::Candidate(candidate) => {
                assert!(!candidate.text.is_empty());
                assert!(!candidate.text.chars().any(char::is_control));
                let trickled = Trickled::Candidate(candidate);
                let json = trickled.to_json();
                if json.len() <= SIGNALING_CANDIDATE {
                    assert_eq!(Trickled::parse(&json), Ok(trickled));
                }
                2
            }
            Output::NoMoreCandidates => 3,
            Output::Send(_) => 4,
            Output::Reset => 5,
            Output::Finish | Output::Connected => panic!("no stack has said so"),
            Output::Failed(failure) => {
                let error = Error::from(failure.clone());
                assert!(!error.message().is_empty());
                outcome.failure = Some(failure);
                6
            }
        });
    }
}

/// Without the numbers in them, which have no end.
fn kind(failure: &Failure) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    discriminant(failure).hash(&mut hasher);
    match failure {
        Failure::Message(inner) => discriminant(inner).hash(&mut hasher),
        Failure::Candidate(inner) => inner.hash(&mut hasher),
        Failure::Description(inner) => inner.to_string().hash(&mut hasher),
        Failure::Unexpected(inner) => inner.hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}
