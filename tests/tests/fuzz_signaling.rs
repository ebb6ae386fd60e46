//! Fuzzed signalling: what a stranger sends on a stream of `/webrtc-signaling`, to whoever dials and whoever answers;
//! and what native ends read of it themselves: descriptions, ways to the remote, and what servers say of their own.

use std::mem::discriminant;
use std::net::SocketAddr;

use str0m::Candidate as Way;
use str0m::net::Protocol;
use warren_relay::transport::webrtc::calls::reachable;
use warren_shared::error::Error;
use warren_shared::limits::{
    SIGNALING_BYTES, SIGNALING_CANDIDATE, SIGNALING_CANDIDATES, SIGNALING_MESSAGE,
};
use warren_shared::webrtc::sdp::{Description, MAX_DESCRIPTION};
use warren_shared::webrtc::signaling::candidate::{Candidate, Trickled};
use warren_shared::webrtc::signaling::description::{Own, Remote, Setup};
use warren_shared::webrtc::signaling::wire::{BadMessage, Decoder, Message};
use warren_shared::webrtc::signaling::{Attempt, End, Failure, Output};
use warren_shared::webrtc::stun::{Kind, Packet, address_answer, mapped_address};
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

#[test]
fn remotes() {
    let words: [&[u8]; 9] = [
        b"a=ice-ufrag:",
        b"a=ice-pwd:",
        b"a=fingerprint:sha-256 ",
        b"a=setup:",
        b"actpass",
        b"passive",
        b"a=mid:",
        b"a=candidate:1 1 UDP 2122317823 192.0.2.3 49152 typ host",
        b"\r\n",
    ];
    fuzz("remotes", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let (offer, answer) = (Remote::parse(&text, true), Remote::parse(&text, false));
        if let Ok(answer) = &answer {
            assert_ne!(answer.setup, Setup::Either, "an answer decides");
            assert_eq!(
                offer.as_ref(),
                Ok(answer),
                "what answers say, offers may say"
            );
        }
        let kind = |read: &Result<Remote, _>| match read {
            Ok(remote) => Ok((remote.setup, remote.candidates.len().min(3))),
            Err(error) => Err(ToString::to_string(error)),
        };
        let ways = offer.as_ref().map(check_remote).unwrap_or_default();
        (kind(&offer), kind(&answer), ways.min(3))
    });
}

/// What is read can be written, and is read as the same. How many of the ways lead anywhere.
fn check_remote(remote: &Remote) -> usize {
    let own = Own {
        session: 1,
        credentials: &remote.credentials,
        fingerprint: &remote.fingerprint,
        setup: remote.setup,
        mid: &remote.mid,
    };
    let text = own.to_sdp();
    if text.len() <= MAX_DESCRIPTION {
        let mut again = Remote::parse(&text, true).expect("our own description");
        again.candidates.clone_from(&remote.candidates);
        assert_eq!(&again, remote);
    }
    let ways = remote.candidates.iter();
    ways.filter(|told| check_way(told, &remote.credentials.ufrag).is_some())
        .count()
}

#[test]
fn ways() {
    let words: [&[u8]; 9] = [
        b"candidate:",
        b" udp ",
        b" tcp ",
        b" typ ",
        b" raddr ",
        b" ufrag abcd",
        b" 127.0.0.1 ",
        b" ::ffff:192.0.2.1 ",
        b".local ",
    ];
    fuzz("ways", &words, |input| {
        let told = Candidate {
            text: String::from_utf8_lossy(input).into_owned(),
            mid: None,
            line: Some(0),
            ufrag: None,
        };
        let way = check_way(&told, "abcd")?;
        let at = way.addr();
        Some((way.kind().to_string(), at.is_ipv4(), at.ip().is_loopback()))
    });
}

/// A way that is taken is one that a datagram can be sent to, and is told as it was understood.
fn check_way(told: &Candidate, ufrag: &str) -> Option<Way> {
    let outside = reachable(told, ufrag, false);
    let way = reachable(told, ufrag, true);
    if let Some(outside) = &outside {
        assert!(!outside.addr().ip().is_loopback());
        assert_eq!(Some(outside), way.as_ref(), "loopback is one more");
    }
    let way = way?;
    let at = way.addr();
    assert_eq!(way.proto(), Protocol::Udp);
    assert!(at.port() != 0 && !at.ip().is_unspecified() && !at.ip().is_multicast());
    assert_eq!(at.ip().to_canonical(), at.ip(), "one form of an address");
    assert_eq!(outside.is_none(), at.ip().is_loopback());
    let stranger = Candidate {
        ufrag: Some("of another time".into()),
        ..told.clone()
    };
    assert_eq!(reachable(&stranger, ufrag, true), None);
    let again = Way::from_sdp_string(&way.to_sdp_string()).expect("what was understood");
    assert_eq!((again.addr(), again.proto()), (at, Protocol::Udp));
    Some(way)
}

#[test]
fn addresses_told() {
    let words: [&[u8]; 6] = [
        &[0x21, 0x12, 0xa4, 0x42],
        &[0, 0x20, 0, 8, 0, 1],
        &[0, 0x20, 0, 20, 0, 2],
        &[0x80, 0x22, 0, 4],
        &[1, 1],
        &[1, 0x11],
    ];
    fuzz("stun", &words, |input| {
        let packet = Packet::parse(input);
        let told = mapped_address(input)?;
        let packet = packet.expect("nothing is read of what is damaged");
        assert_eq!(packet.kind, Kind::Success);
        let answer = address_answer(&packet.transaction, told);
        assert_eq!(mapped_address(&answer), Some(told));
        for cut in [input.len() - 1, 20, 0] {
            assert_eq!(mapped_address(&input[..cut]), None, "{cut} bytes");
        }
        // A way to here of it, if it can be one.
        let local: SocketAddr = "192.0.2.1:4002".parse().expect("an address");
        let way = Way::server_reflexive(told, local, "udp");
        assert!(way.is_err() || told.is_ipv4());
        let ip = told.ip();
        Some((
            told.is_ipv4(),
            told.port() == 0,
            (ip.is_loopback(), ip.is_multicast(), ip.is_unspecified()),
            way.is_ok(),
        ))
    });
}
