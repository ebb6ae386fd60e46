//! `warren relay`: runs a relay until it is asked to stop.

use warren_shared::error::Result;

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
    let relay = Relay::start(config).await?;
    let ready = relay.announcement().await?;
    if json {
        println!("{ready}");
    } else {
        tell(&ready);
    }
    asked_to_stop().await;
    tracing::info!("stopping");
    relay.stop().await;
    Ok(())
}

fn tell(ready: &serde_json::Value) {
    let text = |name: &str| ready[name].as_str().unwrap_or("none").to_owned();
    println!("Warren relay is ready");
    println!("  page     {}", text("http"));
    println!("  network  {}", text("network"));
    println!("  peer     {}", text("peer"));
    println!("  addresses");
    for address in ready["addresses"].as_array().into_iter().flatten() {
        println!("    {}", address.as_str().unwrap_or_default());
    }
    println!("  others join with  --join {}", text("http"));
}
