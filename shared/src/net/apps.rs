//! What applications do with a peer that has joined: commands, rooms, messages, files, and what is known of others.
//!
//! All of it needs a [`Handle`] and nothing else of a peer. A tab downloads it when it is first used: then it
//! runs beside the engine, whose connections it borrows (see `borrowed.rs`).
//!
//! [`Handle`]: super::Handle

mod calls;
mod frames;
mod selection;

use std::sync::Arc;

use futures::future::join;
use libp2p::PeerId;

pub use self::selection::Choice;
use super::chat::{Chat, HistorySlot, Rooms, SharedHistory};
use super::direct::{self, Direct, SharedShelf};
#[cfg(feature = "files")]
use super::files::{Collection, Files, SharedFileStore};
use super::gossip::Leaf;
use super::outside::SharedKeepsakes;
use super::overlay::Kademlia;
use super::rpc::Rpc;
use super::streams::Registry;
use crate::error::Result;
#[cfg(feature = "files")]
use crate::error::{Code, Error};
use crate::proto::key::{PublicKey, SigningKey};
use crate::proto::reputation::Standing;

/// What they are made of.
pub struct AppsConfig {
    /// The network, as the peer sees it.
    pub overlay: Arc<Kademlia>,
    /// Signs messages; the peer runs for it.
    pub author: SigningKey,
    /// The peer's transport key.
    pub own: PublicKey,
    /// Where small things are kept over a restart.
    pub keepsakes: SharedKeepsakes,
    /// Where the messages of the author are kept.
    pub shelf: SharedShelf,
    /// Who has messages of rooms.
    pub history: HistorySlot,
    /// Whether this peer enters rooms itself: relays only pass on.
    pub enters: bool,
    /// Where files are that an application hands over, or fetches. Without it there are none.
    #[cfg(feature = "files")]
    pub store: Option<SharedFileStore>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Apps {
    overlay: Arc<Kademlia>,
    rpc: Rpc,
    direct: Direct,
    rooms: Option<Rooms>,
    history: HistorySlot,
    #[cfg(feature = "files")]
    files: Option<Collection>,
}

impl Apps {
    /// Takes streams of other peers from now on.
    pub fn start(config: AppsConfig, streams: &Registry) -> Result<Apps> {
        let AppsConfig {
            overlay,
            author,
            own,
            keepsakes,
            shelf,
            history,
            enters,
            #[cfg(feature = "files")]
            store,
        } = config;
        let handle = overlay.handle().clone();
        handle.standings().keep(keepsakes.clone());
        let rooms = enters.then(|| {
            let leaf = Leaf::start(handle.clone(), streams);
            Rooms::new(overlay.clone(), leaf, keepsakes, author.clone(), &history)
        });
        frames::answer_history(&handle, streams, history.clone())?;
        let brought = frames::take_deliveries(&handle, streams)?;
        #[cfg(feature = "files")]
        let files = store
            .map(|store| -> Result<Collection> {
                let files = Files::start(overlay.clone(), streams)?;
                Ok(Collection::new(files, store, author.clone()))
            })
            .transpose()?;
        let surroundings = direct::Surroundings {
            network: handle.network().clone(),
            handle: handle.clone(),
            overlay: overlay.clone(),
            author,
            own,
            shelf,
        };
        Ok(Apps {
            rpc: Rpc::start(handle, overlay.clone(), streams)?,
            direct: Direct::start(surroundings, brought),
            overlay,
            rooms,
            history,
            #[cfg(feature = "files")]
            files,
        })
    }

    /// Where things are in the network.
    pub fn overlay(&self) -> &Kademlia {
        &self.overlay
    }

    /// JSON commands: those that this peer serves, and calls of those of others.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Direct messages of this peer's author.
    pub fn direct(&self) -> &Direct {
        &self.direct
    }

    /// Chat rooms: entering them, and those that this peer is in.
    pub fn chat(&self) -> Result<Chat> {
        Chat::new(self.rooms.clone())
    }

    /// Files that an application has handed over, or fetched.
    #[cfg(feature = "files")]
    pub fn files(&self) -> Result<&Collection> {
        let none = || Error::new(Code::Unsupported, "this peer has no place for files");
        self.files.as_ref().ok_or_else(none)
    }

    /// Keeps messages of rooms for others from now on; for relays.
    pub fn keep_history(&self, history: SharedHistory) {
        self.history.set(history);
    }

    /// What this peer has seen of another one. Nobody else is told.
    pub async fn reputation(&self, peer: &PeerId) -> Standing {
        let standings = self.overlay.handle().standings();
        standings.load().await;
        standings.of(peer)
    }

    /// Everybody of whom it has seen something, the most trusted first.
    pub async fn reputations(&self) -> Vec<(PeerId, Standing)> {
        let standings = self.overlay.handle().standings();
        standings.load().await;
        standings.all()
    }

    /// Leaves all rooms, and returns when all that has happened is stored, and others had time to hear of it.
    pub async fn settle(&self) {
        let rooms = async {
            if let Some(rooms) = &self.rooms {
                rooms.close().await;
            }
        };
        let files = async {
            #[cfg(feature = "files")]
            if let Some(files) = &self.files {
                files.close().await;
            }
        };
        // At the same time: a page waits for all of it together.
        join(files, join(rooms, self.direct.close())).await;
        self.overlay.handle().standings().save().await;
    }
}
