//! What is in the table, how much of it there is for each room and author, and what has to go.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use warren_shared::limits::DAY;
use warren_shared::proto::Millis;
use warren_shared::proto::chat::message::Body;
use warren_shared::proto::chat::packet::{PacketId, packet_id, peek};
use warren_shared::proto::chat::{Content, MessageId, Topic};
use warren_shared::proto::key::PublicKey;

/// By topic, time and name of the packet.
pub(super) const PACKETS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("packets");

/// When something has to go, one in so many goes with it: it is rarely looked for.
const SPARE: u64 = 16;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct HistoryLimits {
    /// Messages of one author in a public room.
    pub per_author: u64,
    /// Messages of one room.
    pub per_room: u64,
    /// Their bytes.
    pub room_bytes: u64,
    /// Bytes of all rooms.
    pub bytes: u64,
    /// How long.
    pub keep: Millis,
}

impl Default for HistoryLimits {
    /// About a month of a busy room, and what a small server can spare.
    fn default() -> Self {
        HistoryLimits {
            per_author: 2_500,
            per_room: 10_000,
            room_bytes: 32 * 1024 * 1024,
            bytes: 1024 * 1024 * 1024,
            keep: 30 * DAY,
        }
    }
}

/// Why the database does not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Fault(Box<redb::Error>);

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault(Box::new(error.into()))
    }
}

/// How much there is.
pub(super) struct Rows {
    limits: HistoryLimits,
    rooms: HashMap<Topic, Room>,
    bytes: u64,
    /// Nobody else knows its key, so that nobody makes two messages meet.
    hasher: RandomState,
}

#[derive(Default)]
struct Room {
    count: u64,
    bytes: u64,
    oldest: Millis,
    authors: HashMap<PublicKey, u64>,
    /// Where each message is, by a hash of its id: what is taken back is found without a search.
    said: HashMap<u64, Place>,
    /// What was taken back: it is not kept when it comes again.
    deleted: HashSet<MessageId>,
}

/// The time of a packet and the first half of its name: what tells it from others of its room.
type Place = [u8; 16];

/// The key of a packet, and the packet.
type Row = (Vec<u8>, Vec<u8>);

type Packets<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// What has to go first.
enum Excess {
    Author(PublicKey),
    Room(Topic),
}

impl Rows {
    /// Counts what is there.
    pub fn load(database: &Database, limits: HistoryLimits) -> Result<Rows, Fault> {
        let transaction = database.begin_write()?;
        transaction.open_table(PACKETS)?;
        transaction.commit()?;
        let mut rows = Rows {
            limits,
            rooms: HashMap::new(),
            bytes: 0,
            hasher: RandomState::new(),
        };
        let table = database.begin_read()?.open_table(PACKETS)?;
        for row in table.iter()? {
            let (key, packet) = row?;
            if let Some(topic) = topic_of(key.value()) {
                rows.count(&topic, key.value(), packet.value());
            }
        }
        Ok(rows)
    }

    pub fn limits(&self) -> HistoryLimits {
        self.limits
    }

    /// Adds a packet, and makes room for it.
    pub fn add(
        &mut self,
        table: &mut Packets<'_>,
        topic: &Topic,
        key: &[u8],
        packet: &[u8],
    ) -> Result<(), Fault> {
        let body = peek(topic, packet);
        if table.get(key)?.is_some() || body.as_ref().is_some_and(|body| self.refuses(topic, body))
        {
            return Ok(());
        }
        table.insert(key, packet)?;
        self.count(topic, key, packet);
        if let Some(target) = body.as_ref().and_then(taken_back) {
            self.take_back(table, topic, &target)?;
        }
        let author = body.map(|body| body.author);
        while let Some(excess) = self.excess(topic, author) {
            match excess {
                Excess::Author(author) => {
                    let some = self.limits.per_author / SPARE + 1;
                    self.remove(table, topic, some, |packet| {
                        peek(topic, packet).is_some_and(|body| body.author == author)
                    })?;
                }
                Excess::Room(topic) => {
                    let some = self.limits.per_room / SPARE + 1;
                    self.remove(table, &topic, some, |_| true)?;
                }
            }
        }
        Ok(())
    }

    /// What was taken back is not kept, and of two messages with one number the first counts. A deletion cannot be
    /// taken back.
    fn refuses(&self, topic: &Topic, body: &Body) -> bool {
        let Some(room) = self.rooms.get(topic) else {
            return false;
        };
        let again = room.said.contains_key(&self.hasher.hash_one(body.id()));
        again || (taken_back(body).is_none() && room.deleted.contains(&body.id()))
    }

