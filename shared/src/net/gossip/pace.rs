//! How fast a relay reads what peers say about topics: whoever has more to say waits in its own connection,
//! where it costs this relay nothing.
//!
//! Knows weights, names of topics and time. Nothing is lost here: what is too much is read later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits;
use crate::proto::Millis;
use crate::proto::chat::rates::Rate;

/// Something to be spent that may be overdrawn once, and is then waited for.
#[derive(Debug)]
struct Purse {
    rate: Rate,
    /// In thousandths.
    left: i64,
    since: Millis,
}

impl Purse {
    fn new(rate: Rate, now: Millis) -> Purse {
        Purse {
            rate,
            left: i64::from(rate.burst) * 1_000,
            since: now,
        }
    }

    /// Spends so much; how long to wait before what it was for is looked at.
    fn spend(&mut self, weight: u32, now: Millis) -> Millis {
        let Rate { burst, per_second } = self.rate;
        let passed = i64::try_from(now.saturating_sub(self.since)).unwrap_or(i64::MAX);
        let refilled = passed.saturating_mul(i64::from(per_second));
        let full = i64::from(burst) * 1_000;
        self.left = self.left.saturating_add(refilled).min(full) - i64::from(weight) * 1_000;
        self.since = now;
        let missing = self.left.min(0).unsigned_abs();
        missing.div_ceil(u64::from(per_second).max(1))
    }
}

/// What one peer may say in one topic.
const VOICE: Rate = Rate {
    burst: limits::CHAT_BURST,
    per_second: limits::CHAT_VOICE_PER_SECOND,
};

/// What all peers of one address may say together; once one of them was cut off, no more than one peer may.
pub struct Address {
    purse: Purse,
    strict_until: Millis,
}

/// Cheap to clone.
pub type SharedAddress = Arc<Mutex<Address>>;

impl Address {
    pub fn new(now: Millis) -> Address {
        Address {
            purse: Purse::new(many(limits::CHAT_ADDRESS_SHARE), now),
            strict_until: 0,
        }
    }

    /// One of its peers was cut off.
    pub fn restrain(&mut self, until: Millis, now: Millis) {
        if self.strict_until <= now {
            self.purse = Purse::new(many(1), now);
        }
        self.strict_until = until;
    }

    /// Whether it has to be remembered.
    pub fn is_strict(&self, now: Millis) -> bool {
        self.strict_until > now
    }

    fn spend(&mut self, weight: u32, now: Millis) -> Millis {
        if self.strict_until != 0 && !self.is_strict(now) {
            *self = Address::new(now);
        }
        self.purse.spend(weight, now)
    }
}

/// What one peer may say, on all its connections.
pub struct Speaker {
    purse: Purse,
    /// What it may say in each topic, by a hash.
    voices: HashMap<u64, Purse>,
    relay: bool,
}

/// Cheap to clone.
pub type SharedSpeaker = Arc<Mutex<Speaker>>;

impl Speaker {
    pub fn new(now: Millis) -> Speaker {
        Speaker {
            purse: Purse::new(many(1), now),
            voices: HashMap::new(),
            relay: false,
        }
    }

    /// A packet in a topic; how long it has to wait.
    fn speaks(&mut self, topic: u64, now: Millis) -> Millis {
        // Whoever names so many only to be forgotten has spent more on them than it gains.
        if self.voices.len() >= limits::MAX_TOPICS_PER_PEER && !self.voices.contains_key(&topic) {
            self.voices.clear();
        }
        let fresh = || Purse {
            rate: VOICE,
            left: i64::from(limits::CHAT_VOICE_FIRST) * 1_000,
            since: now,
        };
        let voice = self.voices.entry(topic).or_insert_with(fresh);
        voice.spend(1, now)
    }

    /// It speaks for many, as far as is known.
    pub fn is_relay(&mut self, now: Millis) {
        if !self.relay {
            self.relay = true;
            self.purse = Purse::new(many(limits::CHAT_RELAY_SHARE), now);
        }
    }
}

/// How long something is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    pub time: Millis,
    /// Whether that is because of how much was said in one topic.
    pub in_one: bool,
}

