//! What a node shares, as a file to which rows are added.
//!
//! Knows rows and their order: each is sealed together with all before it, so that none is lost, moved or put in
//! between unnoticed. A row that was being written when the machine stopped is the last one, and is cut off.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::{Damage, checksum};
use crate::limits::{MAX_ENVELOPE, MAX_FILE, MAX_INDEX_ROW, MAX_SHARED, MAX_SYSTEM_PATH};
use crate::proto::files::cid::Cid;
use crate::proto::{Millis, cbor};

const MAGIC: [u8; 8] = *b"WarrenI\x01";
const CONTEXT: &str = "warren 2026 index of files v1";
/// Length and seal of a row.
const HEAD: usize = 4 + SEAL;
const SEAL: usize = 16;

type Seal = [u8; SEAL];

/// Where the content is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Place {
    /// Where its owner has it.
    #[n(0)]
    There {
        /// A path of this system.
        #[cbor(n(0), with = "minicbor::bytes")]
        path: Vec<u8>,
        /// When it was changed last, in nanoseconds since 1970: hashed again when that is another time.
        #[n(1)]
        modified: u64,
    },
    /// In the store, under its id.
    #[n(1)]
    Store,
}

/// A file that is shared.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Shared {
    /// Which.
    #[n(0)]
    pub cid: Cid,
    /// In bytes.
    #[n(1)]
    pub size: u64,
    /// Where it is.
    #[n(2)]
    pub place: Place,
    /// Stays when there is no room.
    #[n(3)]
    pub pinned: bool,
    /// When somebody last wanted it.
    #[n(4)]
    pub used: Millis,
    /// What is said about it, signed; may be empty.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub listing: Vec<u8>,
}

impl Shared {
    fn is_sound(&self) -> bool {
        let path = match &self.place {
            Place::There { path, .. } => !path.is_empty() && path.len() <= MAX_SYSTEM_PATH,
            Place::Store => true,
        };
        path && self.size <= MAX_FILE && self.listing.len() <= MAX_ENVELOPE
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Row {
    /// This is shared, whatever was said of it before.
    #[n(0)]
    Put {
        /// What.
        #[n(0)]
        shared: Shared,
    },
    /// This is not shared any more.
    #[n(1)]
    Remove {
        /// What.
        #[n(0)]
        cid: Cid,
    },
}

/// What is shared, and what the next row is to be sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    shared: BTreeMap<Cid, Shared>,
    seal: Seal,
}

impl Default for Index {
    fn default() -> Index {
        Index {
            shared: BTreeMap::new(),
            seal: sealed(&MAGIC, &[]),
        }
    }
}

impl Index {
    /// What is shared, in the order of ids.
    pub fn shared(&self) -> impl Iterator<Item = &Shared> {
        self.shared.values()
    }

    /// One of the files.
    pub fn get(&self, cid: &Cid) -> Option<&Shared> {
        self.shared.get(cid)
    }

    /// Makes a change, and gives the bytes to be added to the file. Nothing, and no change, when the row is not
    /// sound or there are too many.
    pub fn change(&mut self, row: Row) -> Option<Vec<u8>> {
        let body = cbor::encode(&row);
        if !self.takes(&row) || body.len() > MAX_INDEX_ROW {
            return None;
        }
        self.apply(row);
        self.seal = sealed(&self.seal, &body);
        let length = (body.len() as u32).to_be_bytes();
        Some([&length[..], &self.seal, &body].concat())
    }

    fn takes(&self, row: &Row) -> bool {
        match row {
            Row::Put { shared } => {
                let room = self.shared.len() < MAX_SHARED || self.shared.contains_key(&shared.cid);
                room && shared.is_sound()
            }
            Row::Remove { .. } => true,
        }
    }

    fn apply(&mut self, row: Row) {
        match row {
            Row::Put { shared } => {
                self.shared.insert(shared.cid, shared);
            }
            Row::Remove { cid } => {
                self.shared.remove(&cid);
            }
        }
    }

