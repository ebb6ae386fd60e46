//! Fuzzed parsers of what strangers send: data-channel frames, session descriptions, callers, STUN,
//! names, zones, certificates, direct messages, mailboxes and DNS.
//! Each target also checks what must hold for every input that is accepted.

use std::net::IpAddr;

use bytes::Bytes;
use warren_shared::error::{Code, Error};
use warren_shared::proto::direct::wire::{Delivery, MailboxAnswer, MailboxRequest, Parcel, Taken};
use warren_shared::proto::direct::{self, Message as Letter, Receipt};
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::dns::{self, Outcome, Received, Transport};
use warren_shared::proto::names::resolution::Resolution;
use warren_shared::proto::names::resource::is_public;
use warren_shared::proto::names::wire::{Answer, Request};
use warren_shared::proto::names::witness::row::Row;
use warren_shared::proto::names::{Certificate, Claim, Name, SignedZone};
use warren_shared::webrtc::frame::{BadFrame, Decoder, Flag, Frame};
use warren_shared::webrtc::sdp::{Description, server_answer, with_credentials};
use warren_shared::webrtc::stream::{Read, Stream};
use warren_shared::webrtc::stun::{Packet, address_answer};
use warren_shared::webrtc::ufrag::{Call, Version};
use warren_tests::dns::{A, AAAA, Message};
use warren_tests::fuzz::fuzz;

