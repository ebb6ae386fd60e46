//! The agent: one task that resolves names for everybody in this peer, and runs operations beside it.
//!
//! Gives the pure machines time, answers and a place for what must not be forgotten.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, SinkExt, StreamExt, select_biased};

use super::asking::Asking;
#[cfg(feature = "server")]
use super::service::NameService;
use crate::error::{Code, Error, Result};
use crate::net::outside::SharedKeepsakes;
use crate::net::overlay::{Kademlia, Overlay};
#[cfg(feature = "server")]
use crate::proto::key::PublicKey;
use crate::proto::key::{NetworkId, SigningKey};
use crate::proto::names::certificate::{Binding, Certificate};
use crate::proto::names::name::{Name, Root};
use crate::proto::names::publisher::{self, Goal, Operation, Progress};
use crate::proto::names::resolution::Resolution;
#[cfg(feature = "server")]
use crate::proto::names::resolver::kept::{self, KeptName};
use crate::proto::names::resolver::{CachedName, Options, Output, Resolver, floors::Floors};
use crate::proto::names::wire::Response;
use crate::proto::names::work::{Hardness, Puzzle};
use crate::proto::names::zone::SignedZone;
use crate::proto::names::{KnownSets, Label};
use crate::proto::record::Record;
use crate::{limits, platform};

/// Solves puzzles away from whatever must stay responsive.
pub type Solver = Arc<dyn Fn(Puzzle) -> BoxFuture<'static, u64> + Send + Sync>;

/// What the agent needs of the peer around it.
#[derive(Clone)]
pub struct Surroundings {
    /// Where zones are found, and the way to witnesses.
    pub overlay: Arc<Kademlia>,
    /// The own witness role, if there is one.
    #[cfg(feature = "server")]
    pub service: Option<Arc<NameService>>,
    /// The own transport key: the witness role is asked without the network.
    #[cfg(feature = "server")]
    pub own: PublicKey,
    /// The network.
    pub network: NetworkId,
    /// What survives a restart.
    pub keepsakes: SharedKeepsakes,
    /// How puzzles are solved.
    pub solver: Solver,
    /// How hard they are.
    pub hardness: Hardness,
}

impl Surroundings {
    fn asking(&self) -> Asking {
        Asking {
            overlay: self.overlay.clone(),
            #[cfg(feature = "server")]
            service: self.service.clone(),
            #[cfg(feature = "server")]
            own: self.own,
        }
    }
}

/// What an operation has to tell on its way.
#[derive(Clone, Debug)]
pub enum Progressed {
    /// How far it is.
    Progress(Progress),
    /// The name is proved by this, from now on.
    Keep(Box<Certificate>),
}

enum Command {
    Pin(Box<KnownSets>),
    Sets(oneshot::Sender<Option<Box<KnownSets>>>),
    Learned(Box<KnownSets>),
    Resolve(Name, Options, oneshot::Sender<Result<Box<Resolution>>>),
    Cached(oneshot::Sender<Vec<CachedName>>),
    #[cfg(feature = "server")]
    Kept(oneshot::Sender<Vec<KeptName>>),
    Flush,
    Forget(Root),
    Evidence(Root, oneshot::Sender<Option<(Option<Binding>, SignedZone)>>),
    Watch(Name, mpsc::Sender<()>),
}

/// The way to the agent. Cheap to clone.
#[derive(Clone)]
pub struct Agent {
    commands: mpsc::Sender<Command>,
    surroundings: Surroundings,
}

impl Agent {
    /// Starts it in the background; it ends when nobody holds it any more.
    pub fn start(surroundings: Surroundings) -> Agent {
        let (commands, inbox) = mpsc::channel(limits::COMMAND_QUEUE);
        let task = Task {
            asking: surroundings.asking(),
            surroundings: surroundings.clone(),
            inbox,
            resolver: None,
            jobs: FuturesUnordered::new(),
            waiting: HashMap::new(),
            watchers: Vec::new(),
        };
        platform::spawn(task.run());
        Agent {
            commands,
            surroundings,
        }
    }

    /// Believes in these witnesses, unless others were believed in before.
    pub async fn pin(&self, sets: KnownSets) -> Result<()> {
        self.send(Command::Pin(Box::new(sets))).await
    }

    /// The witnesses that are believed in.
    pub async fn sets(&self) -> Result<KnownSets> {
        let sets = self.request(Command::Sets).await?;
        sets.map(|sets| *sets).ok_or_else(no_witnesses)
    }

    /// What a name leads to.
    pub async fn resolve(&self, name: Name, options: Options) -> Result<Resolution> {
        let asked = self.request(|reply| Command::Resolve(name, options, reply));
        asked.await?.map(|found| *found)
    }

