//! A room with many members under virtual time, from a seed: packets are lost, members come and go,
//! silently too, and no relay keeps anything.

mod relays;
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::relays::Relays;
use super::history::{Answer, Request};
use super::keys::RoomRef;
use super::*;
use crate::proto::Millis;
use crate::proto::key::SigningKey;
use crate::proto::prng::Prng;

const START: Millis = 1_700_000_000_000;

/// A device: what it keeps survives, the room does not.
pub(super) struct Device {
    key: SigningKey,
    session: u64,
    kept: BTreeMap<PacketId, Vec<u8>>,
    /// Entered, until it leaves or vanishes.
    pub room: Option<Room>,
    /// How often it was started.
    life: u64,
    /// Messages that this life was told of.
    told: BTreeSet<String>,
    pub events: Vec<(Millis, RoomEvent)>,
    /// When the room wants to be looked at.
    wake: Millis,
}

#[derive(Debug)]
enum Arrival {
    Packet(usize, Vec<u8>),
    Question(usize, usize, Request),
    Answer(usize, usize, Option<Answer>),
}

pub(super) struct Sim {
    seed: u64,
    pub random: Prng,
    pub now: Millis,
    pub devices: Vec<Device>,
    under_way: BTreeMap<(Millis, u64), (u64, Arrival)>,
    sent: u64,
    /// So many of a hundred packets and requests are lost.
    pub loss: u64,
    secret: Option<[u8; 16]>,
    pub requests: usize,
    /// Who has asked whom.
    pub asked: BTreeSet<(usize, usize)>,
    /// What packets pass; nothing, if everybody hears everybody.
    pub relays: Option<Relays>,
}

impl Sim {
    pub fn new(seed: u64, devices: usize) -> Sim {
        let mut random = Prng::new(seed);
        let device = |number: usize| Device {
            key: SigningKey::from_seed([number as u8 + 1; 32]),
            session: random.next_u64(),
            kept: BTreeMap::new(),
            room: None,
            life: 0,
            told: BTreeSet::new(),
            events: Vec::new(),
            wake: Millis::MAX,
        };
        let devices = (0..devices).map(device).collect();
        Sim {
            seed,
            random: Prng::new(seed ^ 0xabcd),
            now: START,
            devices,
            under_way: BTreeMap::new(),
            sent: 0,
            loss: 0,
            secret: (seed % 2 == 1).then_some([seed as u8; 16]),
            requests: 0,
            asked: BTreeSet::new(),
            relays: None,
        }
    }