/// How long what a peer has said, in these topics on a connection from that address, is not looked at.
pub fn wait(
    speaker: &SharedSpeaker,
    address: Option<&SharedAddress>,
    weight: u32,
    topics: impl Iterator<Item = u64>,
    now: Millis,
) -> Wait {
    let mut speaker = locked(speaker);
    let own = speaker.purse.spend(weight, now);
    // What is behind a relay was counted there.
    if speaker.relay {
        return Wait {
            time: own,
            in_one: false,
        };
    }
    let voices = topics.map(|topic| speaker.speaks(topic, now)).max();
    let voices = voices.unwrap_or(0);
    let shared = address.map_or(0, |address| locked(address).spend(weight, now));
    Wait {
        time: own.max(shared).max(voices),
        in_one: voices > 0,
    }
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn many(share: u32) -> Rate {
    Rate {
        burst: limits::CHAT_READ_BURST * share,
        per_second: limits::CHAT_READ_PER_SECOND * share,
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::iter::{empty, once};

    use super::*;

    const BURST: u32 = limits::CHAT_READ_BURST;
    const PER_SECOND: u32 = limits::CHAT_READ_PER_SECOND;

    fn shared<T>(one: T) -> Arc<Mutex<T>> {
        Arc::new(Mutex::new(one))
    }

    /// How much is read of somebody within so many milliseconds, when there is always more.
    fn read(speaker: &SharedSpeaker, address: Option<&SharedAddress>, from: Millis) -> u32 {
        let (mut now, mut read) = (from, 0);
        loop {
            now += wait(speaker, address, 1, empty(), now).time;
            if now >= from + 1_000 {
                return read;
            }
            read += 1;
        }
    }

    #[test]
    fn a_burst_is_read_at_once_and_then_so_much_in_a_second() {
        let speaker = shared(Speaker::new(0));
        let most = BURST + PER_SECOND;
        let read_at_first = read(&speaker, None, 0);
        assert!(
            (most - 2..=most).contains(&read_at_first),
            "{read_at_first}"
        );
        let relay = shared(Speaker::new(0));
        locked(&relay).is_relay(0);
        let most = most * limits::CHAT_RELAY_SHARE;
        assert!(read(&relay, None, 0) > most / 2);
    }

    #[test]
    fn what_weighs_much_is_waited_for_and_a_clock_set_back_does_no_harm() {
        let speaker = shared(Speaker::new(5_000));
        let waits = |weight, now| wait(&speaker, None, weight, empty(), now).time;
        assert_eq!(waits(BURST + PER_SECOND, 5_000), 1_000);
        assert!(waits(1, 0) > 1_000);
        assert_eq!(waits(0, 60_000), 0);
    }

    #[test]
    fn a_newcomer_fills_no_topic_and_what_it_says_in_many_is_read_sooner() {
        let mut heard = [0, 0];
        for (heard, topics) in heard.iter_mut().zip([1, 20]) {
            let speaker = shared(Speaker::new(0));
            let mut now = 0;
            for topic in (0..topics).cycle() {
                let wait = wait(&speaker, None, 1, once(topic), now);
                assert_eq!(wait.in_one, wait.time > 0 && topics == 1);
                now += wait.time;
                if now >= 1_000 {
                    break;
                }
                *heard += 1;
            }
        }
        let most = limits::CHAT_VOICE_FIRST + limits::CHAT_VOICE_PER_SECOND;
        assert!((most - 2..=most).contains(&heard[0]), "{heard:?}");
        assert!((BURST + PER_SECOND - 2..).contains(&heard[1]), "{heard:?}");
        // Whoever was silent for a while may say more at once.
        let speaker = shared(Speaker::new(0));
        let said = |now| wait(&speaker, None, 1, once(7), now).time;
        said(0);
        assert!((0..limits::CHAT_BURST).all(|_| said(10_000) == 0));
        assert_ne!(said(10_000), 0);
    }

    #[test]
    fn topics_that_are_named_take_no_room_for_ever() {
        let speaker = shared(Speaker::new(0));
        for topic in 0..10_000 {
            wait(&speaker, None, 1, once(topic), topic);
        }
        assert!(locked(&speaker).voices.len() <= limits::MAX_TOPICS_PER_PEER);
    }

    #[test]
    fn peers_of_one_address_share_and_as_one_peer_when_one_was_cut_off() {
        let address = shared(Address::new(0));
        // Fifty peers that always have more to say, for a second.
        let flood = |from: Millis| -> u32 {
            let mut peers: Vec<_> = (0..50)
                .map(|_| (shared(Speaker::new(from)), from))
                .collect();
            let mut read = 0;
            for now in from..from + 1_000 {
                for (speaker, due) in &mut peers {
                    while *due == now {
                        *due += wait(speaker, Some(&address), 1, empty(), now).time;
                        read += u32::from(*due < from + 1_000);
                    }
                }
            }
            read
        };
        let most = (BURST + PER_SECOND) * limits::CHAT_ADDRESS_SHARE;
        let read = flood(0);
        assert!(read > most / 2 && read <= most, "{read} of {most}");
        locked(&address).restrain(700_000, 100_000);
        assert!(locked(&address).is_strict(100_000));
        let read = flood(100_000);
        assert!(read > 0 && read <= BURST + PER_SECOND, "{read}");
        // And no longer than that.
        assert!(!locked(&address).is_strict(700_000));
        assert!(flood(700_000) > most / 2);
    }
}
