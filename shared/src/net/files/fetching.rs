//! One file is fetched from everybody who has it: does what its download says, and tells it what came of that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{AbortHandle, Abortable, BoxFuture, pending};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select};
use libp2p::PeerId;

use super::asking::holding;
use super::how::How;
use super::sources::Sources;
use super::store::Partial;
use super::taking::{Known, Taking, Trouble};
use super::wishes::Wishes;
use crate::error::{Code, Error, Result};
use crate::limits::{GROUP, PIECE, SOURCE_FORGIVEN, SOURCE_PAUSE};
use crate::net::handle::Route;
use crate::net::standings::Standings;
use crate::platform;
use crate::proto::Millis;
use crate::proto::files::download::{
    Action, Config, Download, Failure, Holding, Leaving, RequestId, SourceId,
};
use crate::proto::files::wire::{Fetch, FileRefusal};
use crate::proto::reputation::Evidence;

/// What was begun has ended.
enum Ended {
    Fetched(RequestId, std::result::Result<(), Trouble>),
    Asked(SourceId, std::result::Result<Holding, Failure>),
    Withdrawn,
}

const TRY_AGAIN: &str = "Check that somebody shares it in this network, then run the same again: it goes on where it was.";

/// What is known of a peer that was named.
enum Met {
    /// It is a source.
    Source,
    /// Its connection broke, or it had nothing: it is tried again then.
    Later(Millis),
    /// It is left for good: it lied, or what it had has changed.
    Left(Leaving),
}

pub(super) struct Fetching {
    sources: Sources,
    partial: Arc<dyn Partial>,
    known: Arc<Known>,
    how: How,
    standings: Standings,
    download: Download,
    routes: HashMap<SourceId, Route>,
    met: HashMap<PeerId, (Route, Met)>,
    /// How often each was tried in vain since it gave something.
    tries: HashMap<PeerId, u32>,
    /// Sources that have said what they have.
    answered: HashSet<SourceId>,
    next: SourceId,
    requests: HashMap<RequestId, (SourceId, AbortHandle)>,
    work: FuturesUnordered<BoxFuture<'static, Ended>>,
    came: mpsc::UnboundedSender<(RequestId, u64)>,
    /// What was wanted last.
    wishes: Wishes,
    /// When something came last.
    news: Millis,
}

impl Fetching {
    /// Returns when all of it is there, or when it rests and nothing is under way.
    pub async fn run(
        sources: Sources,
        partial: Arc<dyn Partial>,
        standings: Standings,
        how: How,
    ) -> Result<()> {
        let now = platform::now();
        let config = Config {
            in_flight: how.in_flight,
            seed: u64::from_le_bytes(platform::entropy()),
        };
        let (came, mut counts) = mpsc::unbounded();
        let mut named = sources.listen();
        let mut fetching = Fetching {
            download: Download::new(config, partial.pieces(), now),
            sources,
            partial,
            known: Arc::default(),
            how,
            standings,
            routes: HashMap::new(),
            met: HashMap::new(),
            tries: HashMap::new(),
            answered: HashSet::new(),
            next: 0,
            requests: HashMap::new(),
            work: FuturesUnordered::new(),
            came,
            wishes: Wishes::default(),
            news: now,
        };
        // It is never empty, and so never over.
        fetching.work.push(pending().boxed());
        fetching.drive(&mut named, &mut counts).await
    }

    async fn drive(
        &mut self,
        named: &mut mpsc::Receiver<Route>,
        counts: &mut mpsc::UnboundedReceiver<(RequestId, u64)>,
    ) -> Result<()> {
        loop {
            let now = platform::now();
            let again = self.try_again(now);
            self.heed();
            let rests = self.partial.rests();
            while !rests && let Some(action) = self.download.poll(now) {
                if action == Action::Done {
                    return Ok(());
                }
                self.act(action);
            }
            let late = self.news + self.how.patience.as_millis() as Millis;
            if rests && (self.requests.is_empty() || now >= late) {
                return Ok(());
            }
            if now >= late {
                return Err(self.nobody());
            }
            let due = self.download.wake(now).into_iter().chain(again).min();
            // What it would do then, it does not do now.
            let due = due.filter(|_| !rests);
            let wake = due.map_or(late, |due| due.min(late));
            let wait = Duration::from_millis(wake.saturating_sub(now).max(1));
            let mut sleep = platform::sleep(wait).fuse();
            select! {
                route = named.select_next_some() => self.meet(route),
                count = counts.select_next_some() => self.count(count),
                ended = self.work.select_next_some() => {
                    // What came of a request is counted before its end.
                    while let Ok(count) = counts.try_recv() {
                        self.count(count);
                    }
                    self.ended(ended)?;
                }
                () = sleep => {}
            }
        }
    }

