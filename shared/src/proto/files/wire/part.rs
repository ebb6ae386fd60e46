//! A range on its way: parts of its stream, then how it ended.
//!
//! Knows that a range which could not be sent to its end says so: its receiver has no reason to suspect a lie.

use minicbor::{Decoder, Encoder, decode, encode};

use super::FileRefusal;
use crate::limits::MAX_PART;
use crate::proto::record::Refusal;

const DATA: u64 = 0;
const DONE: u64 = 1;
const BROKEN_OFF: u64 = 2;

/// The longest frame of a range.
pub const MAX_PART_FRAME: usize = MAX_PART + 8;

/// One frame of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The next bytes of the stream, cut anywhere; at least one.
    Data(&'a [u8]),
    /// That was all.
    Done,
    /// There will be no more of it.
    BrokenOff(FileRefusal),
}

impl<'a> Part<'a> {
    /// The bytes inside a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        self.write(&mut e)
            .expect("writing to memory cannot fail and our types raise no errors");
        e.into_writer()
    }

    fn write(
        &self,
        e: &mut Encoder<Vec<u8>>,
    ) -> Result<(), encode::Error<std::convert::Infallible>> {
        match self {
            Part::Data(bytes) => e.array(2)?.u64(DATA)?.bytes(bytes)?.ok(),
            Part::Done => e.array(1)?.u64(DONE)?.ok(),
            Part::BrokenOff(why) => e.array(2)?.u64(BROKEN_OFF)?.encode(why)?.ok(),
        }
    }

    /// Reads a part. Its data is not copied, and therefore not encoded again to see whether that is canonical: all
    /// lengths that are accepted have one form.
    pub fn decode(bytes: &'a [u8]) -> Result<Part<'a>, Refusal> {
        if bytes.len() > MAX_PART_FRAME {
            return Err(Refusal::Oversized);
        }
        let part = read(bytes).map_err(|_| Refusal::Malformed)?;
        let (length, head) = match part {
            Part::Data(data) => (data.len(), Part::data_head(data.len())),
            Part::Done | Part::BrokenOff(_) => (0, part.encode()),
        };
        if length > MAX_PART {
            return Err(Refusal::Oversized);
        }
        let whole = bytes.len() == head.len() + length && bytes.starts_with(&head);
        let empty = matches!(part, Part::Data([]));
        match whole && !empty {
            true => Ok(part),
            false => Err(Refusal::Malformed),
        }
    }

    /// What stands before so many bytes of data: whoever sends them can write both without copying them.
    pub fn data_head(length: usize) -> Vec<u8> {
        let mut head = vec![0x82, DATA as u8];
        match length {
            0..=23 => head.push(0x40 | length as u8),
            24..=0xff => head.extend([0x58, length as u8]),
            0x100..=0xffff => {
                head.push(0x59);
                head.extend((length as u16).to_be_bytes());
            }
            _ => {
                head.push(0x5a);
                head.extend((length as u32).to_be_bytes());
            }
        }
        head
    }
}

fn read(bytes: &[u8]) -> Result<Part<'_>, decode::Error> {
    let mut d = Decoder::new(bytes);
    match (d.array()?, d.u64()?) {
        (Some(2), DATA) => Ok(Part::Data(d.bytes()?)),
        (Some(1), DONE) => Ok(Part::Done),
        (Some(2), BROKEN_OFF) => Ok(Part::BrokenOff(d.decode()?)),
        _ => Err(decode::Error::message("not a part")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_back() {
        for length in [1, 23, 24, 255, 256, 16_384, MAX_PART] {
            let data = vec![7; length];
            let bytes = Part::Data(&data).encode();
            assert_eq!(bytes, [Part::data_head(length), data.clone()].concat());
            assert_eq!(Part::decode(&bytes), Ok(Part::Data(&data)));
        }
        for part in [Part::Done, Part::BrokenOff(FileRefusal::Gone)] {
            assert_eq!(Part::decode(&part.encode()), Ok(part));
        }
        assert_eq!(Part::BrokenOff(FileRefusal::Gone).encode(), [0x82, 2, 2]);
        assert_eq!(Part::Done.encode(), [0x81, 1]);
    }

    #[test]
    fn other_parts_are_refused() {
        for bad in [
            &[][..],
            &[0x82, 0, 0x40],
            &[0x82, 0, 0x58, 1, 7],
            &[0x82, 0, 0x59, 0, 1, 7],
            &[0x82, 0, 0x41, 7, 0],
            &[0x82, 0, 0x42, 7],
            &[0x82, 0x18, 0, 0x41, 7],
            &[0x9f, 0, 0x41, 7, 0xff],
            &[0x82, 1, 0],
            &[0x81, 1, 0],
            &[0x81, 3],
            &[0x82, 2, 0],
            &[0x82, 2, 8],
        ] {
            assert_eq!(Part::decode(bad), Err(Refusal::Malformed), "{bad:?}");
        }
        let large = vec![7; MAX_PART + 1];
        let bytes = Part::Data(&large).encode();
        assert_eq!(Part::decode(&bytes), Err(Refusal::Oversized));
        assert_eq!(
            Part::decode(&vec![0; MAX_PART + 99]),
            Err(Refusal::Oversized)
        );
    }
}
