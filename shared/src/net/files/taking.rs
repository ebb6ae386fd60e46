//! What comes of one request: verified, written, and then counted.

use futures::StreamExt;

use super::link::{Heard, Hearing};
use super::store::Partial;
use crate::error::Error;
use crate::proto::files::download::Failure;
use crate::proto::files::tree::{Decoder, Mismatch, Verified};
use crate::proto::files::wire::{Answer, Fetch, FileRefusal};

/// Why a request came to nothing.
pub(super) enum Trouble {
    /// Its source.
    There(Failure),
    /// This peer's disk.
    Here(Error),
}

impl From<Mismatch> for Trouble {
    fn from(_: Mismatch) -> Trouble {
        Trouble::There(Failure::Lied)
    }
}

/// What a refusal means for a download.
pub(super) fn failure(why: FileRefusal) -> Failure {
    match why {
        FileRefusal::Gone => Failure::Gone,
        FileRefusal::NotThere | FileRefusal::NotFound | FileRefusal::Denied => Failure::NotThere,
        FileRefusal::Busy => Failure::Busy,
        _ => Failure::Broken,
    }
}

/// Waits for the beginning of a range.
pub(super) async fn begun(heard: &mut Hearing) -> Result<(), Failure> {
    match heard.next().await {
        Some(Heard::Answer(Answer::Sending)) => Ok(()),
        Some(Heard::Answer(Answer::Refused { why })) => Err(failure(why)),
        _ => Err(Failure::Broken),
    }
}

/// Takes what is missing of a piece, to its end: it is complete then. What was right of it is written in any case, and told to
/// `came`.
pub(super) async fn take(
    mut heard: Hearing,
    fetch: &Fetch,
    (partial, piece): (&dyn Partial, u64),
    came: impl Fn(u64),
) -> Result<(), Trouble> {
    begun(&mut heard).await.map_err(Trouble::There)?;
    let decoder = Decoder::new(fetch.root, fetch.tree, fetch.groups.clone());
    let mut all = Vec::new();
    let outcome = parts(&mut heard, decoder, &mut all).await;
    let bytes = all.iter().map(Verified::bytes).sum();
    let written = match outcome {
        Ok(()) => partial.write_last(all, piece).await,
        Err(_) => partial.write(all).await,
    };
    written.map_err(Trouble::Here)?;
    came(bytes);
    outcome
}

/// The parts of a range as they come, to the first that is not what it should be. It is never more than a piece.
async fn parts(
    heard: &mut Hearing,
    mut decoder: Decoder,
    all: &mut Vec<Verified>,
) -> Result<(), Trouble> {
    // An empty file is complete before anything comes.
    all.extend(decoder.take(&mut &[][..])?);
    loop {
        match heard.next().await {
            Some(Heard::Data(bytes)) => {
                let mut input = bytes.as_slice();
                while let Some(part) = decoder.take(&mut input)? {
                    all.push(part);
                }
                if !input.is_empty() {
                    return Err(Mismatch.into());
                }
            }
            Some(Heard::End(Ok(()))) => {
                return match decoder.is_done() {
                    true => Ok(()),
                    false => Err(Mismatch.into()),
                };
            }
            Some(Heard::End(Err(why))) => return Err(Trouble::There(failure(why))),
            _ => return Err(Trouble::There(Failure::Broken)),
        }
    }
}
