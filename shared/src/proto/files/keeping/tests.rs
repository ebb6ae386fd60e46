use super::*;
use crate::limits::{DAY, HOUR, MAX_KEEPERS};

const NOW: Millis = 1_700_000_000_000;

fn network() -> NetworkId {
    "test".parse().unwrap()
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

fn listing() -> Listing {
    Listing {
        cid: Cid::file([7; 32]),
        name: "Red house.jpg".to_owned(),
        size: 5,
        media: String::new(),
        tags: vec!["holiday".to_owned()],
    }
}

fn request(author: u8, now: Millis) -> KeepRequest {
    KeepRequest::sign(&listing(), &key(author), &network(), (now, now + DAY)).unwrap()
}

#[test]
fn a_request_is_verified() {
    let request = request(1, NOW);
    let bytes = request.encode();
    assert_eq!(
        KeepRequest::open(&bytes, &network(), NOW).as_ref(),
        Ok(&request)
    );
    assert_eq!(
        (request.author(), request.until()),
        (key(1).public(), NOW + DAY)
    );
    assert_eq!(request.listing().unwrap().listing(), &listing());
    let late = KeepRequest::open(&bytes, &network(), NOW + 2 * DAY);
    assert_eq!(late, Err(Refusal::Expired));
    assert_eq!(
        KeepRequest::reopen(&bytes, &network()).as_ref(),
        Ok(&request)
    );
    let other = KeepRequest::open(&bytes, &"other".parse().unwrap(), NOW);
    assert_eq!(other, Err(Refusal::WrongNetwork));
    let bare = request.unlisted();
    let read = KeepRequest::open(&bare.encode(), &network(), NOW).unwrap();
    assert!(read.listing().is_none() && read == bare);
}

#[test]
fn each_byte_of_a_request_counts() {
    let bytes = request(1, NOW).encode();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        let read = KeepRequest::open(&bad, &network(), NOW);
        assert!(read.is_err(), "byte {at}");
    }
    for cut in 0..bytes.len() {
        assert!(KeepRequest::open(&bytes[..cut], &network(), NOW).is_err());
    }
    let long = vec![0; MAX_KEEP_MESSAGE + 1];
    assert_eq!(
        KeepRequest::open(&long, &network(), NOW),
        Err(Refusal::Oversized)
    );
}

#[test]
fn a_listing_of_another_author_or_file_does_not_come_along() {
    let (one, two) = (request(1, NOW), request(2, NOW));
    let with = |request: &KeepRequest, listing: Option<Signed>| {
        let mixed = KeepRequest {
            listing,
            ..request.clone()
        };
        KeepRequest::open(&mixed.encode(), &network(), NOW)
    };
    assert!(with(&one, one.listing.clone()).is_ok());
    assert_eq!(with(&one, two.listing.clone()), Err(Refusal::WrongKey));
    let times = (NOW, NOW + DAY);
    for other in [
        Listing {
            cid: Cid::file([8; 32]),
            ..listing()
        },
        Listing {
            size: 6,
            ..listing()
        },
    ] {
        let signed = other.sign(&key(1), &network(), NOW, times).unwrap();
        assert_eq!(with(&one, Some(signed)), Err(Refusal::WrongKey));
    }
}

#[test]
fn what_is_no_request_is_neither_signed_nor_read() {
    let sign = |listing: &Listing, until| {
        let signed = KeepRequest::sign(listing, &key(1), &network(), (NOW, until));
        signed.unwrap_err().code()
    };
    let large = Listing {
        size: MAX_FILE + 1,
        ..listing()
    };
    assert_eq!(sign(&large, NOW + DAY), Code::TooLarge);
    let long = NOW + KEEP_LONGEST + 1;
    assert_eq!(sign(&listing(), long), Code::InvalidArgument);
    let sized = |domain: &str, label: Cid, cid, until, size| {
        let payload = cbor::encode(&Payload { cid, size });
        let body = Body {
            domain: domain.to_owned(),
            network: network(),
            key: key(1).public(),
            label: label.to_string(),
            seq: 1,
            issued: NOW,
            expires: until,
            payload,
        };
        let request = Envelope::sign(body, &key(1)).unwrap().bytes().to_vec();
        let listing = Vec::new();
        let bytes = cbor::encode(&MessageWire { request, listing });
        KeepRequest::open(&bytes, &network(), NOW)
    };
    let open = |domain: &str, label, cid, until| sized(domain, label, cid, until, 5);
    let (file, other, folder) = (listing().cid, Cid::file([8; 32]), Cid::directory([7; 32]));
    assert!(open(KEEP_DOMAIN, file, file, NOW + HOUR).is_ok());
    let long = |cid, size| sized(KEEP_DOMAIN, cid, cid, NOW + HOUR, size);
    assert!(long(folder, MAX_SAFE_INTEGER).is_ok());
    let misplaced = [
        (open("value", file, file, NOW + HOUR), Refusal::Unsupported),
        (
            open(KEEP_DOMAIN, other, file, NOW + HOUR),
            Refusal::WrongKey,
        ),
        (
            open(KEEP_DOMAIN, folder, file, NOW + HOUR),
            Refusal::WrongKey,
        ),
        (long(file, MAX_FILE + 1), Refusal::Malformed),
        (long(folder, MAX_SAFE_INTEGER + 1), Refusal::Malformed),
    ];
    for (read, refusal) in misplaced {
        assert_eq!(read, Err(refusal));
    }
    // Who signs by other means than ours gets no more than anybody.
    let forever = open(KEEP_DOMAIN, file, file, NOW + 399 * DAY).unwrap();
    assert_eq!(forever.until(), NOW + KEEP_LONGEST);
}

