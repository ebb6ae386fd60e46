//! Who has something: those who were named, and those whom the network names, looked up again and again until it is
//! there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::StreamExt;
use futures::channel::mpsc;
use libp2p::PeerId;

use super::link::Links;
use crate::limits::{MAX_SOURCES, SOURCES_SOUGHT_EVERY};
use crate::net::address;
use crate::net::handle::Route;
use crate::net::overlay::{Kademlia, Overlay};
use crate::platform;
use crate::proto::Millis;
use crate::proto::files::cid::Cid;
use crate::proto::files::search::holders;
use crate::proto::key::Key;
use crate::proto::record::ProviderEntry;

/// The sources of one file or directory, and the streams to them, for as long as it is fetched. Cheap to clone.
#[derive(Clone)]
pub struct Sources(pub(super) Arc<State>);

pub(super) struct State {
    pub cid: Cid,
    pub links: Links,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    routes: Vec<Route>,
    listeners: Vec<mpsc::Sender<Route>>,
}

impl Sources {
    /// These, and whoever is found. A source is named again each time that it is found.
    pub(super) fn look(overlay: Arc<Kademlia>, cid: Cid, named: Vec<Route>) -> Sources {
        let handle = overlay.handle().clone();
        let key = holders(handle.network(), &cid);
        let state = Arc::new(State {
            cid,
            links: Links::new(handle),
            known: Mutex::new(Known {
                routes: named.clone(),
                listeners: Vec::new(),
            }),
        });
        platform::spawn(search(Arc::downgrade(&state), overlay, key, named));
        Sources(state)
    }

    /// Those that are known, and then each that is named.
    pub(super) fn listen(&self) -> mpsc::Receiver<Route> {
        let (mut sender, receiver) = mpsc::channel(MAX_SOURCES);
        let mut known = self.0.known();
        known.listeners.retain(|other| !other.is_closed());
        for route in &known.routes {
            let _ = sender.try_send(route.clone());
        }
        known.listeners.push(sender);
        receiver
    }
}

impl State {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, route: Route) {
        let mut known = self.known();
        let at = known.routes.iter().position(|one| one.peer == route.peer);
        match at {
            Some(at) => known.routes[at] = route.clone(),
            None if known.routes.len() < MAX_SOURCES => known.routes.push(route.clone()),
            None => return,
        }
        for listener in &mut known.listeners {
            // Whoever is behind with so many hears of it the next time.
            let _ = listener.try_send(route.clone());
        }
    }
}

async fn search(state: Weak<State>, overlay: Arc<Kademlia>, key: Key, named: Vec<Route>) {
    let own = overlay.handle().id();
    loop {
        if let Some(state) = state.upgrade() {
            named.iter().for_each(|route| state.name(route.clone()));
        }
        // How long each is said to be there: what holds longer is newer.
        let mut known = HashMap::from([(own.to_bytes(), Millis::MAX)]);
        let mut lists = overlay.provider_lists(key);
        while let Some(list) = lists.next().await {
            let Some(state) = state.upgrade() else {
                return;
            };
            let list = list.inspect_err(|error| tracing::debug!(%error, "a node names no sources"));
            for entry in list.unwrap_or_default() {
                let before = known.entry(entry.peer.clone()).or_default();
                if *before < entry.expires {
                    *before = entry.expires;
                    route(entry).into_iter().for_each(|route| state.name(route));
                }
            }
        }
        drop(lists);
        platform::sleep(SOURCES_SOUGHT_EVERY).await;
    }
}

pub(super) fn route(entry: ProviderEntry) -> Option<Route> {
    Some(Route {
        peer: PeerId::from_bytes(&entry.peer).ok()?,
        addresses: address::parsed(entry.addresses),
    })
}
