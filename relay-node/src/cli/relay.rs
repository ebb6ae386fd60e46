//! `warren relay`: runs a relay until it is asked to stop.

use warren_shared::error::{Code, Error, Result};

use super::lines::print;
use super::{asked_to_stop, start_log};
use crate::config::{RelayArgs, RelayConfig};
use crate::relay::Relay;

/// The relays to join, in the environment.
const JOIN: &str = "WARREN_JOIN";

pub(super) async fn run(args: RelayArgs) -> Result<()> {
    let surroundings = args.join.is_empty().then(|| std::env::var(JOIN).ok());
    let config = RelayConfig::load(args)?;
    start_log(
        config.log,
        "warn,warren_relay=info,warren_shared=info,libp2p_kad=error,str0m=off,is=off,dimpl=off,sctp_proto=off",
    );
    let json = config.json;
    let stop = asked_to_stop();
    let relay = Relay::start(config).await;
    let relay = relay.map_err(|error| of_surroundings(error, surroundings.flatten()))?;
    let ready = relay.announcement().await?;
    print(&match json {
        true => ready.to_string(),
        false => told(&ready),
    })?;
    stop.await;
    tracing::info!("stopping");
    relay.stop().await;
    Ok(())
}

/// What is set for the commands of a peer counts for a relay, too: also for the first one, which has
/// nobody to join.
fn of_surroundings(error: Error, join: Option<String>) -> Error {
    match join {
        Some(join) if error.code() == Code::JoinFailed => error.with_remedy(format!(
            "{JOIN} is set to {join} in the environment, so this relay joins there: unset it to found a \
             network, or check that the other relay runs."
        )),
        _ => error,
    }
}

fn told(ready: &serde_json::Value) -> String {
    let text = |name: &str| ready[name].as_str().unwrap_or("none").to_owned();
    let mut lines = vec![
        "Warren relay is ready".to_owned(),
        format!("  page     {}", text("http")),
        format!("  network  {}", text("network")),
        format!("  peer     {}", text("peer")),
    ];
    if let Some(dns) = ready["dns"].as_str() {
        lines.push(format!("  dns      {dns}, for .p2p"));
    }
    lines.push("  addresses".to_owned());
    let addresses = ready["addresses"].as_array().into_iter().flatten();
    lines.extend(addresses.map(|address| format!("    {}", address.as_str().unwrap_or_default())));
    lines.push(format!("  others join with  --join {}", text("http")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_joins_because_of_its_environment_says_so() {
        let failed = || Error::new(Code::JoinFailed, "nobody answers");
        let url = "http://127.0.0.1:8080";
        let error = of_surroundings(failed(), Some(url.to_owned()));
        assert!(error.remedy().contains(JOIN) && error.remedy().contains(url));
        assert_eq!(of_surroundings(failed(), None).remedy(), failed().remedy());
    }
}