    /// What is in the cache.
    pub async fn cached(&self) -> Result<Vec<CachedName>> {
        self.request(Command::Cached).await
    }

    /// Keeps the cache for the next start, where what is still fresh then is given without asking.
    #[cfg(feature = "server")]
    pub async fn keep_cache(&self) -> Result<()> {
        let kept = self.request(Command::Kept).await?;
        let what = keepsake("cache", &self.surroundings.network);
        let bytes = kept::write(&kept);
        self.surroundings.keepsakes.save(what, bytes).await
    }

    /// Empties the cache; what was seen stays seen.
    pub async fn flush(&self) -> Result<()> {
        self.send(Command::Flush).await
    }

    /// Asks anew for a name that changed by this peer's own doing.
    pub async fn forget(&self, root: Root) -> Result<()> {
        self.send(Command::Forget(root)).await
    }

    /// What proves the cached answer for a name.
    pub async fn evidence(&self, root: Root) -> Result<Option<(Option<Binding>, SignedZone)>> {
        self.request(|reply| Command::Evidence(root, reply)).await
    }

    /// A word whenever there is something new about a name.
    pub async fn watch(&self, name: Name) -> Result<mpsc::Receiver<()>> {
        let (changed, changes) = mpsc::channel(1);
        self.send(Command::Watch(name, changed)).await?;
        Ok(changes)
    }

    /// Carries out one operation of an owner, telling how it goes.
    pub fn operate<'a>(
        &'a self,
        owner: SigningKey,
        name: Label,
        goal: Goal,
        told: &'a mut (dyn FnMut(Progressed) + Send),
    ) -> BoxFuture<'a, Result<Binding>> {
        // One future for all who tell: a browser would download each.
        self.operation(owner, name, goal, told).boxed()
    }

    async fn operation(
        &self,
        owner: SigningKey,
        name: Label,
        goal: Goal,
        told: &mut (dyn FnMut(Progressed) + Send),
    ) -> Result<Binding> {
        let sets = self.sets().await?;
        let seed = u64::from_le_bytes(platform::entropy());
        let asking = self.surroundings.asking();
        let now = || self.surroundings.overlay.client().now();
        let hardness = self.surroundings.hardness;
        let mut operation = Operation::new(sets, owner, name, goal, hardness, (seed, now()));
        let mut jobs: FuturesUnordered<BoxFuture<'static, Finished>> = FuturesUnordered::new();
        loop {
            while let Some(output) = operation.poll() {
                match output {
                    publisher::Output::Send { to, id, request } => {
                        let asking = asking.clone();
                        let ask = async move { Finished::Asked(id, asking.ask(to, request).await) };
                        jobs.push(ask.boxed());
                    }
                    publisher::Output::Solve(puzzle) => {
                        let solving = (self.surroundings.solver)(puzzle);
                        jobs.push(solving.map(Finished::Solved).boxed());
                    }
                    publisher::Output::Progress(progress) => told(Progressed::Progress(progress)),
                    publisher::Output::Keep(certificate) => told(Progressed::Keep(certificate)),
                    publisher::Output::Done(result) => {
                        let sets = Box::new(operation.sets().clone());
                        self.send(Command::Learned(sets)).await?;
                        return Ok(*result?);
                    }
                }
            }
            let wait = until(operation.next_wake(), now());
            let finished = match jobs.is_empty() {
                true => {
                    platform::sleep(wait).await;
                    None
                }
                false => match select(jobs.next(), platform::sleep(wait)).await {
                    Either::Left((finished, _)) => finished,
                    Either::Right(_) => None,
                },
            };
            match finished {
                Some(Finished::Asked(id, Some(response))) => {
                    operation.answered(id, response, now());
                }
                Some(Finished::Asked(id, None)) => operation.failed(id, now()),
                Some(Finished::Solved(nonce)) => operation.solved(nonce, now()),
                None => operation.tick(now()),
            }
        }
    }

    async fn request<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| closed())
    }

    async fn send(&self, command: Command) -> Result<()> {
        let sent = self.commands.clone().send(command).await;
        sent.map_err(|_| closed())
    }
}

/// A piece of work that has come to its end.
enum Finished {
    Asked(u64, Option<Response>),
    Solved(u64),
}

enum Found {
    Answer(u64, Option<Response>),
    Zones(u64, Vec<Vec<u8>>),
    Kept,
}

struct Task {
    asking: Asking,
    surroundings: Surroundings,
    inbox: mpsc::Receiver<Command>,
    resolver: Option<Resolver>,
    jobs: FuturesUnordered<BoxFuture<'static, Found>>,
    waiting: HashMap<u64, oneshot::Sender<Result<Box<Resolution>>>>,
    watchers: Vec<(Name, mpsc::Sender<()>)>,
}

