//! Files and directories of a collection that relays are to keep for when its peer is gone.

use libp2p::PeerId;

use super::collection::Collection;
use super::store::Held;
use crate::error::{Code, Error, Result};
use crate::proto::Millis;
use crate::proto::files::cid::{Cid, Kind};
use crate::proto::files::keeping::KeepRequest;

impl Collection {
    /// Asks all connected relays at once to keep a file or a directory for so long, and waits until they have it: what each
    /// says of it. An error when none does.
    pub async fn pin(&self, cid: &Cid, how_long: Millis) -> Result<Vec<(PeerId, Result<Millis>)>> {
        let entry = self.find(cid)?;
        let folder = self.folder(cid);
        let part = |what: &str, remedy: &str| {
            let message = format!("only a part of this {what} is here");
            Err(Error::new(Code::NotFound, message).with_remedy(remedy))
        };
        let size = match (cid.kind, folder) {
            (Kind::File, _) if entry.is_whole() => entry.tree().size(),
            (Kind::File, _) => {
                return part("file", "Fetch all of it first: await file.complete().");
            }
            (Kind::Directory, Some(folder)) if folder.is_complete() => folder.directory().size(),
            (Kind::Directory, _) => {
                return part(
                    "directory",
                    "Fetch all of it first: await directory.complete().",
                );
            }
        };
        let mut about = entry.about().clone();
        if about.name.is_empty() {
            // What a relay keeps it lists, and a listing has a name.
            about.name = cid.to_string();
        }
        let listing = about.listing(*cid, size);
        let listing = listing.ok_or_else(|| Error::new(Code::Internal, "a listing has no name"))?;
        let now = self.files.network_time();
        let network = self.files.overlay.handle().network();
        let request = KeepRequest::sign(
            &listing,
            &self.author,
            network,
            (now, now.saturating_add(how_long)),
        )?;
        kept(self.files.ask_relays_to_keep(&request).await?)
    }
}

/// The answers, if one of them is good; or else the one that says most.
fn kept(answers: Vec<(PeerId, Result<Millis>)>) -> Result<Vec<(PeerId, Result<Millis>)>> {
    if answers.is_empty() {
        return Err(Error::new(
            Code::NoRelay,
            "this peer is not connected to any relay",
        ));
    }
    if answers.iter().any(|(_, kept)| kept.is_ok()) {
        return Ok(answers);
    }
    let mut errors: Vec<Error> = answers
        .into_iter()
        .filter_map(|(_, kept)| kept.err())
        .collect();
    // That a relay keeps nothing at all says least.
    errors.sort_by_key(|error| error.code() == Code::Unsupported);
    Err(errors.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relay_that_keeps_it_is_enough_and_the_best_reason_is_told() {
        let refused = |code| (PeerId::random(), Err(Error::new(code, "no")));
        assert_eq!(kept(Vec::new()).unwrap_err().code(), Code::NoRelay);
        let none = vec![refused(Code::Unsupported), refused(Code::Overloaded)];
        assert_eq!(kept(none).unwrap_err().code(), Code::Overloaded);
        let one = vec![refused(Code::Unsupported), (PeerId::random(), Ok(7))];
        assert_eq!(kept(one).unwrap().len(), 2);
    }
}
