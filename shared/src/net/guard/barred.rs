//! Peers that were cut off, and until when. Only relays cut peers off; elsewhere nobody is remembered.

use libp2p::PeerId;
use libp2p::swarm::ConnectionDenied;

#[derive(Default)]
pub(super) struct Barred {
    #[cfg(feature = "server")]
    until: std::collections::HashMap<PeerId, crate::proto::Millis>,
}

#[cfg(not(feature = "server"))]
impl Barred {
    pub fn refuse(&self, _: &PeerId) -> Result<(), ConnectionDenied> {
        Ok(())
    }
}

#[cfg(feature = "server")]
mod remembered {
    use std::fmt;

    use super::*;
    use crate::limits::MAX_BARRED;
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
    }
}
