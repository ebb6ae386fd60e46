//! A stream to somebody who has files: requests go out as they come, answers come back in their order.
//!
//! Whoever does not want an answer any more lets go of it; what still comes of it is thrown away. A stream that a circuit
//! carries is left as soon as there is a direct connection: what is asked then goes there.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, pending, select, try_join};
use futures::io::BufReader;
use futures::{
    AsyncBufRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, SinkExt, StreamExt,
    TryFutureExt,
};
use libp2p::PeerId;

use crate::limits::{
    DIRECT_SOUGHT_FIRST, DIRECT_SOUGHT_RARELY, FILE_ASKED_AGAIN, FILE_BUFFER, FILE_FRAMES,
    MAX_FETCHES_WAITING,
};
use crate::net::address::Via;
use crate::net::codec::{invalid, read_asked, read_frame, send_frame};
use crate::net::handle::{Handle, Route};
use crate::net::protocols;
use crate::net::streams::Failure;
use crate::platform;
use crate::proto::files::wire::{Answer, FileRefusal, MAX_PART_FRAME, Part, Request};
use crate::proto::reputation::Evidence;

/// What comes of a request.
pub(super) enum Heard {
    /// The answer.
    Answer(Answer),
    /// After [`Answer::Sending`]: the next bytes of the range, in the frame in which they came.
    Data(Bytes),
    /// And its end.
    End(Result<(), FileRefusal>),
}

/// What was asked of a peer; ends early when its stream does.
pub(super) type Hearing = mpsc::Receiver<Heard>;

#[derive(Clone)]
struct Job {
    request: Vec<u8>,
    answer: mpsc::Sender<Heard>,
}

/// What was asked on a stream of which nothing has come yet. It may never have arrived.
struct Unheard(Mutex<Option<Vec<Job>>>);

impl Unheard {
    fn new() -> Arc<Unheard> {
        Arc::new(Unheard(Mutex::new(Some(Vec::new()))))
    }

    fn asked(&self, job: &Job) {
        if let Some(jobs) = &mut *self.state() {
            jobs.push(job.clone());
        }
    }

    fn heard(&self) {
        self.state().take();
    }

    /// Nothing, if something was heard.
    fn left(&self) -> Option<Vec<Job>> {
        self.state().take()
    }

