//! Calls about names.

use serde::Serialize;
use serde_json::json;

use crate::api::messages::{Call, Reply};
use crate::error::{Code, Error, Result};
use crate::net::names::Names;
use crate::proto::key::PublicKey;
use crate::proto::names::Zone;
use crate::proto::names::resolver::Options;

pub(super) async fn on_names(names: &Names, call: Call) -> Result<Reply> {
    match call {
        Call::NameOwner {} => reply(&json!({"owner": names.owner().to_base36()})),
        Call::NameResolve {
            name,
            fresh,
            private,
        } => reply(&names.resolve(&name, Options { fresh, private }).await?),
        Call::NameClaim { name, recovery } => {
            let recovery = recovery.as_deref().map(PublicKey::from_base36);
            reply(&names.claim(&name, recovery.transpose()?, |_| {}).await?)
        }
        Call::NameUpdate { name, zone } => {
            let zone: Zone = serde_json::from_str(&zone).map_err(|error| {
                Error::new(Code::InvalidArgument, "this is not a zone")
                    .caused_by(error)
                    .with_remedy("Pass {entries: [{sub: \"\", resources: [{type: \"text\", text: \"hello\"}]}]}.")
            })?;
            reply(&names.publish(&name, zone).await?)
        }
        Call::NameRenew { name } => reply(&names.renew(&name, |_| {}).await?),
        Call::NameTransfer { name, to } => {
            reply(&json!({"handover": names.transfer(&name, &to).await?}))
        }
        Call::NameAccept { handover } => reply(&names.accept(&handover, |_| {}).await?),
        Call::NameRelease { name } => {
            names.release(&name, |_| {}).await?;
            Ok(Reply::Nothing {})
        }
        Call::NameMine {} => reply(&names.mine().await?),
        Call::NameCached {} => reply(&names.cached().await?),
        Call::NameFlush {} => {
            names.agent().flush().await?;
            Ok(Reply::Nothing {})
        }
        Call::NameProof { name } => reply(&names.evidence(&name).await?),
        _ => Err(Error::new(Code::Internal, "this call is not about names")),
    }
}

fn reply(value: &impl Serialize) -> Result<Reply> {
    let value = serde_json::to_value(value);
    value.map(Reply::Json).map_err(|error| {
        Error::new(Code::Internal, "an answer cannot be written down").caused_by(error)
    })
}
