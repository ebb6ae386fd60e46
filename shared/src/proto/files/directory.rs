//! A directory: a list of files with their paths, as one block of deterministic DAG-CBOR.
//!
//! Knows the format, and that a list which could harm whoever extracts it is no directory. Does not know
//! the files themselves.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::data::Tag;
use minicbor::{Decoder, Encoder, decode, encode};

use super::cid::{CID_BYTES, Cid, Kind};
use super::path::{FilePath, folded};
use crate::error::{Code, Error};
use crate::limits::{
    MAX_DIRECTORY, MAX_DIRECTORY_FILES, MAX_FILE, MAX_MEDIA_TYPE, MAX_SAFE_INTEGER,
};

/// Marks a link to other content in DAG-CBOR.
const LINK: u64 = 42;
const VERSION: u64 = 1;

/// One file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: FilePath,
    /// Its content.
    pub cid: Cid,
    /// In bytes.
    pub size: u64,
    /// Its media type; empty when it is not known.
    pub media: String,
}

/// Why a list of files is no directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DirectoryFlaw {
    /// More bytes or files than there may be.
    TooLarge,
    /// Not the one encoding of a directory, or a path that is refused.
    Malformed,
    /// A later version of this format.
    UnknownVersion,
    /// A size, media type or link that cannot be.
    BadEntry,
    /// Two paths that are one file, or a file and a directory, on some system.
    Collision(String, String),
}

impl fmt::Display for DirectoryFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DirectoryFlaw::TooLarge => f.write_str("the directory has too many files"),
            DirectoryFlaw::Malformed => f.write_str("the directory is malformed"),
            DirectoryFlaw::UnknownVersion => f.write_str("the directory has an unknown version"),
            DirectoryFlaw::BadEntry => f.write_str("a file of the directory is described wrongly"),
            DirectoryFlaw::Collision(one, two) => {
                write!(f, "{one:?} and {two:?} cannot be in one directory")
            }
        }
    }
}

impl From<DirectoryFlaw> for Error {
    fn from(flaw: DirectoryFlaw) -> Error {
        let code = match flaw {
            DirectoryFlaw::TooLarge => Code::TooLarge,
            DirectoryFlaw::UnknownVersion => Code::Unsupported,
            DirectoryFlaw::Malformed | DirectoryFlaw::BadEntry => Code::ProtocolViolation,
            DirectoryFlaw::Collision(..) => Code::InvalidArgument,
        };
        let error = Error::new(code, flaw.to_string());
        match flaw {
            DirectoryFlaw::Collision(..) => {
                error.with_remedy("Rename one of them: some systems take them for the same.")
            }
            DirectoryFlaw::TooLarge => {
                error.with_remedy("Share its parts, or pack it into one file.")
            }
            _ => error,
        }
    }
}

/// A directory that can be extracted on any system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    entries: Vec<Entry>,
}

impl Directory {
    /// Makes a directory of files in any order.
    pub fn new(mut entries: Vec<Entry>) -> Result<Directory, DirectoryFlaw> {
        entries.sort_by(|one, two| one.path.cmp(&two.path));
        check(&entries)?;
        let directory = Directory { entries };
        match directory.encode().len() <= MAX_DIRECTORY {
            true => Ok(directory),
            false => Err(DirectoryFlaw::TooLarge),
        }
    }

    /// Its files, in the order of their paths.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let found = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path));
        found.ok().map(|at| &self.entries[at])
    }

    /// Bytes of all its files.
    pub fn size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// The block that travels.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        self.write(&mut e)
            .expect("writing to memory cannot fail and our types raise no errors");
        e.into_writer()
    }

    /// Its id, and the block that has it.
    pub fn publish(&self) -> (Cid, Vec<u8>) {
        let block = self.encode();
        (Cid::directory(*blake3::hash(&block).as_bytes()), block)
    }

    /// Reads a block, whatever its hash.
    pub fn decode(block: &[u8]) -> Result<Directory, DirectoryFlaw> {
        if block.len() > MAX_DIRECTORY {
            return Err(DirectoryFlaw::TooLarge);
        }
        let mut d = Decoder::new(block);
        let version = head(&mut d).map_err(|_| DirectoryFlaw::Malformed)?;
        if version != VERSION {
            return Err(DirectoryFlaw::UnknownVersion);
        }
        let entries = read(&mut d).map_err(|_| DirectoryFlaw::Malformed)?;
        if entries.len() > MAX_DIRECTORY_FILES {
            return Err(DirectoryFlaw::TooLarge);
        }
        let directory = Directory { entries };
        if directory.encode() != block {
            return Err(DirectoryFlaw::Malformed);
        }
        check(&directory.entries)?;
        Ok(directory)
    }

    fn write(
        &self,
        e: &mut Encoder<Vec<u8>>,
    ) -> Result<(), encode::Error<std::convert::Infallible>> {
        e.map(2)?.str("v")?.u64(VERSION)?.str("files")?;
        e.array(self.entries.len() as u64)?;
        for entry in &self.entries {
            e.array(4)?.str(entry.path.as_str())?;
            e.tag(Tag::new(LINK))?.bytes(&link(&entry.cid))?;
            e.u64(entry.size)?.str(&entry.media)?;
        }
        Ok(())
    }
}

