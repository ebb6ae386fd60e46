//! Word of zones that have been stored, for whoever remembers older ones.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;
use warren_shared::proto::names::zone::ZONE_DOMAIN;
use warren_shared::proto::record::Record;

/// So many wait for the listener; what is left out gets old by itself.
const WAITING: usize = 256;

/// A zone that is durable now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewZone {
    /// The zone as its owner signed it.
    pub bytes: Vec<u8>,
    /// Whether it was published at the witness, which checked that its owner holds the name.
    pub witnessed: bool,
}

/// The way to the one who listens, if anybody does.
#[derive(Debug, Default)]
pub(super) struct News(Mutex<Option<mpsc::Sender<NewZone>>>);

impl News {
    pub fn listen(&self) -> mpsc::Receiver<NewZone> {
        let (tell, told) = mpsc::channel(WAITING);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
        told
    }

    pub fn tell(&self, zone: NewZone) {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tell) = listener.as_ref() {
            let _ = tell.try_send(zone);
        }
    }
}

/// The zone that a record is, if it is one.
pub(super) fn zone_in(record: &Record) -> Option<Vec<u8>> {
    match record {
        Record::Signed(envelope) if envelope.body().domain == ZONE_DOMAIN => {
            Some(envelope.bytes().to_vec())
        }
        _ => None,
    }
}
