//! Fuzzed parsers of files: directories, messages, streams of ranges, what is kept on disk, and listings.

use std::collections::BTreeSet;
use std::mem::discriminant;

use warren_shared::limits::{
    CLOCK_TOLERANCE, GROUP, KEEP_LONGEST, MAX_ENVELOPE, MAX_FETCH_GROUPS, MAX_KEEPERS, MAX_PART,
    MAX_TOKEN, MAX_TOKENS,
};
use warren_shared::proto::cbor;
use warren_shared::proto::files::directory::Directory;
use warren_shared::proto::files::keeping::{KeepAnswer, KeepRequest, Note};
use warren_shared::proto::files::kept::{Index, KeptMap, Row, packed, rows};
use warren_shared::proto::files::path::FilePath;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::search::{Catalogue, Hits, Listing, Signed, tokens};
use warren_shared::proto::files::tree::{Decoder, TreeBuilder, Verified};
use warren_shared::proto::files::wire::{Answer, Part, Request};
use warren_shared::proto::key::SigningKey;
use warren_tests::fuzz::fuzz;

const NOW: u64 = 1_700_000_000_000;

/// What is extracted is safe wherever that is: nothing leaves its folder, and no two files are one.
#[test]
fn directories() {
    let words: [&[u8]; 6] = [
        &[0xd8, 0x2a, 0x58, 0x25, 0],
        &[0x84],
        b"/../",
        b"con",
        b"A/a",
        &[0x9b, 0xff, 0xff],
    ];
    fuzz("directories", &words, |input| {
        let text = std::str::from_utf8(input).map_err(|_| ());
        let path = text.map(FilePath::new);
        if let Ok(Ok(path)) = &path {
            assert!(path.names().all(|name| !name.is_empty() && name != ".."));
            assert!(!path.as_str().contains(['\\', ':', '\0']));
        }
        let directory = Directory::decode(input);
        if let Ok(directory) = &directory {
            assert_eq!(directory.encode(), input, "one encoding");
            assert_eq!(
                Directory::new(directory.entries().to_vec()).as_ref(),
                Ok(directory)
            );
            let mut seen = BTreeSet::new();
            for entry in directory.entries() {
                let lower = entry.path.as_str().to_uppercase().to_lowercase();
                assert!(seen.insert(lower), "{:?}", entry.path);
                assert_eq!(directory.get(entry.path.as_str()), Some(entry));
            }
        }
        let known = path.map(|path| path.map(|path| path.names().count()));
        let entries = directory.map(|directory| directory.entries().len());
        format!(
            "{known:?} {:?}",
            entries.map_err(|flaw| discriminant(&flaw))
        )
    });
}

/// What is asked, what is answered, and the parts that follow.
#[test]
fn messages() {
    let words: [&[u8]; 6] = [
        &[0x82, 0, 0x58, 0x20],
        &[0x85, 1],
        &[0x82, 0, 0x59],
        &[0x1b, 0, 0, 1],
        &[0xf6],
        &[0x80, 0x80, 1],
    ];
    fuzz("file-messages", &words, |input| {
        let request = Request::decode(input).map(|request| {
            assert_eq!(request.encode(), input, "one encoding");
            if let Request::Fetch(fetch) = &request {
                let groups = fetch.groups.end - fetch.groups.start;
                assert!((1..=MAX_FETCH_GROUPS).contains(&groups));
                assert!(fetch.tree.holds(&fetch.groups));
            }
            discriminant(&request)
        });
        let answer = Answer::decode(input).map(|answer| {
            assert_eq!(answer.encode(), input, "one encoding");
            match &answer {
                Answer::Have { size, runs } => {
                    let length = size.div_ceil(16 * GROUP).max(1);
                    let (present, end) = runs.read(length).expect("it was checked");
                    let mut pieces = Pieces::none(length);
                    present
                        .iter()
                        .cloned()
                        .for_each(|run| pieces.insert_range(run));
                    assert!(pieces.iter().all(|piece| (runs.from..end).contains(&piece)));
                    present.len()
                }
                Answer::Listings { listings, .. } => {
                    assert!(listings.iter().all(|listing| listing.len() <= MAX_ENVELOPE));
                    1_000 + listings.len()
                }
                Answer::Sending | Answer::Refused { .. } => 2_000,
            }
        });
        let part = Part::decode(input).map(|part| {
            assert_eq!(part.encode(), input, "one encoding");
            match part {
                Part::Data(data) => {
                    assert!((1..=MAX_PART).contains(&data.len()));
                    None
                }
                other => Some(format!("{other:?}")),
            }
        });
        format!("{request:?} {answer:?} {part:?}")
    });
}

