use super::*;
use crate::limits::GROUP;
use crate::proto::files::pieces::Pieces;

fn tree() -> Tree {
    Tree::new(100 * GROUP + 1).unwrap()
}

fn asked(first: u64, end: u64) -> Vec<u8> {
    let groups = first..end;
    let (root, tree) = ([7; 32], tree());
    Request::Fetch(Fetch { root, tree, groups }).encode()
}

fn searched(tokens: &[&str]) -> Vec<u8> {
    let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
    Request::Search {
        tokens,
        after: None,
    }
    .encode()
}

#[test]
fn requests_are_read_back() {
    let cid = Cid::file([7; 32]);
    let search = |after| Request::Search {
        tokens: vec!["a".to_owned(), "b".to_owned()],
        after,
    };
    let fetch = Fetch {
        root: [7; 32],
        tree: tree(),
        groups: 3..101,
    };
    for request in [
        Request::Have {
            root: [7; 32],
            from: 9,
        },
        Request::Fetch(fetch),
        Request::List { after: None },
        Request::List { after: Some(cid) },
        search(None),
        search(Some(cid)),
    ] {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    assert_eq!(asked(3, 101)[..4], [0x85, 1, 0x58, 0x20]);
    assert_eq!(asked(3, 101)[36..], [0x1a, 0, 0x19, 0, 1, 3, 0x18, 98]);
}

#[test]
fn ranges_beyond_the_file_are_refused() {
    assert!(Request::decode(&asked(100, 101)).is_ok());
    for (first, end) in [(100, 102), (101, 102), (3, 3), (5, 4), (u64::MAX, 0)] {
        assert!(
            Request::decode(&asked(first, end)).is_err(),
            "{first} {end}"
        );
    }
    let large = Tree::new(MAX_FILE).unwrap();
    let request = |groups| {
        Request::Fetch(Fetch {
            root: [7; 32],
            tree: large,
            groups,
        })
    };
    assert!(Request::decode(&request(5..5 + MAX_FETCH_GROUPS).encode()).is_ok());
    let more = request(5..6 + MAX_FETCH_GROUPS).encode();
    assert_eq!(Request::decode(&more), Err(Refusal::Oversized));
}

#[test]
fn searches_are_bounded_and_have_one_order() {
    assert!(Request::decode(&searched(&["a", "b"])).is_ok());
    let long = "x".repeat(MAX_TOKEN + 1);
    let many: Vec<String> = (0..=MAX_TOKENS).map(|n| format!("{n:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for bad in [&[][..], &["b", "a"], &["a", "a"], &[""], &[&long], &many] {
        assert_eq!(
            Request::decode(&searched(bad)),
            Err(Refusal::Malformed),
            "{bad:?}"
        );
    }
    assert!(Request::decode(&searched(&many[1..])).is_ok());
}

#[test]
fn answers_are_read_back() {
    let mut pieces = Pieces::none(tree().pieces());
    pieces.insert_range(2..4);
    let size = tree().size();
    let have = |from| Answer::Have {
        size,
        runs: pieces.runs(from),
    };
    let listings = vec![vec![1; 200], vec![2; 300]];
    for answer in [
        have(0),
        have(3),
        have(7),
        Answer::Sending,
        Answer::Listings {
            listings,
            more: true,
        },
        Answer::Listings {
            listings: Vec::new(),
            more: false,
        },
        Answer::Refused {
            why: FileRefusal::NotThere,
        },
    ] {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
    assert_eq!(Answer::Sending.encode(), [0x81, 1]);
}

#[test]
fn senseless_answers_are_refused() {
    let have = |size, from, bytes: &[u8]| {
        let runs = Runs {
            from,
            bytes: bytes.to_vec(),
        };
        Answer::decode(&Answer::Have { size, runs }.encode())
    };
    let size = tree().size();
    assert!(have(size, 0, &[0, 7]).is_ok());
    assert_eq!(
        have(size, 0, &[0, 8]),
        Err(Refusal::Malformed),
        "beyond the file"
    );
    assert_eq!(
        have(size, 0, &[]),
        Err(Refusal::Malformed),
        "does not go on"
    );
    assert_eq!(have(size, 8, &[]), Err(Refusal::Malformed));
    assert_eq!(have(MAX_FILE + 1, 0, &[1]), Err(Refusal::Malformed));
    assert_eq!(
        have(MAX_FILE, 0, &vec![1; MAX_RUNS + 1]),
        Err(Refusal::Oversized)
    );
    let listings = |listings: Vec<Vec<u8>>, more| {
        Answer::decode(&Answer::Listings { listings, more }.encode())
    };
    assert_eq!(listings(Vec::new(), true), Err(Refusal::Malformed));
    assert_eq!(
        listings(vec![vec![0; MAX_ENVELOPE + 1]], false),
        Err(Refusal::Oversized)
    );
    assert_eq!(
        listings(vec![vec![0; 10_000]; 5], false),
        Err(Refusal::Oversized)
    );
    assert!(listings(vec![vec![0; 10_000]; 4], false).is_ok());
    let long = vec![0; MAX_FRAME + 1];
    assert_eq!(Answer::decode(&long), Err(Refusal::Oversized));
    assert_eq!(Request::decode(&long), Err(Refusal::Oversized));
}
