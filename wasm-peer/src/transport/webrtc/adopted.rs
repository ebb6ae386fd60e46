//! Connections that another module negotiates over circuits.
//!
//! The browser's object is made here, because what arrives on it must be seen from the first moment on, and lent to
//! that module. Once it stands it comes back with the id of the peer that the circuit has proven.

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::mpsc;
use libp2p::{Multiaddr, PeerId};
use send_wrapper::SendWrapper;
use warren_shared::error::{Code, Error, Result};
use wasm_bindgen::prelude::*;

use super::connection::PeerConnection;
use super::peer::RtcPeer;

/// A connection that leads nowhere yet. Freeing it closes it.
#[wasm_bindgen]
pub struct Vessel(PeerConnection);

#[wasm_bindgen]
impl Vessel {
    /// The browser's object, without `ondatachannel` and the handlers of its states, which are in use.
    pub fn raw(&self) -> RtcPeer {
        self.0.js().clone()
    }
}

/// Where connections are handed in to the transport of one peer.
#[derive(Clone)]
pub struct Adoption(SendWrapper<Rc<RefCell<Option<mpsc::UnboundedSender<Adopted>>>>>);

/// Who is at the other end, where it is seen, and the connection.
pub(super) type Adopted = (PeerId, Multiaddr, PeerConnection);

impl Adoption {
    /// Nobody takes them yet.
    pub fn new() -> Self {
        Adoption(SendWrapper::new(Rc::default()))
    }

    /// The transport takes them from now on.
    pub(super) fn begin(&self) -> mpsc::UnboundedReceiver<Adopted> {
        let (adopt, adopted) = mpsc::unbounded();
        self.0.borrow_mut().replace(adopt);
        adopted
    }

    /// Makes one to negotiate with these settings of an `RTCPeerConnection`.
    pub fn vessel(&self, settings: &JsValue) -> Result<Vessel> {
        PeerConnection::with(settings).map(Vessel)
    }

    /// Takes one that stands.
    pub fn adopt(&self, mut vessel: Vessel, (peer, seen): (PeerId, Multiaddr)) -> Result<()> {
        vessel.0.watch_carrier();
        let adopt = self.0.borrow();
        let taken = adopt
            .as_ref()
            .and_then(|adopt| adopt.unbounded_send((peer, seen, vessel.0)).ok());
        match taken {
            Some(()) => Ok(()),
            None => Err(Error::new(Code::Closed, "the peer was closed")),
        }
    }
}
