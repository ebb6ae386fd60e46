//! What this peer has seen of others, shared by all that deal with them, and kept over a restart.
//!
//! Whoever asks a peer for something tells how that went: [`Standings::note`]. Requests for records and names do, and
//! commands; so can chat and files. It stays here: no message carries any of it.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;
use serde_json::{Value, json};

use super::outside::SharedKeepsakes;
use super::streams::Failure;
use crate::limits::STANDINGS_KEPT_EVERY;
use crate::platform;
use crate::proto::Millis;
use crate::proto::reputation::{Evidence, Ledger, Standing};
use crate::sorted::sort_short;

/// The name under which it is kept.
pub const KEPT: &str = "reputation";

/// The ledger of one peer. Cheap to clone.
#[derive(Clone, Default)]
pub struct Standings(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    ledger: Ledger,
    unsaved: bool,
    keepsakes: Option<SharedKeepsakes>,
    loaded: bool,
}

impl Standings {
    /// What a peer has kept, for whoever reads it beside that peer.
    #[cfg(feature = "server")]
    pub fn of_kept(bytes: &[u8]) -> Standings {
        let standings = Standings::default();
        standings.state().ledger = Ledger::from_bytes(bytes);
        standings
    }

    /// Something was seen of a peer.
    pub fn note(&self, peer: &PeerId, evidence: Evidence) {
        let mut state = self.state();
        state
            .ledger
            .note(&peer.to_bytes(), evidence, platform::now());
        state.unsaved = true;
    }

    /// What is known of a peer.
    pub fn of(&self, peer: &PeerId) -> Standing {
        self.state()
            .ledger
            .standing(&peer.to_bytes(), platform::now())
    }

    /// Everybody of whom something is known, the most trusted first.
    pub fn all(&self) -> Vec<(PeerId, Standing)> {
        let (state, now) = (self.state(), platform::now());
        let known = state.ledger.peers().filter_map(|peer| {
            let standing = state.ledger.standing(peer, now);
            Some((PeerId::from_bytes(peer).ok()?, standing))
        });
        let mut all: Vec<_> = known.collect();
        sort_short(&mut all, |(_, one), (_, other)| {
            other.trust().cmp(&one.trust())
        });
        all
    }

    /// How asking a peer went, begun at that time.
    pub(super) fn asked(&self, peer: &PeerId, began: Millis, failure: Option<&Failure>) {
        let evidence = match failure {
            None => Evidence::Answered(platform::now().saturating_sub(began)),
            Some(Failure::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                Evidence::Violated
            }
            Some(Failure::Timeout | Failure::ConnectionClosed | Failure::Io(_)) => Evidence::Failed,
            // Nothing that it did: who cannot be reached may be asleep, or this peer is.
            Some(_) => return,
        };
        self.note(peer, evidence);
    }

    /// A peer asked for something in a way that ended with this error: what no peer says breaks the protocol.
    pub(super) fn asks(&self, peer: &PeerId, error: &std::io::Error) {
        if error.kind() == ErrorKind::InvalidData {
            self.note(peer, Evidence::Violated);
        }
    }

    /// Of these peers the one that is trusted least, if any of them did more harm than good.
    #[cfg(feature = "server")]
    pub(super) fn worst(&self, among: impl Fn(&PeerId) -> bool) -> Option<PeerId> {
        let (state, now) = (self.state(), platform::now());
        let stranger = Standing::default().trust();
        let known = state.ledger.peers().filter_map(|bytes| {
            let peer = PeerId::from_bytes(bytes).ok()?;
            let trust = state.ledger.standing(bytes, now).trust();
            (trust < stranger && among(&peer)).then_some((trust, peer))
        });
        known.min_by_key(|(trust, _)| *trust).map(|(_, peer)| peer)
    }

    /// Takes over what was kept, and keeps what is seen from now on, until nobody has this any more.
    pub(super) fn keep(&self, keepsakes: SharedKeepsakes) {
        self.state().keepsakes = Some(keepsakes);
        let (standings, weak) = (self.clone(), Arc::downgrade(&self.0));
        platform::spawn(async move {
            standings.load().await;
            drop(standings);
            loop {
                platform::sleep(STANDINGS_KEPT_EVERY).await;
                match weak.upgrade() {
                    Some(state) => Standings(state).save().await,
                    None => return,
                }
            }
        });
    }

    /// Returns when what was kept is known, too.
    pub async fn load(&self) {
        let keepsakes = {
            let state = self.state();
            match &state.keepsakes {
                Some(keepsakes) if !state.loaded => keepsakes.clone(),
                _ => return,
            }
        };
        let kept = keepsakes.load(KEPT.into()).await;
        let kept = kept.inspect_err(|error| {
            tracing::error!(%error, "what was known of other peers is lost");
        });
        let mut state = self.state();
        // Of two that load at once the second changes nothing.
        state.loaded = true;
        if let Ok(Some(bytes)) = kept {
            state.ledger.adopt(Ledger::from_bytes(&bytes));
        }
    }

    /// Saves what is not saved yet.
    pub(super) async fn save(&self) {
        let (bytes, keepsakes) = {
            let mut state = self.state();
            let unsaved = std::mem::take(&mut state.unsaved);
            match (&state.keepsakes, unsaved) {
                (Some(keepsakes), true) => (state.ledger.to_bytes(), keepsakes.clone()),
                _ => return,
            }
        };
        if let Err(error) = keepsakes.save(KEPT.into(), bytes).await {
            tracing::error!(%error, "what is known of other peers could not be kept");
            self.state().unsaved = true;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standing for people and programs.
pub fn standing_value(peer: &PeerId, standing: &Standing) -> Value {
    json!({
        "id": peer.to_string(),
        "trust": standing.trust() as f64 / 1_000.0,
        "answers": standing.answers,
        "failures": standing.failures,
        "invalid": standing.invalid,
        "violations": standing.violations,
        "verifiedBytes": standing.verified,
        "latencyMs": standing.latency,
        "seen": (standing.seen > 0).then_some(standing.seen),
    })
}

#[cfg(all(test, feature = "server", not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_one_that_did_harm() {
        let standings = Standings::default();
        let [good, bad, worse, elsewhere] = [(); 4].map(|()| PeerId::random());
        standings.note(&good, Evidence::Answered(1));
        assert_eq!(standings.worst(|_| true), None);
        standings.note(&bad, Evidence::Failed);
        standings.note(&worse, Evidence::Violated);
        standings.note(&elsewhere, Evidence::Violated);
        standings.note(&elsewhere, Evidence::Violated);
        assert_eq!(standings.worst(|_| true), Some(elsewhere));
        assert_eq!(standings.worst(|peer| *peer != elsewhere), Some(worse));
        assert_eq!(standings.worst(|peer| *peer == good), None);
    }

    #[test]
    fn only_what_no_peer_says_is_held_against_who_asks() {
        let (standings, peer) = (Standings::default(), PeerId::random());
        for kind in [
            ErrorKind::UnexpectedEof,
            ErrorKind::TimedOut,
            ErrorKind::Other,
        ] {
            standings.asks(&peer, &kind.into());
        }
        assert_eq!(standings.of(&peer), Standing::default());
        standings.asks(&peer, &ErrorKind::InvalidData.into());
        assert_eq!(standings.of(&peer).violations, 1);
    }
}
