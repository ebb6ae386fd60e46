//! Peers that were cut off, and until when; and addresses from which many were. Only relays cut peers off;
//! elsewhere nobody is remembered.

use std::net::IpAddr;

use libp2p::PeerId;
use libp2p::swarm::ConnectionDenied;

#[derive(Default)]
pub(super) struct Barred {
    #[cfg(feature = "server")]
    until: std::collections::HashMap<PeerId, crate::proto::Millis>,
    /// How often somebody of an address was cut off, and until when that counts.
    #[cfg(feature = "server")]
    often: std::collections::HashMap<super::Subscriber, (u32, crate::proto::Millis)>,
}

#[cfg(not(feature = "server"))]
impl Barred {
    pub fn refuse(&self, _: &PeerId) -> Result<(), ConnectionDenied> {
        Ok(())
    }

    pub fn refuses(&self, _: IpAddr) -> bool {
        false
    }
}

#[cfg(feature = "server")]
mod remembered {
    use std::fmt;

    use super::super::Subscriber;
    use super::*;
    use crate::limits::{CHAT_CUT_OFF_PER_ADDRESS, MAX_BARRED};
    use crate::platform;
    use crate::proto::Millis;

    /// This peer was cut off a while ago.
    #[derive(Debug)]
    struct CutOff;

    impl fmt::Display for CutOff {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("this peer was cut off for what it did")
        }
    }

    impl std::error::Error for CutOff {}

    impl Barred {
        /// Those whose time is over first make room, then those whose time is over next.
        pub fn add(&mut self, peer: PeerId, until: Millis) {
            if self.until.len() >= MAX_BARRED {
                let now = platform::now();
                self.until.retain(|_, until| *until > now);
            }
            if self.until.len() >= MAX_BARRED {
                let first = self.until.iter().min_by_key(|(_, until)| **until);
                let first = first.map(|(peer, _)| *peer);
                first.and_then(|peer| self.until.remove(&peer));
            }
            self.until.insert(peer, until);
        }

        /// As [`Barred::add`], for an address.
        pub fn add_often(&mut self, subscriber: Subscriber, until: Millis) {
            let now = platform::now();
            if self.often.len() >= MAX_BARRED {
                self.often.retain(|_, (_, until)| *until > now);
            }
            if self.often.len() >= MAX_BARRED {
                let first = self.often.iter().min_by_key(|(_, (_, until))| *until);
                let first = first.map(|(subscriber, _)| *subscriber);
                first.and_then(|subscriber| self.often.remove(&subscriber));
            }
            let known = self.often.get(&subscriber);
            let times = known
                .filter(|(_, until)| *until > now)
                .map_or(0, |(times, _)| *times);
            self.often.insert(subscriber, (times + 1, until));
        }

        pub fn refuses(&self, ip: IpAddr) -> bool {
            let known = Subscriber::of(ip).and_then(|subscriber| self.often.get(&subscriber));
            known.is_some_and(|(times, until)| {
                *times >= CHAT_CUT_OFF_PER_ADDRESS && *until > platform::now()
            })
        }

        pub fn refuse(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
            let until = self.until.get(peer);
            match until.is_some_and(|until| *until > platform::now()) {
                true => Err(ConnectionDenied::new(CutOff)),
                false => Ok(()),
            }
        }
    }

    #[cfg(all(test, not(target_family = "wasm")))]
    mod tests {
        use super::*;

        #[test]
        fn who_was_cut_off_stays_out_until_its_time_is_over_and_few_are_remembered() {
            let mut barred = Barred::default();
            let [one, two] = [PeerId::random(), PeerId::random()];
            let now = platform::now();
            barred.add(one, now + 60_000);
            barred.add(two, now);
            assert!(barred.refuse(&one).is_err());
            assert!(barred.refuse(&two).is_ok());
            for _ in 0..2 * MAX_BARRED {
                barred.add(PeerId::random(), now + 120_000);
                assert!(barred.until.len() <= MAX_BARRED);
            }
            assert!(barred.refuse(&one).is_ok(), "the first to be let in");
        }

        #[test]
        fn an_address_stays_out_when_many_of_it_were_cut_off_and_others_do_not() {
            let mut barred = Barred::default();
            let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
            let [bad, other, proxy] = ["198.51.100.1", "198.51.100.2", "127.0.0.1"].map(ip);
            let (subscriber, now) = (Subscriber::of(bad).unwrap(), platform::now());
            assert_eq!(Subscriber::of(proxy), None);
            for _ in 0..CHAT_CUT_OFF_PER_ADDRESS {
                assert!(!barred.refuses(bad), "one bad tab bars nobody else");
                barred.add_often(subscriber, now + 60_000);
            }
            assert!(barred.refuses(bad));
            assert!(!barred.refuses(other) && !barred.refuses(proxy));
            // What is long ago does not count.
            for _ in 0..2 * CHAT_CUT_OFF_PER_ADDRESS {
                barred.add_often(Subscriber::of(other).unwrap(), now);
            }
            assert!(!barred.refuses(other));
            for number in 0..2 * MAX_BARRED as u32 {
                let one = Subscriber::V4(number.to_be_bytes());
                barred.add_often(one, now + 120_000);
                assert!(barred.often.len() <= MAX_BARRED);
            }
            assert!(!barred.refuses(bad), "the first to be let in");
        }
    }
}
