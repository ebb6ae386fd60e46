//! The loop around the resolver: takes commands, asks for what the resolver wants, and keeps what must
//! not be forgotten.

use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};

use super::saving::{Saving, What};
use super::{Command, Surroundings, keepsake, no_witnesses, until};
use crate::error::{Code, Error, Result};
use crate::net::names::asking::Asking;
use crate::net::outside::SharedKeepsakes;
use crate::net::overlay::Overlay;
use crate::platform;
use crate::proto::key::NetworkId;
use crate::proto::names::KnownSets;
use crate::proto::names::name::Name;
use crate::proto::names::resolution::Resolution;
#[cfg(feature = "server")]
use crate::proto::names::resolver::kept;
use crate::proto::names::resolver::{Output, Resolver, floors::Floors};
use crate::proto::names::wire::Response;
use crate::proto::record::Record;
use crate::sorted::SortedMap;

/// Those that wait for a name, by the number of the query.
type Waiting = SortedMap<u64, oneshot::Sender<Result<Box<Resolution>>>>;

const SETS: &str = "sets";
const FLOORS: &str = "floors";

enum Found {
    Answer(u64, Option<Response>),
    Zones(u64, Option<Vec<Vec<u8>>>),
    Kept(Result<()>),
    Rested(u64),
}

pub(super) struct Task {
    asking: Asking,
    surroundings: Surroundings,
    inbox: mpsc::Receiver<Command>,
    resolver: Option<Resolver>,
    jobs: FuturesUnordered<BoxFuture<'static, Found>>,
    waiting: Waiting,
    watchers: Vec<(Name, mpsc::Sender<()>)>,
    /// Why it is not known what was believed before: until it is, nothing is believed or written.
    unreadable: Option<Error>,
    /// Who others said the witnesses are, while that is so.
    offered: Option<Box<KnownSets>>,
    saving: Saving,
}

impl Task {
    pub(super) fn new(surroundings: Surroundings, inbox: mpsc::Receiver<Command>) -> Task {
        Task {
            asking: surroundings.asking(),
            surroundings,
            inbox,
            resolver: None,
            jobs: FuturesUnordered::new(),
            waiting: Waiting::default(),
            watchers: Vec::new(),
            unreadable: None,
            offered: None,
            saving: Saving::default(),
        }
    }

    pub(super) async fn run(mut self) {
        self.recall().await;
        loop {
            self.pump();
            let due = self.resolver.as_ref().and_then(Resolver::next_wake);
            let mut timer = platform::sleep(until(due, self.now())).fuse();
            select_biased! {
                command = self.inbox.next() => match command {
                    Some(command) => self.on_command(command).await,
                    None => return self.save_at_last().await,
                },
                found = self.jobs.select_next_some() => self.on_found(found),
                () = timer => {
                    let now = self.now();
                    if let Some(resolver) = &mut self.resolver {
                        resolver.tick(now);
                    }
                }
            }
        }
    }

    fn now(&self) -> u64 {
        self.surroundings.overlay.client().now_for_names()
    }

    async fn on_command(&mut self, command: Command) {
        if self.unreadable.is_some() {
            self.recall().await;
        }
        let now = self.now();
        match (command, &mut self.resolver) {
            (Command::Pin(sets), None) => {
                // Others may have been pinned before, if that cannot be read.
                self.offered.get_or_insert(sets);
                if self.unreadable.is_none() {
                    self.pin().await;
                }
            }
            (Command::Pin(sets), Some(resolver)) => contradicted(resolver.sets(), &sets),
            (Command::Sets(reply), resolver) => {
                let sets = resolver.as_ref().map(|it| Box::new(it.sets().clone()));
                let _ = reply.send(sets.ok_or_else(|| self.why_not()));
            }
            (Command::Resolve(name, options, reply), Some(resolver)) => {
                withdraw(resolver, &mut self.waiting);
                let query = resolver.start(&name, options, now);
                self.waiting.insert(query, reply);
            }
            (Command::Resolve(_, _, reply), None) => drop(reply.send(Err(self.why_not()))),
            (Command::Cached(reply), resolver) => {
                let rows = resolver.as_ref().map(|it| it.cached(now));
                let _ = reply.send(rows.unwrap_or_default());
            }
            #[cfg(feature = "server")]
            (Command::Kept(reply), resolver) => {
                let kept = resolver.as_ref().map(|it| it.kept());
                let _ = reply.send(kept.unwrap_or_default());
            }
            (Command::Evidence(root, reply), resolver) => {
                let evidence = resolver.as_ref().and_then(|it| it.evidence(&root));
                let evidence = evidence.map(|(binding, zone)| (binding.cloned(), zone.clone()));
                let _ = reply.send(evidence);
            }
            (Command::Settle(reply), _) => self.saving.settle(reply),
            (Command::Flush, Some(resolver)) => resolver.flush(),
            (Command::Forget(root), Some(resolver)) => resolver.forget(&root, now),
            (Command::Learned(sets), Some(resolver)) => resolver.learn(&sets),
            (Command::Watch(name, changed), _) => self.watchers.push((name, changed)),
            (Command::Flush | Command::Forget(_) | Command::Learned(_), None) => {}
        }
    }