    /// A device starts, with what it kept, and enters.
    pub fn start(&mut self, number: usize) {
        let keys = RoomRef::new("sim", self.secret).unwrap();
        let keys = keys.keys(&"test".parse().unwrap());
        let device = &mut self.devices[number];
        device.life += 1;
        device.told.clear();
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(self.seed ^ (device.life << 32) ^ number as u64).to_be_bytes());
        let config = RoomConfig {
            keys,
            author: device.key.clone(),
            nick: format!("n{number}"),
            peer: vec![number as u8],
            session: device.session,
            seed,
        };
        let mut room = Room::new(config).unwrap();
        let kept = device.kept.values().cloned().collect();
        if !room.restore(kept, Stamp::default(), self.now) {
            // It never spoke, or nothing of that is left.
            device.session = self.random.next_u64();
            room.abandon(device.session);
        }
        room.enter(self.now);
        device.room = Some(room);
        self.drain(number);
    }

    /// A device vanishes; what it was about to do is not done.
    pub fn vanish(&mut self, number: usize) {
        self.devices[number].room = None;
    }

    /// A device leaves properly.
    pub fn leave(&mut self, number: usize) {
        if let Some(room) = &mut self.devices[number].room {
            room.leave(self.now);
        }
        self.drain(number);
        self.devices[number].room = None;
    }

    /// A device loses what it kept, and takes a new session.
    pub fn wipe(&mut self, number: usize) {
        self.devices[number].kept.clear();
        self.devices[number].session = self.random.next_u64();
    }

    pub fn say(&mut self, number: usize, content: Content) -> Option<MessageId> {
        let now = self.now;
        let device = &mut self.devices[number];
        let room = device.room.as_mut()?;
        let (id, packet) = room.draft(content, now).ok()?;
        device.kept.insert(id, packet);
        let said = room.commit(now).unwrap();
        self.drain(number);
        Some(said)
    }

    pub fn present(&self) -> Vec<usize> {
        let all = 0..self.devices.len();
        all.filter(|one| self.devices[*one].room.is_some())
            .collect()
    }

    fn send(&mut self, to: usize, arrival: Arrival) {
        let at = self.now + 5 + self.random.below(150);
        self.sent += 1;
        let life = self.devices[to].life;
        self.under_way.insert((at, self.sent), (life, arrival));
    }

    fn lost(&mut self) -> bool {
        self.random.below(100) < self.loss
    }

    /// Does what a room wants done.
    fn drain(&mut self, number: usize) {
        let room = |sim: &mut Sim| sim.devices[number].room.as_mut().and_then(Room::poll);
        while let Some(output) = room(self) {
            match output {
                Output::Publish(packet) => self.publish(number, &packet),
                Output::Keep(id, packet) => {
                    self.devices[number].kept.insert(id, packet);
                }
                Output::Forget(id) => {
                    self.devices[number].kept.remove(&id);
                }
                Output::Ask(peer, request) => {
                    self.requests += 1;
                    let to = usize::from(peer[0]);
                    self.asked.insert((number, to));
                    self.send(to, Arrival::Question(number, to, request));
                }
                Output::Blame(peer) => panic!("seed {}: {peer:?} is blamed", self.seed),
                Output::Event(event) => self.told(number, event),
            }
        }
        let device = &mut self.devices[number];
        device.wake = device.room.as_ref().map_or(Millis::MAX, Room::wake);
    }

    fn publish(&mut self, from: usize, packet: &[u8]) {
        let reached = match self.relays.take() {
            Some(relays) => {
                let reached = relays.reached(from, || self.lost());
                self.relays = Some(relays);
                reached
            }
            None => {
                let mut all: Vec<usize> = (0..self.devices.len()).collect();
                // Some come twice.
                let twice = self.loss.min(100 - self.loss);
                let again = all.iter().copied();
                let again: Vec<usize> = again.filter(|_| self.random.below(100) < twice).collect();
                all.retain(|_| !self.lost());
                [all, again].concat()
            }
        };
        for to in reached {
            if to != from && self.devices[to].room.is_some() {
                self.send(to, Arrival::Packet(to, packet.to_vec()));
            }
        }
    }

    fn told(&mut self, number: usize, event: RoomEvent) {
        let seed = self.seed;
        let device = &mut self.devices[number];
        if let RoomEvent::Message { message } = &event {
            assert!(
                device.told.insert(message.id.clone()),
                "seed {seed}: told twice"
            );
        }
        device.events.push((self.now, event));
    }

    /// Lets so much time pass.
    pub fn run(&mut self, duration: Millis) {
        let end = self.now + duration;
        loop {
            let there = self.devices.iter().filter(|device| device.room.is_some());
            let due = there.map(|device| device.wake).min();
            let arrival = self.under_way.keys().next().map(|(at, _)| *at);
            let next = due.into_iter().chain(arrival).min();
            // Nothing, when nobody is there.
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            match self.under_way.first_key_value() {
                Some(((at, _), _)) if *at <= self.now => {
                    let (_, (life, arrival)) = self.under_way.pop_first().unwrap();
                    self.arrive(life, arrival);
                }
                _ => self.tick(),
            }
        }
    }

    fn tick(&mut self) {
        for number in self.present() {
            let now = self.now;
            let device = &mut self.devices[number];
            if let Some(room) = device.room.as_mut().filter(|_| device.wake <= now) {
                room.tick(now);
                assert!(room.wake() > now, "seed {}: never rests", self.seed);
                self.drain(number);
            }
        }
    }

    fn arrive(&mut self, life: u64, arrival: Arrival) {
        let now = self.now;
        match arrival {
            Arrival::Packet(to, packet) => {
                let device = &mut self.devices[to];
                if let Some(room) = device.room.as_mut().filter(|_| device.life == life) {
                    room.received(packet, now).expect("a packet of a member");
                    self.drain(to);
                }
            }
            Arrival::Question(from, to, request) => {
                let request = Request::decode(&request.encode()).unwrap();
                let room = self.devices[to].room.as_ref();
                let answer = room.map(|room| room.answer(&request));
                let apart = self
                    .relays
                    .as_ref()
                    .is_some_and(|all| all.are_apart(from, to));
                let answer = answer.filter(|_| !apart && self.random.below(100) >= self.loss);
                self.send(from, Arrival::Answer(from, to, answer));
            }
            Arrival::Answer(to, from, answer) => {
                let device = &mut self.devices[to];
                if let Some(room) = device.room.as_mut().filter(|_| device.life == life) {
                    let answer = answer.map(|answer| Answer::decode(&answer.encode()).unwrap());
                    room.answered(&vec![from as u8], answer, now);
                    self.drain(to);
                }
            }
        }
    }

    fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.devices.iter().filter_map(|one| one.room.as_ref())
    }

    /// Whether everybody who is there has so many messages.
    pub fn all_have(&self, count: usize) -> bool {
        let mut rooms = self.rooms();
        rooms.all(|room| room.log().digest().count as usize == count)
    }

    /// Whether everybody who is there knows of everybody else who is.
    pub fn all_know_all(&self) -> bool {
        let others = self.rooms().count() - 1;
        self.rooms().all(|room| room.holds().members == others)
    }

    /// Everybody who is there has the same, and lacks nothing.
    pub fn check(&self) -> usize {
        let seed = self.seed;
        let mut seen: Option<(log::Digest, Vec<Entry>)> = None;
        for number in self.present() {
            let room = self.devices[number].room.as_ref().unwrap();
            let mut entries = room.history(None, usize::MAX).unwrap();
            entries.iter_mut().for_each(|entry| entry.mine = false);
            let own = (room.log().digest(), entries);
            assert_eq!(
                room.missing(),
                0,
                "seed {seed}: device {number} lacks messages"
            );
            let expected = seen.get_or_insert_with(|| own.clone());
            assert_eq!(expected.0, own.0, "seed {seed}: device {number}");
            assert!(
                expected.1 == own.1,
                "seed {seed}: device {number} shows something else"
            );
            assert_eq!(
                room.members().len(),
                self.present().len() - 1,
                "seed {seed}"
            );
        }
        seen.map_or(0, |(digest, _)| digest.count as usize)
    }
}