    /// Nothing is asked for that nobody wants, and whoever reads meanwhile does not wait for pieces that come by chance.
    fn heed(&mut self) {
        let wishes = self.partial.wishes();
        if wishes == self.wishes {
            return;
        }
        if wishes.only.is_some() || self.wishes.only.is_some() {
            let length = self.download.have().length();
            self.download.want(wishes.pieces(length));
        }
        self.download.prefer(&wishes.readers);
        self.wishes = wishes;
    }

    fn meet(&mut self, route: Route) {
        match self.met.get_mut(&route.peer) {
            None => self.take(route),
            // It may be somewhere else by now.
            Some((known, _)) => *known = route,
        }
    }

    fn take(&mut self, route: Route) {
        let id = self.next;
        let trust = self.standings.of(&route.peer).trust();
        if !self.download.add(id, trust, platform::now()) {
            return;
        }
        self.next += 1;
        self.how.tally.sources.comes(route.peer);
        self.met.insert(route.peer, (route.clone(), Met::Source));
        self.routes.insert(id, route);
        if self.how.whole {
            self.download.holds(id, Holding::All);
        }
    }

    /// Takes those back who were left for a while, and tells when the next one is due.
    fn try_again(&mut self, now: Millis) -> Option<Millis> {
        let (mut due, mut next) = (Vec::new(), None);
        for (route, met) in self.met.values() {
            match met {
                Met::Later(at) if *at <= now => due.push(route.clone()),
                Met::Later(at) => next = Some(next.map_or(*at, |next: Millis| next.min(*at))),
                _ => {}
            }
        }
        due.into_iter().for_each(|route| self.take(route));
        next
    }

