//! A stream to somebody who has files: requests go out as they come, answers come back in their order.
//!
//! Whoever does not want an answer any more lets go of it; what still comes of it is thrown away.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use futures::channel::mpsc;
use futures::future::try_join;
use futures::{AsyncRead, AsyncReadExt, SinkExt, StreamExt};
use libp2p::PeerId;

use crate::limits::{FILE_FRAMES, MAX_FETCHES_WAITING};
use crate::net::codec::{invalid, read_frame, send_frame};
use crate::net::handle::{Handle, Route};
use crate::net::protocols;
use crate::net::streams::{Failure, Stream};
use crate::platform;
use crate::proto::files::wire::{Answer, FileRefusal, Part, Request};
use crate::proto::reputation::Evidence;

/// What comes of a request.
pub(super) enum Heard {
    /// The answer.
    Answer(Answer),
    /// After [`Answer::Sending`]: the next bytes of the range.
    Data(Vec<u8>),
    /// And its end.
    End(Result<(), FileRefusal>),
}

/// What was asked of a peer; ends early when its stream does.
pub(super) type Hearing = mpsc::Receiver<Heard>;

struct Job {
    request: Vec<u8>,
    answer: mpsc::Sender<Heard>,
}

/// The streams of one download. They end with it.
pub(super) struct Links {
    handle: Handle,
    open: Mutex<HashMap<PeerId, mpsc::Sender<Job>>>,
}

impl Links {
    pub fn new(handle: Handle) -> Links {
        Links {
            handle,
            open: Mutex::default(),
        }
    }

    /// Asks a peer, dialling it when needed. Nothing comes when that fails.
    pub async fn ask(&self, route: &Route, request: &Request) -> Hearing {
        let (answer, heard) = mpsc::channel(FILE_FRAMES);
        let request = request.encode();
        let mut link = self.link(route);
        // A link that ends meanwhile drops the sender of answers, which whoever listens notices.
        let _ = link.send(Job { request, answer }).await;
        heard
    }

    fn link(&self, route: &Route) -> mpsc::Sender<Job> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = open.get(&route.peer).filter(|link| !link.is_closed()) {
            return link.clone();
        }
        let (link, jobs) = mpsc::channel(MAX_FETCHES_WAITING);
        open.insert(route.peer, link.clone());
        platform::spawn(run(self.handle.clone(), route.clone(), jobs));
        link
    }
}

async fn run(handle: Handle, route: Route, jobs: mpsc::Receiver<Job>) {
    let peer = route.peer;
    let protocol = protocols::files(handle.network());
    let failure = match handle.open(route, protocol).await {
        Ok(opened) => exchange(opened.stream, jobs).await.err().map(Failure::from),
        Err(failure) => Some(failure),
    };
    if let Some(failure) = failure {
        tracing::debug!(%peer, %failure, "a source has ended");
        if let Failure::Io(error) = &failure
            && error.kind() == io::ErrorKind::InvalidData
        {
            handle.standings().note(&peer, Evidence::Violated);
        }
    }
}

async fn exchange(stream: Stream, mut jobs: mpsc::Receiver<Job>) -> io::Result<()> {
    let (mut reading, mut writing) = stream.split();
    let (mut asked, mut waiting) = mpsc::channel::<mpsc::Sender<Heard>>(MAX_FETCHES_WAITING);
    let ask = async move {
        while let Some(Job { request, answer }) = jobs.next().await {
            if answer.is_closed() {
                continue;
            }
            let ended = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            asked.send(answer).await.map_err(ended)?;
            send_frame(&mut writing, &request).await?;
        }
        Ok(())
    };
    let hear = async move {
        while let Some(answer) = waiting.next().await {
            hear(&mut reading, answer).await?;
        }
        Ok(())
    };
    try_join(ask, hear).await.map(drop)
}

/// Reads one answer to its end, whether or not somebody still wants it.
async fn hear<T: AsyncRead + Unpin>(
    stream: &mut T,
    mut wanted: mpsc::Sender<Heard>,
) -> io::Result<()> {
    let frame = read_frame(stream).await?;
    let answer = Answer::decode(&frame).map_err(|refusal| invalid(refusal.as_str()))?;
    let sending = answer == Answer::Sending;
    let _ = wanted.send(Heard::Answer(answer)).await;
    if !sending {
        return Ok(());
    }
    loop {
        let frame = read_frame(stream).await?;
        let end = match Part::decode(&frame).map_err(|refusal| invalid(refusal.as_str()))? {
            Part::Data(bytes) => {
                let _ = wanted.send(Heard::Data(bytes.to_vec())).await;
                continue;
            }
            Part::Done => Ok(()),
            Part::BrokenOff(why) => Err(why),
        };
        let _ = wanted.send(Heard::End(end)).await;
        return Ok(());
    }
}
