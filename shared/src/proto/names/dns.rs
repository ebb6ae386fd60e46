//! Names for ordinary software: questions of the Domain Name System, answered from resolutions.
//!
//! Knows the wire format of RFC 1035 and what of it later RFCs changed for servers (EDNS0, minimal
//! answers to ANY, negative answers), and what a name's resources are in it. Does not resolve, and
//! knows no sockets: [`receive`] says what is to be done about bytes that came, and
//! [`Query::answer`] makes the answer once it is known what the name leads to. The mapping is in
//! `spec/names.md`.

mod query;
mod records;
mod reply;
#[cfg(test)]
mod tests;

pub use query::Query;

use super::resolution::Resolution;
use crate::error::{Code, Error};
use query::{Edns, Place, Unreadable};
use records::Records;
use reply::Reply;

/// Longest question that is read: a name, and room for cookies and padding.
pub const MAX_QUESTION: usize = 1_232;
/// Longest answer over UDP, however much the other side would take: it fits into one packet on every
/// path, and bounds what somebody can have sent to a third party.
pub const MAX_UDP: usize = 1_232;
/// Longest answer over UDP to those that do not say what they can take.
const PLAIN_UDP: usize = 512;
/// Longest answer over TCP: its length has two bytes.
const MAX_TCP: usize = 65_535;

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Longer answers are cut, and say so.
    Udp,
    /// Nothing is cut.
    Tcp,
}

/// What is to be done about bytes that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing: they are no question.
    Silence,
    /// This is the answer, and its code.
    Answer(Vec<u8>, Rcode),
    /// Resolve [`Query::name`], then give [`Query::answer`].
    Resolve(Query),
}

/// What became of a name.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// It leads here.
    Found(&'a Resolution),
    /// It leads nowhere, but there is something at or below it.
    Empty,
    /// It did not resolve.
    Failed(&'a Error),
}

/// The codes of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rcode {
    /// Answered; perhaps that there is nothing of that type.
    NoError = 0,
    /// The question cannot be read.
    FormErr = 1,
    /// The answer could not be found out; it may be later.
    ServFail = 2,
    /// There is no such name.
    NxDomain = 3,
    /// Questions of that kind are not answered here.
    NotImp = 4,
    /// Not for this server to say.
    Refused = 5,
    /// A version of EDNS from the future.
    BadVers = 16,
}

impl Rcode {
    /// As it is known everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Rcode::NoError => "NOERROR",
            Rcode::FormErr => "FORMERR",
            Rcode::ServFail => "SERVFAIL",
            Rcode::NxDomain => "NXDOMAIN",
            Rcode::NotImp => "NOTIMP",
            Rcode::Refused => "REFUSED",
            Rcode::BadVers => "BADVERS",
        }
    }
}

/// Types of records.
pub mod kind {
    #![allow(missing_docs)]
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const HINFO: u16 = 13;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const OPT: u16 = 41;
    pub const ANY: u16 = 255;
    pub(super) const IXFR: u16 = 251;
    pub(super) const AXFR: u16 = 252;
}

const CLASS_IN: u16 = 1;

/// Looks at bytes that came.
pub fn receive(bytes: &[u8], transport: Transport) -> Received {
    let query = match query::read(bytes) {
        Ok(query) => query,
        Err(Unreadable::NoQuestion) => return Received::Silence,
        Err(Unreadable::Because(header, rcode)) => {
            return Received::Answer(Reply::bare(header, rcode), rcode);
        }
    };
    if let Some(Edns { version: 1.., .. }) = query.edns {
        return refuse(&query, transport, Rcode::BadVers);
    }
    match query.kind {
        kind::OPT => return refuse(&query, transport, Rcode::FormErr),
        // Whole zones are not given away, nor to be had from the witnesses.
        kind::IXFR | kind::AXFR => return refuse(&query, transport, Rcode::Refused),
        // What is neither a type of records nor ANY has to do with the server itself.
        128..=254 => return refuse(&query, transport, Rcode::NotImp),
        _ => {}
    }
    match &query.place {
        Place::Elsewhere => refuse(&query, transport, Rcode::Refused),
        _ if query.class != CLASS_IN => refuse(&query, transport, Rcode::Refused),
        Place::Apex => {
            let records = Records::of_apex(query.kind);
            let bytes = reply::write(&query, transport, Rcode::NoError, &records, None);
            Received::Answer(bytes, Rcode::NoError)
        }
        Place::Nowhere => {
            let records = Records::nothing();
            let bytes = reply::write(&query, transport, Rcode::NxDomain, &records, None);
            Received::Answer(bytes, Rcode::NxDomain)
        }
        Place::Name(_) => Received::Resolve(query),
    }
}

fn refuse(query: &Query, transport: Transport, rcode: Rcode) -> Received {
    let bytes = reply::write(query, transport, rcode, &Records::default(), None);
    Received::Answer(bytes, rcode)
}

impl Query {
    /// The answer, and its code.
    pub fn answer(&self, outcome: Outcome<'_>, transport: Transport) -> (Vec<u8>, Rcode) {
        let (rcode, records, note) = match outcome {
            Outcome::Found(found) => {
                let stale = found.proofs.iter().any(|proof| proof.stale);
                let note = stale.then(|| Note::new(Note::STALE, ""));
                let records = Records::of(found, self.kind);
                (Rcode::NoError, records, note)
            }
            Outcome::Empty => (Rcode::NoError, Records::nothing(), None),
            Outcome::Failed(error) => {
                let (rcode, code) = failure(error.code());
                let records = match rcode {
                    Rcode::NxDomain => Records::nothing(),
                    _ => Records::default(),
                };
                let note = code.map(|code| Note::new(code, error.message()));
                (rcode, records, note)
            }
        };
        let bytes = reply::write(self, transport, rcode, &records, note.as_ref());
        (bytes, rcode)
    }

    /// The answer when there are too many questions: over UDP the asker may come again over TCP,
    /// which proves its address.
    pub fn too_many(&self, transport: Transport) -> Vec<u8> {
        match transport {
            Transport::Udp => reply::cut(self),
            Transport::Tcp => {
                reply::write(self, transport, Rcode::Refused, &Records::default(), None)
            }
        }
    }
}

/// Why an answer is not what it could be, for people who look into it: an extended error of RFC 8914.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    code: u16,
    text: String,
}

impl Note {
    const OTHER: u16 = 0;
    const STALE: u16 = 3;
    const EXPIRED: u16 = 7;
    const BLOCKED: u16 = 15;
    const UNREACHABLE: u16 = 22;
    /// More does not help, and answers are to be small.
    const LONGEST: usize = 96;

    fn new(code: u16, text: &str) -> Note {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        let end = ends.take_while(|end| *end <= Note::LONGEST).last();
        let text = text[..end.unwrap_or(0)].to_owned();
        Note { code, text }
    }
}

/// The code of an answer and of its note, from the error of the resolution.
fn failure(code: Code) -> (Rcode, Option<u16>) {
    match code {
        Code::NameNotFound => (Rcode::NxDomain, None),
        // The operators of the witnesses refuse it.
        Code::Refused => (Rcode::Refused, Some(Note::BLOCKED)),
        Code::NameExpired => (Rcode::ServFail, Some(Note::EXPIRED)),
        Code::NoQuorum | Code::TimedOut => (Rcode::ServFail, Some(Note::UNREACHABLE)),
        _ => (Rcode::ServFail, Some(Note::OTHER)),
    }
}
