//! What people write about names and owners, and what they are told when it does not fit.

use crate::error::{Code, Error, Result};
use crate::proto::key::PublicKey;
use crate::proto::names::name::{Name, Root};
use crate::proto::names::{Label, Resource, Zone};

pub(super) fn human(text: &str) -> Result<Label> {
    let name = Name::parse(text)?;
    match (name.root(), name.sub()) {
        (Root::Human(label), "") => Ok(label.clone()),
        (Root::Human(label), sub) if !ends_in_p2p(text) => {
            let meant = sub.rsplit('.').next().unwrap_or(sub);
            let what = format!("{text} does not end in .p2p: it would be an entry of {label}.p2p");
            Err(Error::new(Code::NameInvalid, what)
                .with_remedy(format!("Names end in .p2p, such as {meant}.p2p.")))
        }
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

fn ends_in_p2p(text: &str) -> bool {
    let last = text.trim().trim_end_matches('.').rsplit('.').next();
    last.is_some_and(|last| last.eq_ignore_ascii_case("p2p"))
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

/// What to do about a name of somebody else's, or of nobody's, that is to be changed.
pub(super) fn needs_the_key(error: Error, name: &Name) -> Error {
    match (error.code(), name.root()) {
        (Code::NameTaken, _) if error.detail("holder").is_none() => error.with_remedy(
            "A witness says so, but has no proof: try again. If it is held by somebody else, use their key.",
        ),
        (Code::NameTaken, _) => error.with_remedy("Use the key that owns the name."),
        (Code::PermissionDenied, Root::Human(label)) if label.as_str().starts_with("k51") => {
            error.with_remedy("It begins like the name of a key: check that it was copied whole.")
        }
        (Code::PermissionDenied, Root::Human(label)) if !name.sub().is_empty() => {
            error.with_remedy(format!("It is an entry of {label}.p2p: claim that first."))
        }
        _ => error,
    }
}

/// What to do about a name of somebody else's that is to be looked at.
pub(super) fn is_resolved(error: Error) -> Error {
    match error.code() {
        Code::NameTaken => error.with_remedy(
            "Only its owner sees it so. `warren resolve` or `names.resolve` tells what it leads to.",
        ),
        _ => error,
    }
}

/// What to do about a name that another key recovers, or none.
pub(super) fn not_its_recovery_key(error: Error) -> Error {
    match error.code() {
        Code::NameTaken => error
            .caused_by("this key is not its recovery key")
            .with_remedy(
                "Use the data directory with the key that was named when the name was claimed \
                 (`claim --recovery`). A name that was claimed without such a key has none.",
            ),
        _ => error,
    }
}

/// An entry that is an alias of itself leads nowhere.
pub(super) fn leads_on(name: &Name, zone: &Zone) -> Result<()> {
    for entry in &zone.entries {
        for resource in &entry.resources {
            if let Resource::Alias(to) = resource
                && (to.root(), to.sub()) == (name.root(), entry.sub.as_str())
            {
                let what = format!("{to} cannot be an alias of itself");
                return Err(Error::new(Code::InvalidArgument, what)
                    .with_remedy("Let it be an alias of another name or entry."));
            }
        }
    }
    Ok(())
}

pub(super) fn not_yours(name: &Name) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!("{name} is not held by this owner"),
    )
    .with_remedy("Claim it first, or use the key that owns it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_of_the_web_is_no_name_and_the_likely_one_is_told() {
        for text in ["bob-in-town.com", "www.bob-in-town.com."] {
            let error = human(text).unwrap_err();
            assert!(error.message().contains("does not end in .p2p"), "{error}");
            assert!(error.remedy().contains("bob-in-town.p2p"), "{error:?}");
        }
        let entry = human("blog.bob-in-town.P2P.").unwrap_err();
        assert!(entry.remedy().contains("bob-in-town.p2p"), "{entry:?}");
        assert_eq!(human("bob-in-town").unwrap().as_str(), "bob-in-town");
    }

    #[test]
    fn what_is_to_be_done_fits_what_was_tried() {
        let name = |text: &str| Name::parse(text).unwrap();
        let unproven = || Error::new(Code::NameTaken, "the name is held by another owner");
        let taken = || unproven().with_detail("holder", "k51");
        let nobody = || Error::new(Code::PermissionDenied, "nobody holds this name");
        let bob = name("bob.p2p");
        assert!(
            needs_the_key(taken(), &bob)
                .remedy()
                .contains("the key that owns")
        );
        let doubtful = needs_the_key(unproven(), &bob);
        assert!(doubtful.remedy().contains("try again"), "{doubtful:?}");
        assert!(is_resolved(taken()).remedy().contains("warren resolve"));
        let rescue = not_its_recovery_key(taken());
        assert_eq!(rescue.cause(), Some("this key is not its recovery key"));
        for (text, told) in [
            ("k51abc.p2p", "copied whole"),
            ("bob.com", "entry of com.p2p"),
        ] {
            let error = needs_the_key(nobody(), &name(text));
            assert!(error.remedy().contains(told), "{error:?}");
        }
    }

    #[test]
    fn an_alias_of_itself_is_refused_and_others_are_not() {
        let name = Name::parse("bob.p2p").unwrap();
        let leads = |sub: &str, to: &str| {
            let mut zone = Zone::default();
            zone.set(sub, vec![format!("alias:{to}").parse().unwrap()])
                .unwrap();
            leads_on(&name, &zone)
        };
        assert!(leads("", "bob.p2p").is_err() && leads("www", "www.bob.p2p").is_err());
        assert!(leads("www", "bob.p2p").is_ok() && leads("", "alice.p2p").is_ok());
    }
}
