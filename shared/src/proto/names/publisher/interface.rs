//! What goes into and comes out of an [`Operation`](super::Operation).

use crate::error::{Code, Error};
use crate::proto::Millis;
use crate::proto::date::day;
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::{Binding, Certificate};
use crate::proto::names::claim::Handover;
use crate::proto::names::resolution::{DENIED, no_quorum};
use crate::proto::names::wire::{NameRefusal, Request};
use crate::proto::names::work::Puzzle;
use crate::proto::names::zone::SignedZone;

/// What an owner wants to do with a name.
#[derive(Clone, Debug)]
pub enum Goal {
    /// Have it. If it is the owner's already, that is success.
    Claim {
        /// Who may hand it over when the owner's key is lost.
        recovery: Option<PublicKey>,
    },
    /// Know that it is this owner's, with the certificate that proves it; changes nothing.
    Find,
    /// Take it over with its recovery key.
    Recover,
    /// Keep it for another term.
    Extend,
    /// Take it over with what its holder, or its recovery key, signed.
    Accept(Box<Handover>),
    /// Give it up.
    Release,
    /// Show the certificate to all witnesses and have its lease signed again.
    Renew(Box<Binding>),
    /// Publish a zone under it.
    Publish(Box<SignedZone>, Box<Binding>),
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a request to a witness, and report what comes of it with the number.
    Send {
        /// The witness.
        to: PublicKey,
        /// The number.
        id: u64,
        /// The request.
        request: Request,
    },
    /// Solve this, away from the main thread, and report it with
    /// [`Operation::solved`](super::Operation::solved).
    Solve(Puzzle),
    /// Something for people to see.
    Progress(Progress),
    /// Keep this durably: it proves who has the name. Comes again when it got better. That of another
    /// owner ends what is kept of a lower rank; nothing else does.
    Keep(Box<Certificate>),
    /// The end.
    Done(Result<Box<Binding>, Failure>),
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Asking who holds the name.
    Asking,
    /// This puzzle must be solved.
    Working(Puzzle),
    /// Reserving it with the witnesses.
    Reserving,
    /// Having it signed.
    Signing,
    /// Showing the result to the witnesses.
    Confirming,
    /// Somebody else tried at the same moment; again at that time.
    Waiting(Millis),
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Somebody else holds the name, or a witness says so.
    Taken {
        /// Who, if a certificate says so.
        holder: Option<PublicKey>,
        /// Until when, as far as known.
        until: Option<Millis>,
    },
    /// Nobody holds the name.
    Unheld,
    /// The handover does not fit.
    NotYours,
    /// This key left an attempt unfinished.
    Barred {
        /// Until then it must wait.
        until: Millis,
    },
    /// Too few witnesses answered.
    NoQuorum {
        /// Those that did.
        answered: Vec<PublicKey>,
        /// How many are needed.
        wanted: usize,
    },
    /// Witnesses refused.
    Refused(NameRefusal),
    /// It took too long.
    TimedOut,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Taken { holder, until } => {
                let holder = holder.map(|key| key.to_base36());
                let who = holder
                    .as_deref()
                    .unwrap_or("another owner, says a witness,");
                let end = until.map_or(String::new(), |until| format!(" until {}", day(until)));
                let what = format!("the name is held by {who}{end}");
                let error = Error::new(Code::NameTaken, what).with_details("holder", holder);
                error.with_details("until", until)
            }
            Failure::Unheld => Error::new(Code::PermissionDenied, "nobody holds this name")
                .with_remedy("Claim it first."),
            Failure::NotYours => Error::new(
                Code::PermissionDenied,
                "the name has changed hands since this handover was signed",
            )
            .with_remedy("Ask whoever holds the name now to sign it over to this key."),
            Failure::Barred { until } => {
                let why = "an earlier attempt was left unfinished; wait a few minutes";
                Error::new(Code::Overloaded, why).with_detail("until", until)
            }
            Failure::NoQuorum { answered, wanted } => no_quorum(&answered, wanted),
            Failure::Refused(why) => refused(why),
            Failure::TimedOut => Error::new(Code::TimedOut, "the witnesses did not agree in time"),
        }
    }
}

/// What witnesses refuse, with what one can do about it.
fn refused(why: NameRefusal) -> Error {
    let remedy = match why {
        NameRefusal::RateLimited => {
            "Wait some seconds and go on: a key may change names 60 times a minute, a network more often. \
             A whole zone at once counts as one change."
        }
        NameRefusal::Denied => DENIED,
        NameRefusal::NoRight => "Look who holds the name now: resolve it.",
        _ => return Error::new(Code::Refused, "the witnesses refused").caused_by(why),
    };
    let error = Error::new(Code::Refused, "the witnesses refused");
    error.caused_by(why).with_remedy(remedy)
}
