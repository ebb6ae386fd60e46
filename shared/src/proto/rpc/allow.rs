//! Who may call a method.

/// A rule. It names whom it lets in, in any of three ways; the one that is there from the start names nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Everybody.
    pub anyone: bool,
    /// Peers, by their ids in bytes.
    pub peers: Vec<Vec<u8>>,
    /// Peers that prove in their records to run for one of these authors.
    pub authors: Vec<[u8; 32]>,
    /// Whoever is listed in one of these namespaces. Anybody can list itself.
    pub namespaces: Vec<String>,
}

/// What a rule says of a caller of whom only the id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may call.
    Yes,
    /// It may not.
    No,
    /// That depends on its record, or on the lists of members.
    LookItUp,
}

impl Allow {
    /// Everybody may call.
    pub fn anyone() -> Allow {
        Allow {
            anyone: true,
            ..Allow::default()
        }
    }

    /// Judges by the id alone.
    pub fn judge(&self, peer: &[u8]) -> Verdict {
        if self.anyone || self.peers.iter().any(|known| known == peer) {
            Verdict::Yes
        } else if self.authors.is_empty() && self.namespaces.is_empty() {
            Verdict::No
        } else {
            Verdict::LookItUp
        }
    }
}
