//! Why a connection is over, as everybody who waits for something learns it.

use std::io;

/// Why a connection is over.
#[derive(Clone, Debug)]
pub(in super::super) struct Ended {
    kind: io::ErrorKind,
    reason: String,
}

impl Ended {
    pub(in super::super) fn new(kind: io::ErrorKind, reason: impl Into<String>) -> Self {
        Ended {
            kind,
            reason: reason.into(),
        }
    }

    pub(super) fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.reason.clone())
    }
}

/// The error of a stream that is no more.
pub(super) fn lost(ended: Option<Ended>) -> io::Error {
    let closed = || Ended::new(io::ErrorKind::ConnectionReset, "the stream was closed");
    ended.unwrap_or_else(closed).error()
}
