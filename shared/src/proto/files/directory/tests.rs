use super::*;

fn entry(path: &str) -> Entry {
    Entry {
        path: FilePath::new(path).unwrap(),
        cid: Cid::file([7; 32]),
        size: 5,
        media: "text/plain".to_owned(),
    }
}

fn directory(paths: &[&str]) -> Result<Directory, DirectoryFlaw> {
    Directory::new(paths.iter().map(|path| entry(path)).collect())
}

/// The block of a list that [`Directory::new`] would refuse.
fn block(entries: Vec<Entry>) -> Vec<u8> {
    Directory { entries }.encode()
}

#[test]
fn a_directory_is_read_back_and_its_order_does_not_matter() {
    let one = directory(&["b/x.txt", "a", "b/y"]).unwrap();
    let two = directory(&["a", "b/y", "b/x.txt"]).unwrap();
    assert_eq!(one.publish(), two.publish());
    let (cid, block) = one.publish();
    assert_eq!(cid.kind, Kind::Directory);
    assert_eq!(Directory::decode(&block), Ok(one.clone()));
    assert_eq!(one.get("b/y").map(|entry| entry.size), Some(5));
    assert_eq!(one.get("b"), None);
    assert_eq!(one.size(), 15);
    assert!(Directory::decode(&directory(&[]).unwrap().encode()).is_ok());
}

#[test]
fn the_block_is_dag_cbor() {
    let mut expected = vec![0xa2, 0x61, b'v', 0x01, 0x65];
    expected.extend(b"files");
    expected.extend([0x81, 0x84, 0x61, b'a', 0xd8, 0x2a, 0x58, 0x25, 0x00]);
    expected.extend(Cid::file([7; 32]).to_bytes());
    expected.extend([0x05, 0x6a]);
    expected.extend(b"text/plain");
    assert_eq!(directory(&["a"]).unwrap().encode(), expected);
}

#[test]
fn two_names_for_one_file_are_refused() {
    for paths in [
        ["a", "a"],
        ["README", "readme"],
        ["Src/x", "src/y"],
        ["a", "a/b"],
        ["A", "a/b"],
        ["u\u{308}", "\u{fc}"],
    ] {
        let mut entries: Vec<Entry> = paths.iter().map(|path| entry(path)).collect();
        let refused = |found| matches!(found, Err(DirectoryFlaw::Collision(..)));
        assert!(refused(Directory::new(entries.clone())), "{paths:?}");
        entries.sort_by(|one, two| one.path.cmp(&two.path));
        assert!(refused(Directory::decode(&block(entries))), "{paths:?}");
    }
    assert!(directory(&["a/b", "a/c", "a-b", "a.b"]).is_ok());
}

#[test]
fn sizes_types_and_links_are_checked() {
    let large = Entry {
        size: MAX_FILE + 1,
        ..entry("a")
    };
    let typed = Entry {
        media: "x".repeat(129),
        ..entry("a")
    };
    let hidden = Entry {
        media: "a\nb".to_owned(),
        ..entry("a")
    };
    let nested = Entry {
        cid: Cid::directory([7; 32]),
        ..entry("a")
    };
    for bad in [large, typed, hidden, nested] {
        let flaw = Err(DirectoryFlaw::BadEntry);
        assert_eq!(Directory::new(vec![bad.clone()]), flaw);
        assert_eq!(Directory::decode(&block(vec![bad])), flaw);
    }
}

#[test]
fn other_encodings_are_refused() {
    let fine = directory(&["a", "b"]).unwrap().encode();
    let malformed = Err(DirectoryFlaw::Malformed);
    for cut in 0..fine.len() {
        assert_eq!(Directory::decode(&fine[..cut]), malformed, "{cut}");
    }
    assert_eq!(Directory::decode(&[&fine[..], &[0]].concat()), malformed);
    let swapped = block(vec![entry("b"), entry("a")]);
    assert_eq!(Directory::decode(&swapped), malformed);
    let mut long = fine.clone();
    long.splice(3..4, [0x18, 0x01]);
    assert_eq!(Directory::decode(&long), malformed, "a long form");
    let mut next = fine.clone();
    next[3] = 2;
    assert_eq!(Directory::decode(&next), Err(DirectoryFlaw::UnknownVersion));
    let at = fine.windows(2).position(|two| two == [0x61, b'a']).unwrap();
    for path in [b'/', b'.', b'\\', 0] {
        let mut bad = fine.clone();
        bad[at + 1] = path;
        assert_eq!(Directory::decode(&bad), malformed, "{path}");
    }
    let endless = [&fine[..10], &[0x9b], &[0xff; 8][..]].concat();
    assert_eq!(Directory::decode(&endless), malformed);
}

#[test]
fn the_number_of_files_is_bounded() {
    let path = |number: usize| FilePath::new(&format!("f{number:06}")).unwrap();
    let small = |number| Entry {
        path: path(number),
        media: String::new(),
        ..entry("x")
    };
    let most: Vec<Entry> = (0..MAX_DIRECTORY_FILES).map(small).collect();
    let mut more = most.clone();
    more.push(small(MAX_DIRECTORY_FILES));
    assert!(Directory::new(most).is_ok());
    assert_eq!(
        Directory::decode(&block(more.clone())),
        Err(DirectoryFlaw::TooLarge)
    );
    assert_eq!(Directory::new(more), Err(DirectoryFlaw::TooLarge));
    assert_eq!(
        Directory::decode(&vec![0; MAX_DIRECTORY + 1]),
        Err(DirectoryFlaw::TooLarge)
    );
}