impl Task {
    async fn run(mut self) {
        if let Some(sets) = self.restored_sets().await {
            self.believe(sets).await;
        }
        loop {
            self.pump();
            let due = self.resolver.as_ref().and_then(Resolver::next_wake);
            let mut timer = platform::sleep(until(due, self.now())).fuse();
            select_biased! {
                command = self.inbox.next() => match command {
                    Some(command) => self.on_command(command).await,
                    None => return,
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
        self.surroundings.overlay.client().now()
    }

    async fn on_command(&mut self, command: Command) {
        let now = self.now();
        match (command, &mut self.resolver) {
            (Command::Pin(sets), None) => {
                if *sets.network() == self.surroundings.network {
                    self.keep("sets", sets.export());
                    self.believe(*sets).await;
                }
            }
            (Command::Pin(sets), Some(resolver)) => contradicted(resolver.sets(), &sets),
            (Command::Sets(reply), resolver) => {
                let sets = resolver.as_ref().map(|it| Box::new(it.sets().clone()));
                let _ = reply.send(sets);
            }
            (Command::Resolve(name, options, reply), Some(resolver)) => {
                let query = resolver.start(&name, options, now);
                self.waiting.insert(query, reply);
            }
            (Command::Resolve(_, _, reply), None) => drop(reply.send(Err(no_witnesses()))),
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
            (Command::Flush, Some(resolver)) => resolver.flush(),
            (Command::Forget(root), Some(resolver)) => resolver.forget(&root),
            (Command::Learned(sets), Some(resolver)) => resolver.learn(&sets),
            (Command::Watch(name, changed), _) => self.watchers.push((name, changed)),
            (Command::Flush | Command::Forget(_) | Command::Learned(_), None) => {}
        }
    }

    fn on_found(&mut self, found: Found) {
        let now = self.now();
        let Some(resolver) = &mut self.resolver else {
            return;
        };
        match found {
            Found::Answer(id, Some(response)) => resolver.answered(id, response, now),
            Found::Answer(id, None) => resolver.failed(id, now),
            Found::Zones(id, zones) => resolver.zones_found(id, &zones, now),
            Found::Kept => {}
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
                        let found = overlay.record_at(key).await.ok().flatten();
                        let zone = found.as_ref().map(Record::bytes).map(<[u8]>::to_vec);
                        Found::Zones(id, zone.into_iter().collect())
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
                Output::FloorsRose => {
                    let floors = self.resolver.as_ref().map(|it| it.floors().export());
                    floors
                        .into_iter()
                        .for_each(|bytes| self.keep("floors", bytes));
                }
                Output::SetsGrew => {
                    let sets = self.resolver.as_ref().map(|it| it.sets().export());
                    sets.into_iter().for_each(|bytes| self.keep("sets", bytes));
                }
            }
        }
    }

    fn keep(&mut self, what: &str, bytes: Vec<u8>) {
        let save = self.surroundings.keepsakes.save(self.keepsake(what), bytes);
        let kept = save.map(|result| {
            if let Err(error) = result {
                tracing::warn!(%error, "what was seen of names could not be kept");
            }
            Found::Kept
        });
        self.jobs.push(kept.boxed());
    }

    fn keepsake(&self, what: &str) -> String {
        keepsake(what, &self.surroundings.network)
    }

    async fn restored_sets(&mut self) -> Option<KnownSets> {
        let load = self.surroundings.keepsakes.load(self.keepsake("sets"));
        let bytes = load.await.ok().flatten()?;
        let sets = KnownSets::restore(&bytes).ok();
        sets.filter(|sets| *sets.network() == self.surroundings.network)
    }

    /// From now on names are resolved.
    async fn believe(&mut self, sets: KnownSets) {
        let load = self.surroundings.keepsakes.load(self.keepsake("floors"));
        let mut floors = Floors::default();
        match load.await {
            Ok(Some(bytes)) if floors.restore(&bytes).is_err() => {
                tracing::warn!("what was seen of names before cannot be read");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what was seen of names before is not known"),
        }
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

fn keepsake(what: &str, network: &NetworkId) -> String {
    format!("names-{what}-{network}")
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

fn until(due: Option<u64>, now: u64) -> Duration {
    due.map_or(limits::ROUTING_REFRESH, |due| {
        Duration::from_millis(due.saturating_sub(now))
    })
}

fn no_witnesses() -> Error {
    Error::new(
        Code::NoQuorum,
        "this peer does not know the witnesses of its network",
    )
    .with_remedy("Join by the URL of a relay: its join document names the witnesses.")
}

fn closed() -> Error {
    Error::new(Code::Closed, "this peer has been closed")
}
