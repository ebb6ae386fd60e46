//! `warren relay`: runs a relay until it is asked to stop.

use warren_shared::error::Result;

use super::lines::print;
use super::{asked_to_stop, start_log};
use crate::config::{RelayArgs, RelayConfig};
use crate::relay::Relay;

pub(super) async fn run(args: RelayArgs) -> Result<()> {
    let config = RelayConfig::load(args)?;
    start_log(
        config.log,
        "warn,warren_relay=info,warren_shared=info,libp2p_kad=error,str0m=off,is=off,dimpl=off,sctp_proto=off",
    );
    let json = config.json;
    let stop = asked_to_stop();
    let relay = Relay::start(config).await?;
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
