//! What went wrong in the swarm, in the words of our own error table.

use libp2p::Multiaddr;

use super::super::address::Via;
use crate::error::{Code, Error};

pub(super) fn dial_error(error: &libp2p::swarm::DialError) -> Error {
    use libp2p::swarm::DialError;
    match error {
        DialError::Transport(failures) => {
            let reasons: Vec<String> = failures
                .iter()
                .map(|(address, failure)| {
                    format!("{}: {}", Via::of(address).as_str(), reason_of(failure))
                })
                .collect();
            Error::new(Code::DialFailed, "no address of the peer answered")
                .caused_by(reasons.join("; "))
        }
        DialError::NoAddresses => Error::new(Code::DialFailed, "no address of the peer is known"),
        DialError::WrongPeerId { obtained, .. } => Error::new(
            Code::DialFailed,
            format!("another peer answered there: {obtained}"),
        ),
        other => Error::new(Code::DialFailed, "the peer could not be dialled").caused_by(other),
    }
}

/// Why an address cannot be listened on.
pub(in crate::net) fn listen_error(
    address: &Multiaddr,
    error: &libp2p::TransportError<std::io::Error>,
) -> Error {
    let kind = io_kind(error);
    let code = match kind {
        Some(std::io::ErrorKind::AddrInUse) => Code::PortInUse,
        Some(std::io::ErrorKind::PermissionDenied) => Code::PermissionDenied,
        _ => Code::InvalidAddress,
    };
    Error::new(code, format!("cannot listen on {address}")).caused_by(reason_of(error))
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut cause = Some(error);
    let mut kind = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            // A wrapped error says "other"; the innermost one knows.
            kind = Some(io.kind());
            cause = io
                .get_ref()
                .map(|inner| inner as &(dyn std::error::Error + 'static));
        } else {
            cause = error.source();
        }
    }
    kind
}

/// Why a relay forwards no connections to this peer. It need not have said anything: then the connection broke.
pub(super) fn no_place(reason: Option<&dyn std::error::Error>) -> Error {
    match reason {
        None => Error::new(Code::NotConnected, "the relay is not connected"),
        Some(reason) => {
            let text = "the relay forwards no connections to this peer";
            Error::new(Code::Refused, text).caused_by(reason_of(reason))
        }
    }
}

/// The innermost cause, which is the one that says something.
pub(super) fn reason_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
