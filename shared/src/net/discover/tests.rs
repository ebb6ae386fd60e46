use std::collections::HashMap;
use std::sync::Arc;

use futures::executor::block_on;
use futures::future::{BoxFuture, pending, ready};

use super::*;
use crate::net::outside::Outside;
use crate::proto::key::SigningKey;

/// Pages that answer; all others never do.
struct Web(HashMap<String, String>);

impl Outside for Web {
    fn fetch(&self, url: String, _: Duration) -> BoxFuture<'static, Result<String>> {
        match self.0.get(url.trim_end_matches(WELL_KNOWN)) {
            Some(text) => ready(Ok(text.clone())).boxed(),
            None => pending().boxed(),
        }
    }
}

/// What addresses answer: nothing, unless they are of this network.
struct Addresses(Option<&'static str>);

impl AskAddress for Addresses {
    async fn network_at(&self, _: Multiaddr) -> Result<NetworkId> {
        match self.0 {
            Some(network) => network.parse(),
            None => pending().await,
        }
    }
}

fn document(seed: u8, network: &str) -> String {
    let key = SigningKey::from_seed([seed; 32]);
    let document = JoinDocument {
        network: network.parse().unwrap(),
        peer: peer(seed),
        addresses: Vec::new(),
        http: None,
        stun: None,
        witnesses: None,
        relays: Vec::new(),
        version: "0".into(),
        now: 1,
    };
    document.to_json(&key).unwrap()
}

fn peer(seed: u8) -> String {
    let key = SigningKey::from_seed([seed; 32]);
    let pair = crate::net::node::keypair(&key).unwrap();
    pair.public().to_peer_id().to_string()
}

fn web(pages: &[(&str, String)]) -> SharedOutside {
    let pages = pages.iter().cloned();
    Arc::new(Web(pages
        .map(|(url, text)| (url.to_owned(), text))
        .collect()))
}

fn sources(join: &[&str], bootstrap: &[u8], network: Option<&str>) -> Sources {
    let address = |seed: &u8| format!("/memory/1/p2p/{}", peer(*seed)).parse().unwrap();
    Sources {
        join: join.iter().map(ToString::to_string).collect(),
        bootstrap: bootstrap.iter().map(address).collect(),
        network: network.map(|network| network.parse().unwrap()),
    }
}

fn find(sources: Sources, web: &SharedOutside, addresses: Addresses) -> Result<Found> {
    block_on(sources.find(web, addresses))
}

fn peers(hints: &[RelayHint]) -> Vec<&str> {
    hints.iter().map(|hint| hint.peer.as_str()).collect()
}

#[test]
fn a_url_that_never_answers_delays_nobody() {
    let web = web(&[("http://b", document(2, "ours"))]);
    let found = find(
        sources(&["http://dead", "http://b"], &[], None),
        &web,
        Addresses(None),
    );
    let found = found.unwrap();
    assert_eq!(found.network.to_string(), "ours");
    assert_eq!(peers(&found.hints), [peer(2)]);
    assert!(found.answered);

    let by_address = find(
        sources(&["http://dead"], &[3], None),
        &web,
        Addresses(Some("ours")),
    );
    assert_eq!(peers(&by_address.unwrap().hints), [peer(3)]);

    let known = find(
        sources(&["http://dead"], &[3], Some("ours")),
        &web,
        Addresses(None),
    );
    let known = known.unwrap();
    assert_eq!(peers(&known.hints), [peer(3)]);
    assert!(!known.answered);
}

#[test]
fn what_comes_later_is_still_learned_or_complained_about() {
    let web = web(&[
        ("http://a", document(1, "ours")),
        ("http://b", document(2, "theirs")),
        ("http://c", document(3, "ours")),
    ]);
    let join = ["http://a", "http://b", "http://c"];
    let found = find(sources(&join, &[], Some("ours")), &web, Addresses(None));
    let found = found.unwrap();
    let late: Vec<Result<Introduction>> = block_on(found.late.collect());
    let introduced = late.iter().flatten().flat_map(|later| later.hints.clone());
    let learned: Vec<RelayHint> = introduced.chain(found.hints).collect();
    let mut learned = peers(&learned);
    learned.sort_unstable();
    let mut ours = [peer(1), peer(3)];
    ours.sort_unstable();
    assert_eq!(learned, ours);
    let errors = late.into_iter().filter_map(Result::err);
    let codes: Vec<Code> = errors.map(|error| error.code()).collect();
    assert_eq!(codes, [Code::WrongNetwork]);
}

#[test]
fn a_relay_of_another_network_is_the_cause_that_is_told() {
    let web = web(&[
        ("http://a", "nonsense".into()),
        ("http://b", document(2, "theirs")),
    ]);
    let found = find(
        sources(&["http://a", "http://b"], &[], Some("ours")),
        &web,
        Addresses(None),
    );
    let error = found.err().unwrap();
    assert_eq!(error.code(), Code::WrongNetwork);
    assert!(error.message().contains("theirs") && error.message().contains("ours"));
}
