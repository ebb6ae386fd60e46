//! What comes of one request: verified, written, and then counted.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;

use super::link::{Heard, Hearing};
use super::store::Partial;
use crate::error::Error;
use crate::limits::FILE_WRITE_AFTER;
use crate::proto::Millis;
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

/// Pairs that were written not long ago: those above many pieces come with each of these.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeSet<u64>>);

impl Known {
    /// So many are remembered: those of 16 MiB and more.
    const MOST: usize = 1_024;

    /// What is left of parts, and the pairs among them.
    fn new_of(&self, mut parts: Vec<Verified>) -> (Vec<Verified>, Vec<u64>) {
        let (known, mut pairs) = (self.state(), Vec::new());
        parts.retain(|part| match part {
            Verified::Pair { index, .. } => {
                let new = !known.contains(index);
                pairs.extend(new.then_some(*index));
                new
            }
            Verified::Group { .. } => true,
        });
        (parts, pairs)
    }

    fn written(&self, pairs: Vec<u64>) {
        let mut known = self.state();
        if known.len() + pairs.len() > Known::MOST {
            known.clear();
        }
        known.extend(pairs);
    }

    fn state(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is missing of a piece is taken, to its end: it is complete then.
pub(super) struct Taking<'a> {
    pub partial: &'a dyn Partial,
    /// Of the same file, for all its requests.
    pub known: &'a Known,
    pub piece: u64,
    /// Told when it begins to come, with 0, and how many bytes of the file were written.
    pub came: &'a (dyn Fn(u64) + Sync),
    pub now: fn() -> Millis,
}

impl Taking<'_> {
    /// What was right is written in any case. All at once, if the source is fast; what comes slowly is written as it comes, so that
    /// it is not lost when somebody else is asked for the rest.
    pub async fn take(&self, mut heard: Hearing, fetch: &Fetch) -> Result<(), Trouble> {
        begun(&mut heard).await.map_err(Trouble::There)?;
        (self.came)(0);
        let mut parts = Vec::new();
        let outcome = self.parts(&mut heard, fetch, &mut parts).await;
        match outcome {
            Ok(()) => {
                let bytes = bytes_of(&parts);
                let (parts, pairs) = self.known.new_of(parts);
                let written = self.partial.write_last(parts, self.piece).await;
                written.map_err(Trouble::Here)?;
                self.known.written(pairs);
                (self.came)(bytes);
                Ok(())
            }
            Err(trouble) => {
                self.write(&mut parts).await?;
                Err(trouble)
            }
        }
    }

    async fn write(&self, parts: &mut Vec<Verified>) -> Result<(), Trouble> {
        let bytes = bytes_of(parts);
        if parts.is_empty() {
            return Ok(());
        }
        let (parts, pairs) = self.known.new_of(std::mem::take(parts));
        let written = self.partial.write(parts).await;
        written.map_err(Trouble::Here)?;
        self.known.written(pairs);
        // Hashes alone are no news.
        if bytes > 0 {
            (self.came)(bytes);
        }
        Ok(())
    }

    /// Those that are not written yet, when it ends or something is wrong.
    async fn parts(
        &self,
        heard: &mut Hearing,
        fetch: &Fetch,
        parts: &mut Vec<Verified>,
    ) -> Result<(), Trouble> {
        let mut decoder = Decoder::new(fetch.root, fetch.tree, fetch.groups.clone());
        // An empty file is complete before anything comes.
        parts.extend(decoder.take(&mut &[][..])?);
        let mut written = (self.now)();
        loop {
            match heard.next().await {
                Some(Heard::Data(bytes)) => {
                    let mut input = bytes.as_ref();
                    while let Some(part) = decoder.take(&mut input)? {
                        parts.push(part);
                    }
                    if !input.is_empty() {
                        return Err(Mismatch.into());
                    }
                    let now = (self.now)();
                    if now.saturating_sub(written) >= FILE_WRITE_AFTER {
                        self.write(parts).await?;
                        written = now;
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
}

fn bytes_of(parts: &[Verified]) -> u64 {
    parts.iter().map(Verified::bytes).sum()
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests;
