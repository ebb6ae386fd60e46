//! Answers to those who ask for files: requests of a stream one after the other.
//!
//! What is sent was verified when it was read. Whether there is time for a request is decided before anything is read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, join, select, try_join};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, SinkExt, StreamExt};

use super::Shelf;
use super::store::{Held, Portion};
use crate::limits::{FILE_IDLE, FILE_READ, FILE_TRANSFER, GROUPS_PER_PIECE, MAX_PART};
use crate::net::budget::{Asker, Place};
use crate::net::codec::{invalid, read_frame};
use crate::net::handle::Handle;
use crate::net::streams::Incoming;
use crate::platform;
use crate::proto::files::cid::Root;
use crate::proto::files::tree::Sender;
use crate::proto::files::wire::{Answer, Fetch, FileRefusal, Part, Request};
use crate::proto::record::wire::add_frame;

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
        stream,
        ..
    } = incoming;
    let asker = Asker { peer, prefix };
    let (mut reading, mut writing) = stream.split();
    // The next answer is begun while one is sent, and no more than that.
    let (mut ready, mut begun) = mpsc::channel(0);
    let begin = async move {
        while let Some(frame) = next_frame(&mut reading).await? {
            let request = Request::decode(&frame).map_err(|refusal| invalid(refusal.as_str()))?;
            let answer = begin(shelf, asker, request).await;
            let ended = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            ready.send(answer).await.map_err(ended)?;
        }
        Ok(())
    };
    let send = async {
        while let Some(answer) = begun.next().await {
            send(shelf, answer, &mut writing).await?;
        }
        writing.close().await
    };
    try_join(begin, send).await.map(drop)
}

/// What is asked next. Nothing when that is all, or nothing has come for too long.
pub(super) async fn next_frame<T: AsyncRead + Unpin + Send>(
    stream: &mut T,
) -> io::Result<Option<Vec<u8>>> {
    match in_time(FILE_IDLE, read_frame(stream).boxed()).await {
        Ok(frame) => Ok(Some(frame)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
        Err(_) => Ok(None),
    }
}

/// An answer that was begun.
struct Begun {
    /// Given back when it was sent.
    _place: Option<Place>,
    answer: Answer,
    /// Of a range: who has it, and the first that is sent of it.
    range: Option<(Arc<dyn Held>, Portion)>,
}

async fn begin(shelf: &Shelf, asker: Asker, request: Request) -> Begun {
    let place = shelf.budget.place(asker);
    let mut range = None;
    let answer = match request {
        _ if place.is_none() => Answer::Refused {
            why: FileRefusal::Busy,
        },
        Request::Have { root, from } => have(shelf, &root, from),
        Request::List { after } => shelf.catalogue().page(None, after.as_ref()),
        Request::Search { tokens, after } => shelf.catalogue().page(Some(&tokens), after.as_ref()),
        Request::Fetch(fetch) => match first(shelf, fetch).await {
            Ok(first) => {
                range = Some(first);
                Answer::Sending
            }
            Err(why) => Answer::Refused { why },
        },
    };
    Begun {
        _place: place,
        answer,
        range,
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

/// The first portion of a range, if there is one.
async fn first(shelf: &Shelf, fetch: Fetch) -> Result<(Arc<dyn Held>, Portion), FileRefusal> {
    let held = holder(shelf, &fetch)?;
    let sender = Sender::new(fetch.root, fetch.tree, fetch.groups);
    let portion = held.read(sender, FILE_READ).await;
    match portion.outcome {
        Err(why) if portion.bytes.is_empty() => Err(why),
        _ => Ok((held, portion)),
    }
}

async fn send<T: AsyncWrite + Unpin + Send>(
    shelf: &Shelf,
    begun: Begun,
    stream: &mut T,
) -> io::Result<()> {
    let mut frames = Frames::default();
    frames.add(&[&begun.answer.encode()])?;
    let Some((held, mut portion)) = begun.range else {
        return frames.send(stream).await;
    };
    loop {
        let Portion {
            sender,
            bytes,
            outcome,
        } = portion;
        let more = outcome.is_ok() && sender.need().is_some();
        let end = (!more).then_some(match outcome {
            Ok(()) => Part::Done,
            Err(why) => Part::BrokenOff(why),
        });
        // The next portion is read while this one is on its way.
        let reading = async {
            match more {
                true => Some(held.read(sender, FILE_READ).await),
                false => None,
            }
        };
        let sending = send_parts(shelf, &bytes, end, &mut frames, stream);
        let (next, sent) = join(reading, sending).await;
        sent?;
        match next {
            Some(next) => portion = next,
            None => return Ok(()),
        }
    }
}

/// Sends what waits, these bytes, and what comes behind them.
async fn send_parts<T: AsyncWrite + Unpin + Send>(
    shelf: &Shelf,
    bytes: &[u8],
    end: Option<Part<'_>>,
    frames: &mut Frames,
    stream: &mut T,
) -> io::Result<()> {
    frames.bytes.reserve(bytes.len() + OVERHEAD);
    for part in bytes.chunks(MAX_PART) {
        if shelf.rate.is_limited() {
            frames.send(stream).await?;
            shelf.rate.take(part.len()).await;
        }
        frames.add(&[&Part::data_head(part.len()), part])?;
    }
    if let Some(end) = end {
        frames.add(&[&end.encode()])?;
    }
    frames.send(stream).await
}

/// What a portion that goes out together needs beside its bytes, more or less: heads of frames, and its end.
const OVERHEAD: usize = 256;

/// Frames that go out together: every trip to the network costs.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    count: u32,
}

impl Frames {
    /// A message in several parts.
    fn add(&mut self, message: &[&[u8]]) -> io::Result<()> {
        add_frame(&mut self.bytes, message).map_err(|refusal| invalid(refusal.as_str()))?;
        self.count += 1;
        Ok(())
    }

    async fn send<T: AsyncWrite + Unpin + Send>(&mut self, stream: &mut T) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let sending = async {
            stream.write_all(&self.bytes).await?;
            stream.flush().await
        };
        in_time(FILE_TRANSFER * self.count, sending.boxed()).await?;
        self.bytes.clear();
        self.count = 0;
        Ok(())
    }
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
