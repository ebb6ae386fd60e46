//! DNS: a real relay that witnesses a name answers for it, over UDP and TCP, to a client made of bytes
//! and to `dig`.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::process::Command;
use warren_relay::peer::Peer;
use warren_shared::net::names::Agent;
use warren_shared::platform;
use warren_shared::proto::key::SigningKey;
use warren_shared::proto::names::Zone;
use warren_tests::dns::{
    A, AAAA, CNAME, Message, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, SOA, SRV, TXT, question,
};
use warren_tests::peers::member;
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::within;

const NAME: &str = "ways-out-of-here.p2p";

async fn relay_with_dns() -> (TestRelay, SocketAddr) {
    let relay = TestRelay::start(|args| args.dns = Some(ANY_PORT.into())).await;
    let relay = relay.expect("the relay starts");
    let dns = relay.dns().expect("it listens");
    (relay, dns)
}

/// Claims the name and puts something of every kind under it.
async fn owner(relay: &TestRelay) -> Peer {
    let peer = member(&relay.url()).await.expect("joined");
    let names = peer.node.names();
    names.claim(NAME, None, |_| {}).await.expect("claimed");
    let mut zone = Zone::default();
    let long = format!("text:{}", "x".repeat(900));
    for (sub, lines) in [
        (
            "",
            vec!["address:8.8.4.4", "address:192.168.0.1", "text:hello"],
        ),
        ("six", vec!["address:[2a00::7]:80"]),
        ("_http._tcp", vec!["address:8.8.8.8:8080"]),
        ("www", vec!["alias:ways-out-of-here.p2p"]),
        ("a.deep", vec!["text:below"]),
        ("long", vec![long.as_str(), "text:and more", long.as_str()]),
    ] {
        let resources = lines.iter().map(|line| line.parse().expect("a resource"));
        zone.set(sub, resources.collect()).expect("it fits");
    }
    names.publish(NAME, zone).await.expect("published");
    peer
}

async fn udp(to: SocketAddr, bytes: &[u8]) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(to).await.expect("connected");
    let mut buffer = [0; 4_096];
    let asking = async {
        socket.send(bytes).await.expect("sent");
        socket.recv(&mut buffer).await.expect("received")
    };
    let length = within("an answer over UDP", asking).await;
    let message = Message::read(&buffer[..length]).expect("readable");
    assert!(message.is_answer() && message.rest == 0);
    message
}

async fn over_tcp(socket: &mut TcpStream, bytes: &[u8]) -> Message {
    let asking = async {
        let length = u16::try_from(bytes.len()).expect("short");
        socket.write_u16(length).await.expect("sent");
        socket.write_all(bytes).await.expect("sent");
        let mut answer = vec![0; socket.read_u16().await.expect("a length").into()];
        socket.read_exact(&mut answer).await.expect("an answer");
        answer
    };
    let answer = within("an answer over TCP", asking).await;
    Message::read(&answer).expect("readable")
}

