//! What comes of one request: verified, written, and then counted.

use futures::StreamExt;

use super::link::{Heard, Hearing};
use super::store::Partial;
use crate::error::Error;
use crate::limits::FILE_WRITE;
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

/// Verified and not written yet.
struct Waiting<'a, F> {
    partial: &'a dyn Partial,
    came: F,
    parts: Vec<Verified>,
    bytes: usize,
}

impl<F: Fn(u64)> Waiting<'_, F> {
    fn take(&mut self, part: Verified) {
        if let Verified::Group { data, .. } = &part {
            self.bytes += data.len();
        }
        self.parts.push(part);
    }

    async fn write(&mut self) -> Result<(), Trouble> {
        let parts = std::mem::take(&mut self.parts);
        let bytes = std::mem::take(&mut self.bytes);
        if parts.is_empty() {
            return Ok(());
        }
        self.partial.write(parts).await.map_err(Trouble::Here)?;
        (self.came)(bytes as u64);
        Ok(())
    }
}

/// Takes the range that was asked for. What was right of it is written in any case, and told to `came`.
pub(super) async fn take<F: Fn(u64)>(
    mut heard: Hearing,
    fetch: &Fetch,
    partial: &dyn Partial,
    came: F,
) -> Result<(), Trouble> {
    begun(&mut heard).await.map_err(Trouble::There)?;
    let mut waiting = Waiting {
        partial,
        came,
        parts: Vec::new(),
        bytes: 0,
    };
    let decoder = Decoder::new(fetch.root, fetch.tree, fetch.groups.clone());
    let outcome = parts(&mut heard, decoder, &mut waiting).await;
    waiting.write().await?;
    outcome
}

async fn parts<F: Fn(u64)>(
    heard: &mut Hearing,
    mut decoder: Decoder,
    waiting: &mut Waiting<'_, F>,
) -> Result<(), Trouble> {
    // An empty file is complete before anything comes.
    if let Some(part) = decoder.take(&mut &[][..])? {
        waiting.take(part);
    }
    loop {
        match heard.next().await {
            Some(Heard::Data(bytes)) => {
                let mut input = bytes.as_slice();
                while let Some(part) = decoder.take(&mut input)? {
                    waiting.take(part);
                }
                if !input.is_empty() {
                    return Err(Mismatch.into());
                }
                if waiting.bytes >= FILE_WRITE {
                    waiting.write().await?;
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
