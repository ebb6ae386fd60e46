//! Which protocols this peer accepts, and who gets their streams. Shared with every connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc;
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, StreamProtocol};

use super::{Protocol, Service, Stream};
use crate::limits;
use crate::proto::record::provider::Prefix;

/// A stream that a remote opened.
#[derive(Debug)]
pub struct Incoming {
    /// Who opened it.
    pub peer: PeerId,
    /// What carries it.
    pub connection: ConnectionId,
    /// Where its peer was seen; nothing when that says nothing about who it is.
    pub prefix: Option<Prefix>,
    /// Nothing was read of it yet.
    pub stream: Stream,
}

/// The protocols that are accepted. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    protocol: Protocol,
    taker: Taker,
}

enum Taker {
    Service(Service),
    Queue(mpsc::Sender<Incoming>),
}

/// What becomes of a stream of a protocol.
pub(super) enum Use {
    /// A request is read off it.
    Request(Service),
    /// It goes to a queue.
    Plain,
}

/// Somebody accepts this protocol already.
#[derive(Debug)]
pub struct AlreadyAccepted;

impl Registry {
    /// Accepts plain streams from now on, until the receiver is dropped. It holds
    /// [`limits::STREAMS_ACCEPTED`]; more are refused.
    pub fn accept(&self, protocol: Protocol) -> Result<mpsc::Receiver<Incoming>, AlreadyAccepted> {
        let (sender, queue) = mpsc::channel(limits::STREAMS_ACCEPTED);
        self.add(protocol, Taker::Queue(sender))?;
        Ok(queue)
    }

    /// Accepts requests from now on.
    pub(super) fn answer(
        &self,
        service: Service,
        protocol: Protocol,
    ) -> Result<(), AlreadyAccepted> {
        self.add(protocol, Taker::Service(service))
    }

    fn add(&self, protocol: Protocol, taker: Taker) -> Result<(), AlreadyAccepted> {
        let mut entries = self.entries();
        if entries
            .iter()
            .any(|entry| entry.protocol.name == protocol.name)
        {
            return Err(AlreadyAccepted);
        }
        entries.push(Entry { protocol, taker });
        Ok(())
    }

    /// Accepts a protocol no longer.
    pub(in crate::net) fn forget(&self, name: &StreamProtocol) {
        self.entries().retain(|entry| entry.protocol.name != *name);
    }

    /// All protocols that are accepted.
    #[cfg(feature = "apps")]
    pub(in crate::net) fn protocols(&self) -> Vec<Protocol> {
        let entries = self.entries();
        entries.iter().map(|entry| entry.protocol.clone()).collect()
    }

    pub(super) fn names(&self) -> Vec<StreamProtocol> {
        let entries = self.entries();
        entries
            .iter()
            .map(|entry| entry.protocol.name.clone())
            .collect()
    }

    /// How many streams of a protocol one connection may have, and what becomes of them.
    pub(super) fn find(&self, name: &StreamProtocol) -> Option<(usize, Use)> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.protocol.name == *name)?;
        let what = match &entry.taker {
            Taker::Service(service) => Use::Request(*service),
            Taker::Queue(_) => Use::Plain,
        };
        Some((entry.protocol.streams, what))
    }

    /// Puts a stream into the queue of its protocol; nothing when that is full or gone.
    pub(in crate::net) fn hand_over(
        &self,
        name: &StreamProtocol,
        incoming: Incoming,
    ) -> Option<()> {
        let mut entries = self.entries();
        let entry = entries
            .iter_mut()
            .find(|entry| entry.protocol.name == *name)?;
        match &mut entry.taker {
            Taker::Queue(queue) => queue.try_send(incoming).ok(),
            Taker::Service(_) => None,
        }
    }

    /// The protocols that are accepted now: those whose queue was dropped are forgotten.
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| match &entry.taker {
            Taker::Queue(queue) => !queue.is_closed(),
            Taker::Service(_) => true,
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_has_one_taker_and_is_forgotten_with_it() {
        let registry = Registry::default();
        let protocol = Protocol {
            name: StreamProtocol::new("/test/1"),
            streams: 3,
            hasty: false,
        };
        let queue = registry.accept(protocol.clone()).expect("the first");
        assert!(registry.accept(protocol.clone()).is_err());
        assert_eq!(registry.names(), std::slice::from_ref(&protocol.name));
        assert!(matches!(
            registry.find(&protocol.name),
            Some((3, Use::Plain))
        ));
        drop(queue);
        assert!(registry.names().is_empty());
        assert!(registry.find(&protocol.name).is_none());
        registry
            .answer(Service::Record, protocol.clone())
            .expect("free again");
        let found = registry.find(&protocol.name);
        assert!(matches!(found, Some((3, Use::Request(Service::Record)))));
    }
}