    /// Removes what is older than the limits allow.
    pub fn forget_old(&mut self, table: &mut Packets<'_>, now: Millis) -> Result<(), Fault> {
        let end = now.saturating_sub(self.limits.keep);
        let rooms = self.rooms.iter().filter(|(_, room)| room.oldest < end);
        let old: Vec<Topic> = rooms.map(|(topic, _)| *topic).collect();
        for topic in old {
            while self.rooms.get(&topic).is_some_and(|room| room.oldest < end) {
                self.remove(table, &topic, 1, |_| true)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, topic: &Topic, key: &[u8], packet: &[u8]) {
        let (time, place) = (time_of(key), place_of(key));
        let bytes = packet.len() as u64;
        let body = peek(topic, packet);
        let said = body.as_ref().map(|body| self.hasher.hash_one(body.id()));
        let room = self.rooms.entry(*topic).or_default();
        room.oldest = if room.count == 0 {
            time
        } else {
            room.oldest.min(time)
        };
        room.count += 1;
        room.bytes += bytes;
        self.bytes += bytes;
        room.said.extend(said.zip(place));
        if let Some(body) = body {
            *room.authors.entry(body.author).or_default() += 1;
            room.deleted.extend(taken_back(&body));
        }
    }

    fn excess(&self, topic: &Topic, author: Option<PublicKey>) -> Option<Excess> {
        let HistoryLimits {
            per_author,
            per_room,
            room_bytes,
            bytes,
            ..
        } = self.limits;
        let room = self.rooms.get(topic)?;
        let heavy =
            author.filter(|author| room.authors.get(author).is_some_and(|n| *n > per_author));
        if let Some(author) = heavy {
            return Some(Excess::Author(author));
        }
        if room.count > per_room || room.bytes > room_bytes {
            return Some(Excess::Room(*topic));
        }
        if self.bytes > bytes {
            let heaviest = self.rooms.iter().max_by_key(|(_, room)| room.bytes);
            return heaviest.map(|(topic, _)| Excess::Room(*topic));
        }
        None
    }

    /// Removes the oldest packets of a room that are meant, at most so many.
    fn remove(
        &mut self,
        table: &mut Packets<'_>,
        topic: &Topic,
        most: u64,
        meant: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Fault> {
        let (mut gone, mut oldest) = (Vec::new(), None);
        let from = first_of(topic, 0);
        let to = first_of(topic, Millis::MAX);
        for row in table.range(from.as_slice()..=to.as_slice())? {
            let (key, packet) = row?;
            if (gone.len() as u64) < most && meant(packet.value()) {
                gone.push((key.value().to_vec(), packet.value().to_vec()));
                continue;
            }
            oldest.get_or_insert(time_of(key.value()));
            if gone.len() as u64 >= most {
                break;
            }
        }
        self.drop_rows(table, topic, gone)?;
        self.begins(topic, oldest);
        Ok(())
    }

    /// Removes the message that was taken back, if it is there.
    fn take_back(
        &mut self,
        table: &mut Packets<'_>,
        topic: &Topic,
        target: &MessageId,
    ) -> Result<(), Fault> {
        let said = self.hasher.hash_one(target);
        let room = self.rooms.get(topic);
        let Some(place) = room.and_then(|room| room.said.get(&said).copied()) else {
            return Ok(());
        };
        let meant = |packet: &[u8]| {
            peek(topic, packet)
                .is_some_and(|body| body.id() == *target && taken_back(&body).is_none())
        };
        let from = [&topic.to_bytes()[..], &place].concat();
        let to = [&from[..], &[u8::MAX; 16]].concat();
        let mut gone = Vec::new();
        for row in table.range(from.as_slice()..to.as_slice())? {
            let (key, packet) = row?;
            if meant(packet.value()) {
                gone.push((key.value().to_vec(), packet.value().to_vec()));
            }
        }
        self.drop_rows(table, topic, gone)?;
        let (from, to) = (first_of(topic, 0), first_of(topic, Millis::MAX));
        let first = table.range(from.as_slice()..=to.as_slice())?.next();
        let oldest = first.transpose()?.map(|(key, _)| time_of(key.value()));
        self.begins(topic, oldest);
        Ok(())
    }

    fn drop_rows(
        &mut self,
        table: &mut Packets<'_>,
        topic: &Topic,
        gone: Vec<Row>,
    ) -> Result<(), Fault> {
        for (key, packet) in gone {
            table.remove(key.as_slice())?;
            self.uncount(topic, &packet);
        }
        Ok(())
    }

    fn uncount(&mut self, topic: &Topic, packet: &[u8]) {
        let Some(room) = self.rooms.get_mut(topic) else {
            return;
        };
        let bytes = packet.len() as u64;
        room.count -= 1;
        room.bytes -= bytes;
        self.bytes -= bytes;
        if let Some(body) = peek(topic, packet) {
            room.said.remove(&self.hasher.hash_one(body.id()));
            let left = room.authors.entry(body.author).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                room.authors.remove(&body.author);
            }
            if let Some(target) = taken_back(&body) {
                room.deleted.remove(&target);
            }
        }
    }

    /// The oldest packet of a room is of that time, or there is none.
    fn begins(&mut self, topic: &Topic, oldest: Option<Millis>) {
        match (oldest, self.rooms.get_mut(topic)) {
            (Some(oldest), Some(room)) => room.oldest = oldest,
            _ => drop(self.rooms.remove(topic)),
        }
    }
}

/// The message that a deletion takes back.
fn taken_back(body: &Body) -> Option<MessageId> {
    match body.content {
        Content::Delete { .. } => body.touches(),
        _ => None,
    }
}

/// Where the packets of a room from a time on begin.
pub(super) fn first_of(topic: &Topic, time: Millis) -> Vec<u8> {
    [&topic.to_bytes()[..], &time.to_be_bytes()].concat()
}

pub(super) fn key_of(topic: &Topic, time: Millis, packet: &[u8]) -> Vec<u8> {
    [first_of(topic, time), packet_id(packet).to_vec()].concat()
}

fn topic_of(key: &[u8]) -> Option<Topic> {
    Topic::from_bytes(key.first_chunk::<33>()?)
}

fn place_of(key: &[u8]) -> Option<Place> {
    key.get(33..49)?.try_into().ok()
}

fn time_of(key: &[u8]) -> Millis {
    let bytes = key.get(33..41).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, Millis::from_be_bytes)
}

pub(super) fn packet_id_of(key: &[u8]) -> Option<PacketId> {
    key.get(41..)?.try_into().ok()
}