    fn state(&self) -> MutexGuard<'_, Option<Vec<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// What is still to be asked.
struct Jobs {
    /// For the second time.
    again: VecDeque<Job>,
    coming: mpsc::Receiver<Job>,
}

impl Jobs {
    async fn next(&mut self) -> Option<Job> {
        match self.again.pop_front() {
            Some(job) => Some(job),
            None => self.coming.next().await,
        }
    }
}

async fn run(handle: Handle, route: Route, coming: mpsc::Receiver<Job>) {
    let (peer, mut cut) = (route.peer, false);
    let mut jobs = Jobs {
        again: VecDeque::new(),
        coming,
    };
    loop {
        let unheard = Unheard::new();
        let failure = match once(&handle, &route, &mut jobs, &unheard).await {
            Ok(()) => return,
            Err(Left::Circuit) => continue,
            Err(Left::Failed(failure)) => failure,
        };
        tracing::debug!(%peer, %failure, "a source has ended");
        // Connections that nobody used for long, or that lost a race, break just when they are used.
        match unheard.left().filter(|_| failure.is_cut() && !cut) {
            Some(mut left) => {
                cut = true;
                platform::sleep(FILE_ASKED_AGAIN).await;
                left.extend(std::iter::from_fn(|| jobs.coming.try_recv().ok()));
                left.retain(|job| !job.answer.is_closed());
                // Nobody is dialled for nobody.
                if left.is_empty() {
                    return;
                }
                jobs.again = left.into();
            }
            None => {
                if let Failure::Io(error) = &failure {
                    note(&handle, peer, error);
                }
                return;
            }
        }
    }
}

fn note(handle: &Handle, peer: PeerId, error: &io::Error) {
    if error.kind() == io::ErrorKind::InvalidData {
        handle.standings().note(&peer, Evidence::Violated);
    }
}

/// Why a stream was left before the last request.
enum Left {
    Failed(Failure),
    /// There is a better way by now.
    Circuit,
}

/// One stream: until nothing more is asked, or there is a better one.
async fn once(
    handle: &Handle,
    route: &Route,
    jobs: &mut Jobs,
    unheard: &Arc<Unheard>,
) -> Result<(), Left> {
    let peer = route.peer;
    let direct = ways(handle, &peer).await.is_some_and(|ways| ways.direct);
    let protocol = protocols::files(handle.network());
    let opened = handle.open(route.clone(), protocol).await;
    let (reading, writing) = opened.map_err(Left::Failed)?.stream.split();
    let (asked, waiting) = mpsc::channel::<mpsc::Sender<Heard>>(MAX_FETCHES_WAITING);
    let reading = BufReader::with_capacity(FILE_BUFFER, reading);
    let hearing = hear_all(reading, waiting, unheard.clone()).boxed();
    let better = better(handle, &peer, direct).boxed();
    let asking = ask_all((jobs, unheard), writing, asked, better).boxed();
    let failed = |error| Left::Failed(Failure::from(error));
    match select(asking, hearing).await {
        Either::Left((Ok(Asked::All), hearing)) => hearing.await.map_err(failed),
        // What was asked there comes there, and is not asked again: both ways are used until then.
        Either::Left((Ok(Asked::Before(mut writing)), hearing)) => {
            let handle = handle.clone();
            platform::spawn(async move {
                let closing = writing
                    .close()
                    .map_err(|_| io::ErrorKind::BrokenPipe.into());
                if let Err(error) = try_join(closing, hearing).await {
                    note(&handle, peer, &error);
                }
            });
            Err(Left::Circuit)
        }
        Either::Left((Err(error), _)) => Err(failed(error)),
        Either::Right((Err(error), _)) => Err(failed(error)),
        Either::Right((Ok(()), asking)) => asking.await.map(drop).map_err(failed),
    }
}

/// How a peer is connected.
struct Ways {
    direct: bool,
    circuit: bool,
}

async fn ways(handle: &Handle, peer: &PeerId) -> Option<Ways> {
    let links = handle.links().await.ok()?;
    let mut links = links.iter().filter(|(other, ..)| other == peer);
    let circuit = links.clone().any(|(_, via, _)| *via == Via::Circuit);
    let direct = links.any(|(_, via, _)| *via != Via::Circuit);
    Some(Ways { direct, circuit })
}

/// Returns when a stream that a circuit carries could go directly. One that was opened when that was possible does.
async fn better(handle: &Handle, peer: &PeerId, direct: bool) {
    let mut pause = DIRECT_SOUGHT_FIRST;
    while !direct && let Some(ways) = ways(handle, peer).await {
        match ways {
            Ways {
                direct: true,
                circuit: true,
            } => return,
            Ways { direct: true, .. } => break,
            _ => platform::sleep(pause).await,
        }
        pause = (pause * 2).min(DIRECT_SOUGHT_RARELY);
    }
    pending().await
}

/// What was asked on a stream.
enum Asked<T> {
    All,
    /// Only what came before there was a better way. This end of the stream is to be closed.
    Before(T),
}

async fn ask_all<T: AsyncWrite + Unpin>(
    (jobs, unheard): (&mut Jobs, &Unheard),
    mut stream: T,
    mut asked: mpsc::Sender<mpsc::Sender<Heard>>,
    mut better: BoxFuture<'_, ()>,
) -> io::Result<Asked<T>> {
    loop {
        let job = match select(&mut better, pin!(jobs.next())).await {
            Either::Left(_) => return Ok(Asked::Before(stream)),
            Either::Right((None, _)) => return Ok(Asked::All),
            Either::Right((Some(job), _)) => job,
        };
        if job.answer.is_closed() {
            continue;
        }
        unheard.asked(&job);
        let Job { request, answer } = job;
        let ended = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        asked.send(answer).await.map_err(ended)?;
        send_frame(&mut stream, &request).await?;
    }
}

async fn hear_all<T: AsyncBufRead + Unpin>(
    mut stream: T,
    mut waiting: mpsc::Receiver<mpsc::Sender<Heard>>,
    unheard: Arc<Unheard>,
) -> io::Result<()> {
    while let Some(answer) = waiting.next().await {
        let first = read_frame(&mut stream).await?;
        unheard.heard();
        hear(&first, &mut stream, answer).await?;
    }
    Ok(())
}

/// Reads one answer, of which the first frame is there, to its end, whether or not somebody still wants it.
async fn hear<T: AsyncBufRead + Unpin>(
    first: &[u8],
    stream: &mut T,
    mut wanted: mpsc::Sender<Heard>,
) -> io::Result<()> {
    let answer = Answer::decode(first).map_err(|refusal| invalid(refusal.as_str()))?;
    let sending = answer == Answer::Sending;
    let _ = wanted.send(Heard::Answer(answer)).await;
    if !sending {
        return Ok(());
    }
    loop {
        let frame = Bytes::from(read_asked(stream, MAX_PART_FRAME).await?);
        let end = match Part::decode(&frame).map_err(|refusal| invalid(refusal.as_str()))? {
            Part::Data(bytes) => {
                let _ = wanted.send(Heard::Data(frame.slice_ref(bytes))).await;
                continue;
            }
            Part::Done => Ok(()),
            Part::BrokenOff(why) => Err(why),
        };
        let _ = wanted.send(Heard::End(end)).await;
        return Ok(());
    }
}
