//! What this relay answers about names over HTTP: what its own agent finds, with all proofs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use warren_shared::net::names::Agent;
use warren_shared::proto::names::Name;
use warren_shared::proto::names::resolver::Options;

use crate::http::{Found, NamesPage};

pub(super) fn page(agent: Agent) -> NamesPage {
    NamesPage::new(Arc::new(move |name| {
        let agent = agent.clone();
        Box::pin(async move {
            let answer = agent
                .answer(Name::parse(&name)?, Options::default())
                .await?;
            Ok(Found {
                fresh: Duration::from_millis(answer.resolution.ttl),
                json: json!(answer).to_string(),
            })
        })
    }))
}
