//! Which places are public, and the readable form.

use super::*;

#[test]
fn private_places_are_known() {
    let private = [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "2001:db8::1",
        "192.88.99.1",
        "2001::1",
        "3fff::1",
        "64:ff9b:1::808:808",
    ];
    for text in private {
        assert!(!is_public(text.parse().unwrap()), "{text}");
    }
    for text in [
        "8.8.8.8",
        "203.0.114.1",
        "2a00::1",
        "2001:200::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
    ] {
        assert!(is_public(text.parse().unwrap()), "{text}");
    }
    let url = |text: &str| Resource::Url(text.to_owned()).is_public();
    for outside in [
        "https://example.org/",
        "http://8.8.8.8:80/x",
        "http://[2a00::1]:80/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org./?127.0.0.1",
        "https://xn--bcher-kva.example/",
        "https://a_b.example:8443/#@127.0.0.1",
    ] {
        assert!(url(outside), "{outside}");
    }
    for inside in [
        "http://localhost/",
        "http://a.localhost:80",
        "http://127.0.0.1:8080",
        "http://[::1]/",
        "http://x@192.168.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://127.0.0.0x1/",
        "http://１２７.０.０.１/",
        "http://%31%32%37.0.0.1/",
        "http://192.168.257/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://router/",
        "http://printer.local/",
        "http://router.home.arpa/",
        "http://a..example.org/",
        "http://[fe80::1%25eth0]/",
    ] {
        assert!(!url(inside), "{inside}");
    }
}

#[test]
fn the_readable_form_comes_back() {
    let resources: Vec<Resource> = serde_json::from_str(
        r#"[{"type":"peer","peer":"12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"},
            {"type":"address","ip":"8.8.8.8","port":53},{"type":"address","ip":"2a00::1"},
            {"type":"file","cid":"bafir4ida26x7gujtnezhdie7m2y5tzsxj5a6eplf22cfp3r4oownmc52vq"},
            {"type":"url","url":"https://example.org/"},{"type":"text","text":"hi"},
            {"type":"alias","name":"bob"}]"#,
    )
    .unwrap();
    let text = serde_json::to_string(&resources).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Resource>>(&text).unwrap(),
        resources
    );
    assert!(text.contains("\"bob.p2p\""));
    for wrong in [
        r#"{"type":"file","cid":"x"}"#,
        r#"{"type":"url","url":"javascript:alert(1)"}"#,
        r#"{"type":"url","url":"https://"}"#,
        r#"{"type":"peer","peer":"x"}"#,
        r#"{"type":"nothing"}"#,
        r#"{"type":"text","text":"a","more":1}"#,
    ] {
        assert!(serde_json::from_str::<Resource>(wrong).is_err(), "{wrong}");
    }
}