    fn count(&mut self, (request, bytes): (RequestId, u64)) {
        let now = platform::now();
        // Whoever begins and sends nothing is no reason for patience.
        if bytes > 0 {
            self.news = now;
        }
        self.how.tally.came.fetch_add(bytes, Ordering::Relaxed);
        self.download.came(request, bytes, now);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Fetch {
                request,
                source,
                piece,
                skip,
            } => self.fetch(request, source, piece, skip),
            Action::Cancel { request, .. } => self.withdraw(request),
            Action::Ask { source } => self.ask(source),
            Action::Leave { source, why } => self.leave(source, why),
            Action::Done => {}
        }
    }

    fn fetch(&mut self, request: RequestId, source: SourceId, piece: u64, skip: u64) {
        let Some(route) = self.routes.get(&source).cloned() else {
            return;
        };
        let (sources, partial) = (self.sources.clone(), self.partial.clone());
        let known = self.known.clone();
        let came = self.came.clone();
        let tree = partial.tree();
        let mut groups = tree.piece(piece);
        groups.start += skip / GROUP;
        let root = partial.cid().root;
        let work = async move {
            // All of it has come before.
            if groups.is_empty() {
                return partial.complete(piece).await.map_err(Trouble::Here);
            }
            let fetch = Fetch { root, tree, groups };
            let question = crate::proto::files::wire::Request::Fetch(fetch.clone());
            let heard = sources.0.links.ask(&route, &question).await;
            let told = |bytes| {
                let _ = came.unbounded_send((request, bytes));
            };
            let taking = Taking {
                partial: partial.as_ref(),
                known: &known,
                piece,
                came: &told,
                now: platform::now,
            };
            taking.take(heard, &fetch).await
        };
        let (abort, aborted) = AbortHandle::new_pair();
        self.requests.insert(request, (source, abort));
        let work = Abortable::new(work, aborted).map(move |done| match done {
            Ok(outcome) => Ended::Fetched(request, outcome),
            Err(_) => Ended::Withdrawn,
        });
        self.work.push(work.boxed());
    }

    fn withdraw(&mut self, request: RequestId) {
        if let Some((_, abort)) = self.requests.remove(&request) {
            abort.abort();
        }
    }

    fn ask(&mut self, source: SourceId) {
        let Some(route) = self.routes.get(&source).cloned() else {
            return;
        };
        let (sources, root) = (self.sources.clone(), self.partial.cid().root);
        let tree = self.partial.tree();
        let work = async move {
            let holding = holding(&sources.0.links, &route, root, tree).await;
            Ended::Asked(source, holding)
        };
        self.work.push(work.boxed());
    }

    fn ended(&mut self, ended: Ended) -> Result<()> {
        let now = platform::now();
        match ended {
            Ended::Withdrawn => {}
            Ended::Fetched(request, outcome) => {
                let Some((source, _)) = self.requests.remove(&request) else {
                    return Ok(());
                };
                match outcome {
                    Ok(()) => {
                        self.how.tally.pieces.fetch_add(1, Ordering::Relaxed);
                        self.note(source, Evidence::Verified(PIECE));
                        if let Some(route) = self.routes.get(&source) {
                            self.tries.remove(&route.peer);
                        }
                        self.news = now;
                        self.download.arrived(request, now);
                    }
                    // Its other requests end with its stream.
                    Err(Trouble::There(Failure::Broken)) => {
                        self.note(source, Evidence::Failed);
                        self.lose(source);
                    }
                    Err(Trouble::There(failure)) => self.download.failed(request, failure, now),
                    Err(Trouble::Here(error)) => return Err(error),
                }
            }
            Ended::Asked(source, Ok(holding)) => {
                self.answered.insert(source);
                self.download.holds(source, holding);
            }
            // What it sends, if anything, shows what it is good for.
            Ended::Asked(source, Err(_)) if self.answered.contains(&source) => {}
            Ended::Asked(_, Err(Failure::Busy)) => {}
            Ended::Asked(source, Err(failure)) => {
                tracing::debug!(?failure, "a source does not say what it has");
                self.lose(source);
            }
        }
        Ok(())
    }

    fn leave(&mut self, source: SourceId, why: Leaving) {
        if let Some(evidence) = why.evidence() {
            self.note(source, evidence);
        }
        if why == Leaving::Lied {
            self.how.tally.liars.fetch_add(1, Ordering::Relaxed);
        }
        match why {
            Leaving::Lied | Leaving::Gone => self.forget(source, Met::Left(why)),
            Leaving::Useless => self.lose(source),
        }
    }

    /// A source is not there any more, or has nothing. It is tried again after a while, which is longer each time.
    fn lose(&mut self, source: SourceId) {
        self.download.remove(source);
        let Some(route) = self.routes.get(&source) else {
            return;
        };
        let tries = self.tries.entry(route.peer).or_default();
        let pause = (SOURCE_PAUSE << (*tries).min(8)).min(SOURCE_FORGIVEN);
        *tries += 1;
        let later = Met::Later(platform::now() + pause);
        self.forget(source, later);
    }

    fn forget(&mut self, source: SourceId, met: Met) {
        if let Some(route) = self.routes.remove(&source) {
            self.how.tally.sources.goes(&route.peer);
            self.met.insert(route.peer, (route, met));
            self.answered.remove(&source);
        }
        self.requests.retain(|_, (of, abort)| {
            let stays = *of != source;
            if !stays {
                abort.abort();
            }
            stays
        });
    }

    fn note(&self, source: SourceId, evidence: Evidence) {
        if let Some(route) = self.routes.get(&source) {
            self.standings.note(&route.peer, evidence);
        }
    }

    /// Nothing comes any more.
    fn nobody(&self) -> Error {
        let (have, all) = (self.download.have().count(), self.download.have().length());
        if self.met.is_empty() {
            return Error::new(Code::NotFound, "nobody was found who has it")
                .with_remedy(TRY_AGAIN);
        }
        let gone = |met: &Met| matches!(met, Met::Left(Leaving::Gone));
        let gone = self.met.values().any(|(_, met)| gone(met));
        let changed = Error::from(FileRefusal::Gone);
        let (why, remedy) = match (self.routes.is_empty(), gone) {
            (true, true) => (changed.message(), changed.remedy()),
            (true, false) => (
                "those who had it share it no more, or cannot be reached",
                TRY_AGAIN,
            ),
            (false, _) => (
                "those who have it send nothing, or not what is missing",
                TRY_AGAIN,
            ),
        };
        let message = format!("{why}: {have} of {all} pieces are there");
        Error::new(Code::NotFound, message).with_remedy(remedy)
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        for route in self.routes.values() {
            self.how.tally.sources.goes(&route.peer);
        }
    }
}