fn frames(input: &[u8], piece: usize) -> (Vec<Frame>, Option<BadFrame>) {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for bytes in input.chunks(piece.max(1)) {
        decoder.push(Bytes::copy_from_slice(bytes));
        while let Some(frame) = decoder.next() {
            match frame {
                Ok(frame) => found.push(frame),
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

#[test]
fn framing() {
    let words: [&[u8]; 6] = [
        &[2, 8, 0],
        &[2, 8, 2],
        &[0xc0, 0x3e],
        &[0x12],
        &[0x80, 0x80, 4],
        &[0xff; 9],
    ];
    fuzz("frames", &words, |input| {
        let whole = frames(input, input.len());
        for piece in [1, 3] {
            assert_eq!(frames(input, piece), whole, "cut into pieces of {piece}");
        }
        for frame in &whole.0 {
            let (again, error) = frames(&frame.encode(), usize::MAX);
            assert_eq!((again, error), (vec![frame.clone()], None));
        }
        let kinds: Vec<_> = whole.0.iter().take(4).map(kind).collect();
        let broken = whole.1.map(|error| error == BadFrame::Damaged);
        (kinds, broken, one_stream(input, &whole.0))
    });
}

fn kind(frame: &Frame) -> (Option<u8>, bool, bool) {
    let flag = frame.flag.map(|flag| match flag {
        Flag::Fin => 0,
        Flag::StopSending => 1,
        Flag::Reset => 2,
        Flag::FinAck => 3,
    });
    (flag, frame.payload.is_empty(), frame.limit.is_some())
}

/// Whatever comes, and however it is cut, a stream gives out no byte that was not sent to it, says
/// no more than it is told, keeps no more than came, and ends.
fn one_stream(input: &[u8], frames: &[Frame]) -> (bool, bool) {
    let sent: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    let mut signature = None;
    for piece in [1, 7, 4_096, usize::MAX] {
        let (read, writable) = one_cut(input, piece.min(input.len().max(1)));
        assert!(read <= sent, "in pieces of {piece}");
        signature = Some((writable, read == sent));
    }
    signature.expect("there are pieces")
}

/// Frames that a stream may say however much it is told: one of each kind, and two as it fails.
const ANSWERS: usize = 8;
/// A limit is told when it moves by so much, at least.
const LIMIT_STEP: usize = 4 * 1024;

fn one_cut(input: &[u8], piece: usize) -> (usize, bool) {
    let mut stream = Stream::default();
    let (mut arrived, mut read, mut said) = (0, 0, 0);
    let mut buffer = [0; 512];
    for (number, bytes) in input.chunks(piece).enumerate() {
        stream.receive(Bytes::copy_from_slice(bytes));
        arrived += bytes.len();
        assert!(stream.held() <= arrived - read, "more than has come");
        said += std::iter::from_fn(|| stream.next_frame()).count();
        assert!(said <= ANSWERS + arrived / LIMIT_STEP, "{said} frames");
        // A reader that looks now and then.
        if number % 3 == 0
            && let Ok(Read::Bytes(count)) = stream.read(&mut buffer)
        {
            read += count;
        }
    }
    while let Ok(Read::Bytes(count)) = stream.read(&mut buffer) {
        read += count;
    }
    let writable = stream.writable().is_ok();
    stream.abandon();
    stream.lost();
    assert!(stream.settled());
    assert_eq!(stream.unread(), 0);
    (read, writable)
}

#[test]
fn descriptions() {
    let words: [&[u8]; 7] = [
        b"a=ice-ufrag:",
        b"a=ice-pwd:",
        b"a=fingerprint:sha-256 ",
        b"\r\n",
        b"a=max-message-size:",
        b"a=mid:",
        b":",
    ];
    fuzz("descriptions", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let read = Description::parse(&text);
        if let Ok(description) = &read {
            check_description(&text, description);
        }
        read.map(|description| (description.max_message == 0, description.mid.len().min(4)))
            .map_err(|error| error.to_string())
    });
}

fn check_description(text: &str, description: &Description) {
    let call = Call::v1(&[1; 32]);
    let rewritten = with_credentials(text, &call.client);
    if let Ok(again) = Description::parse(&rewritten) {
        assert_eq!(again.credentials, call.client);
        assert_eq!(again.fingerprint, description.fingerprint);
    }
    if let Ok(call) = Call::v2(description.credentials.clone()) {
        let address = "192.0.2.1:4002".parse().expect("an address");
        let answer = server_answer(address, description.fingerprint, &call, "0");
        let answer = Description::parse(&answer).expect("our own answer");
        assert_eq!(answer.credentials, call.server);
    }
}

#[test]
fn usernames() {
    let words: [&[u8]; 5] = [
        b"libp2p+webrtc+v1/",
        b"libp2p+webrtc+v2/",
        b"libp2p+webrtc+v3/",
        b":",
        b"abcdefghijklmnopqrstuvwx",
    ];
    fuzz("usernames", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let call = Call::from_username(&text);
        if let Ok(call) = &call {
            assert_eq!(call.username(), text, "nothing is added and nothing lost");
            assert_eq!(call.server.ufrag, call.server.password);
            assert_eq!(call.version == Version::V1, call.client == call.server);
        }
        call.map(|call| call.version)
            .map_err(|error| error.to_string())
    });
}

#[test]
fn stun() {
    let words: [&[u8]; 5] = [
        &[0x21, 0x12, 0xa4, 0x42],
        &[0, 6, 0, 4],
        &[0, 8, 0, 20],
        &[0x80, 0x28, 0, 4],
        &[1, 1],
    ];
    fuzz("stun", &words, |input| {
        let packet = Packet::parse(input)?;
        let address = "192.0.2.1:4002".parse().expect("an address");
        let answer = address_answer(&packet.transaction, address);
        let answer = Packet::parse(&answer).expect("our own answer");
        assert_eq!(answer.transaction, packet.transaction);
        Some((
            format!("{:?}", packet.kind),
            packet.username.map(|name| name.len().min(8)),
            packet.authenticated,
        ))
    });
}

#[test]
fn names() {
    let words: [&[u8]; 6] = [
        b".p2p",
        b"xn--",
        b"k51",
        "\u{430}".as_bytes(),
        "\u{3002}".as_bytes(),
        "\u{301}".as_bytes(),
    ];
    fuzz("names", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let found = Name::find(&text);
        match &found {
            Ok(name) => {
                let normal = name.to_string();
                assert!(normal.is_ascii() && normal.len() <= 253);
                assert_eq!(Name::find(&normal).as_ref(), Ok(name), "one spelling");
            }
            Err(flaw) => assert!(flaw.position <= text.chars().count() + 1, "{flaw}"),
        }
        found
            .map(|name| name.sub().matches('.').count().min(4))
            .map_err(|flaw| flaw.why)
    });
}

#[test]
fn zones() {
    let words: [&[u8]; 3] = [&[0x82], &[0x58, 0x20], b"zone"];
    fuzz("zones", &words, |input| {
        let zone = SignedZone::decode(input);
        if let Ok(zone) = &zone {
            assert_eq!(zone.bytes(), input, "one encoding");
        }
        zone.map(|zone| zone.zone().entries.len().min(4))
    });
}

#[test]
fn certificates() {
    let words: [&[u8]; 3] = [&[0x83], &[0x58, 0x40], b"name-claim"];
    fuzz("certificates", &words, |input| {
        let again = [
            Certificate::decode(input).map(|it| it.encode()),
            Claim::decode(input).map(|it| it.bytes().to_vec()),
            Request::decode(input).map(|it| it.encode()),
            Answer::decode(input).map(|it| it.encode()),
            Row::decode(input).map(|it| it.encode()),
        ];
        for bytes in again.iter().flatten() {
            assert_eq!(bytes, input, "one encoding");
        }
        again.map(|read| read.map(|bytes| bytes.len().min(4)))
    });
}

/// What the names of the questions lead to, private places among it.
/// What strangers send to a peer and to a mailbox, and what they leave there.
#[test]
fn messages() {
    let network = "test-net".parse().expect("a network");
    let recipient = SigningKey::from_seed([3; 32]);
    let words: [&[u8]; 5] = [&[0x82, 0], &[0x82, 1], &[0x58, 0x40], &[0x1b], &[0xff; 9]];
    fuzz("direct", &words, |input| {
        let again = [
            Delivery::decode(input).map(|it| it.encode()),
            Taken::decode(input).map(|it| it.encode()),
            MailboxRequest::decode(input).map(|it| it.encode()),
            MailboxAnswer::decode(input).map(|it| it.encode()),
            Parcel::decode(input).map(|it| it.encode()),
            Letter::open(input, &network).map(|it| it.bytes().to_vec()),
        ];
        for bytes in again.iter().flatten() {
            assert_eq!(bytes, input, "one encoding");
        }
        let receipt = Receipt::open(input, &network).map(|it| it.next);
        let opened = direct::open(&recipient, input).map(|plain| plain.len());
        (again.map(|it| it.err()), receipt.err(), opened.err())
    });
}

fn resolutions() -> Vec<Resolution> {
    let long = format!("text:{}", "x".repeat(1_000));
    let few = "address:8.8.8.8 address:[2a00::1]:443 address:10.0.0.1:80 address:[fd00::1]:1 \
               url:http://127.0.0.1/ text:hello";
    let many: Vec<String> = (0..16)
        .map(|n| format!("address:[2a00::{n}]:8{n}"))
        .collect();
    let long_name = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(57));
    let via = [long_name, ["a"; 120].join(".")];
    let sets = [
        few.to_owned(),
        many.join(" "),
        [long.as_str(); 16].join(" "),
        String::new(),
    ];
    let sets = sets.iter().enumerate().map(|(at, lines)| Resolution {
        name: "alice.p2p".parse().expect("a name"),
        via: via[..at % 3]
            .iter()
            .map(|name| name.parse().expect("a name"))
            .collect(),
        resources: lines
            .split_whitespace()
            .map(|line| line.parse().expect("a resource"))
            .collect(),
        hidden: 0,
        ttl: 300_000,
        proofs: Vec::new(),
    });
    sets.collect()
}