#[test]
fn a_directory_is_asked_for_as_a_file_is() {
    let folder = Listing {
        cid: Cid::directory([7; 32]),
        size: MAX_FILE + 5,
        ..listing()
    };
    let signed = KeepRequest::sign(&folder, &key(1), &network(), (NOW, NOW + DAY)).unwrap();
    let read = KeepRequest::open(&signed.encode(), &network(), NOW).unwrap();
    assert_eq!(read, signed);
    assert_eq!((read.cid(), read.size()), (folder.cid, folder.size));
    assert_eq!(read.tree(), None, "its list has one");
    assert_eq!(request(1, NOW).tree(), Tree::new(5));
    let note = Note::new(Kept {
        source: 3,
        request: signed,
    });
    let again = Note::decode(&note.encode(), &network()).unwrap();
    assert_eq!((again.cid(), again.size()), (folder.cid, folder.size));
}

#[test]
fn answers_are_read_back_and_pinned() {
    let why = KeepRefusal::Denied.into();
    let large = NotKept::NoRoom {
        why: KeepRefusal::TooLarge,
        need: 7,
        most: 5,
    };
    let refused = |why| KeepAnswer::Refused { why };
    assert_eq!(refused(large).encode(), [0x84, 3, 6, 7, 5]);
    for answer in [large, NotKept::Unwanted(listing().cid)].map(refused) {
        assert_eq!(KeepAnswer::decode(&answer.encode()), Ok(answer));
    }
    for (answer, bytes) in [
        (KeepAnswer::Coming { have: 5 }, &[0x82, 0, 5][..]),
        (KeepAnswer::Kept { until: 300 }, &[0x82, 1, 0x19, 1, 44]),
        (KeepAnswer::Refused { why }, &[0x82, 2, 4]),
    ] {
        assert_eq!(answer.encode(), bytes);
        assert_eq!(KeepAnswer::decode(bytes), Ok(answer));
    }
    let have = MAX_SAFE_INTEGER + 1;
    let beyond = KeepAnswer::Coming { have };
    for bad in [
        &[][..],
        &[0x80],
        &[0x81, 0],
        &[0x82, 0, 0x18, 5],
        &[0x82, 2, 0],
        &[0x82, 2, 11],
        &[0x82, 3, 0],
        // Only what has to do with room has sizes.
        &[0x84, 3, 4, 7, 5],
        &[0x82, 4, 0x41, 7],
        &[0x82, 5, 0],
        &beyond.encode(),
    ] {
        assert_eq!(KeepAnswer::decode(bad), Err(Refusal::Malformed), "{bad:?}");
    }
}

fn kept(author: u8, now: Millis) -> Kept {
    Kept {
        source: u64::MAX - 1,
        request: request(author, now),
    }
}

#[test]
fn a_note_is_read_back_and_the_later_request_counts() {
    let mut note = Note::new(kept(1, NOW));
    note.add(kept(2, NOW));
    note.add(kept(1, NOW + 5));
    note.add(kept(1, NOW + 3));
    let read = Note::decode(&note.encode(), &network());
    assert_eq!(read.as_ref(), Ok(&note));
    let seqs: Vec<u64> = note.kept().iter().map(|kept| kept.request.seq()).collect();
    assert_eq!(seqs, [NOW + 5, NOW]);
    let author = key(1).public();
    let left = note
        .clone()
        .only(|request| request.author() != author)
        .unwrap();
    assert_eq!(left.kept(), [kept(2, NOW)]);
    assert_eq!(left.only(|_| false), None);
    for author in 3..9 {
        note.add(kept(author, NOW));
    }
    assert_eq!(note.kept().len(), MAX_KEEPERS);
    assert_eq!(Note::decode(&note.encode(), &network()), Ok(note));
}

#[test]
fn a_damaged_note_is_noticed() {
    let mut note = Note::new(kept(1, NOW));
    note.add(kept(2, NOW));
    let bytes = note.encode();
    for at in (0..bytes.len()).step_by(3) {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        // Only where a request came from is not signed.
        if let Ok(read) = Note::decode(&bad, &network()) {
            let requests = |note: &Note| -> Vec<KeepRequest> {
                note.kept()
                    .iter()
                    .map(|kept| kept.request.clone())
                    .collect()
            };
            assert_eq!(requests(&read), requests(&note), "byte {at}");
        }
        assert!(Note::decode(&bytes[..at], &network()).is_err());
    }
    assert_eq!(
        Note::decode(&[0x82, 2, 0x80], &network()),
        Err(Refusal::UnknownVersion)
    );
    assert_eq!(
        Note::decode(&[0x82, 1, 0x80], &network()),
        Err(Refusal::Malformed)
    );
    let twice = Note {
        kept: vec![kept(1, NOW), kept(1, NOW)],
    };
    assert_eq!(
        Note::decode(&twice.encode(), &network()),
        Err(Refusal::Malformed)
    );
}
