//! Private rooms and those who are not in them: outsiders, and the relays that carry everything.

use std::path::Path;

use libp2p::Multiaddr;
use serde_json::Value as Json;
use warren_shared::net::Route;
use warren_shared::platform;
use warren_shared::proto::NetworkId;
use warren_shared::proto::chat::RoomRef;
use warren_shared::proto::key::PublicKey;
use warren_tests::guests::{Guest, Intruder, public, two_relays};
use warren_tests::killed::full_relay;
use warren_tests::program::Program;
use warren_tests::relays::ANY_PORT;
use warren_tests::wait::until;

/// A relay of its own process that keeps history.
struct Keeper {
    program: Program,
    url: String,
    network: NetworkId,
    route: Route,
}

impl Keeper {
    async fn start(home: &Path) -> Keeper {
        let mut args = full_relay(home, [ANY_PORT, ANY_PORT, "off", "off"]);
        args.push("--history".to_owned());
        let mut program = Program::start(&args);
        let ready = program.event("ready").await;
        let text = |json: &Json| json.as_str().expect("text").to_owned();
        let address = ready["addresses"].as_array().expect("addresses").iter();
        let tcp = { address }.map(text).find(|text| !text.contains("/ws"));
        let address: Multiaddr = tcp.expect("TCP").parse().expect("an address");
        Keeper {
            program,
            url: text(&ready["http"]),
            network: text(&ready["network"]).parse().expect("a network"),
            route: Route {
                peer: text(&ready["peer"]).parse().expect("a peer id"),
                addresses: vec![address],
            },
        }
    }
}

/// What is looked for, in bytes and in hex.
fn needles(words: &[(&str, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let both = words.iter().flat_map(|(name, bytes)| {
        let text = hex(bytes);
        [
            ((*name).to_owned(), bytes.clone()),
            (format!("{name} in hex"), text.to_uppercase().into_bytes()),
            (format!("{name} in hex"), text.into_bytes()),
        ]
    });
    both.collect()
}

/// Which of them are in there.
fn found(needles: &[(String, Vec<u8>)], hay: &[u8]) -> Vec<String> {
    let is_in = |needle: &[u8]| {
        let (first, rest) = needle.split_first().expect("something is looked for");
        let mut from = 0;
        while let Some(at) = hay[from..].iter().position(|byte| byte == first) {
            from += at + 1;
            if hay[from..].starts_with(rest) {
                return true;
            }
        }
        false
    };
    let all = needles.iter().filter(|(_, bytes)| is_in(bytes));
    all.map(|(name, _)| name.clone()).collect()
}

fn files(folder: &Path, into: &mut Vec<u8>) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => count += files(&path, into),
            false => {
                // What is between two files is in neither.
                into.extend(std::fs::read(&path).unwrap_or_default());
                into.extend([0; 64]);
                count += 1;
            }
        }
    }
    count
}

