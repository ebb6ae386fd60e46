//! A relay that is asked to keep files and directories: requests are verified here; room and disks are somebody else's.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{AsyncWriteExt, FutureExt, StreamExt, stream};
use libp2p::PeerId;

use crate::error::{Code, Error, Result};
use crate::limits::{
    ANNOUNCED_AT_ONCE, FILE_TRANSFER, FILES_WITHDRAWN_AT_ONCE, KEEP_JOBS, KEEP_JOBS_PER_PEER,
    KEEP_JOBS_PER_PREFIX, KEEP_TOLD_EVERY, MAX_KEPT_ANNOUNCED,
};
use crate::net::budget::{Asker, Limits, SharedBudget};
use crate::net::codec::{invalid, send_frame};
use crate::net::files::serving::{in_time, next_frame};
use crate::net::files::{Files, announcing};
use crate::net::overlay::Overlay;
use crate::net::protocols;
use crate::net::streams::{Incoming, Registry, Stream};
use crate::platform;
use crate::proto::Millis;
use crate::proto::files::cid::{Cid, Root};
use crate::proto::files::keeping::{KeepAnswer, KeepRefusal, KeepRequest, NotKept};
use crate::proto::files::search::{holders, word};
use crate::proto::key::Key;
use crate::proto::record::Refusal;
use crate::store::Source;

/// A request that verifies.
pub struct Wanted {
    /// What it says.
    pub request: KeepRequest,
    /// Who brought it, and is the first to be asked for the file.
    pub peer: PeerId,
    /// What quotas count it under.
    pub source: u64,
    /// How many bytes have come, for whoever waits.
    pub came: Arc<AtomicU64>,
}

/// Where files of others are kept.
#[async_trait]
pub trait Keeper: Send + Sync + 'static {
    /// Keeps a file or a directory, or says why not. Returns when all of it is there: until when it stays.
    async fn keep(&self, wanted: Wanted) -> std::result::Result<Millis, NotKept>;
}

impl Files {
    /// Answers those who ask for something to be kept, from now on.
    pub(in crate::net) fn keep_with(
        &self,
        keeper: Arc<dyn Keeper>,
        streams: &Registry,
    ) -> Result<()> {
        let handle = self.overlay.handle();
        let incoming = streams
            .accept(protocols::keep(handle.network()))
            .map_err(|_| Error::new(Code::Internal, "files are kept already"))?;
        let share = Limits(KEEP_JOBS, KEEP_JOBS_PER_PEER, KEEP_JOBS_PER_PREFIX);
        let serving = Serving {
            files: self.clone(),
            keeper,
            budget: SharedBudget::new(share),
        };
        self.shelf.announce_at_most(MAX_KEPT_ANNOUNCED);
        platform::spawn(run(Arc::new(serving), incoming));
        Ok(())
    }

    /// Says in the network that this peer has something, and lists it under these words, and keeps that said: as
    /// [`Files::announce`] and [`Files::announce_words`], but says nothing again that is said already.
    pub async fn announce_kept(&self, cid: &Cid, words: &[String]) -> Result<()> {
        let network = self.overlay.handle().network();
        let places = words.iter().map(|token| word(network, token));
        let places: Vec<_> = [holders(network, cid)].into_iter().chain(places).collect();
        let known = self.shelf.announced();
        let mut outcome = Ok(());
        for place in places.into_iter().filter(|place| !known.contains(place)) {
            // What fails now is said with the rest the next time.
            self.shelf.announces(place);
            let announced = announcing::announce(&self.overlay, place).await;
            outcome = outcome.and(announced);
        }
        outcome
    }

    /// The same for files of a directory that is announced, a few at a time, as far as they fit one half of the places: the
    /// other is for what was asked for.
    pub async fn announce_members(&self, cids: impl Iterator<Item = Cid>) {
        let network = self.overlay.handle().network();
        let mut new = Vec::new();
        {
            let mut keys = self.shelf.keys();
            for key in cids.map(|cid| holders(network, &cid)) {
                if keys.len() >= MAX_KEPT_ANNOUNCED / 2 {
                    break;
                }
                if !keys.contains(&key) {
                    keys.push(key);
                    new.push(key);
                }
            }
        }
        let each = |key| async move {
            if let Err(error) = announcing::announce(&self.overlay, key).await {
                tracing::debug!(%error, "a file of a kept directory is not announced yet");
            }
        };
        let said = stream::iter(new).map(each);
        said.buffer_unordered(ANNOUNCED_AT_ONCE)
            .collect::<()>()
            .await;
    }

