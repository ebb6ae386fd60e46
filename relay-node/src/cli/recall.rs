//! What `warren resolve --data-dir` knows without asking: a name that an earlier command resolved and
//! that is still fresh is given without the network, checked as if it had just come.

use std::path::Path;

use serde::Serialize;
use warren_shared::error::Result;
use warren_shared::platform;
use warren_shared::proto::names::resolution::Resolution;
use warren_shared::proto::names::resolver::floors::Floors;
use warren_shared::proto::names::resolver::{Options, Output, Resolver, kept};
use warren_shared::proto::names::{KnownSets, Name};

use crate::identity::DataDir;
use crate::keepsakes::Keepsakes;
use crate::met::Met;
use crate::peer::PeerArgs;

/// An answer that is kept, and of which network.
#[derive(Serialize)]
pub(super) struct Recalled {
    #[serde(flatten)]
    pub found: Box<Resolution>,
    pub network: String,
    /// False: nobody was asked.
    pub asked: bool,
}

/// The fresh answer that is kept in the folder; nothing if there is none, or it is not clear which of the
/// networks known there is meant: by its name, by the relays that are named, or as the only one.
pub(super) fn recall(
    folder: &Path,
    peer: &PeerArgs,
    name: &Name,
    options: Options,
) -> Result<Option<Recalled>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let data = DataDir::open(folder)?;
    let keepsakes = Keepsakes::in_dir(data.path())?;
    let mut sets = keepsakes.all("names-sets-")?;
    let (relays, met) = (peer.relays(), Met::among(&keepsakes)?);
    sets.retain(|known, _| match &peer.network {
        Some(wanted) => wanted == known,
        None => relays.is_empty() || met.network(&relays) == Some(known),
    });
    let (Some((network, sets)), 1) = (sets.iter().next(), sets.len()) else {
        return Ok(None);
    };
    let caches = keepsakes.all("names-cache-")?;
    let kept = caches.get(network).map(|bytes| kept::read(bytes));
    // What is damaged is told by the resolution that asks.
    let (Ok(sets), Some(Ok(kept))) = (KnownSets::restore(sets), kept) else {
        return Ok(None);
    };
    let mut floors = Floors::default();
    if let Some(bytes) = keepsakes.all("names-floors-")?.get(network)
        && floors.restore(bytes).is_err()
    {
        return Ok(None);
    }
    let now = platform::now();
    let seed = u64::from_le_bytes(platform::entropy());
    let mut resolver = Resolver::new(sets, floors, seed);
    resolver.restore(&kept, now);
    resolver.start(name, options, now);
    let answers = std::iter::from_fn(|| resolver.poll());
    let mut found = answers.filter_map(|output| match output {
        Output::Done { result, .. } => result.ok(),
        _ => None,
    });
    let fresh = found.find(|found| !found.proofs.iter().any(|proof| proof.stale));
    Ok(fresh.map(|found| Recalled {
        found,
        network: network.clone(),
        asked: false,
    }))
}
