use super::*;

const DIGEST: &str = "30:FC:9F:46:9C:20:74:19:DF:DD:0A:AB:5F:27:A8:6C:97:3C:94:E4:05:48:DB:93:75:CC:A2:E9:15:97:3B:99";

/// As Chromium writes offers.
fn chromium() -> String {
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        "a=ice-options:trickle",
        &format!("a=fingerprint:sha-256 {DIGEST}"),
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]
    .join("\r\n")
}

/// As Firefox does: the fingerprint is above the section, and any length of messages is fine.
fn firefox() -> String {
    [
        "v=0",
        "o=mozilla...THIS_IS_SDPARTA-99.0 4962303333179871722 0 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        &format!("a=fingerprint:sha-256 {DIGEST}"),
        "a=group:BUNDLE 0",
        "a=ice-options:trickle",
        "a=msid-semantic:WMS *",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=sendrecv",
        "a=ice-pwd:0f7ef3ed5a8d02a7b1ba4ab6e0bd8a3d",
        "a=ice-ufrag:1b1f3a0e",
        "a=mid:0",
        "a=setup:active",
        "a=sctp-port:5000",
        "a=max-message-size:1073741823",
        "",
    ]
    .join("\r\n")
}

/// As js-libp2p does in Node, by libdatachannel: with candidates inside.
fn js_libp2p() -> String {
    [
        "v=0",
        "o=rtc 3767197920 0 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=group:LS 0",
        "a=msid-semantic:WMS *",
        "a=setup:passive",
        "a=ice-ufrag:Uvwx",
        "a=ice-pwd:abcdefghijklmnopqrstuv",
        "a=ice-options:ice2,trickle",
        &format!("a=fingerprint:sha-256 {DIGEST}"),
        "m=application 49152 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 192.0.2.3",
        "a=mid:0",
        "a=sendrecv",
        "a=sctp-port:5000",
        "a=max-message-size:16384",
        "a=candidate:1 1 UDP 2122317823 192.0.2.3 49152 typ host",
        "a=candidate:2 1 UDP 1686109951 203.0.113.3 49152 typ srflx raddr 0.0.0.0 rport 0",
        "a=end-of-candidates",
        "",
    ]
    .join("\r\n")
}

#[test]
fn offers_and_answers_of_others_are_understood() {
    let offer = Remote::parse(&chromium(), true).unwrap();
    assert_eq!(offer.credentials.ufrag, "EsAw");
    assert_eq!((offer.setup, offer.mid.as_str()), (Setup::Either, "0"));
    assert!(offer.candidates.is_empty());
    let answer = Remote::parse(&firefox(), false).unwrap();
    assert_eq!(answer.setup, Setup::Active);
    assert_eq!(answer.fingerprint, offer.fingerprint);
    let answer = Remote::parse(&js_libp2p(), false).unwrap();
    assert_eq!(answer.setup, Setup::Passive);
    assert_eq!(answer.candidates.len(), 2);
    assert_eq!(
        answer.candidates[0].text,
        "candidate:1 1 UDP 2122317823 192.0.2.3 49152 typ host"
    );
}

#[test]
fn what_is_written_is_understood_and_shows_no_address() {
    let credentials = Credentials {
        ufrag: "abcd".into(),
        password: "abcdefghijklmnopqrstuvwx".into(),
    };
    let fingerprint = Fingerprint::from_sdp(DIGEST).unwrap();
    for setup in [Setup::Either, Setup::Active, Setup::Passive] {
        let own = Own {
            session: u64::MAX,
            credentials: &credentials,
            fingerprint: &fingerprint,
            setup,
            mid: "data",
        };
        let text = own.to_sdp();
        assert!(text.ends_with("\r\n") && !text.contains("\r\n\r\n"));
        assert!(text.contains(" 9223372036854775807 "), "{text}");
        let read = Remote::parse(&text, setup == Setup::Either).unwrap();
        assert_eq!(read.credentials, credentials);
        assert_eq!((read.fingerprint, read.setup), (fingerprint, setup));
        assert_eq!((read.mid.as_str(), read.candidates.len()), ("data", 0));
    }
}

/// Those of browsers differ from ours in lines that say nothing about data channels.
#[test]
fn what_is_written_has_the_lines_of_a_browser() {
    let offer = Remote::parse(&chromium(), true).unwrap();
    let own = Own {
        session: 4611731400430051336 << 1,
        credentials: &offer.credentials,
        fingerprint: &offer.fingerprint,
        setup: Setup::Either,
        mid: "0",
    };
    let theirs = chromium();
    let theirs = theirs.lines().filter(|line| {
        !["a=extmap-allow-mixed", "a=msid-semantic", "a=max-message"]
            .iter()
            .any(|start| line.starts_with(start))
    });
    let ours = own.to_sdp();
    let ours = ours
        .lines()
        .filter(|line| !line.starts_with("a=max-message"));
    assert!(ours.eq(theirs), "{}", own.to_sdp());
}

#[test]
fn nobody_is_left_waiting_for_a_handshake() {
    let refused = |text: &str, offer| Remote::parse(text, offer).unwrap_err();
    let setup = BadDescription::Attribute("setup");
    assert_eq!(refused(&chromium(), false), setup, "who begins?");
    let silent = chromium().replace("a=setup:actpass\r\n", "");
    assert_eq!(Remote::parse(&silent, true).unwrap().setup, Setup::Either);
    assert_eq!(refused(&silent, false), setup);
    let held = chromium().replace("setup:actpass", "setup:holdconn");
    assert_eq!(refused(&held, true), setup);
}

#[test]
fn who_takes_no_messages_of_ours_is_refused() {
    let small = chromium().replace("size:262144", "size:1024");
    assert_eq!(
        Remote::parse(&small, true),
        Err(BadDescription::Attribute("max-message-size"))
    );
    let any = chromium().replace("size:262144", "size:0");
    assert!(Remote::parse(&any, true).is_ok());
}