    /// Takes back that this peer has these, where it said so.
    pub async fn withdraw_kept(&self, cids: impl Iterator<Item = Cid>) {
        let network = self.overlay.handle().network();
        let gone: HashSet<Key> = cids.map(|cid| holders(network, &cid)).collect();
        let mut said = Vec::new();
        self.shelf.keys().retain(|known| {
            let stays = !gone.contains(known);
            if !stays {
                said.push(*known);
            }
            stays
        });
        let each = |key| async move {
            if let Err(error) = self.overlay.withdraw(key).await {
                tracing::debug!(%error, "not withdrawn");
            }
        };
        let leaving = stream::iter(said).map(each);
        leaving
            .buffer_unordered(FILES_WITHDRAWN_AT_ONCE)
            .collect::<()>()
            .await;
    }

    /// Gives these files to nobody, whoever shares them here, and says that the owner does not want that.
    pub fn deny(&self, roots: impl IntoIterator<Item = Root>) {
        self.shelf.deny(roots.into_iter().collect());
    }

    /// Lists nothing any more whose time is over, and is named for its words no longer.
    pub fn expire_listings(&self) {
        let (network, now) = (self.overlay.handle().network(), self.overlay.client().now());
        let mut catalogue = self.shelf.catalogue();
        let before: Vec<String> = catalogue.words().map(str::to_owned).collect();
        catalogue.expire(now);
        let unused = before.iter().filter(|token| !catalogue.has(token));
        let unused: Vec<_> = unused.map(|token| word(network, token)).collect();
        drop(catalogue);
        self.shelf.keys().retain(|known| !unused.contains(known));
    }
}

struct Serving {
    files: Files,
    keeper: Arc<dyn Keeper>,
    budget: SharedBudget,
}

async fn run(serving: Arc<Serving>, mut incoming: mpsc::Receiver<Incoming>) {
    while let Some(incoming) = incoming.next().await {
        let (serving, peer) = (serving.clone(), incoming.peer);
        platform::spawn(async move {
            if let Err(error) = serving.serve(incoming).await {
                tracing::debug!(%peer, %error, "a stream about keeping files has ended");
                let standings = serving.files.overlay.handle().standings();
                standings.asks(&peer, &error);
            }
        });
    }
}

impl Serving {
    async fn serve(&self, incoming: Incoming) -> io::Result<()> {
        let Incoming {
            peer,
            prefix,
            mut stream,
            ..
        } = incoming;
        let asker = Asker { peer, prefix };
        while let Some(frame) = next_frame(&mut stream).await? {
            let place = self.budget.place(asker);
            match (place, self.open(&frame)) {
                (_, Err(refusal @ (Refusal::Malformed | Refusal::Oversized))) => {
                    return Err(invalid(refusal.as_str()));
                }
                (_, Err(refusal)) => {
                    refuse(&mut stream, KeepRefusal::from(refusal).into()).await?;
                }
                (None, Ok(_)) => refuse(&mut stream, KeepRefusal::Busy.into()).await?,
                (Some(_), Ok(request)) => {
                    let wanted = Wanted {
                        request,
                        peer,
                        source: Source::of(prefix, &peer.to_bytes()).to_u64(),
                        came: Arc::default(),
                    };
                    self.answer(wanted, &mut stream).await?;
                }
            }
        }
        stream.close().await
    }

    fn open(&self, frame: &[u8]) -> std::result::Result<KeepRequest, Refusal> {
        let network = self.files.overlay.handle().network();
        KeepRequest::open(frame, network, self.files.overlay.client().now())
    }

    /// Says how much has come, until all of it has.
    async fn answer(&self, wanted: Wanted, stream: &mut Stream) -> io::Result<()> {
        let came = wanted.came.clone();
        let mut keeping = self.keeper.keep(wanted);
        loop {
            keeping = match select(keeping, platform::sleep(KEEP_TOLD_EVERY)).await {
                Either::Left((Ok(until), _)) => {
                    return say(stream, KeepAnswer::Kept { until }).await;
                }
                Either::Left((Err(why), _)) => return refuse(stream, why).await,
                Either::Right((_, keeping)) => keeping,
            };
            let have = came.load(Ordering::Relaxed);
            say(stream, KeepAnswer::Coming { have }).await?;
        }
    }
}

async fn refuse(stream: &mut Stream, why: NotKept) -> io::Result<()> {
    say(stream, KeepAnswer::Refused { why }).await
}

async fn say(stream: &mut Stream, answer: KeepAnswer) -> io::Result<()> {
    let frame = answer.encode();
    in_time(FILE_TRANSFER, send_frame(stream, &frame).boxed()).await
}
