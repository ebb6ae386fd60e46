//! What people write about names and owners, and what they are told when it does not fit.

use crate::error::{Code, Error, Result};
use crate::proto::key::PublicKey;
use crate::proto::names::Label;
use crate::proto::names::name::{Name, Root};

pub(super) fn human(text: &str) -> Result<Label> {
    let name = Name::parse(text)?;
    match (name.root(), name.sub()) {
        (Root::Human(label), "") => Ok(label.clone()),
        (Root::Human(label), _) => Err(Error::new(
            Code::NameInvalid,
            format!("{name} is an entry in a zone and needs no claim"),
        )
        .with_remedy(format!(
            "It comes and goes with {label}.p2p: claim, renew or release that."
        ))),
        (Root::Key(_), _) => Err(Error::new(
            Code::NameInvalid,
            "the name of a key belongs to that key and needs no claim",
        )
        .with_remedy("Publish a zone under it.")),
    }
}

/// An owner as people write it: the name of its key, with or without `.p2p`.
pub(super) fn owner_of(text: &str) -> Result<PublicKey> {
    let name = Name::parse(text)?;
    match (name.root(), name.sub()) {
        (Root::Key(key), "") => Ok(*key),
        _ => Err(
            Error::new(Code::InvalidKey, format!("{text:?} is not an owner's key")).with_remedy(
                "An owner's key begins with k51; its owner sees it with `warren name mine`, or by `peer.names.owner()`.",
            ),
        ),
    }
}

/// What to do about a name of somebody else's that is to be renewed or released.
pub(super) fn needs_the_key(error: Error) -> Error {
    match error.code() {
        Code::NameTaken => error.with_remedy("Use the key that owns the name."),
        _ => error,
    }
}

pub(super) fn not_yours(name: &Name) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!("{name} is not held by this owner"),
    )
    .with_remedy("Claim it first, or use the key that owns it.")
}
