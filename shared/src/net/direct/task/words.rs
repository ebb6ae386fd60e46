//! What the task says when it cannot do what is wanted.

use super::Input;
use crate::error::{Code, Error};
use crate::net::direct::agent::{Brought, Command};
use crate::proto::direct::wire::{NotTaken, Taken};
use crate::proto::record::Refusal;

/// Without the disk nothing can be said.
pub(super) fn refuse(input: Input) {
    let error = || {
        Error::new(
            Code::StorageFailed,
            "the messages of this peer cannot be read",
        )
    };
    match input {
        Input::Command(Command::Send { reply, .. }) => drop(reply.send(Err(error()))),
        Input::Command(Command::State { reply, .. }) => drop(reply.send(Err(error()))),
        Input::Command(Command::Next { reply, .. }) => drop(reply.send(Err(error()))),
        Input::Command(Command::Block { reply, .. }) => drop(reply.send(Err(error()))),
        Input::Command(Command::Blocked(reply)) => drop(reply.send(Err(error()))),
        Input::Command(Command::Close(reply)) => drop(reply.send(Err(error()))),
        Input::Brought(Brought { reply, .. }) => {
            let why = NotTaken::Failed;
            let _ = reply.send(Taken::Refused { why });
        }
        _ => {}
    }
}

pub(super) fn not_sent(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Full => Error::new(Code::Overloaded, "too many messages are on their way")
            .with_remedy("Wait until some of them are delivered."),
        Refusal::Oversized => Error::new(Code::TooLarge, "a message holds at most 16384 bytes"),
        Refusal::Malformed => Error::new(Code::InvalidArgument, "this is not JSON"),
        other => other.into(),
    }
}

pub(super) fn to_oneself() -> Error {
    Error::new(Code::InvalidArgument, "a message to oneself goes nowhere")
}

pub(super) fn unknown() -> Error {
    Error::new(Code::NotFound, "no such message is on its way")
}

pub(super) fn too_many() -> Error {
    Error::new(Code::Overloaded, "too many messages are watched")
}

pub(super) fn read_elsewhere() -> Error {
    let what = "somebody else reads the messages of this peer now";
    Error::new(Code::Cancelled, what)
}
