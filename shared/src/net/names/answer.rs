//! Answers with all their proofs, for those who check them without being a peer.

use super::Agent;
use crate::error::{Code, Error, Result};
use crate::proto::names::Name;
use crate::proto::names::resolver::Options;
use crate::proto::names::verify::{Answer, Evidence};

impl Agent {
    /// What a name leads to, with the proof of each zone on the way.
    pub async fn answer(&self, name: Name, options: Options) -> Result<Answer> {
        let resolution = self.resolve(name.clone(), options).await?;
        let sets = self.sets().await?;
        let mut evidence = Vec::new();
        for hop in [&name].into_iter().chain(&resolution.via) {
            let found = self.evidence(hop.root().clone()).await?;
            let (binding, zone) = found.ok_or_else(forgotten)?;
            evidence.push(Evidence::new(hop, &sets, binding.as_ref(), &zone));
        }
        Ok(Answer {
            resolution,
            evidence,
        })
    }
}

/// So many other names were resolved at the same time that this one left the cache.
fn forgotten() -> Error {
    Error::new(Code::Overloaded, "the name was forgotten meanwhile")
}
