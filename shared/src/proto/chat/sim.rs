//! A room with many members under virtual time, from a seed: packets are lost, members come and go,
//! silently too, and no relay keeps anything.

mod tests;

use std::collections::{BTreeMap, BTreeSet};

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
        assert!(room.restore(kept, Stamp::default(), self.now));
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
                Output::Publish(packet) => {
                    for to in self.present().into_iter().filter(|to| *to != number) {
                        if !self.lost() {
                            self.send(to, Arrival::Packet(to, packet.clone()));
                        }
                        // Some come twice.
                        if self.random.below(100) < self.loss.min(100 - self.loss) {
                            self.send(to, Arrival::Packet(to, packet.clone()));
                        }
                    }
                }
                Output::Keep(id, packet) => {
                    self.devices[number].kept.insert(id, packet);
                }
                Output::Forget(id) => {
                    self.devices[number].kept.remove(&id);
                }
                Output::Ask(peer, request) => {
                    self.requests += 1;
                    let to = usize::from(peer[0]);
                    self.send(to, Arrival::Question(number, to, request));
                }
                Output::Blame(peer) => panic!("seed {}: {peer:?} is blamed", self.seed),
                Output::Event(event) => self.told(number, event),
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
            let wake = |device: &Device| device.room.as_ref().map(Room::wake);
            let due = self.devices.iter().filter_map(wake).min();
            let arrival = self.under_way.keys().next().map(|(at, _)| *at);
            let next = due.into_iter().chain(arrival).min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
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
            let room = self.devices[number].room.as_mut().unwrap();
            if room.wake() <= now {
                room.tick(now);
                assert!(room.wake() > now, "seed {}: never rests", self.seed);
            }
            self.drain(number);
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
                let answer = answer.filter(|_| self.random.below(100) >= self.loss);
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

    /// Everybody who is there has the same, and lacks nothing.
    pub fn check(&self) -> usize {
        let seed = self.seed;
        let mut seen: Option<(log::Digest, Vec<Entry>)> = None;
        for number in self.present() {
            let room = self.devices[number].room.as_ref().unwrap();
            let mut entries = room.history(None, usize::MAX);
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