    /// Why no name can be resolved.
    fn why_not(&self) -> Error {
        self.unreadable.clone().unwrap_or_else(no_witnesses)
    }

    fn on_found(&mut self, found: Found) {
        let now = self.now();
        match (found, &mut self.resolver) {
            (Found::Kept(result), _) => {
                report(&result);
                if let Some((number, rest)) = self.saving.ended(result) {
                    let rest = platform::sleep(rest).map(move |()| Found::Rested(number));
                    self.jobs.push(rest.boxed());
                }
            }
            (Found::Rested(number), _) => self.saving.rested(number),
            (Found::Answer(id, Some(response)), Some(resolver)) => {
                resolver.answered(id, response, now);
            }
            (Found::Zones(id, Some(zones)), Some(resolver)) => {
                resolver.zones_found(id, &zones, now);
            }
            (Found::Answer(id, None) | Found::Zones(id, None), Some(resolver)) => {
                resolver.failed(id, now);
            }
            (_, None) => {}
        }
    }

    /// Does what the resolver says.
    fn pump(&mut self) {
        while let Some(output) = self.resolver.as_mut().and_then(Resolver::poll) {
            match output {
                Output::Ask { to, id, request } => {
                    let asking = self.asking.clone();
                    let ask = async move { Found::Answer(id, asking.ask(to, request).await) };
                    self.jobs.push(ask.boxed());
                }
                Output::FindZone { id, key } => {
                    let overlay = self.surroundings.overlay.clone();
                    let find = async move {
                        // That nobody could be asked does not mean that there is none.
                        let found = overlay.record_at(key).await.ok();
                        let bytes = |record: Record| record.bytes().to_vec();
                        let zones = found.map(|found| found.map(bytes).into_iter().collect());
                        Found::Zones(id, zones)
                    };
                    self.jobs.push(find.boxed());
                }
                Output::Done { query, result } => {
                    if let Some(reply) = self.waiting.remove(&query) {
                        let _ = reply.send(result.map_err(Error::from));
                    }
                }
                Output::Changed(name) => self.watchers.retain_mut(|(watched, changed)| {
                    // A full channel says the same already.
                    let about = watched.root() == name.root();
                    !changed.is_closed()
                        && (!about || changed.try_send(()).is_ok() || !changed.is_closed())
                }),
                Output::FloorsRose => self.saving.changed(What::Floors),
                Output::SetsGrew => self.saving.changed(What::Sets),
            }
        }
        self.save_next();
    }

    fn save_next(&mut self) {
        if let Some(what) = self.saving.next() {
            let save = self.save(what);
            self.jobs.push(save.map(Found::Kept).boxed());
        }
    }

    /// Nothing more will come: what has not been saved is saved, after what is under way.
    async fn save_at_last(mut self) {
        while self.saving.is_writing() {
            match self.jobs.next().await {
                Some(Found::Kept(result)) => drop(self.saving.ended(result)),
                Some(_) => {}
                None => break,
            }
        }
        for what in [What::Sets, What::Floors] {
            if self.saving.take(what) {
                report(&self.save(what).await);
            }
        }
    }