/// An answer is readable, to the question, not too long, and leads nowhere private.
fn check_answer(asked: &[u8], answer: &[u8], transport: Transport) -> (u16, usize, bool) {
    let message = Message::read(answer).expect("our own answer can be read");
    assert_eq!(asked[..2], answer[..2], "the same number");
    assert!(message.is_answer() && message.rest == 0);
    let question = Message::read(asked);
    let edns = question.as_ref().map(|question| question.edns);
    let longest = match (transport, edns) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, Some(None)) => 512,
        (Transport::Udp, Some(Some(edns))) => usize::from(edns.payload).clamp(512, 1_232),
        // Behind the question are names that only the test's reader looks at.
        (Transport::Udp, None) => 1_232,
    };
    assert!(answer.len() <= longest, "{} bytes", answer.len());
    if let (Some(asked), Some(question)) = (&question, &message.question) {
        assert_eq!(asked.question.as_ref(), Some(question), "the same question");
    }
    for record in &message.records {
        let ip: Option<IpAddr> = match (record.kind, record.data.as_slice()) {
            (A, data) => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            (AAAA, data) => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => continue,
        };
        assert!(is_public(ip.expect("an address")), "{record:?}");
    }
    (message.rcode, message.records.len(), message.is_cut())
}

#[test]
fn dns() {
    let words: [&[u8]; 7] = [
        b"\x03p2p\0",
        b"\x05alice",
        b"\x04_tcp",
        b"\xc0\x0c",
        &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0],
        &[0, 33, 0, 1],
        &[0, 16, 0, 1],
    ];
    let found = resolutions();
    let failed = [Code::NameNotFound, Code::NoQuorum].map(|code| Error::new(code, "é".repeat(99)));
    fuzz("dns", &words, |input| {
        let mut seen = Vec::new();
        for transport in [Transport::Udp, Transport::Tcp] {
            let query = match dns::receive(input, transport) {
                Received::Silence => continue,
                Received::Answer(answer, _) => {
                    seen.push(check_answer(input, &answer, transport));
                    continue;
                }
                Received::Resolve(query) => query,
            };
            let outcomes = found.iter().map(Outcome::Found);
            let outcomes = outcomes.chain(failed.iter().map(Outcome::Failed));
            for outcome in outcomes.chain([Outcome::Empty]) {
                let (answer, _) = query.answer(outcome, transport);
                seen.push(check_answer(input, &answer, transport));
            }
            check_answer(input, &query.too_many(transport), transport);
        }
        seen
    });
}
