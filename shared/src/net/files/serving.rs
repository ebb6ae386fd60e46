//! Answers to those who ask for files: requests of a stream one after the other.
//!
//! What is sent was verified when it was read. Whether there is time for a request is decided before anything is read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, join, select};
use futures::{AsyncWriteExt, FutureExt, StreamExt};

use super::Shelf;
use super::store::{Held, Portion};
use crate::limits::{FILE_IDLE, FILE_READ, FILE_TRANSFER, GROUPS_PER_PIECE, MAX_PART};
use crate::net::budget::Asker;
use crate::net::codec::{invalid, read_frame, send_frame};
use crate::net::handle::Handle;
use crate::net::streams::{Incoming, Stream};
use crate::platform;
use crate::proto::files::cid::Root;
use crate::proto::files::tree::Sender;
use crate::proto::files::wire::{Answer, Fetch, FileRefusal, Part, Request};

/// Answers until the node ends.
pub(super) async fn run(shelf: Arc<Shelf>, handle: Handle, mut incoming: mpsc::Receiver<Incoming>) {
    while let Some(incoming) = incoming.next().await {
        let (shelf, standings, peer) = (shelf.clone(), handle.standings().clone(), incoming.peer);
        platform::spawn(async move {
            if let Err(error) = serve(&shelf, incoming).await {
                tracing::debug!(%peer, %error, "a stream for files has ended");
                standings.asks(&peer, &error);
            }
        });
    }
}

async fn serve(shelf: &Shelf, incoming: Incoming) -> io::Result<()> {
    let Incoming {
        peer,
        prefix,
        mut stream,
        ..
    } = incoming;
    let asker = Asker { peer, prefix };
    while let Some(frame) = next_frame(&mut stream).await? {
        let request = Request::decode(&frame).map_err(|refusal| invalid(refusal.as_str()))?;
        let place = shelf.budget.place(asker);
        match (place, request) {
            (None, _) => refuse(&mut stream, FileRefusal::Busy).await?,
            (Some(_), Request::Have { root, from }) => {
                say(&mut stream, &have(shelf, &root, from)).await?;
            }
            (Some(_), Request::Fetch(fetch)) => send(shelf, fetch, &mut stream).await?,
            (Some(_), Request::List { after }) => {
                let page = shelf.catalogue().page(None, after.as_ref());
                say(&mut stream, &page).await?;
            }
            (Some(_), Request::Search { tokens, after }) => {
                let page = shelf.catalogue().page(Some(&tokens), after.as_ref());
                say(&mut stream, &page).await?;
            }
        }
    }
    Ok(())
}

/// What is asked next. Nothing when that is all, or nothing has come for too long; then the stream is closed.
pub(super) async fn next_frame(stream: &mut Stream) -> io::Result<Option<Vec<u8>>> {
    match in_time(FILE_IDLE, read_frame(stream).boxed()).await {
        Ok(frame) => Ok(Some(frame)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
        Err(_) => stream.close().await.map(|()| None),
    }
}

fn found(shelf: &Shelf, root: &Root) -> Result<Arc<dyn Held>, FileRefusal> {
    match shelf.denies(root) {
        true => Err(FileRefusal::Denied),
        false => shelf.find(root).ok_or(FileRefusal::NotFound),
    }
}

fn have(shelf: &Shelf, root: &Root, from: u64) -> Answer {
    let held = match found(shelf, root) {
        Ok(held) => held,
        Err(why) => return Answer::Refused { why },
    };
    let pieces = held.pieces();
    match from <= pieces.length() {
        true => Answer::Have {
            size: held.tree().size(),
            runs: pieces.runs(from),
        },
        false => Answer::Refused {
            why: FileRefusal::Malformed,
        },
    }
}

/// What is to be sent from, if this peer has all of the range.
fn holder(shelf: &Shelf, fetch: &Fetch) -> Result<Arc<dyn Held>, FileRefusal> {
    let held = found(shelf, &fetch.root)?;
    if held.tree() != fetch.tree {
        return Err(FileRefusal::Malformed);
    }
    let pieces = held.pieces();
    let last = (fetch.groups.end - 1) / GROUPS_PER_PIECE;
    let mut wanted = fetch.groups.start / GROUPS_PER_PIECE..=last;
    match wanted.all(|piece| pieces.has(piece)) {
        true => Ok(held),
        false => Err(FileRefusal::NotThere),
    }
}

async fn send(shelf: &Shelf, fetch: Fetch, stream: &mut Stream) -> io::Result<()> {
    let held = match holder(shelf, &fetch) {
        Ok(held) => held,
        Err(why) => return refuse(stream, why).await,
    };
    let sender = Sender::new(fetch.root, fetch.tree, fetch.groups);
    let mut portion = held.read(sender, FILE_READ).await;
    if portion.bytes.is_empty()
        && let Err(why) = portion.outcome
    {
        return refuse(stream, why).await;
    }
    say(stream, &Answer::Sending).await?;
    loop {
        let Portion {
            sender,
            bytes,
            outcome,
        } = portion;
        let more = outcome.is_ok() && sender.need().is_some();
        // The next portion is read while this one is on its way.
        let reading = async {
            match more {
                true => Some(held.read(sender, FILE_READ).await),
                false => None,
            }
        };
        let (next, sent) = join(reading, send_parts(shelf, &bytes, stream)).await;
        sent?;
        match next {
            Some(next) => portion = next,
            None => {
                let end = match outcome {
                    Ok(()) => Part::Done,
                    Err(why) => Part::BrokenOff(why),
                };
                let end = end.encode();
                return in_time(FILE_TRANSFER, send_frame(stream, &end).boxed()).await;
            }
        }
    }
}

async fn send_parts(shelf: &Shelf, bytes: &[u8], stream: &mut Stream) -> io::Result<()> {
    for part in bytes.chunks(MAX_PART) {
        shelf.rate.take(part.len()).await;
        let frame = Part::Data(part).encode();
        in_time(FILE_TRANSFER, send_frame(stream, &frame).boxed()).await?;
    }
    Ok(())
}

async fn refuse(stream: &mut Stream, why: FileRefusal) -> io::Result<()> {
    say(stream, &Answer::Refused { why }).await
}

async fn say(stream: &mut Stream, answer: &Answer) -> io::Result<()> {
    let frame = answer.encode();
    in_time(FILE_TRANSFER, send_frame(stream, &frame).boxed()).await
}

/// What the work gives, if it ends in time.
pub(super) async fn in_time<T>(
    patience: Duration,
    work: BoxFuture<'_, io::Result<T>>,
) -> io::Result<T> {
    match select(work, platform::sleep(patience)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
