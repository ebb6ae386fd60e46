//! Calls about names: from words to the node's names, and from there to JSON.

use std::time::Duration;

use futures::{FutureExt, StreamExt, select_biased};
use serde::Serialize;
use serde_json::{Value, json};

use super::Session;
use crate::api::messages::{NameAction, NameCall, Outgoing, Reply};
use crate::error::{Code, Error, Result};
use crate::net::names::Names;
use crate::platform;
use crate::proto::key::PublicKey;
use crate::proto::names::publisher::Progress;
use crate::proto::names::resolver::Options;
use crate::proto::names::watching::Watching;
use crate::proto::names::{Resource, Zone};

/// So many characters of what is no resource are told.
const MAX_TOLD: usize = 120;

pub(super) async fn serve(
    session: &Session,
    id: f64,
    names: &Names,
    call: NameCall,
) -> Result<Reply> {
    let NameCall {
        action,
        name,
        text,
        fresh,
        private,
    } = call;
    let options = Options {
        fresh,
        private,
        ..Options::default()
    };
    let told = |step| tell(session, id, step);
    match action {
        NameAction::Owner => written(&names.owner().to_base36()),
        NameAction::Resolve => written(&names.resolve(&name, options).await?),
        NameAction::Watch => watch(session, id, names, &name, options).await,
        NameAction::Claim => {
            let recovery = (!text.is_empty()).then(|| PublicKey::from_base36(&text));
            written(&names.claim(&name, recovery.transpose()?, told).await?)
        }
        NameAction::Update => written(&names.publish(&name, zone(&text)?).await?),
        NameAction::Renew => written(&names.renew(&name, told).await?),
        NameAction::Transfer => written(&names.transfer(&name, &text).await?),
        NameAction::Accept => written(&names.accept(&text, told).await?),
        NameAction::Release => {
            names.release(&name, told).await?;
            Ok(Reply::Nothing {})
        }
        NameAction::Mine => written(&names.mine_now().await?.held),
        NameAction::Cached => written(&names.cached().await?),
        NameAction::Flush => {
            names.agent().flush().await?;
            Ok(Reply::Nothing {})
        }
        NameAction::Proof => written(&names.evidence(&name).await?),
    }
}

fn zone(text: &str) -> Result<Zone> {
    serde_json::from_str(text).map_err(|error| {
        let what = match misfit(text) {
            Some(resource) => format!("this is not a zone: {resource} is not a resource"),
            None => "this is not a zone".to_owned(),
        };
        Error::new(Code::InvalidArgument, what)
            .caused_by(error)
            .with_remedy(
                "Pass {entries: [{sub: \"\", resources: [{type: \"text\", text: \"hello\"}]}]}.",
            )
    })
}

/// The first resource of a zone that is none, as it was written.
fn misfit(zone: &str) -> Option<String> {
    let zone: Value = serde_json::from_str(zone).ok()?;
    let entries = zone["entries"].as_array()?.iter();
    let resources = entries.filter_map(|entry| entry["resources"].as_array());
    let mut written = resources.flatten().map(Value::to_string);
    let wrong = written.find(|text| serde_json::from_str::<Resource>(text).is_err())?;
    Some(wrong.chars().take(MAX_TOLD).collect())
}

pub(super) fn written(value: &impl Serialize) -> Result<Reply> {
    let text = serde_json::to_string(value);
    text.map(Reply::Text).map_err(|error| {
        Error::new(Code::Internal, "an answer cannot be written down").caused_by(error)
    })
}

/// How far an operation is. Said at once or not at all: the operation does not wait for readers.
fn tell(session: &Session, id: f64, step: Progress) {
    let item = match step {
        Progress::Asking => json!({"stage": "asking"}),
        Progress::Working(puzzle) => {
            let seed: String = puzzle.seed().iter().map(|b| format!("{b:02x}")).collect();
            json!({"stage": "working", "puzzle": seed, "bits": puzzle.bits})
        }
        Progress::Reserving => json!({"stage": "reserving"}),
        Progress::Signing => json!({"stage": "signing"}),
        Progress::Confirming => json!({"stage": "confirming"}),
        Progress::Waiting(until) => json!({"stage": "waiting", "until": until}),
    };
    let item = Reply::Json(item);
    let _ = session
        .outgoing
        .clone()
        .try_send(Outgoing::Item { id, item });
}

/// Says what a name leads to, now and whenever that is something else; null when it leads nowhere.
async fn watch(
    session: &Session,
    id: f64,
    names: &Names,
    name: &str,
    options: Options,
) -> Result<Reply> {
    let mut changes = names.watch(name).await?.fuse();
    let mut watching = Watching::new(options);
    loop {
        let answer = names.resolve(name, watching.options()).await;
        if let Some(found) = watching.hears(answer)? {
            let item = written(&found)?;
            session.say(Outgoing::Item { id, item }).await;
        }
        let wait = Duration::from_millis(watching.wait());
        select_biased! {
            _ = changes.select_next_some() => {}
            () = platform::sleep(wait).fuse() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_zone_is_told_with_the_resource_that_is_wrong() {
        for (resource, told) in [
            (r#"{"type":"url","url":"foo"}"#, "http"),
            (r#"{"text":"hello","type":"txt"}"#, "kind"),
        ] {
            let good = r#"{"type":"text","text":"hello"}"#;
            let text = format!(r#"{{"entries":[{{"sub":"","resources":[{good},{resource}]}}]}}"#);
            let error = zone(&text).unwrap_err();
            assert!(error.message().contains(resource), "{error}");
            assert!(error.cause().unwrap().contains(told), "{error:?}");
        }
        let error = zone(r#"{"entries":"#).unwrap_err();
        assert_eq!(error.message(), "this is not a zone");
    }
}
