//! The loop around the resolver: takes commands, asks for what the resolver wants, and keeps what must
//! not be forgotten.

use std::collections::HashMap;

use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};

use super::{Command, Surroundings, keepsake, no_witnesses, until};
use crate::error::{Error, Result};
use crate::net::names::asking::Asking;
use crate::net::overlay::Overlay;
use crate::platform;
use crate::proto::names::KnownSets;
use crate::proto::names::name::Name;
use crate::proto::names::resolution::Resolution;
#[cfg(feature = "server")]
use crate::proto::names::resolver::kept;
use crate::proto::names::resolver::{Output, Resolver, floors::Floors};
use crate::proto::names::wire::Response;
use crate::proto::record::Record;

enum Found {
    Answer(u64, Option<Response>),
    Zones(u64, Vec<Vec<u8>>),
    Kept,
}

pub(super) struct Task {
    asking: Asking,
    surroundings: Surroundings,
    inbox: mpsc::Receiver<Command>,
    resolver: Option<Resolver>,
    jobs: FuturesUnordered<BoxFuture<'static, Found>>,
    waiting: HashMap<u64, oneshot::Sender<Result<Box<Resolution>>>>,
    watchers: Vec<(Name, mpsc::Sender<()>)>,
}

impl Task {
    pub(super) fn new(surroundings: Surroundings, inbox: mpsc::Receiver<Command>) -> Task {
        Task {
            asking: surroundings.asking(),
            surroundings,
            inbox,
            resolver: None,
            jobs: FuturesUnordered::new(),
            waiting: HashMap::new(),
            watchers: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
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
