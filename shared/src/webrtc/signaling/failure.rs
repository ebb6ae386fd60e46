//! Why an attempt came to nothing. It ends this attempt and nothing else.

use super::candidate::BadCandidate;
use super::wire::{BadMessage, Kind};
use crate::error::{Code, Error};
use crate::webrtc::sdp::BadDescription;

/// Why there is no direct connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The remote sent what is not a message.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// The remote sent a description that cannot be used.
    #[error(transparent)]
    Description(#[from] BadDescription),
    /// The remote sent a candidate that is none.
    #[error(transparent)]
    Candidate(#[from] BadCandidate),
    /// The remote sent a message that it must not send now.
    #[error("a message came out of turn: {0:?}")]
    Unexpected(Kind),
    /// The remote sent more candidates or bytes than anybody needs.
    #[error("more candidates or bytes came than allowed")]
    TooMuch,
    /// The signalling ended before both descriptions were known. A remote that is too old, that does not want to,
    /// or that prefers its own attempt says no more than that.
    #[error("the remote ended the signalling")]
    Ended,
    /// The remote has not said in time what was to be said.
    #[error("the remote did not answer in time")]
    Unanswered,
    /// The descriptions are known, but no way was found in time.
    #[error("no way to the remote was found in time")]
    TimedOut,
    /// The own stack has tried all ways.
    #[error("no way to the remote was found")]
    Unreachable,
    /// The own stack does not take what it was given, or gives nothing.
    #[error("the WebRTC stack refused: {0}")]
    Stack(String),
    /// The attempt of the remote stays instead of this one.
    #[error("the remote's own attempt stays")]
    Yielded,
    /// Nobody wants the connection any more.
    #[error("the attempt was given up")]
    Cancelled,
}

impl Failure {
    fn code(&self) -> Code {
        match self {
            Failure::Message(_)
            | Failure::Description(_)
            | Failure::Candidate(_)
            | Failure::Unexpected(_) => Code::ProtocolViolation,
            Failure::TooMuch => Code::TooLarge,
            Failure::Ended | Failure::Unreachable | Failure::Yielded => Code::DialFailed,
            Failure::Unanswered | Failure::TimedOut => Code::TimedOut,
            Failure::Stack(_) => Code::Unsupported,
            Failure::Cancelled => Code::Cancelled,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let error = Error::new(failure.code(), "no direct connection to the peer");
        let error = match failure {
            Failure::TimedOut | Failure::Unreachable => error.with_remedy(
                "Check that UDP gets through on both sides; where it does not, relays carry what is sent.",
            ),
            Failure::TooMuch | Failure::Stack(_) | Failure::Ended | Failure::Yielded => {
                error.with_remedy("Nothing needs to be done: relays carry what is sent meanwhile.")
            }
            _ => error,
        };
        error.caused_by(failure)
    }
}