/// However a stream is wrong, no wrong byte comes out of it.
#[test]
fn streams() {
    let content: Vec<u8> = (0..2 * GROUP + 1).map(|at| (at % 251) as u8).collect();
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    assert!(builder.take(&content, &mut hashes));
    let built = builder.finish(&mut hashes);
    fuzz("file-streams", &[&[0; 64], &[1, 2, 3, 4]], |input| {
        let mut seen = Vec::new();
        for groups in [0..3, 2..3] {
            let mut decoder = Decoder::new(built.root, built.tree, groups);
            // The stream comes in two portions.
            let (one, two) = input.split_at(input.len() / 3);
            for mut portion in [one, two] {
                loop {
                    match decoder.take(&mut portion) {
                        Ok(Some(Verified::Group { offset, data })) => {
                            assert_eq!(data, content[offset as usize..][..data.len()]);
                            seen.push(offset);
                        }
                        Ok(Some(Verified::Pair { index, pair })) => {
                            assert_eq!(pair, hashes[index as usize * 64..][..64]);
                            seen.push(u64::MAX - index);
                        }
                        Ok(None) => break,
                        Err(_) => {
                            seen.push(1);
                            break;
                        }
                    }
                }
            }
            seen.push(u64::from(decoder.is_done()));
        }
        seen
    });
}

/// What a disk gives back: whole, or what is right of it.
#[test]
fn kept() {
    let words: [&[u8]; 4] = [b"WarrenM\x01", b"WarrenI\x01", &[0, 0, 0, 40], &[0; 64]];
    fuzz("file-index", &words, |input| {
        let map = KeptMap::salvage(input).map(|(map, damage)| {
            assert_eq!(damage.is_none(), KeptMap::decode(input).is_ok());
            if damage.is_none() {
                assert_eq!(map.encode(), input, "one encoding");
            }
            (map.pieces.count().min(9), damage)
        });
        let index = Index::salvage(input).map(|(mut index, damage)| {
            assert_eq!(damage.is_none(), Index::decode(input).is_ok());
            let before = index.clone();
            let again = index.rewrite();
            let read = Index::decode(&again).expect("what was written");
            assert!(read.shared().eq(before.shared()) && read == index);
            (
                before.shared().count(),
                damage.map(|damage| discriminant(&damage)),
            )
        });
        // No seal is guessed: what is sealed is looked at without it, too.
        let row = cbor::decode::<Row>(input).map(|row| {
            assert_eq!(cbor::encode(&row), input, "one encoding");
            let mut index = Index::default();
            let mut bytes = index.rewrite();
            let taken = index.change(row);
            bytes.extend(taken.iter().flatten());
            assert_eq!(Index::decode(&bytes), Ok(index), "what is written is read");
            taken.is_some()
        });
        format!("{map:?} {index:?} {row:?}")
    });
}

/// Small files of directories in one kept file: every row leads to bytes that are there.
#[test]
fn packs() {
    let words: [&[u8]; 4] = [b"WarrenP\x01", &[0, 0, 0, 1], &[0, 0, 0, 2], &[7; 32]];
    fuzz("file-packs", &words, |input| {
        let found = rows(input, input.len() as u64);
        if let Ok(rows) = &found {
            let files = rows.iter().map(|row| {
                let bytes = &input[row.at as usize..(row.at + row.size) as usize];
                (row.root, bytes.to_vec())
            });
            assert_eq!(packed(&files.collect::<Vec<_>>()), input, "one encoding");
        }
        found
            .map(|rows| rows.len())
            .map_err(|damage| format!("{:?}", discriminant(&damage)))
    });
}

