//! What `warren resolve --data-dir` knows without asking: a name that an earlier command resolved and
//! that is still fresh is given without the network, checked as if it had just come.

use std::path::Path;

use warren_shared::error::Result;
use warren_shared::platform;
use warren_shared::proto::names::resolution::Resolution;
use warren_shared::proto::names::resolver::floors::Floors;
use warren_shared::proto::names::resolver::{Options, Output, Resolver, kept};
use warren_shared::proto::names::{KnownSets, Name};

use crate::identity::DataDir;
use crate::keepsakes::Keepsakes;

/// The fresh answer that is kept in a folder; nothing if there is none, or several networks are known
/// there and `network` does not say which one is meant.
pub(super) fn recall(
    folder: &Path,
    network: Option<&str>,
    name: &Name,
    options: Options,
) -> Result<Option<Box<Resolution>>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let data = DataDir::open(folder)?;
    let keepsakes = Keepsakes::in_dir(data.path())?;
    let mut sets = keepsakes.all("names-sets-")?;
    sets.retain(|known, _| network.is_none_or(|wanted| wanted == known));
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
    Ok(found.find(|found| !found.proofs.iter().any(|proof| proof.stale)))
}