    /// A new file with nothing in it but what is shared; the old one is replaced by it. Rows that follow belong to the new
    /// file.
    pub fn rewrite(&mut self) -> Vec<u8> {
        let shared = std::mem::take(self).shared;
        let mut bytes = MAGIC.to_vec();
        for shared in shared.into_values() {
            bytes.extend(self.change(Row::Put { shared }).unwrap_or_default());
        }
        bytes
    }

    /// Reads a file that is whole.
    pub fn decode(bytes: &[u8]) -> Result<Index, Damage> {
        match Index::salvage(bytes)? {
            (index, None) => Ok(index),
            (_, Some(damage)) => Err(damage),
        }
    }

    /// Reads the rows before the first that is not whole, and tells where that is. After [`Damage::Truncated`] the
    /// file is cut off there, and is whole again.
    pub fn salvage(bytes: &[u8]) -> Result<(Index, Option<Damage>), Damage> {
        let begins = &bytes[..bytes.len().min(7)];
        if !MAGIC.starts_with(begins) {
            return Err(Damage::NotOurs);
        }
        match bytes.get(7) {
            None => return Ok((Index::default(), Some(Damage::Truncated(0)))),
            Some(version) if *version != MAGIC[7] => return Err(Damage::UnknownVersion),
            Some(_) => {}
        }
        let (mut index, mut at) = (Index::default(), MAGIC.len());
        while at < bytes.len() {
            match index.read(&bytes[at..]) {
                Ok(length) => at += length,
                Err(true) => return Ok((index, Some(Damage::Truncated(at as u64)))),
                Err(false) => return Ok((index, Some(Damage::Damaged(at as u64)))),
            }
        }
        Ok((index, None))
    }

    /// Reads one row; otherwise whether it is because the bytes end.
    fn read(&mut self, bytes: &[u8]) -> Result<usize, bool> {
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or(true)?;
        let mut length = [0; 4];
        length.copy_from_slice(&head[..4]);
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_INDEX_ROW {
            return Err(false);
        }
        let body = rest.get(..length).ok_or(true)?;
        let seal = sealed(&self.seal, body);
        if seal != head[4..] {
            // What a machine was writing when it stopped has its length on the disk, and not all of its bytes.
            return Err(rest.len() == length);
        }
        let row = cbor::decode::<Row>(body).ok();
        let row = row.filter(|row| self.takes(row)).ok_or(false)?;
        self.apply(row);
        self.seal = seal;
        Ok(HEAD + length)
    }
}

fn sealed(before: &[u8], body: &[u8]) -> Seal {
    let mut seal = Seal::default();
    seal.copy_from_slice(&checksum(CONTEXT, &[before, body])[..SEAL]);
    seal
}

const _: () = assert!(MAX_SYSTEM_PATH + MAX_ENVELOPE + 128 <= MAX_INDEX_ROW);

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(number: u8, pinned: bool) -> Shared {
        let place = match number.is_multiple_of(2) {
            true => Place::Store,
            false => Place::There {
                path: b"/srv/a b".to_vec(),
                modified: u64::MAX,
            },
        };
        Shared {
            cid: Cid::file([number; 32]),
            size: 5,
            place,
            pinned,
            used: 1_000,
            listing: vec![number; 3],
        }
    }

    /// An index and its file, after some changes.
    fn changed() -> (Index, Vec<u8>) {
        let mut index = Index::default();
        let mut bytes = index.rewrite();
        for number in 0..5 {
            let row = Row::Put {
                shared: shared(number, false),
            };
            bytes.extend(index.change(row).unwrap());
        }
        let again = Row::Put {
            shared: shared(3, true),
        };
        bytes.extend(index.change(again).unwrap());
        let cid = Cid::file([1; 32]);
        bytes.extend(index.change(Row::Remove { cid }).unwrap());
        (index, bytes)
    }

