//! Why a stream could not be opened, or a request got no answer.

use std::{fmt, io};

use libp2p::PeerId;

use crate::error::{Code, Error};

/// Why nothing came back.
#[derive(Debug)]
pub enum Failure {
    /// No address of the peer answered.
    Dial,
    /// The other end took too long. It may have done what it was asked for.
    Timeout,
    /// The connection ended. The other end may have done what it was asked for.
    ConnectionClosed,
    /// The other end does not speak the protocol.
    Unsupported,
    /// Too much waits for this peer already.
    Overloaded,
    /// What was to be sent is longer than a message may be.
    TooLarge,
    /// This peer has been closed.
    Stopped,
    /// The stream failed: it was reset, or what came was no frame.
    Io(io::Error),
}

impl Failure {
    /// Whether the stream ended before an answer, and another one may fare better.
    pub fn is_cut(&self) -> bool {
        match self {
            Failure::ConnectionClosed => true,
            Failure::Io(error) => error.kind() != io::ErrorKind::InvalidData,
            _ => false,
        }
    }

    /// The same for those who asked that peer.
    pub fn at(&self, peer: &PeerId) -> Error {
        let code = match self {
            Failure::Dial => Code::DialFailed,
            Failure::Timeout => Code::TimedOut,
            Failure::Unsupported => Code::Unsupported,
            Failure::Overloaded => Code::Overloaded,
            Failure::TooLarge => return Error::new(Code::TooLarge, self.to_string()),
            Failure::Stopped => return Error::new(Code::Closed, self.to_string()),
            Failure::ConnectionClosed | Failure::Io(_) => Code::NotConnected,
        };
        Error::new(code, format!("{peer} did not answer")).caused_by(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Dial => "Failed to dial the requested peer",
            Failure::Timeout => "Timeout while waiting for a response",
            Failure::ConnectionClosed => "Connection was closed before a response was received",
            Failure::Unsupported => "The remote supports none of the requested protocols",
            Failure::Overloaded => "Too many streams to this peer wait to be opened",
            Failure::TooLarge => "a message has at most 64 KiB",
            Failure::Stopped => "this peer has been closed",
            Failure::Io(error) => return write!(f, "IO error on outbound stream: {error}"),
        })
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Unsupported => Failure::Unsupported,
            _ => Failure::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_code() {
        let peer = PeerId::random();
        for (failure, code) in [
            (Failure::Dial, Code::DialFailed),
            (Failure::Timeout, Code::TimedOut),
            (Failure::ConnectionClosed, Code::NotConnected),
            (Failure::Unsupported, Code::Unsupported),
            (Failure::Overloaded, Code::Overloaded),
            (Failure::TooLarge, Code::TooLarge),
            (Failure::Stopped, Code::Closed),
            (
                Failure::Io(io::ErrorKind::BrokenPipe.into()),
                Code::NotConnected,
            ),
        ] {
            assert_eq!(failure.at(&peer).code(), code, "{failure}");
        }
    }
}
