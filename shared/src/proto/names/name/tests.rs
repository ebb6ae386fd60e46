//! Spellings, flaws and where they are.

use super::*;
use crate::proto::key::SigningKey;

fn flaw(text: &str) -> Flaw {
    Name::find(text).expect_err(text)
}

fn key() -> PublicKey {
    SigningKey::from_seed([1; 32]).public()
}

#[test]
fn every_spelling_comes_to_one() {
    let cases = [
        ("alice", "alice.p2p"),
        ("Alice.P2P", "alice.p2p"),
        ("alice.p2p.", "alice.p2p"),
        ("blog.Alice.p2p", "blog.alice.p2p"),
        ("a.b.alice", "a.b.alice.p2p"),
        ("_http._tcp.alice.p2p", "_http._tcp.alice.p2p"),
        ("B\u{fc}cher.p2p", "xn--bcher-kva.p2p"),
        ("xn--bcher-kva", "xn--bcher-kva.p2p"),
        ("bu\u{308}cher\u{3002}p2p", "xn--bcher-kva.p2p"),
        ("\u{ff21}lice", "alice.p2p"),
        ("stra\u{df}e", "xn--strae-oqa.p2p"),
        ("a-1", "a-1.p2p"),
        ("7", "7.p2p"),
        ("東京タワー", "xn--5ck9b3b5bx6hzc5e.p2p"),
    ];
    for (typed, normal) in cases {
        let name = Name::find(typed).unwrap_or_else(|flaw| panic!("{typed}: {flaw}"));
        if !typed.starts_with('東') {
            assert_eq!(name.to_string(), normal, "{typed}");
        }
        assert_eq!(Name::parse(&name.to_string()).unwrap(), name);
    }
}

#[test]
fn keys_are_names_too() {
    let text = key().to_base36();
    for typed in [text.clone(), format!("{text}.p2p"), text.to_uppercase()] {
        assert_eq!(Name::parse(&typed).unwrap(), Name::of_key(key()));
    }
    let inside = Name::parse(&format!("blog.{text}.p2p")).unwrap();
    assert_eq!((inside.root(), inside.sub()), (&Root::Key(key()), "blog"));
    assert!(text.parse::<Label>().is_err(), "a key is not claimed");
}

#[test]
fn what_looks_like_a_content_identifier_is_no_human_name() {
    let block = "bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4";
    let identity = "k2jmtxx";
    let old = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
    let key_of_a_value = crate::proto::key::Key::value(b"x").to_string();
    for text in [block, old, &key_of_a_value] {
        assert!(flaw(text).why.contains("content identifier"), "{text}");
    }
    // A wrong key is not a person's name either.
    let mut broken = key().to_base36();
    broken.pop();
    broken.push('0');
    assert!(
        Name::find(&broken).is_err()
            || Name::parse(&broken).is_ok_and(|name| matches!(name.root(), Root::Key(_)))
    );
    let _ = identity;
    assert!(Name::find("bob").is_ok() && Name::find("kate").is_ok() && Name::find("f00d").is_ok());
}

#[test]
fn flaws_name_the_character_and_its_position() {
    let cases = [
        ("al ice", Some(' '), 3),
        ("alice!.p2p", Some('!'), 6),
        ("blog.al_ice.p2p", Some('_'), 8),
        ("-alice", Some('-'), 1),
        ("alice-", Some('-'), 6),
        ("ab--c", Some('-'), 3),
        ("", None, 1),
        ("p2p", None, 1),
        ("alice..p2p", None, 7),
        (".alice", None, 1),
        ("a\u{430}lice", Some('\u{430}'), 2),
        ("pay\u{440}al.p2p", Some('\u{440}'), 4),
        ("blog.pay\u{440}al.p2p", Some('\u{440}'), 9),
        ("\u{430}\u{440}\u{440}\u{4cf}\u{435}", Some('\u{430}'), 1),
        ("1-\u{3bf}", Some('\u{3bf}'), 3),
        ("alice\u{1f389}", Some('\u{1f389}'), 6),
        ("snow\u{2603}man", Some('\u{2603}'), 5),
        ("a\u{300}\u{301}\u{302}\u{303}", None, 0),
        ("\u{9ea}8\u{995}", Some('\u{9ea}'), 1),
        ("a\u{202e}b", Some('\u{202e}'), 2),
        ("xn--80ak6aa92e", Some('\u{430}'), 1),
        ("\u{79c1}a", Some('a'), 2),
    ];
    for (text, character, position) in cases {
        let found = flaw(text);
        if position > 0 {
            let seen = (found.character, found.position);
            assert_eq!(seen, (character, position), "{text}: {found}");
        }
        assert_eq!(Error::from(found).code(), Code::NameInvalid);
    }
}

#[test]
fn lengths_are_those_of_dns() {
    let longest = "a".repeat(63);
    assert!(Name::find(&longest).is_ok());
    assert!(Name::find(&"a".repeat(64)).is_err());
    let three = format!("{longest}.{longest}.{longest}");
    assert!(Name::find(&three).is_ok());
    let name = format!("{}.{three}", "a".repeat(57));
    assert_eq!(Name::parse(&name).unwrap().to_string().len(), 253);
    assert!(Name::find(&format!("a{name}")).is_err());
    assert!(Name::find(&"\u{fc}".repeat(60)).is_err());
    assert!(Name::find(&"a.".repeat(100_000)).is_err());
}

#[test]
fn one_script_is_enough() {
    for good in [
        "привет",
        "ελλάδα",
        "东京",
        "ひらがな",
        "カタカナ漢字",
        "한국",
        "ไทย",
        "हिन्दी",
        "العربية",
        "ქართული",
        "việt-nam",
        "ọ̀rọ̀",
        "հայերեն",
    ] {
        Name::find(good).unwrap_or_else(|flaw| panic!("{good}: {flaw}"));
    }
    for bad in ["прivet", "ελλaδα", "한カ", "ab漢", "ԛԝ", "ոս"] {
        assert!(Name::find(bad).is_err(), "{bad}");
    }
}

#[test]
fn exact_labels_only_on_the_wire() {
    assert!(Label::exact("alice").is_some());
    for other in ["Alice", "alice.p2p", "b\u{fc}cher", "p2p", "", "xn--alice-"] {
        assert!(Label::exact(other).is_none(), "{other}");
    }
    assert_eq!(
        Label::find("B\u{fc}cher").unwrap().to_unicode(),
        "b\u{fc}cher"
    );
    assert_eq!(Label::find("B\u{fc}cher").unwrap().characters(), 6);
}
