use super::query::Header;
use super::*;
use crate::proto::names::resolution::Proof;
use crate::proto::names::{Name, Resource};

/// A question by hand: header, name, type, class.
fn ask(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    bytes.extend(wire(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

fn with_edns(mut bytes: Vec<u8>, payload: u16, version: u8) -> Vec<u8> {
    bytes[11] += 1;
    bytes.extend([0, 0, 41]);
    bytes.extend(payload.to_be_bytes());
    bytes.extend([0, version, 0, 0, 0, 0]);
    bytes
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn leads_to(name: &str, via: &[&str], resources: &[&str]) -> Resolution {
    Resolution {
        name: name.parse().unwrap(),
        via: via.iter().map(|name| name.parse().unwrap()).collect(),
        resources: resources.iter().map(|line| line.parse().unwrap()).collect(),
        hidden: 0,
        ttl: 299_999,
        proofs: Vec::<Proof>::new(),
    }
}

fn query(bytes: &[u8]) -> Query {
    match receive(bytes, Transport::Udp) {
        Received::Resolve(query) => query,
        other => panic!("{other:?}"),
    }
}

fn answered(bytes: &[u8], found: &Resolution) -> Vec<u8> {
    let (answer, rcode) = query(bytes).answer(Outcome::Found(found), Transport::Udp);
    assert_eq!(rcode, Rcode::NoError);
    answer
}

/// Answers, authorities, additional records.
fn counts(answer: &[u8]) -> [u8; 3] {
    assert_eq!(&answer[4..6], [0, 1]);
    [answer[7], answer[9], answer[11]]
}

fn at_once(bytes: &[u8]) -> (Vec<u8>, Rcode) {
    match receive(bytes, Transport::Udp) {
        Received::Answer(answer, rcode) => {
            assert_eq!(answer[3] & 0xf, rcode as u8 & 0xf);
            (answer, rcode)
        }
        other => panic!("{other:?}"),
    }
}

fn code(bytes: &[u8]) -> Rcode {
    at_once(bytes).1
}

#[test]
fn an_address_byte_by_byte() {
    let asked = ask("aLiCe.P2p", kind::A);
    let found = leads_to("alice", &[], &["address:8.8.8.8:443", "text:hi"]);
    let answer = answered(&asked, &found);
    let mut expected = vec![0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    expected.extend(b"\x05aLiCe\x03P2p\x00\x00\x01\x00\x01");
    expected.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 43, 0, 4, 8, 8, 8, 8]);
    assert_eq!(
        answer, expected,
        "the case comes back; whole seconds are left"
    );
}

#[test]
fn texts_come_in_pieces_and_the_rest_in_words() {
    let long = format!("text:{}", "x".repeat(300));
    let found = leads_to("alice", &[], &[&long, "url:https://example.org/", "text:"]);
    let asked = with_edns(ask("alice.p2p", kind::TXT), 4_096, 0);
    let answer = answered(&asked, &found);
    assert_eq!(counts(&answer), [3, 0, 1]);
    let has = |piece: &[u8]| answer.windows(piece.len()).any(|part| part == piece);
    let pieces = [&[1, 46, 255][..], &[b'x'; 255], &[45], &[b'x'; 45]].concat();
    assert!(has(&pieces) && has(b"\x18url:https://example.org/") && has(&[0, 1, 0]));
}

#[test]
fn aliases_are_a_chain_and_services_bring_their_addresses() {
    let resources = ["address:8.8.8.8:443", "address:[2a00::1]:443"];
    let found = leads_to("_http._tcp.alice", &["web.bob"], &resources);
    let asked = ask("_http._tcp.alice.p2p", kind::SRV);
    let answer = answered(&asked, &found);
    assert_eq!(counts(&answer), [2, 0, 2]);
    let target = [&[0, 0, 0, 0, 1, 187][..], &wire("web.bob.p2p")].concat();
    let has = |piece: &[u8]| answer.windows(piece.len()).any(|part| part == piece);
    assert!(has(&target), "{answer:?}");
    assert!(has(&[0, 4, 8, 8, 8, 8]));
    let alias = answered(&ask("_http._tcp.alice.p2p", kind::CNAME), &found);
    assert_eq!(counts(&alias), [1, 0, 0]);
    let chain = answered(&ask("_http._tcp.alice.p2p", kind::TXT), &found);
    assert_eq!(
        counts(&chain),
        [1, 1, 0],
        "the alias, and that there is no text"
    );
}

#[test]
fn private_addresses_never_leave() {
    let resources = [
        "address:192.168.0.1:80",
        "address:[::1]:80",
        "url:http://127.0.0.1/",
    ];
    let found = leads_to("alice", &[], &resources);
    for kind in [kind::A, kind::AAAA, kind::SRV, kind::TXT] {
        let answer = answered(&ask("alice.p2p", kind), &found);
        assert_eq!(counts(&answer), [0, 1, 0], "nothing, and for how long");
    }
}

#[test]
fn any_is_answered_with_as_little_as_can_be() {
    let found = leads_to("alice", &["bob"], &["text:hi"]);
    let answer = answered(&ask("alice.p2p", kind::ANY), &found);
    assert_eq!(counts(&answer), [1, 0, 0]);
    assert!(answer.ends_with(b"\x07RFC8482\x00"));
}

#[test]
fn what_is_not_there_says_for_how_long() {
    let asked = ask("alice.p2p", kind::A);
    let missing = Error::new(Code::NameNotFound, "nobody holds this name");
    let (answer, rcode) = query(&asked).answer(Outcome::Failed(&missing), Transport::Udp);
    assert_eq!((rcode, counts(&answer)), (Rcode::NxDomain, [0, 1, 0]));
    assert_eq!(answer[2] & 0x04, 0x04, "with authority");
    let soa = &answer[asked.len()..];
    let start = [&b"\x03p2p\x00"[..], &[0, 6, 0, 1, 0, 0, 0, 30, 0, 26]].concat();
    assert!(
        soa.starts_with(&start) && soa.ends_with(&[0, 0, 0, 30]),
        "{soa:?}"
    );
    let (answer, rcode) = query(&asked).answer(Outcome::Empty, Transport::Udp);
    assert_eq!((rcode, counts(&answer)), (Rcode::NoError, [0, 1, 0]));
}

#[test]
fn failures_are_told_apart_for_those_who_look() {
    let plain = ask("alice.p2p", kind::A);
    let asked = with_edns(plain.clone(), 512, 0);
    for (error, rcode, note) in [
        (Code::NoQuorum, Rcode::ServFail, 22),
        (Code::TimedOut, Rcode::ServFail, 22),
        (Code::NameExpired, Rcode::ServFail, 7),
        (Code::Older, Rcode::ServFail, 0),
        (Code::Refused, Rcode::Refused, 15),
    ] {
        let error = Error::new(error, "é".repeat(100));
        let (answer, given) = query(&asked).answer(Outcome::Failed(&error), Transport::Udp);
        assert_eq!((given, counts(&answer)), (rcode, [0, 0, 1]));
        let option = [
            &[0, 102, 0, 15, 0, 98, 0, note][..],
            "é".repeat(48).as_bytes(),
        ]
        .concat();
        assert!(answer.ends_with(&option), "{answer:?}");
        let (answer, _) = query(&plain).answer(Outcome::Failed(&error), Transport::Udp);
        assert_eq!(
            counts(&answer),
            [0, 0, 0],
            "no EDNS for those who speak none"
        );
    }
}

#[test]
fn an_answer_is_cut_where_it_would_be_too_long() {
    let long = format!("text:{}", "x".repeat(250));
    let lines = [long.as_str(); 8];
    let asked = ask("alice.p2p", kind::TXT);
    for (texts, edns, fits) in [
        (1, None, true),
        (2, None, false),
        (2, Some(100), false),
        (2, Some(1_000), true),
        (4, Some(1_000), false),
        (4, Some(65_535), true),
        (5, Some(65_535), false),
    ] {
        let found = leads_to("alice", &[], &lines[..texts]);
        let bytes = match edns {
            Some(payload) => with_edns(asked.clone(), payload, 0),
            None => asked.clone(),
        };
        let answer = answered(&bytes, &found);
        assert!(answer.len() <= edns.map_or(512, |edns: u16| edns.clamp(512, 1_232).into()));
        assert_eq!(answer[2] & 0x02 == 0, fits, "{texts} {edns:?}");
        assert_eq!(counts(&answer)[0], if fits { texts as u8 } else { 0 });
        let (whole, _) = query(&bytes).answer(Outcome::Found(&found), Transport::Tcp);
        assert_eq!((whole[2] & 0x02, counts(&whole)[0]), (0, texts as u8));
    }
}

#[test]
fn addresses_beside_a_service_go_first_when_there_is_no_room() {
    let lines: Vec<String> = (1..=16)
        .map(|n| format!("address:[2a00::{n}]:443"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answer = {
        let name = "a".repeat(50);
        let asked = ask(&format!("{name}.p2p"), kind::SRV);
        answered(&asked, &leads_to(&name, &[], &lines))
    };
    let [services, 0, addresses] = counts(&answer) else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (services, answer[2] & 0x02),
        (1, 0),
        "nothing was cut that was asked for"
    );
    assert!((1..16).contains(&addresses) && answer.len() <= 512);
}

#[test]
fn the_top_of_the_tree_satisfies_resolvers() {
    for (kind, expected) in [
        (kind::SOA, [1, 0, 0]),
        (kind::NS, [1, 0, 0]),
        (kind::ANY, [1, 0, 0]),
        (kind::A, [0, 1, 0]),
    ] {
        let (answer, rcode) = at_once(&ask("p2p", kind));
        assert_eq!((rcode, counts(&answer)), (Rcode::NoError, expected));
    }
}

#[test]
fn what_is_not_for_this_server_is_refused() {
    for name in [
        "example.org",
        "",
        "p2p.example.org",
        "xp2p",
        "a b.p2p",
        "a\\.p2p",
        "\u{e9}.p2p",
        "a\0.p2p",
    ] {
        assert_eq!(code(&ask(name, kind::A)), Rcode::Refused, "{name:?}");
    }
    let mut chaos = ask("alice.p2p", kind::TXT);
    *chaos.last_mut().unwrap() = 3;
    assert_eq!(code(&chaos), Rcode::Refused);
    assert_eq!(code(&ask("alice.p2p", 252)), Rcode::Refused);
    assert_eq!(code(&ask("alice.p2p", 249)), Rcode::NotImp);
    for nobodys in [
        "-a.p2p",
        "p2p.p2p",
        "xn--80ak6aa92e.p2p",
        "_a.p2p",
        "bafkqaaa.p2p",
    ] {
        let (answer, rcode) = at_once(&ask(nobodys, kind::A));
        assert_eq!(
            (rcode, counts(&answer)),
            (Rcode::NxDomain, [0, 1, 0]),
            "{nobodys}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_said_or_passed_over() {
    let good = ask("alice.p2p", kind::A);
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    for silent in [vec![], good[..11].to_vec(), changed(2, 0x81)] {
        assert_eq!(receive(&silent, Transport::Udp), Received::Silence);
    }
    let header = Header {
        id: 0xabcd,
        opcode: 5,
        recursion_desired: false,
    };
    assert_eq!(
        at_once(&changed(2, 0x28)),
        (Reply::bare(header, Rcode::NotImp), Rcode::NotImp)
    );
    let edns = with_edns(good.clone(), 1_232, 0);
    let mut twice = with_edns(edns.clone(), 1_232, 0);
    for (bytes, why) in [
        (good[..20].to_vec(), "it ends early"),
        ([good.clone(), vec![0]].concat(), "there is more"),
        (changed(5, 0), "no question"),
        (changed(5, 2), "two questions"),
        (changed(7, 1), "an answer"),
        (changed(11, 5), "too much beside it"),
        (changed(12, 0xc0), "a pointer"),
        (changed(12, 64), "a label beyond 63"),
        (edns[..edns.len() - 1].to_vec(), "half of EDNS"),
        (twice.clone(), "EDNS twice"),
        (ask(&"a.".repeat(128), kind::A), "a name beyond 255"),
        (ask("alice.p2p", kind::OPT), "EDNS as a type"),
    ] {
        assert_eq!(code(&bytes), Rcode::FormErr, "{why}");
    }
    // A second record that is not EDNS, with a name that is a pointer to itself.
    twice.splice(
        good.len() + 11..,
        [0xc0, 0x27, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0],
    );
    query(&twice);
    let (answer, rcode) = at_once(&with_edns(good, 1_232, 1));
    assert_eq!(rcode, Rcode::BadVers);
    assert!(answer.ends_with(&[0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]));
}

#[test]
fn too_many_questions_are_sent_to_tcp() {
    let asked = query(&ask("alice.p2p", kind::A));
    let answer = asked.too_many(Transport::Udp);
    assert_eq!((answer[2] & 0x02, counts(&answer)), (2, [0, 0, 0]));
    assert_eq!(asked.too_many(Transport::Tcp)[3] & 0xf, 5);
}

#[test]
fn the_name_to_resolve_is_in_its_one_spelling() {
    let asked = query(&ask("Blog.ALICE.p2p", kind::A));
    assert_eq!(
        asked.name(),
        Some(&"blog.alice.p2p".parse::<Name>().unwrap())
    );
    assert!(matches!(asked.name(), Some(name) if name.sub() == "blog"));
    let alias: Resource = "alias:bob.p2p".parse().unwrap();
    let found = Resolution {
        resources: vec![alias],
        ..leads_to("alice", &[], &[])
    };
    let answer = answered(&ask("alice.p2p", kind::TXT), &found);
    assert_eq!(counts(&answer), [0, 1, 0]);
}