/// What relays are asked to keep, what they answer, and what they note beside it.
#[test]
fn keeping() {
    let words: [&[u8]; 6] = [
        b"file-keep",
        b"file-listing",
        &[0x82, 0x58, 0xfa],
        &[0x82, 1, 0x81, 0x82],
        &[0x84, 3, 5],
        &[0x40],
    ];
    let network = "test".parse().expect("a network");
    fuzz("file-keeping", &words, |input| {
        let request = KeepRequest::open(input, &network, NOW).map(|request| {
            assert_eq!(request.encode(), input, "one encoding");
            let again = KeepRequest::reopen(input, &network);
            assert_eq!(again.as_ref(), Ok(&request), "whenever it is read");
            assert!(request.until() <= NOW + KEEP_LONGEST + CLOCK_TOLERANCE);
            if let Some(listing) = request.listing() {
                assert_eq!(listing.author(), request.author());
                assert_eq!(listing.listing().cid, request.cid());
                assert_eq!(listing.listing().size, request.size());
            }
            request.listing().is_some()
        });
        let answer = KeepAnswer::decode(input).map(|answer| {
            assert_eq!(answer.encode(), input, "one encoding");
            match answer {
                KeepAnswer::Refused { why } => Some(why),
                KeepAnswer::Coming { .. } | KeepAnswer::Kept { .. } => None,
            }
        });
        let note = Note::decode(input, &network).map(|note| {
            assert_eq!(note.encode(), input, "one encoding");
            let kept = note.kept();
            assert!((1..=MAX_KEEPERS).contains(&kept.len()));
            assert!(kept.iter().all(|one| one.request.cid() == note.cid()));
            assert!(kept.iter().all(|one| one.request.size() == note.size()));
            kept.len()
        });
        format!("{request:?} {answer:?} {note:?}")
    });
}

/// What others say of their files, and what people search.
#[test]
fn listings() {
    let words: [&[u8]; 5] = [
        &[0x82, 0x58],
        b"file-listing",
        "ß".as_bytes(),
        "東京".as_bytes(),
        b" ",
    ];
    let network = "test".parse().expect("a network");
    let key = SigningKey::from_seed([1; 32]);
    fuzz("listings", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let found = tokens([text.as_ref()]);
        assert!(found.len() <= MAX_TOKENS && found.is_sorted_by(|one, two| one < two));
        for word in &found {
            assert!((1..=MAX_TOKEN).contains(&word.len()), "{word:?}");
        }
        let signed = Signed::open(input, &network, NOW);
        if let Ok(signed) = &signed {
            assert_eq!(signed.bytes(), input, "one encoding");
            let name = signed.listing().name.as_str();
            let mut catalogue = Catalogue::default();
            assert!(catalogue.put(signed.clone()) && !catalogue.put(signed.clone()));
            let given = catalogue.page(None, None);
            assert_eq!(Answer::decode(&given.encode()), Ok(given));
            if let Some(mut hits) = Hits::new(name) {
                assert!(hits.add(&[1], signed.clone()));
                assert_eq!(hits.ranked()[0].listing, *signed.listing());
            }
        }
        let said = cbor::decode::<Listing>(input).map(|listing| {
            let signed = listing.sign(&key, &network, 1, (NOW, NOW + 1_000));
            let read =
                signed.map(|signed| Signed::open(signed.bytes(), &network, NOW) == Ok(signed));
            assert!(!matches!(read, Ok(false)), "what is signed is read");
            (listing.tags.len(), read.is_ok())
        });
        let tags = signed.map(|signed| signed.listing().tags.len());
        (tags, found.len(), said.ok())
    });
}
