//! What goes into and comes out of an [`Operation`](super::Operation).

use crate::error::{Code, Error};
use crate::proto::Millis;
use crate::proto::date::day;
use crate::proto::key::PublicKey;
use crate::proto::names::certificate::{Binding, Certificate};
use crate::proto::names::claim::Handover;
use crate::proto::names::resolution::no_quorum;
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
    /// Keep it for another term.
    Extend,
    /// Take it over from its holder, or with its recovery key.
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
    /// Keep this durably: it proves the name. Comes again when it got better.
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
    /// Somebody else holds the name.
    Taken {
        /// Who, if a certificate says so.
        holder: Option<PublicKey>,
        /// Until when, as far as known.
        until: Option<Millis>,
    },
    /// The name is not this owner's, or the handover does not fit.
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
                let who = holder.as_deref().unwrap_or("another owner");
                let end = until.map_or(String::new(), |until| format!(" until {}", day(until)));
                let what = format!("the name is held by {who}{end}");
                let error = Error::new(Code::NameTaken, what).with_details("holder", holder);
                error.with_details("until", until)
            }
            Failure::NotYours => Error::new(Code::PermissionDenied, "the name is not yours")
                .with_remedy("Use the key that owns the name, or have it handed over to this one."),
            Failure::Barred { until } => {
                let why = "an earlier attempt was left unfinished; wait a few minutes";
                Error::new(Code::Overloaded, why).with_detail("until", until)
            }
            Failure::NoQuorum { answered, wanted } => no_quorum(&answered, wanted),
            Failure::Refused(why) => {
                Error::new(Code::Refused, "the witnesses refused").caused_by(why)
            }
            Failure::TimedOut => Error::new(Code::TimedOut, "the witnesses did not agree in time"),
        }
    }
}
