//! Messages about files: what is asked, what is answered, and the parts in which a range travels.
//!
//! Knows bytes and limits. Which bytes of a range are right is `tree`'s to say; what listings say is
//! `search`'s.

mod part;
mod refusal;

use std::ops::Range;

use minicbor::{Decode, Encode};

pub use self::part::{MAX_PART_FRAME, Part};
pub use self::refusal::FileRefusal;
use super::cid::{Cid, Root};
use super::pieces::Runs;
use super::tree::Tree;
use crate::limits::{
    LISTING_PAGE, MAX_ENVELOPE, MAX_FETCH_GROUPS, MAX_FILE, MAX_FRAME, MAX_RUNS, MAX_TOKEN,
    MAX_TOKENS,
};
use crate::proto::cbor;
use crate::proto::record::Refusal;

/// What is asked of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Which pieces of a file it has, from one on.
    Have {
        /// Of which file.
        root: Root,
        /// The first piece in question.
        from: u64,
    },
    /// A range of a file.
    Fetch(Fetch),
    /// What it shares, ordered by id.
    List {
        /// What comes after this; absent: from the first.
        after: Option<Cid>,
    },
    /// What it shares that has one of these words.
    Search {
        /// As [`crate::proto::files::search::tokens`] makes them.
        tokens: Vec<String>,
        /// What comes after this; absent: from the first.
        after: Option<Cid>,
    },
}

/// A range that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetch {
    /// Of which file.
    pub root: Root,
    /// Its shape.
    pub tree: Tree,
    /// At least one, and all of the file.
    pub groups: Range<u64>,
}

/// What a peer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What it has of a file.
    Have {
        /// The size of the file, which it says is so.
        size: u64,
        /// A page of it.
        runs: Runs,
    },
    /// The range follows in parts.
    Sending,
    /// Listings, ordered by the ids in them.
    Listings {
        /// As they were signed; they are still to be verified.
        listings: Vec<Vec<u8>>,
        /// Whether there are more after the last one.
        more: bool,
    },
    /// No.
    Refused {
        /// Why.
        why: FileRefusal,
    },
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum RequestWire {
    #[n(0)]
    Have {
        #[cbor(n(0), with = "minicbor::bytes")]
        root: Root,
        #[n(1)]
        from: u64,
    },
    #[n(1)]
    Fetch {
        #[cbor(n(0), with = "minicbor::bytes")]
        root: Root,
        #[n(1)]
        size: u64,
        #[n(2)]
        first: u64,
        #[n(3)]
        groups: u64,
    },
    #[n(2)]
    List {
        #[n(0)]
        after: Option<Cid>,
    },
    #[n(3)]
    Search {
        #[n(0)]
        tokens: Vec<String>,
        #[n(1)]
        after: Option<Cid>,
    },
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum AnswerWire {
    #[n(0)]
    Have {
        #[n(0)]
        size: u64,
        #[n(1)]
        from: u64,
        #[cbor(n(2), with = "minicbor::bytes")]
        runs: Vec<u8>,
    },
    #[n(1)]
    Sending,
    #[n(2)]
    Listings {
        #[cbor(n(0), with = "cbor::byte_lists")]
        listings: Vec<Vec<u8>>,
        #[n(1)]
        more: bool,
    },
    #[n(3)]
    Refused {
        #[n(0)]
        why: FileRefusal,
    },
}

impl Request {
    /// The bytes inside a frame.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&match self.clone() {
            Request::Have { root, from } => RequestWire::Have { root, from },
            Request::Fetch(Fetch { root, tree, groups }) => RequestWire::Fetch {
                root,
                size: tree.size(),
                first: groups.start,
                groups: groups.end.saturating_sub(groups.start),
            },
            Request::List { after } => RequestWire::List { after },
            Request::Search { tokens, after } => RequestWire::Search { tokens, after },
        })
    }

    /// Reads a request and checks it.
    pub fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
        Ok(match framed(bytes)? {
            RequestWire::Have { root, from } => {
                sound(from <= MAX_FILE)?;
                Request::Have { root, from }
            }
            RequestWire::Fetch {
                root,
                size,
                first,
                groups,
            } => Request::Fetch(fetch(root, size, first, groups)?),
            RequestWire::List { after } => Request::List { after },
            RequestWire::Search { tokens, after } => {
                let fine = |token: &String| !token.is_empty() && token.len() <= MAX_TOKEN;
                let count = 1..=MAX_TOKENS;
                sound(count.contains(&tokens.len()) && tokens.iter().all(fine))?;
                sound(tokens.is_sorted_by(|one, two| one < two))?;
                Request::Search { tokens, after }
            }
        })
    }
}

fn fetch(root: Root, size: u64, first: u64, groups: u64) -> Result<Fetch, Refusal> {
    let tree = Tree::new(size).ok_or(Refusal::Malformed)?;
    let end = first.checked_add(groups).ok_or(Refusal::Malformed)?;
    let range = first..end;
    sound(tree.holds(&range))?;
    if groups > MAX_FETCH_GROUPS {
        return Err(Refusal::Oversized);
    }
    Ok(Fetch {
        root,
        tree,
        groups: range,
    })
}

impl Answer {
    /// The bytes inside a frame.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&match self.clone() {
            Answer::Have { size, runs } => AnswerWire::Have {
                size,
                from: runs.from,
                runs: runs.bytes,
            },
            Answer::Sending => AnswerWire::Sending,
            Answer::Listings { listings, more } => AnswerWire::Listings { listings, more },
            Answer::Refused { why } => AnswerWire::Refused { why },
        })
    }

    /// Reads an answer and checks what can be checked without the question.
    pub fn decode(bytes: &[u8]) -> Result<Answer, Refusal> {
        Ok(match framed(bytes)? {
            AnswerWire::Have { size, from, runs } => {
                if runs.len() > MAX_RUNS {
                    return Err(Refusal::Oversized);
                }
                let tree = Tree::new(size).ok_or(Refusal::Malformed)?;
                let runs = Runs { from, bytes: runs };
                let (_, end) = runs.read(tree.pieces()).ok_or(Refusal::Malformed)?;
                sound(end > from || from == tree.pieces())?;
                Answer::Have { size, runs }
            }
            AnswerWire::Sending => Answer::Sending,
            AnswerWire::Listings { listings, more } => {
                let small = listings.iter().all(|bytes| bytes.len() <= MAX_ENVELOPE);
                if !small || listings.iter().map(Vec::len).sum::<usize>() > LISTING_PAGE {
                    return Err(Refusal::Oversized);
                }
                sound(!(more && listings.is_empty()))?;
                Answer::Listings { listings, more }
            }
            AnswerWire::Refused { why } => Answer::Refused { why },
        })
    }
}

fn framed<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Refusal> {
    match bytes.len() <= MAX_FRAME {
        true => Ok(cbor::decode(bytes)?),
        false => Err(Refusal::Oversized),
    }
}

fn sound(holds: bool) -> Result<(), Refusal> {
    match holds {
        true => Ok(()),
        false => Err(Refusal::Malformed),
    }
}

const _: () = {
    // Each listing has up to five bytes of CBOR, and the smallest has about two hundred.
    assert!(LISTING_PAGE + LISTING_PAGE / 16 <= MAX_FRAME);
    assert!(LISTING_PAGE >= MAX_ENVELOPE);
    assert!(MAX_TOKENS * (MAX_TOKEN + 2) + 256 <= MAX_FRAME);
};

#[cfg(test)]
mod tests;
