//! What is under way between two threads of one program, as bytes: verified parts, and how far a sender is.
//!
//! Knows a spelling that nobody else reads: both ends are of one version. Bytes that are not spelled so are no parts, and no
//! sender.

use super::decode::Verified;
use super::send::Sender;
use super::walk::Walk;
use super::{Hash, PAIR, Span, Tree};
use crate::sorted::sort_short;

const PAIRED: u8 = 0;
const GROUPED: u8 = 1;
const LENGTH: usize = 4;
/// The kind of a part, its place and its length.
const LEAD: usize = 1 + 8 + LENGTH;
/// A node that is on a sender's way: its first group, how many, and its hash.
const NODE: usize = 8 + 8 + 32;
/// A way is no longer than twice the height of the highest tree.
const MAX_NODES: usize = 64;

/// Parts that stand beside each other, as they lie in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed<'a> {
    /// As [`Verified::Pair`], one or more.
    Pairs {
        /// Which of all pairs the first one is.
        index: u64,
        /// Their hashes.
        pairs: &'a [u8],
    },
    /// As [`Verified::Group`], one or more.
    Groups {
        /// Where the first one begins.
        offset: u64,
        /// Their bytes.
        data: &'a [u8],
    },
}

/// Pairs that stand beside each other, together: which of all the first one is, and their hashes. Each is written at once.
pub fn pair_runs(parts: &[Verified]) -> Vec<(u64, Vec<u8>)> {
    let pairs = parts.iter().filter_map(|part| match part {
        Verified::Pair { index, pair } => Some((*index, pair)),
        Verified::Group { .. } => None,
    });
    let mut pairs: Vec<_> = pairs.collect();
    // They come in the order in which they are needed.
    sort_short(&mut pairs, |(one, _), (other, _)| one.cmp(other));
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    for (index, pair) in pairs {
        match runs.last_mut() {
            Some((first, run)) if *first + (run.len() / PAIR) as u64 == index => run.extend(pair),
            _ => runs.push((index, pair.to_vec())),
        }
    }
    runs
}

/// Parts, one behind the other: those that stand beside each other together.
pub fn pack(parts: &[Verified]) -> Vec<u8> {
    let runs = pair_runs(parts);
    let of_runs = runs.iter().map(|(_, run)| LEAD + run.len());
    let of_groups = parts.iter().map(|part| LEAD + part.bytes() as usize);
    let mut out = Vec::with_capacity(of_runs.chain(of_groups).sum());
    for (index, run) in &runs {
        let start = begin(&mut out, PAIRED, *index);
        out.extend_from_slice(run);
        end(&mut out, start);
    }
    let groups = parts.iter().filter_map(|part| match part {
        Verified::Group { offset, data } => Some((*offset, data)),
        Verified::Pair { .. } => None,
    });
    let mut groups = groups.peekable();
    while let Some((mut place, data)) = groups.next() {
        let start = begin(&mut out, GROUPED, place);
        out.extend_from_slice(data);
        place += data.len() as u64;
        while let Some((_, data)) = groups.next_if(|(offset, _)| *offset == place) {
            out.extend_from_slice(data);
            place += data.len() as u64;
        }
        end(&mut out, start);
    }
    out
}

/// Where the bytes of a part begin.
fn begin(out: &mut Vec<u8>, kind: u8, place: u64) -> usize {
    out.push(kind);
    out.extend_from_slice(&place.to_be_bytes());
    out.extend_from_slice(&[0; LENGTH]);
    out.len()
}

fn end(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    out[start - LENGTH..start].copy_from_slice(&length.to_be_bytes());
}

/// Parts that were packed.
pub fn unpack(mut packed: &[u8]) -> impl Iterator<Item = Packed<'_>> {
    std::iter::from_fn(move || {
        let (lead, rest) = packed.split_at_checked(LEAD)?;
        let length = u32::from_be_bytes(lead[9..].try_into().ok()?) as usize;
        let (bytes, rest) = rest.split_at_checked(length)?;
        packed = rest;
        let place = number(&lead[1..9])?;
        match lead[0] {
            PAIRED if length.is_multiple_of(PAIR) => Some(Packed::Pairs {
                index: place,
                pairs: bytes,
            }),
            GROUPED => Some(Packed::Groups {
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
    use std::collections::BTreeMap;

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
        assert_same(&packed, &parts);
        // The groups are all beside each other, and come in one piece.
        let groups = |part: &Packed| matches!(part, Packed::Groups { .. });
        assert_eq!(unpack(&packed).filter(groups).count(), 1);
        let cut = unpack(&packed[..packed.len() - 1]).count();
        assert_eq!(cut, unpack(&packed).count() - 1);
        // Those between which something is missing stay apart.
        parts
            .retain(|part| !matches!(part, Verified::Group { offset, .. } if *offset == 7 * GROUP));
        let packed = pack(&parts);
        assert_same(&packed, &parts);
        assert_eq!(unpack(&packed).filter(groups).count(), 2);
        assert_eq!(unpack(&pack(&[])).count(), 0);
    }

    /// Each part is found where it belongs, and nothing else.
    fn assert_same(packed: &[u8], parts: &[Verified]) {
        let (mut pairs, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for part in unpack(packed) {
            match part {
                Packed::Pairs { index, pairs: run } => {
                    let run = (index..).zip(run.chunks(PAIR));
                    pairs.extend(run.map(|(index, pair)| (index, pair.to_vec())));
                }
                Packed::Groups { offset, data } => {
                    let run = (offset..).step_by(GROUP as usize);
                    let run = run.zip(data.chunks(GROUP as usize));
                    groups.extend(run.map(|(offset, data)| (offset, data.to_vec())));
                }
            }
        }
        for part in parts {
            let found = match part {
                Verified::Pair { index, pair } => pairs.remove(index) == Some(pair.to_vec()),
                Verified::Group { offset, data } => groups.remove(offset).as_ref() == Some(data),
            };
            assert!(found, "{part:?}");
        }
        assert!(pairs.is_empty() && groups.is_empty());
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