/// All memory of a process that can be read.
#[cfg(target_os = "linux")]
fn memory(process: u32) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("its mappings");
    let file = std::fs::File::open(format!("/proc/{process}/mem")).expect("its memory");
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line
            .split_once(' ')
            .and_then(|(range, _)| range.split_once('-'))
            .expect("a range");
        let place = |text: &str| u64::from_str_radix(text, 16).expect("a place");
        let (from, to) = (place(from), place(to));
        let mut part = vec![0; (to - from) as usize];
        if file.read_exact_at(&mut part, from).is_ok() {
            all.extend(part);
            all.extend([0; 64]);
        }
    }
    all
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_knows_neither_name_nor_words_nor_authors() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let keeper = Keeper::start(home.path()).await;
    let random = || u128::from_be_bytes(platform::entropy());
    let [name, text, nick] =
        ["room", "text", "nick"].map(|what| format!("{what} {:032x}", random()));
    let room = RoomRef::new(&name, Some(platform::entropy())).expect("a name");
    let urls = [keeper.url.clone()];
    let ada = Guest::enter_at(&urls, &room, &nick).await;
    let mut ben = Guest::enter_at(&urls, &room, &nick).await;
    // Whoever speaks here has published nothing else under its key.
    let mut cyd = Intruder::at_route(&keeper.network, keeper.route.clone(), &room).await;
    let mut body = cyd.text(&text);
    body.nick.clone_from(&nick);
    let packet = cyd.sign(&body);
    ada.room.send(&text).await.expect("sent");
    ben.hears_text(&text).await;
    cyd.publish(&packet).await.expect("sent");
    let author = cyd.author.public();
    until("the third one is heard", || async {
        let entries = ben.entries().await;
        entries
            .iter()
            .any(|entry| entry.author == author.to_string())
            .then_some(())
    })
    .await;

    let topic = room.keys(&keeper.network).topic();
    let mut secret = needles(&[
        ("the room's name", name.clone().into_bytes()),
        ("a text", text.clone().into_bytes()),
        ("a nickname", nick.clone().into_bytes()),
        ("an author", author.as_bytes().to_vec()),
    ]);
    secret.push((
        "an author in letters".to_owned(),
        author.to_base36().into_bytes(),
    ));
    secret.push((
        "the secret".to_owned(),
        room.secret.expect("private").to_vec(),
    ));
    let known = needles(&[("the topic", topic.id.to_vec())]);
    let process = keeper.program.id();
    let held = memory(process);
    assert!(!found(&known, &held).is_empty(), "the search finds nothing");
    assert_eq!(found(&secret, &held), Vec::<String>::new(), "in memory");

    // What is kept is written now and then; a late member gets it from the relay alone.
    for guest in [ada, ben] {
        guest.close().await;
    }
    cyd.node.close().await;
    let late = Guest::enter_at(&urls, &room, "late").await;
    late.has(&[text.clone(), text.clone()]).await;
    // Authors of whole peers are known from where they say they are, and not from any room.
    let ada: PublicKey = late.entries().await[0].author.parse().expect("a key");
    late.close().await;
    assert!(keeper.program.terminate().await.success());
    let mut stored = Vec::new();
    assert!(files(home.path(), &mut stored) > 2);
    assert!(
        !found(&known, &stored).is_empty(),
        "the search finds nothing"
    );
    assert_eq!(found(&secret, &stored), Vec::<String>::new(), "on disk");
    let history = std::fs::read(home.path().join("history.redb")).expect("a history");
    let ada = needles(&[("an author", ada.as_bytes().to_vec())]);
    assert_eq!(
        found(&ada, &history),
        Vec::<String>::new(),
        "in the history"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outsiders_send_on_the_topic_reaches_nobody() {
    let (first, second) = two_relays().await;
    let room = RoomRef::new("lobby", Some([7; 16])).expect("a name");
    let mut ada = Guest::enter(&[&first], &room, "Ada").await;
    let mut ben = Guest::enter(&[&second], &room, "Ben").await;
    ada.room.send("first").await.expect("sent");
    ben.hears_text("first").await;
    // It knows the topic, as everybody at the relay can, but not the key.
    let network = first.node().network();
    let topic = room.keys(network).topic().text(network);
    let wrong = RoomRef::new("lobby", Some([8; 16])).expect("a name");
    let mut other = Intruder::at(&first, &wrong).await;
    let mut member = Intruder::at(&first, &room).await;
    let mut open = Intruder::at(&first, &public("lobby")).await;
    for number in 0..4 {
        for outsider in [&mut other, &mut open] {
            let body = outsider.text(&format!("spam {number}"));
            let packet = outsider.sign(&body);
            outsider.publish_in(&topic, &packet).await.expect("sent");
        }
    }
    // Whoever has the key is heard after that, so that all before was there, too.
    let body = member.text("with the key");
    let packet = member.sign(&body);
    member.publish(&packet).await.expect("sent");
    ben.hears_text("with the key").await;
    ada.room.send("last").await.expect("sent");
    ben.hears_text("last").await;
    for outsider in [&other, &open] {
        until("the relay has noted it", || async {
            let standing = first.node().reputation(&outsider.node.id()).await;
            (standing.invalid == 4).then_some(())
        })
        .await;
    }
    let expected = ["first", "with the key", "last"].map(str::to_owned);
    for guest in [&ada, &ben] {
        guest.has(&expected).await;
        // Nobody was given anything that it would have to refuse.
        for relay in [&first, &second] {
            let standing = guest.node.reputation(&relay.id()).await;
            assert_eq!(standing.invalid, 0);
        }
    }
    let standing = second.node().reputation(&first.id()).await;
    assert_eq!(standing.invalid, 0, "nothing was passed on");
    for node in [other.node, open.node, member.node] {
        node.close().await;
    }
    ada.hears_text("last").await;
    ada.close().await;
    ben.close().await;
    first.stop().await;
    second.stop().await;
}
