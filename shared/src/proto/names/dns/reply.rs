//! Writing an answer. Knows bytes and lengths, and what is left out when there is no room.

use std::net::IpAddr;

use super::query::{HEADER, Header, Query};
use super::records::{Data, NOTHING_TTL, Record, Records};
use super::{CLASS_IN, MAX_TCP, MAX_UDP, Note, PLAIN_UDP, Rcode, Transport, kind};
use crate::proto::names::name::{Name, SUFFIX};

const QR: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
/// Aliases are followed here, to wherever they lead among names.
const RECURSION_AVAILABLE: u16 = 0x0080;
/// "As in the question": a pointer to the name behind the header.
const QUESTION: u16 = 0xc000 | HEADER as u16;
const EXTENDED_ERROR: u16 = 15;
const HINFO_TEXT: &[u8] = b"RFC8482";

/// An answer that is being written.
pub(super) struct Reply {
    bytes: Vec<u8>,
    counts: [u16; 4],
}

/// The whole answer. What does not fit is left out: first what nobody asked for, then everything,
/// which then says that it was cut.
pub(super) fn write(
    query: &Query,
    transport: Transport,
    rcode: Rcode,
    records: &Records,
    note: Option<&Note>,
) -> Vec<u8> {
    let longest = longest(query, transport);
    let mut reply = Reply::begin(query, rcode);
    for record in &records.answers {
        reply.record(1, record);
    }
    if records.authority {
        reply.zone(2);
    }
    let options = options(query, rcode, note);
    if reply.bytes.len() + options.len() > longest {
        return cut(query);
    }
    for record in &records.additional {
        let (length, counts) = (reply.bytes.len(), reply.counts);
        reply.record(3, record);
        if reply.bytes.len() + options.len() > longest {
            reply.bytes.truncate(length);
            reply.counts = counts;
            break;
        }
    }
    reply.finish(&options)
}

/// An answer that only says that there is more to be had over TCP.
pub(super) fn cut(query: &Query) -> Vec<u8> {
    let mut reply = Reply::begin(query, Rcode::NoError);
    reply.bytes[2] |= (TRUNCATED >> 8) as u8;
    reply.finish(&options(query, Rcode::NoError, None))
}

fn longest(query: &Query, transport: Transport) -> usize {
    match (transport, query.edns) {
        (Transport::Tcp, _) => MAX_TCP,
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(PLAIN_UDP, MAX_UDP),
    }
}

/// Whoever speaks EDNS is answered in it, and only they.
fn options(query: &Query, rcode: Rcode, note: Option<&Note>) -> Vec<u8> {
    if query.edns.is_none() {
        return Vec::new();
    }
    let mut option = Vec::new();
    if let Some(note) = note {
        push(&mut option, EXTENDED_ERROR);
        push(&mut option, 2 + note.text.len() as u16);
        push(&mut option, note.code);
        option.extend(note.text.as_bytes());
    }
    let mut bytes = vec![0];
    push(&mut bytes, kind::OPT);
    push(&mut bytes, MAX_UDP as u16);
    bytes.extend([(rcode as u16 >> 4) as u8, 0, 0, 0]);
    push(&mut bytes, option.len() as u16);
    bytes.extend(option);
    bytes
}

fn push(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend(number.to_be_bytes());
}

impl Reply {
    /// An answer to what could not be read further than its header.
    pub fn bare(header: Header, rcode: Rcode) -> Vec<u8> {
        Reply::new(header, rcode, 0).finish(&[])
    }

    fn begin(query: &Query, rcode: Rcode) -> Reply {
        let authority = match rcode {
            Rcode::NoError | Rcode::NxDomain => AUTHORITATIVE,
            _ => 0,
        };
        let mut reply = Reply::new(query.header, rcode, authority);
        reply.bytes.extend(&query.question);
        reply.counts[0] = 1;
        reply
    }

    fn new(header: Header, rcode: Rcode, authority: u16) -> Reply {
        let desired = match header.recursion_desired {
            true => RECURSION_DESIRED,
            false => 0,
        };
        let opcode = u16::from(header.opcode) << 11;
        let rcode = rcode as u16 & 0xf;
        let flags = QR | opcode | authority | desired | RECURSION_AVAILABLE | rcode;
        let mut bytes = Vec::with_capacity(PLAIN_UDP);
        push(&mut bytes, header.id);
        push(&mut bytes, flags);
        bytes.extend([0; 8]);
        Reply {
            bytes,
            counts: [0; 4],
        }
    }

    fn finish(mut self, options: &[u8]) -> Vec<u8> {
        if !options.is_empty() {
            self.bytes.extend(options);
            self.counts[3] += 1;
        }
        for (at, count) in self.counts.into_iter().enumerate() {
            let at = 4 + 2 * at;
            self.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        self.bytes
    }

    fn record(&mut self, section: usize, record: &Record) {
        match &record.owner {
            None => push(&mut self.bytes, QUESTION),
            Some(name) => self.name(name),
        }
        self.data(section, record.ttl, &record.data);
    }

    /// The start of authority: for how long there is nothing.
    fn zone(&mut self, section: usize) {
        self.suffix();
        self.data(section, NOTHING_TTL, &Data::Zone);
    }

    fn data(&mut self, section: usize, ttl: u32, data: &Data) {
        self.counts[section] += 1;
        push(&mut self.bytes, kind_of(data));
        push(&mut self.bytes, CLASS_IN);
        self.bytes.extend(ttl.to_be_bytes());
        let at = self.bytes.len();
        push(&mut self.bytes, 0);
        match data {
            Data::Address(IpAddr::V4(ip)) => self.bytes.extend(ip.octets()),
            Data::Address(IpAddr::V6(ip)) => self.bytes.extend(ip.octets()),
            Data::Alias(name) => self.name(name),
            Data::Text(pieces) => {
                for piece in pieces {
                    self.bytes.push(piece.len() as u8);
                    self.bytes.extend(piece);
                }
            }
            Data::Service(port, name) => {
                // Priority and weight: all the same.
                self.bytes.extend([0; 4]);
                push(&mut self.bytes, *port);
                self.name(name);
            }
            Data::Zone => {
                // As others do for zones that nobody transfers: named after itself, no mailbox.
                self.suffix();
                self.bytes.push(0);
                for number in [1, 3_600, 600, 86_400, NOTHING_TTL] {
                    self.bytes.extend(number.to_be_bytes());
                }
            }
            Data::Server => self.suffix(),
            Data::Minimal => {
                self.bytes.push(HINFO_TEXT.len() as u8);
                self.bytes.extend(HINFO_TEXT);
                self.bytes.push(0);
            }
        }
        let length = (self.bytes.len() - at - 2) as u16;
        self.bytes[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn name(&mut self, name: &Name) {
        for label in name.to_string().split('.') {
            self.bytes.push(label.len() as u8);
            self.bytes.extend(label.as_bytes());
        }
        self.bytes.push(0);
    }

    fn suffix(&mut self) {
        self.bytes.push(SUFFIX.len() as u8);
        self.bytes.extend(SUFFIX.as_bytes());
        self.bytes.push(0);
    }
}

fn kind_of(data: &Data) -> u16 {
    match data {
        Data::Address(IpAddr::V4(_)) => kind::A,
        Data::Address(IpAddr::V6(_)) => kind::AAAA,
        Data::Alias(_) => kind::CNAME,
        Data::Text(_) => kind::TXT,
        Data::Service(..) => kind::SRV,
        Data::Zone => kind::SOA,
        Data::Server => kind::NS,
        Data::Minimal => kind::HINFO,
    }
}
