//! What is under way between two threads of one program, as bytes: verified parts, and how far a sender is.
//!
//! Knows a spelling that nobody else reads: both ends are of one version. Bytes that are not spelled so are no parts, and no
//! sender.

use super::decode::Verified;
use super::send::Sender;
use super::walk::Walk;
use super::{Hash, PAIR, Span, Tree};

const PAIRED: u8 = 0;
const GROUPED: u8 = 1;
/// The kind of a part, its place and its length.
const LEAD: usize = 1 + 8 + 4;
/// A node that is on a sender's way: its first group, how many, and its hash.
const NODE: usize = 8 + 8 + 32;
/// A way is no longer than twice the height of the highest tree.
const MAX_NODES: usize = 64;

/// A part, as it lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed<'a> {
    /// As [`Verified::Pair`].
    Pair {
        /// Which of all pairs.
        index: u64,
        /// Its hashes.
        pair: &'a [u8],
    },
    /// As [`Verified::Group`].
    Group {
        /// Where it begins.
        offset: u64,
        /// Its bytes.
        data: &'a [u8],
    },
}

/// Parts, one behind the other.
pub fn pack(parts: &[Verified]) -> Vec<u8> {
    let parts = parts.iter().map(|part| match part {
        Verified::Pair { index, pair } => (PAIRED, *index, pair.as_slice()),
        Verified::Group { offset, data } => (GROUPED, *offset, data.as_slice()),
    });
    let size = parts.clone().map(|(_, _, bytes)| LEAD + bytes.len()).sum();
    let mut out = Vec::with_capacity(size);
    for (kind, place, bytes) in parts {
        out.push(kind);
        out.extend_from_slice(&place.to_be_bytes());
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
    }
    out
}

/// Parts that were packed.
pub fn unpack(mut packed: &[u8]) -> impl Iterator<Item = Packed<'_>> {
    std::iter::from_fn(move || {
        let (lead, rest) = packed.split_at_checked(LEAD)?;
        let length = u32::from_be_bytes(lead[9..].try_into().ok()?);
        let (bytes, rest) = rest.split_at_checked(length as usize)?;
        packed = rest;
        let place = number(&lead[1..9])?;
        match (lead[0], bytes.len()) {
            (PAIRED, PAIR) => Some(Packed::Pair {
                index: place,
                pair: bytes,
            }),
            (GROUPED, _) => Some(Packed::Group {
                offset: place,
                data: bytes,
            }),
            _ => None,
        }
    })
}

impl Sender {
    /// How far it is.
    pub fn pack(&self) -> Vec<u8> {
        let Walk { wanted, stack, .. } = &self.walk;
        let mut out = Vec::with_capacity(16 + stack.len() * NODE);
        out.extend_from_slice(&wanted.start.to_be_bytes());
        out.extend_from_slice(&wanted.end.to_be_bytes());
        for (Span { first, groups }, hash) in stack {
            out.extend_from_slice(&first.to_be_bytes());
            out.extend_from_slice(&groups.to_be_bytes());
            out.extend_from_slice(hash);
        }
        out
    }

    /// One that is so far in a file of this shape.
    pub fn unpack(tree: Tree, packed: &[u8]) -> Option<Sender> {
        let (lead, nodes) = packed.split_at_checked(16)?;
        let wanted = number(&lead[..8])?..number(&lead[8..])?;
        let nodes = nodes.chunks(NODE).map(|node| {
            let (first, groups) = (number(node.get(..8)?)?, number(node.get(8..16)?)?);
            let hash: Hash = node.get(16..)?.try_into().ok()?;
            let end = first.checked_add(groups)?;
            (groups > 0 && end <= tree.groups()).then_some((Span { first, groups }, hash))
        });
        let stack: Vec<_> = nodes.collect::<Option<_>>()?;
        (stack.len() <= MAX_NODES).then_some(Sender {
            walk: Walk {
                tree,
                wanted,
                stack,
            },
        })
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::GROUP;
    use crate::proto::files::tree::{Decoder, Need, TreeBuilder};

    #[test]
    fn a_sender_goes_on_where_it_was_packed() {
        let data: Vec<u8> = (0..19 * GROUP + 7).map(|at| (at % 251) as u8).collect();
        let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
        assert!(builder.take(&data, &mut hashes));
        let built = builder.finish(&mut hashes);
        let (mut sender, mut stream) = (Sender::new(built.root, built.tree, 3..17), Vec::new());
        let mut decoder = Decoder::new(built.root, built.tree, 3..17);
        while sender.need().is_some() {
            let mut out = Vec::new();
            let filled = sender.fill(40_000, &mut out, |need, out| {
                let (from, offset) = match need {
                    Need::Hashes { offset, .. } => (&hashes, offset as usize),
                    Need::Data { offset, .. } => (&data, offset as usize),
                };
                out.copy_from_slice(from.get(offset..offset + out.len()).ok_or(())?);
                Ok::<_, ()>(())
            });
            assert!(filled.is_ok());
            stream.extend(out);
            sender = Sender::unpack(built.tree, &sender.pack()).unwrap();
        }
        let (mut input, mut parts) = (stream.as_slice(), Vec::new());
        while let Some(part) = decoder.take(&mut input).unwrap() {
            parts.push(part);
        }
        assert!(decoder.is_done() && input.is_empty());

        let packed = pack(&parts);
        let back = unpack(&packed).map(|part| match part {
            Packed::Pair { index, pair } => Verified::Pair {
                index,
                pair: pair.try_into().unwrap(),
            },
            Packed::Group { offset, data } => Verified::Group {
                offset,
                data: data.to_vec(),
            },
        });
        assert_eq!(back.collect::<Vec<_>>(), parts);
        assert!(unpack(&packed[..packed.len() - 1]).count() < parts.len());
    }

    #[test]
    fn what_is_not_on_the_way_is_no_sender() {
        let tree = Tree::new(5 * GROUP).unwrap();
        let good = Sender::new([7; 32], tree, 0..5).pack();
        assert!(Sender::unpack(tree, &good).is_some());
        let smaller = Tree::new(4 * GROUP).unwrap();
        for (tree, bytes) in [
            (smaller, &good[..]),
            (tree, &good[..good.len() - 1]),
            (tree, &good[..15]),
            (tree, &[good.as_slice(), &[0; NODE]].concat()[..]),
        ] {
            assert!(Sender::unpack(tree, bytes).is_none());
        }
    }
}