    #[test]
    fn it_is_read_back_and_goes_on() {
        let (mut index, mut bytes) = changed();
        assert_eq!(Index::decode(&bytes).as_ref(), Ok(&index));
        assert_eq!(index.shared().count(), 4);
        assert!(index.get(&Cid::file([3; 32])).unwrap().pinned);
        assert_eq!(index.get(&Cid::file([1; 32])), None);
        let mut read = Index::decode(&bytes).unwrap();
        let row = Row::Put {
            shared: shared(9, false),
        };
        bytes.extend(read.change(row.clone()).unwrap());
        index.change(row).unwrap();
        assert_eq!(Index::decode(&bytes), Ok(index.clone()));
        let short = index.rewrite();
        assert!(short.len() < bytes.len());
        assert_eq!(Index::decode(&short), Ok(index));
    }

    #[test]
    fn a_row_that_was_not_finished_is_cut_off() {
        let (_, bytes) = changed();
        let whole = Index::decode(&bytes).unwrap();
        let mut ends = 0;
        for cut in 8..bytes.len() {
            let (left, damage) = Index::salvage(&bytes[..cut]).unwrap();
            match damage {
                None => ends += 1,
                Some(Damage::Truncated(at)) => {
                    assert_eq!(Index::decode(&bytes[..at as usize]), Ok(left));
                }
                Some(damage) => panic!("{cut}: {damage:?}"),
            }
        }
        assert_eq!(ends, 7, "rows, and the head");
        let mut torn = bytes.clone();
        let last = torn.len() - 1;
        torn[last] ^= 1;
        let (left, damage) = Index::salvage(&torn).unwrap();
        assert!(matches!(damage, Some(Damage::Truncated(_))) && left != whole);
        assert_eq!(Index::decode(&[]), Err(Damage::Truncated(0)));
    }

    #[test]
    fn damage_and_disorder_are_noticed() {
        let (_, bytes) = changed();
        for at in (8..bytes.len() - 120).step_by(7) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x40;
            let found = Index::decode(&bad);
            assert!(found.is_err(), "{at}: {found:?}");
        }
        assert_eq!(Index::decode(b"something"), Err(Damage::NotOurs));
        let mut next = bytes.clone();
        next[7] = 2;
        assert_eq!(Index::decode(&next), Err(Damage::UnknownVersion));
        let mut index = Index::default();
        let head = index.rewrite();
        let [one, two] = [1, 2].map(|number| {
            let row = Row::Put {
                shared: shared(number, false),
            };
            index.change(row).unwrap()
        });
        assert!(Index::decode(&[&head[..], &one, &two].concat()).is_ok());
        let swapped = [&head[..], &two, &one].concat();
        assert_eq!(Index::decode(&swapped), Err(Damage::Damaged(8)));
        let twice = [&head[..], &one, &one, &two].concat();
        assert!(matches!(Index::decode(&twice), Err(Damage::Damaged(_))));
        let huge = [&head[..], &[0xff; 40]].concat();
        assert_eq!(Index::decode(&huge), Err(Damage::Damaged(8)));
    }

    #[test]
    fn senseless_rows_are_not_taken() {
        let mut index = Index::default();
        for bad in [
            Shared {
                size: MAX_FILE + 1,
                ..shared(0, false)
            },
            Shared {
                listing: vec![0; MAX_ENVELOPE + 1],
                ..shared(0, false)
            },
            Shared {
                place: Place::There {
                    path: Vec::new(),
                    modified: 0,
                },
                ..shared(0, false)
            },
            Shared {
                place: Place::There {
                    path: vec![1; MAX_SYSTEM_PATH + 1],
                    modified: 0,
                },
                ..shared(0, false)
            },
        ] {
            assert_eq!(index.change(Row::Put { shared: bad }), None);
        }
        assert_eq!(index, Index::default());
    }
}