    fn save(&self, what: What) -> BoxFuture<'static, Result<()>> {
        let Some(resolver) = &self.resolver else {
            return async { Ok(()) }.boxed();
        };
        let (what, bytes) = match what {
            What::Sets => (SETS, resolver.sets().export()),
            What::Floors => (FLOORS, resolver.floors().export()),
        };
        self.surroundings.keepsakes.save(self.keepsake(what), bytes)
    }

    fn keepsake(&self, what: &str) -> String {
        keepsake(what, &self.surroundings.network)
    }

    /// Believes what was believed before, if there is something.
    async fn recall(&mut self) {
        self.unreadable = None;
        let Surroundings {
            keepsakes, network, ..
        } = &self.surroundings;
        match kept_sets(keepsakes, network).await {
            Ok(Some(sets)) => self.believe(sets).await,
            Ok(None) => self.pin().await,
            Err(error) => self.unreadable = Some(unreadable(SETS, &error)),
        }
    }

    /// Believes who others said the witnesses are, the first time that this is known.
    async fn pin(&mut self) {
        let network = &self.surroundings.network;
        let offered = self.offered.clone();
        if let Some(sets) = offered.filter(|sets| sets.network() == network) {
            self.believe(*sets).await;
            if self.resolver.is_some() {
                self.saving.changed(What::Sets);
            }
        }
    }

    /// From now on names are resolved; not before it is known what was seen of them.
    async fn believe(&mut self, sets: KnownSets) {
        let Surroundings {
            keepsakes, network, ..
        } = &self.surroundings;
        let floors = match kept_floors(keepsakes, network).await {
            Ok(floors) => floors,
            Err(error) => {
                self.unreadable = Some(unreadable(FLOORS, &error));
                return;
            }
        };
        self.offered = None;
        let seed = u64::from_le_bytes(platform::entropy());
        self.resolver = Some(Resolver::new(sets, floors, seed));
        #[cfg(feature = "server")]
        self.restore_cache().await;
    }

    #[cfg(feature = "server")]
    async fn restore_cache(&mut self) {
        let load = self.surroundings.keepsakes.load(self.keepsake("cache"));
        let kept = load.await.ok().flatten().map(|bytes| kept::read(&bytes));
        let now = self.now();
        match (kept, &mut self.resolver) {
            (Some(Ok(names)), Some(resolver)) => resolver.restore(&names, now),
            (Some(Err(_)), _) => tracing::warn!("the names resolved before cannot be read"),
            _ => {}
        }
    }
}

fn report(saved: &Result<()>) {
    if let Err(error) = saved {
        tracing::warn!(%error, "what was seen of names could not be kept");
    }
}

async fn kept_sets(from: &SharedKeepsakes, network: &NetworkId) -> Result<Option<KnownSets>> {
    let Some(bytes) = from.load(keepsake(SETS, network)).await? else {
        return Ok(None);
    };
    let sets = KnownSets::restore(&bytes)?;
    Ok(Some(sets).filter(|sets| sets.network() == network))
}

async fn kept_floors(from: &SharedKeepsakes, network: &NetworkId) -> Result<Floors> {
    let mut floors = Floors::default();
    if let Some(bytes) = from.load(keepsake(FLOORS, network)).await? {
        floors.restore(&bytes)?;
    }
    Ok(floors)
}

/// What is kept cannot be read: that is not the same as that nothing is kept.
fn unreadable(what: &str, error: &Error) -> Error {
    tracing::error!(%error, what, "what was kept about names cannot be read");
    Error::new(
        Code::StorageFailed,
        format!("what was kept about names (names-{what}-…) cannot be read"),
    )
    .caused_by(error)
    .with_remedy(
        "Try again; if it is damaged, restore it from a backup, or remove it: then the next relay says who the witnesses are.",
    )
}

/// Whoever has given up waiting takes no place from others.
fn withdraw(resolver: &mut Resolver, waiting: &mut Waiting) {
    waiting.retain(|query, reply| {
        let wanted = !reply.is_canceled();
        if !wanted {
            resolver.cancel(*query);
        }
        wanted
    });
}

/// Whoever names other witnesses than those that are believed in is not believed.
fn contradicted(known: &KnownSets, offered: &KnownSets) {
    let offered = offered.current();
    if known
        .get(offered.epoch())
        .is_some_and(|set| set.keys() != offered.keys())
    {
        tracing::warn!(
            "a relay names other witnesses than those that are known; it is not believed"
        );
    }
}

#[cfg(test)]
mod tests;
