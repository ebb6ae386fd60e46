//! Which version a dial begins with: what a server understands can only be found out by calling it.

use std::collections::HashMap;

use super::fingerprint::Fingerprint;
use super::ufrag::Version;

/// Servers remembered: more than a peer meets in its life.
const MAX_KNOWN: usize = 256;

/// What the servers of earlier dials understood, by certificate.
#[derive(Debug, Default)]
pub struct Versions {
    known: HashMap<Fingerprint, Version>,
}

/// The calls of one dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first call.
    pub first: Version,
    /// What to try beside it when the first stays unanswered for a moment. Servers are silent about
    /// versions they do not know.
    pub beside: Option<Version>,
}

impl Versions {
    /// How to call a server. One that has understood version 2 is not called with version 1 any
    /// more: it would only be a second connection to a server that is away.
    pub fn plan(&self, server: &Fingerprint) -> Plan {
        let (first, beside) = match self.known.get(server) {
            None => (Version::V2, Some(Version::V1)),
            Some(Version::V2) => (Version::V2, None),
            // It may have been updated since.
            Some(Version::V1) => (Version::V1, Some(Version::V2)),
        };
        Plan { first, beside }
    }

    /// A server has understood this version.
    pub fn learn(&mut self, server: Fingerprint, version: Version) {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&server) {
            self.known.clear();
        }
        self.known.insert(server, version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_begin_with_what_was_understood() {
        let server = Fingerprint::new([1; 32]);
        let mut versions = Versions::default();
        let plan = |versions: &Versions| {
            let Plan { first, beside } = versions.plan(&server);
            (first, beside)
        };
        assert_eq!(plan(&versions), (Version::V2, Some(Version::V1)));
        versions.learn(Fingerprint::new([2; 32]), Version::V1);
        assert_eq!(plan(&versions), (Version::V2, Some(Version::V1)));
        versions.learn(server, Version::V1);
        assert_eq!(plan(&versions), (Version::V1, Some(Version::V2)));
        versions.learn(server, Version::V2);
        assert_eq!(plan(&versions), (Version::V2, None));
    }

    #[test]
    fn memory_is_bounded() {
        let mut versions = Versions::default();
        for number in 0..10_000_u16 {
            let mut digest = [0; 32];
            digest[..2].copy_from_slice(&number.to_be_bytes());
            versions.learn(Fingerprint::new(digest), Version::V1);
            assert!(versions.known.len() <= MAX_KNOWN);
        }
    }
}
