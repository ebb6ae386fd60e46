//! Every format byte by byte, as `spec/files-vectors.txt` shows it: a change that nobody meant is noticed.

use multibase::Base;

use super::cid::Cid;
use super::directory::{Directory, Entry};
use super::keeping::{KeepAnswer, KeepRefusal, KeepRequest, Kept, NotKept, Note};
use super::kept::{Index, KeptMap, Place, Row, Shared};
use super::path::FilePath;
use super::pieces::Pieces;
use super::search::{Listing, holders, word};
use super::tree::{Decoder, Need, Sender, Tree, TreeBuilder};
use super::wire::{Answer, Fetch, FileRefusal, Part, Request};
use crate::limits::{DAY, GROUP, PIECE};
use crate::proto::NetworkId;
use crate::proto::key::SigningKey;

/// Two groups and a byte; byte *n* is *n* modulo 251.
fn content() -> Vec<u8> {
    (0..2 * GROUP + 1).map(|at| (at % 251) as u8).collect()
}

fn network() -> NetworkId {
    "test".parse().unwrap()
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let data = content();
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    assert!(builder.take(&data, &mut hashes));
    let built = builder.finish(&mut hashes);
    let mut sender = Sender::new(built.root, built.tree, built.tree.proof());
    let mut stream = Vec::new();
    while let Some(need) = sender.need() {
        let (source, offset, length) = match need {
            Need::Hashes { offset, length } => (&hashes, offset as usize, length),
            Need::Data { offset, length } => (&data, offset as usize, length),
        };
        let read = &source[offset..offset + length];
        sender.read(read).unwrap();
        stream.extend_from_slice(read);
    }
    let mut decoder = Decoder::new(built.root, built.tree, built.tree.proof());
    let mut input = stream.as_slice();
    while decoder.take(&mut input).unwrap().is_some() {}
    assert!(decoder.is_done() && input.is_empty());
    let cid = Cid::file(built.root);
    let entry = |path: &str, media: &str| Entry {
        path: FilePath::new(path).unwrap(),
        cid,
        size: built.tree.size(),
        media: media.to_owned(),
    };
    let entries = vec![entry("photos/Küste.jpg", "image/jpeg"), entry("a", "")];
    let directory = Directory::new(entries).unwrap();
    vec![
        ("id of a file", cid.to_bytes().to_vec()),
        ("its hashes", hashes),
        ("stream of its last group", stream),
        ("directory", directory.encode()),
    ]
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let root = [7; 32];
    let tree = Tree::new(5 * PIECE + 1).unwrap();
    let groups = 16..81;
    let after = Some(Cid::file(root));
    let tokens = vec!["house".to_owned(), "red".to_owned()];
    let mut pieces = Pieces::none(tree.pieces());
    pieces.insert_range(1..4);
    let (size, runs) = (tree.size(), pieces.runs(0));
    let why = FileRefusal::Gone;
    let (listings, more) = (vec![vec![1, 2, 3]], true);
    vec![
        ("have", Request::Have { root, from: 3 }.encode()),
        (
            "fetch",
            Request::Fetch(Fetch { root, tree, groups }).encode(),
        ),
        ("list", Request::List { after: None }.encode()),
        ("search", Request::Search { tokens, after }.encode()),
        ("answer Have", Answer::Have { size, runs }.encode()),
        ("answer Sending", Answer::Sending.encode()),
        (
            "answer Listings",
            Answer::Listings { listings, more }.encode(),
        ),
        ("answer Refused", Answer::Refused { why }.encode()),
        ("part of data", Part::Data(&[1, 2, 3]).encode()),
        ("last part", Part::Done.encode()),
        ("broken off", Part::BrokenOff(why).encode()),
    ]
}

const NOW: u64 = 1_700_000_000_000;

fn house() -> Listing {
    Listing {
        cid: Cid::file([7; 32]),
        name: "Red house.jpg".to_owned(),
        size: 5,
        media: "image/jpeg".to_owned(),
        tags: vec!["holiday".to_owned()],
    }
}

fn listing() -> Vec<u8> {
    let key = SigningKey::from_seed([1; 32]);
    let signed = house().sign(&key, &network(), 3, (NOW, NOW + DAY));
    signed.unwrap().bytes().to_vec()
}

fn keeping() -> Vec<(&'static str, Vec<u8>)> {
    let key = SigningKey::from_seed([1; 32]);
    let request = KeepRequest::sign(&house(), &key, &network(), (NOW, NOW + DAY)).unwrap();
    let why = KeepRefusal::Denied.into();
    let large = NotKept::NoRoom {
        why: KeepRefusal::Full,
        need: 9_999,
        most: 512,
    };
    let unwanted = NotKept::Unwanted(house().cid);
    let answers = [
        ("keep answer Coming", KeepAnswer::Coming { have: 123_456 }),
        ("keep answer Kept", KeepAnswer::Kept { until: NOW }),
        ("keep answer Refused", KeepAnswer::Refused { why }),
        ("keep answer NoRoom", KeepAnswer::Refused { why: large }),
        (
            "keep answer Unwanted",
            KeepAnswer::Refused { why: unwanted },
        ),
    ];
    let mut all = vec![("keep request", request.encode())];
    all.extend(answers.map(|(name, answer)| (name, answer.encode())));
    let note = Note::new(Kept { source: 7, request });
    all.push(("note of a kept file", note.encode()));
    all
}

fn kept() -> Vec<(&'static str, Vec<u8>)> {
    let cid = Cid::file([7; 32]);
    let mut map = KeptMap::new(cid, Tree::new(70 * PIECE).unwrap());
    map.pieces.insert_range(3..66);
    let mut index = Index::default();
    let mut rows = index.rewrite();
    let place = Place::There {
        path: b"/srv/a".to_vec(),
        modified: 1_700_000_000_000_000_001,
    };
    let shared = Shared {
        cid,
        size: 5,
        place,
        pinned: true,
        used: 1_700_000_000_000,
        listing: vec![1],
    };
    let moved = Shared {
        place: Place::Store,
        ..shared.clone()
    };
    for row in [
        Row::Put { shared },
        Row::Put { shared: moved },
        Row::Remove { cid },
    ] {
        rows.extend(index.change(row).unwrap());
    }
    vec![("map of a partial file", map.encode()), ("index", rows)]
}

#[test]
fn formats_are_pinned() {
    let mut samples = files();
    samples.extend(messages());
    samples.push(("listing", listing()));
    samples.extend(keeping());
    samples.extend(kept());
    let mut found = String::new();
    for (name, bytes) in samples {
        found += &format!("{name}: {}\n", Base::Base16Lower.encode(bytes));
    }
    let cid = Cid::file([7; 32]);
    found += &format!("holders: {}\n", holders(&network(), &cid));
    found += &format!("word: {}\n", word(&network(), "red"));
    assert_eq!(found, include_str!("../../../spec/files-vectors.txt"));
}
