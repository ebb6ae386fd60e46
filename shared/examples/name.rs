//! Claims a name, publishes an address under it, and resolves it as somebody else, with the proof.
//!
//! `cargo run -p warren-relay --example name -- http://127.0.0.1:8080 ada-in-town.p2p`

use std::error::Error;

use warren_relay::peer::PeerArgs;
use warren_shared::proto::names::Resource;
use warren_shared::proto::names::resolver::Options;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("give the URL of a relay")?;
    let name = args.next().ok_or("give a name that is free")?;
    // With `data_dir` the owner's key is kept. Here it is gone with the process: nobody can change the name again.
    let ada = PeerArgs::through(&url).start(Vec::new()).await?;
    let ben = PeerArgs::through(&url).start(Vec::new()).await?;

    // A claim takes a proof of work of some seconds; a quorum of the network's witnesses signs it.
    let held = ada.node.names().claim(&name, None, |_| {}).await?;
    println!("{} is held, generation {}", held.name, held.generation);

    let resources = vec![Resource::Text("tea at five".to_owned())];
    ada.node.names().set(&name, resources).await?;

    let found = ben.node.names().resolve(&name, Options::default()).await?;
    for resource in &found.resources {
        println!("{name} leads to {}", serde_json::to_string(resource)?);
    }
    for proof in &found.proofs {
        println!("signed by its owner: {}", proof.owner == ada.node.author());
    }
    for peer in [ada, ben] {
        peer.node.close().await;
    }
    Ok(())
}
