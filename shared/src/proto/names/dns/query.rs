//! Reading a question. Knows what may stand in one, and which code answers what cannot be read.
//!
//! Follows no compression pointer: questions have no reason to use one, and so there are no loops.

use super::{Rcode, kind};
use crate::proto::names::name::{Name, SUFFIX};

pub(super) const HEADER: usize = 12;
/// Longest name on the wire, with the lengths of its labels and the root.
const MAX_WIRE_NAME: usize = 255;
const MAX_WIRE_LABEL: usize = 63;
/// Records behind the question that are looked through: one is for EDNS, others sign or pad.
const MAX_ADDITIONAL: u16 = 4;

/// A question that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(super) header: Header,
    /// Name, type and class as they came: the case of letters is the asker's check that the answer
    /// is for it.
    pub(super) question: Vec<u8>,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) edns: Option<Edns>,
    pub(super) place: Place,
}

/// What of the header comes back in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub id: u16,
    pub opcode: u8,
    pub recursion_desired: bool,
}

/// What the asker says of itself (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edns {
    pub payload: u16,
    pub version: u8,
}

/// Where in the tree of names a question points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A name that can be resolved.
    Name(Name),
    /// `p2p` itself.
    Apex,
    /// Below `p2p`, but nobody can ever have it.
    Nowhere,
    /// Not below `p2p`, or not text that can be a name.
    Elsewhere,
}

/// Why there is no [`Query`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It does not even look like a question: whoever answers answers might do so for ever.
    NoQuestion,
    /// This is to be said.
    Because(Header, Rcode),
}

impl Query {
    /// The name to resolve; nothing when the answer does not depend on one.
    pub fn name(&self) -> Option<&Name> {
        match &self.place {
            Place::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Reads a question; it must be the only thing that was sent.
pub(super) fn read(bytes: &[u8]) -> Result<Query, Unreadable> {
    let mut cursor = Cursor(bytes);
    let (header, counts) = header(&mut cursor).ok_or(Unreadable::NoQuestion)??;
    let malformed = Unreadable::Because(header, Rcode::FormErr);
    let [1, 0, 0, additional @ 0..=MAX_ADDITIONAL] = counts else {
        return Err(malformed);
    };
    let body = cursor.0;
    let (labels, kind, class) = question(&mut cursor).ok_or(malformed)?;
    let question = body[..body.len() - cursor.0.len()].to_vec();
    let edns = edns(&mut cursor, additional).ok_or(malformed)?;
    if !cursor.0.is_empty() {
        return Err(malformed);
    }
    Ok(Query {
        header,
        question,
        kind,
        class,
        edns,
        place: place(&labels),
    })
}

type Counts = [u16; 4];

fn header(cursor: &mut Cursor<'_>) -> Option<Result<(Header, Counts), Unreadable>> {
    let (id, flags) = (cursor.u16()?, cursor.u16()?);
    let counts = [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?];
    if flags & 0x8000 != 0 {
        return None;
    }
    let header = Header {
        id,
        opcode: (flags >> 11 & 0xf) as u8,
        recursion_desired: flags & 0x0100 != 0,
    };
    Some(match header.opcode {
        0 => Ok((header, counts)),
        _ => Err(Unreadable::Because(header, Rcode::NotImp)),
    })
}

fn question<'b>(cursor: &mut Cursor<'b>) -> Option<(Vec<&'b [u8]>, u16, u16)> {
    let mut labels = Vec::new();
    let mut left = MAX_WIRE_NAME;
    loop {
        let length = usize::from(cursor.u8()?);
        left = left.checked_sub(length + 1)?;
        match length {
            0 => break,
            1..=MAX_WIRE_LABEL => labels.push(cursor.take(length)?),
            _ => return None,
        }
    }
    Some((labels, cursor.u16()?, cursor.u16()?))
}

/// Looks through the records behind the question. The outer nothing: they cannot be read.
fn edns(cursor: &mut Cursor<'_>, records: u16) -> Option<Option<Edns>> {
    let mut found = None;
    for _ in 0..records {
        let root = skip_name(cursor)?;
        let (kind, class) = (cursor.u16()?, cursor.u16()?);
        let [_, version, _, _] = cursor.take(4)?.try_into().ok()?;
        let length = usize::from(cursor.u16()?);
        cursor.take(length)?;
        if kind == kind::OPT {
            let edns = Edns {
                payload: class,
                version,
            };
            if !root || found.replace(edns).is_some() {
                return None;
            }
        }
    }
    Some(found)
}

/// Whether it was the root.
fn skip_name(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut left = MAX_WIRE_NAME;
    loop {
        let length = cursor.u8()?;
        left = left.checked_sub(usize::from(length & 0x3f) + 1)?;
        match length {
            0 => return Some(left + 1 == MAX_WIRE_NAME),
            // A pointer ends the name, wherever it points.
            0xc0.. => return cursor.u8().map(|_| false),
            1..=0x3f => drop(cursor.take(usize::from(length))?),
            _ => return None,
        }
    }
}

fn place(labels: &[&[u8]]) -> Place {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let suffix = labels.last().is_some_and(|last| {
        // Other bytes could only be written with escapes, and no name has them.
        last.eq_ignore_ascii_case(SUFFIX.as_bytes()) && labels.iter().all(|it| it.iter().all(plain))
    });
    if !suffix {
        return Place::Elsewhere;
    }
    if labels.len() == 1 {
        return Place::Apex;
    }
    let text = labels.join(&b'.');
    let name = str::from_utf8(&text).ok().map(Name::find);
    match name {
        Some(Ok(name)) => Place::Name(name),
        _ => Place::Nowhere,
    }
}

/// What is left to read.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }
}