/// A link is a null byte, which says that it is binary, and the id.
fn link(cid: &Cid) -> [u8; CID_BYTES + 1] {
    let mut bytes = [0; CID_BYTES + 1];
    bytes[1..].copy_from_slice(&cid.to_bytes());
    bytes
}

fn head(d: &mut Decoder<'_>) -> Result<u64, decode::Error> {
    let fields = d.map()?;
    match (fields, d.str()?) {
        (Some(2), "v") => d.u64(),
        _ => Err(decode::Error::message("not a directory")),
    }
}

/// What is declared allocates nothing: entries grow as they are read. One more than there may be is read.
fn read(d: &mut Decoder<'_>) -> Result<Vec<Entry>, decode::Error> {
    if d.str()? != "files" {
        return Err(decode::Error::message("no files"));
    }
    let count = d.array()?.unwrap_or(u64::MAX);
    let mut entries = Vec::new();
    while (entries.len() as u64) < count && entries.len() <= MAX_DIRECTORY_FILES {
        entries.push(read_entry(d)?);
    }
    Ok(entries)
}

fn read_entry(d: &mut Decoder<'_>) -> Result<Entry, decode::Error> {
    let wrong = || decode::Error::message("not an entry");
    if d.array()? != Some(4) {
        return Err(wrong());
    }
    let path = d.decode()?;
    if d.tag()? != Tag::new(LINK) {
        return Err(wrong());
    }
    let cid = d.bytes()?.strip_prefix(&[0]).and_then(Cid::from_bytes);
    Ok(Entry {
        path,
        cid: cid.ok_or_else(wrong)?,
        size: d.u64()?,
        media: d.str()?.to_owned(),
    })
}

fn check(entries: &[Entry]) -> Result<(), DirectoryFlaw> {
    if entries.len() > MAX_DIRECTORY_FILES {
        return Err(DirectoryFlaw::TooLarge);
    }
    let sound = |entry: &Entry| {
        let media = entry.media.len() <= MAX_MEDIA_TYPE && entry.media.is_ascii();
        let plain = !entry.media.chars().any(char::is_control);
        entry.cid.kind == Kind::File && entry.size <= MAX_FILE && media && plain
    };
    let total = entries
        .iter()
        .try_fold(0u64, |total, entry| total.checked_add(entry.size));
    if !entries.iter().all(sound) || total.is_none_or(|total| total > MAX_SAFE_INTEGER) {
        return Err(DirectoryFlaw::BadEntry);
    }
    for pair in entries.windows(2) {
        let (one, two) = (&pair[0].path, &pair[1].path);
        if one == two {
            return Err(collision(one.as_str(), two.as_str()));
        }
        if one > two {
            return Err(DirectoryFlaw::Malformed);
        }
    }
    collisions(entries)
}

/// What is known of a name in some directory: its number as a directory, the path that has it, and whether that is a file.
struct Step<'a> {
    number: usize,
    path: &'a str,
    is_file: bool,
}

/// Every step of a path has one spelling, and is either a file or a directory. Names are folded one by one, each once
/// for a directory, so that this costs no more than the list itself.
fn collisions(entries: &[Entry]) -> Result<(), DirectoryFlaw> {
    let mut known: BTreeMap<(usize, String), Step<'_>> = BTreeMap::new();
    for entry in entries {
        let mut above = 0;
        for path in entry.path.steps() {
            let number = known.len() + 1;
            let is_file = path.len() == entry.path.as_str().len();
            let name = path.rsplit('/').next().unwrap_or(path);
            let step = known.entry((above, folded(name))).or_insert(Step {
                number,
                path,
                is_file,
            });
            if step.path != path || step.is_file != is_file {
                return Err(collision(step.path, path));
            }
            above = step.number;
        }
    }
    Ok(())
}

fn collision(one: &str, two: &str) -> DirectoryFlaw {
    DirectoryFlaw::Collision(one.to_owned(), two.to_owned())
}

#[cfg(test)]
mod tests;
