//! Where a peer keeps the messages of one room over a restart: in pieces, so that a new message costs one
//! small write, among the other small things that it keeps.

use minicbor::{Decode, Encode};

use crate::error::Result;
use crate::net::outside::SharedKeepsakes;
use crate::proto::cbor;
use crate::proto::chat::{PacketId, Stamp, Topic, packet_id};

const VERSION: u64 = 1;
/// A piece is not added to beyond so many packets or bytes: what one write costs.
const PIECE: usize = 64;
/// See [`PIECE`].
const PIECE_BYTES: usize = 64 * 1024;

/// What is kept beside the messages.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Head {
    #[n(0)]
    version: u64,
    /// The session that own messages are numbered in.
    #[n(1)]
    session: u64,
    /// Up to where the room was read.
    #[n(2)]
    read: Stamp,
    /// How many pieces there are.
    #[n(3)]
    pieces: u64,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct PieceWire {
    #[cbor(n(0), with = "cbor::byte_lists")]
    packets: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Piece {
    packets: Vec<(PacketId, Vec<u8>)>,
    changed: bool,
}

/// What was found.
pub(super) struct Found {
    pub packets: Vec<Vec<u8>>,
    pub read: Stamp,
    /// Nothing the first time, and when not everything could be read: its numbers may be used already.
    pub session: Option<u64>,
}

/// The messages of one room.
pub(super) struct Shelf {
    keepsakes: SharedKeepsakes,
    name: String,
    pieces: Vec<Piece>,
    head: Head,
    kept: Option<Head>,
}

impl Shelf {
    /// Reads what was kept. What cannot be understood is passed over; a disk that fails is an error.
    pub async fn open(keepsakes: SharedKeepsakes, topic: &Topic) -> Result<(Shelf, Found)> {
        let name = format!("room-{}", &topic.hex()[..40]);
        let bytes = keepsakes.load(name.clone()).await?;
        let head = bytes.and_then(|bytes| cbor::decode::<Head>(&bytes).ok());
        let kept = head.filter(|head| head.version == VERSION);
        let mut whole = kept.is_some();
        let mut pieces = Vec::new();
        for number in 0..kept.as_ref().map_or(0, |head| head.pieces) {
            let bytes = keepsakes.load(format!("{name}-{number}")).await?;
            let wire = bytes.and_then(|bytes| cbor::decode::<PieceWire>(&bytes).ok());
            whole &= wire.is_some();
            let packets = wire.map_or_else(Vec::new, |wire| wire.packets);
            let named = packets
                .into_iter()
                .map(|packet| (packet_id(&packet), packet));
            pieces.push(Piece {
                packets: named.collect(),
                changed: false,
            });
        }
        let read = kept.as_ref().map_or(Stamp::default(), |head| head.read);
        let session = kept.as_ref().map(|head| head.session);
        let packets = pieces.iter().flat_map(|piece| &piece.packets);
        let found = Found {
            packets: packets.map(|(_, packet)| packet.clone()).collect(),
            read,
            session: session.filter(|_| whole),
        };
        let head = Head {
            version: VERSION,
            session: session.unwrap_or_default(),
            read,
            pieces: pieces.len() as u64,
        };
        let shelf = Shelf {
            keepsakes,
            name,
            pieces,
            head,
            kept,
        };
        Ok((shelf, found))
    }

    /// Adds a packet, to be saved.
    pub fn keep(&mut self, id: PacketId, packet: Vec<u8>) {
        let place = self.pieces.iter().rposition(Piece::has_room);
        let place = place.unwrap_or_else(|| {
            self.pieces.push(Piece::default());
            self.pieces.len() - 1
        });
        let piece = &mut self.pieces[place];
        piece.packets.push((id, packet));
        piece.changed = true;
    }

    /// Removes a packet.
    pub fn forget(&mut self, id: &PacketId) {
        for piece in &mut self.pieces {
            let before = piece.packets.len();
            piece.packets.retain(|(known, _)| known != id);
            piece.changed |= piece.packets.len() < before;
        }
    }

    /// What is kept beside the messages.
    pub fn note(&mut self, session: u64, read: Stamp) {
        (self.head.session, self.head.read) = (session, read);
    }

    /// Whether there is something to save.
    pub fn is_changed(&self) -> bool {
        self.kept.as_ref() != Some(&self.head) || self.pieces.iter().any(|piece| piece.changed)
    }

    /// Saves what has changed; it is durable when this has ended well.
    pub async fn save(&mut self) -> Result<()> {
        for (number, piece) in self.pieces.iter_mut().enumerate() {
            if piece.changed {
                let packets = piece.packets.iter().map(|(_, packet)| packet.clone());
                let wire = PieceWire {
                    packets: packets.collect(),
                };
                let name = format!("{}-{number}", self.name);
                self.keepsakes.save(name, cbor::encode(&wire)).await?;
                piece.changed = false;
            }
        }
        self.head.pieces = self.pieces.len() as u64;
        if self.kept.as_ref() != Some(&self.head) {
            let bytes = cbor::encode(&self.head);
            self.keepsakes.save(self.name.clone(), bytes).await?;
            self.kept = Some(self.head.clone());
        }
        Ok(())
    }
}

impl Piece {
    fn has_room(&self) -> bool {
        let bytes: usize = self.packets.iter().map(|(_, packet)| packet.len()).sum();
        self.packets.len() < PIECE && bytes < PIECE_BYTES
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::net::outside::Forgetful;
    use futures::executor::block_on;

    const TOPIC: Topic = Topic {
        sealed: false,
        id: [7; 32],
    };

    fn open(keepsakes: &SharedKeepsakes) -> (Shelf, Found) {
        block_on(Shelf::open(keepsakes.clone(), &TOPIC)).unwrap()
    }

    #[test]
    fn what_was_saved_is_found_in_any_number_of_pieces() {
        let keepsakes: SharedKeepsakes = Arc::new(Forgetful::default());
        let (mut shelf, found) = open(&keepsakes);
        assert!(found.session.is_none() && found.packets.is_empty());
        let packets: Vec<Vec<u8>> = (0..200u8).map(|number| vec![number; 50]).collect();
        for packet in &packets {
            shelf.keep(packet_id(packet), packet.clone());
        }
        shelf.forget(&packet_id(&packets[3]));
        let read = Stamp { time: 9, count: 1 };
        shelf.note(77, read);
        assert!(shelf.is_changed());
        block_on(shelf.save()).unwrap();
        assert!(!shelf.is_changed());

        let (mut shelf, mut found) = open(&keepsakes);
        assert_eq!((found.session, found.read), (Some(77), read));
        found.packets.sort();
        let mut expected = packets.clone();
        expected.remove(3);
        assert_eq!(found.packets, expected);
        shelf.keep(packet_id(&packets[3]), packets[3].clone());
        assert_eq!(shelf.pieces.len(), 4, "room is used again");
    }

    #[test]
    fn a_damaged_piece_ends_the_session() {
        let keepsakes: SharedKeepsakes = Arc::new(Forgetful::default());
        let (mut shelf, _) = open(&keepsakes);
        shelf.keep([1; 20], vec![1]);
        shelf.note(77, Stamp::default());
        block_on(shelf.save()).unwrap();
        let piece = format!("{}-0", shelf.name);
        block_on(keepsakes.save(piece, vec![0xff])).unwrap();
        let (_, found) = open(&keepsakes);
        assert_eq!(found.session, None);
    }
}
