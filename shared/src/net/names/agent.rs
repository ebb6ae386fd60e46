//! The agent: one task that resolves names for everybody in this peer, and runs operations beside it.
//!
//! Knows what it is asked, and how an operation of an owner is carried out. The task is in `task`.

mod saving;
mod task;

use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, SinkExt, StreamExt};

use self::task::Task;
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
use crate::proto::names::resolver::{CachedName, Options};
use crate::proto::names::wire::Response;
use crate::proto::names::work::{Hardness, Puzzle};
use crate::proto::names::zone::SignedZone;
use crate::proto::names::{KnownSets, Label};
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
    Sets(oneshot::Sender<Result<Box<KnownSets>>>),
    Learned(Box<KnownSets>),
    Resolve(Name, Options, oneshot::Sender<Result<Box<Resolution>>>),
    Cached(oneshot::Sender<Vec<CachedName>>),
    #[cfg(feature = "server")]
    Kept(oneshot::Sender<Vec<KeptName>>),
    Settle(oneshot::Sender<Result<()>>),
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
        platform::spawn(Task::new(surroundings.clone(), inbox).run());
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
        self.request(Command::Sets).await?.map(|sets| *sets)
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

    /// Waits until all that must not be forgotten, as it is now, is saved; an error if it could not be,
    /// which is tried again.
    pub async fn settle(&self) -> Result<()> {
        self.request(Command::Settle).await?
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
        let now = || self.surroundings.overlay.client().now_for_names();
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

fn keepsake(what: &str, network: &NetworkId) -> String {
    format!("names-{what}-{network}")
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