async fn ask(to: SocketAddr, name: &str, kind: u16) -> Message {
    udp(to, &question(7, name, kind, Some(1_232))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_software_finds_what_is_under_a_name() {
    let (relay, dns) = relay_with_dns().await;
    let _owner = owner(&relay).await;

    let found = ask(dns, "Ways-OUT-of-here.P2p", A).await;
    assert_eq!((found.id, found.rcode), (7, NOERROR));
    assert_eq!(found.answers(A), [&[8, 8, 4, 4]], "and not the private one");
    let (asked, _, _) = found.question.as_ref().expect("echoed");
    assert_eq!(asked, b"Ways-OUT-of-here.P2p.");
    assert!(
        (1..=300).contains(&found.records[0].ttl),
        "{:?}",
        found.records
    );

    let text = ask(dns, NAME, TXT).await;
    assert_eq!(text.answers(TXT), [b"\x05hello"]);
    let six = ask(dns, &format!("six.{NAME}"), AAAA).await;
    assert_eq!(six.answers(AAAA)[0][..2], [0x2a, 0]);
    let service = ask(dns, &format!("_http._tcp.{NAME}"), SRV).await;
    assert_eq!(service.answers(SRV)[0][..6], [0, 0, 0, 0, 0x1f, 0x90]);
    let www = ask(dns, &format!("www.{NAME}"), A).await;
    assert_eq!(
        (www.answers(CNAME).len(), www.answers(A)),
        (1, vec![&[8, 8, 4, 4][..]])
    );

    for (name, kind, rcode) in [
        (NAME.to_owned(), AAAA, NOERROR),
        (format!("deep.{NAME}"), A, NOERROR),
        (format!("nothing.{NAME}"), A, NXDOMAIN),
        ("nobody-holds-this.p2p".to_owned(), A, NXDOMAIN),
        ("-.p2p".to_owned(), A, NXDOMAIN),
    ] {
        let nothing = ask(dns, &name, kind).await;
        assert_eq!((nothing.rcode, nothing.records.len()), (rcode, 1), "{name}");
        assert_eq!(nothing.records[0].kind, SOA, "{name}");
    }
    let elsewhere = ask(dns, "example.org", A).await;
    assert_eq!((elsewhere.rcode, elsewhere.records.len()), (REFUSED, 0));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_for_a_packet_comes_over_tcp() {
    let (relay, dns) = relay_with_dns().await;
    let _owner = owner(&relay).await;
    let name = format!("long.{NAME}");
    let asked = question(1, &name, TXT, Some(4_096));
    let cut = udp(dns, &asked).await;
    assert!(cut.is_cut() && cut.records.is_empty());

    let mut socket = TcpStream::connect(dns).await.expect("connected");
    let whole = over_tcp(&mut socket, &asked).await;
    assert!(!whole.is_cut());
    assert_eq!(whole.answers(TXT).len(), 3);
    let again = over_tcp(&mut socket, &question(2, NAME, A, None)).await;
    assert_eq!(
        (again.id, again.answers(A).len()),
        (2, 1),
        "one connection, two questions"
    );
    socket.write_u16(60_000).await.expect("sent");
    let end = within(
        "a question beyond all bounds ends it",
        socket.read(&mut [0]),
    )
    .await;
    assert!(matches!(end, Ok(0)) || end.is_err(), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_the_server_fails_and_says_so() {
    let stranger = || {
        SigningKey::from_seed(platform::entropy())
            .public()
            .to_peer_id()
    };
    let relay = TestRelay::start(|args| {
        args.dns = Some(ANY_PORT.into());
        args.witness = vec![stranger(), stranger()];
    });
    let relay = relay.await.expect("the relay starts");
    let dns = relay.dns().expect("it listens");
    let failed = ask(dns, "somebody-else.p2p", A).await;
    assert_eq!(failed.rcode, SERVFAIL);
    let agent: &Agent = relay.node().names().agent();
    assert!(agent.cached().await.expect("it runs").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_of_the_port_must_be_free() {
    let (relay, dns) = relay_with_dns().await;
    let taken = TestRelay::start(|args| args.dns = Some(dns.to_string())).await;
    let error = taken.err().expect("the port is taken");
    assert_eq!(error.code(), warren_shared::error::Code::PortInUse);
    assert!(error.message().contains(&dns.to_string()), "{error}");
    relay.stop().await;
    let free = TestRelay::start(|args| args.dns = Some(dns.to_string())).await;
    assert!(free.is_ok(), "a relay that stopped gives its port back");
}

#[tokio::test(flavor = "multi_thread")]
async fn dig_is_content() {
    let (relay, dns) = relay_with_dns().await;
    let program = std::env::var_os("WARREN_DIG").unwrap_or_else(|| "dig".into());
    let dig = async |args: &[&str]| {
        let mut command = Command::new(&program);
        command.arg(format!("@{}", dns.ip())).arg("-p");
        command.arg(dns.port().to_string()).args(args);
        within("dig ends", command.output()).await
    };
    match dig(&["+short", "p2p", "SOA"]).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("LEFT OUT: there is no `dig`; install it (bind9-dnsutils) or set WARREN_DIG");
            return;
        }
        other => assert!(other.expect("dig runs").status.success()),
    }
    let _owner = owner(&relay).await;
    let long = format!("long.{NAME}");
    let www = format!("www.{NAME}");
    for (args, expected) in [
        (vec!["+short", NAME, "A"], "8.8.4.4"),
        (vec!["+short", "+tcp", NAME, "TXT"], "\"hello\""),
        (vec!["+short", www.as_str(), "A"], "8.8.4.4"),
        // It comes again over TCP by itself.
        (vec!["+short", long.as_str(), "TXT"], "\"and more\""),
        (vec!["example.org"], "status: REFUSED"),
        (vec!["nobody-holds-this.p2p"], "status: NXDOMAIN"),
    ] {
        let output = dig(&args).await.expect("dig runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(expected), "{args:?}: {text}");
        let unhappy = ["WARNING", "malformed", "mismatch", "extra bytes"];
        let unhappy = unhappy.iter().find(|word| text.contains(**word));
        assert_eq!(unhappy, None, "{args:?}: {text}");
    }
}
