//! The other side of DNS: questions put together by hand, and a reader of answers that shares nothing
//! with the server's code.

pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
const OPT: u16 = 41;

pub const NOERROR: u16 = 0;
pub const SERVFAIL: u16 = 2;
pub const NXDOMAIN: u16 = 3;
pub const REFUSED: u16 = 5;

/// Follows at most so many compression pointers in one name.
const MAX_POINTERS: usize = 16;

/// A question, with EDNS if the asker says how much it takes.
pub fn question(id: u16, name: &str, kind: u16, payload: Option<u16>) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(payload.is_some())]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    if let Some(payload) = payload {
        bytes.extend([0, 0, 41]);
        bytes.extend(payload.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

/// A question or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    flags: u16,
    /// With the upper bits that EDNS has.
    pub rcode: u16,
    /// Name as it was written, type, class.
    pub question: Option<(Vec<u8>, u16, u16)>,
    /// Of all sections, without EDNS.
    pub records: Vec<Record>,
    pub edns: Option<Edns>,
    /// Bytes behind its end.
    pub rest: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    pub payload: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// 0 answers, 1 authority, 2 additional.
    pub section: usize,
    pub name: Vec<u8>,
    pub kind: u16,
    pub ttl: u32,
    pub data: Vec<u8>,
}

impl Message {
    /// Nothing if it cannot be read.
    pub fn read(bytes: &[u8]) -> Option<Message> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let questions = reader.u16()?;
        let sections = [reader.u16()?, reader.u16()?, reader.u16()?];
        let mut message = Message {
            id,
            flags,
            rcode: flags & 0xf,
            question: None,
            records: Vec::new(),
            edns: None,
            rest: 0,
        };
        for _ in 0..questions {
            let asked = (reader.name()?, reader.u16()?, reader.u16()?);
            message.question = Some(asked);
        }
        for (section, count) in sections.into_iter().enumerate() {
            for _ in 0..count {
                message.record(section, &mut reader)?;
            }
        }
        message.rest = bytes.len() - reader.at;
        Some(message)
    }

    fn record(&mut self, section: usize, reader: &mut Reader<'_>) -> Option<()> {
        let name = reader.name()?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        let ttl = u32::from(reader.u16()?) << 16 | u32::from(reader.u16()?);
        let length = usize::from(reader.u16()?);
        let data = reader.take(length)?.to_vec();
        if kind == OPT {
            self.rcode |= (ttl >> 24 << 4) as u16;
            self.edns = Some(Edns { payload: class });
            return Some(());
        }
        self.records.push(Record {
            section,
            name,
            kind,
            ttl,
            data,
        });
        Some(())
    }

    pub fn is_answer(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// Whether there is more to be had over TCP.
    pub fn is_cut(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// The data of the answers of one type.
    pub fn answers(&self, kind: u16) -> Vec<&[u8]> {
        let fitting = |record: &&Record| record.section == 0 && record.kind == kind;
        let records = self.records.iter().filter(fitting);
        records.map(|record| record.data.as_slice()).collect()
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let taken = self.bytes.get(self.at..self.at + length)?;
        self.at += length;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Labels with a dot behind each.
    fn name(&mut self) -> Option<Vec<u8>> {
        let (mut name, mut back, mut pointers) = (Vec::new(), None, 0);
        loop {
            let length = usize::from(self.take(1)?[0]);
            match length {
                0 => break,
                1..=63 => {
                    name.extend(self.take(length)?);
                    name.push(b'.');
                }
                192.. => {
                    let low = usize::from(self.take(1)?[0]);
                    back.get_or_insert(self.at);
                    self.at = (length & 0x3f) << 8 | low;
                    pointers += 1;
                    if pointers > MAX_POINTERS {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        self.at = back.unwrap_or(self.at);
        (name.len() <= 254).then_some(name)
    }
}
