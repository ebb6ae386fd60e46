//! `warren ls` and `warren search`: what one peer shares, and what anybody does.

use clap::Args;
use libp2p::PeerId;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::connected;
use warren_shared::net::reach::once_in_reach;
use warren_shared::proto::files::search::{Hit, Listing};

use super::get::{link, told_size};
use super::lines::print;
use super::share::listed;
use super::start_peer_log;
use crate::files::said;
use crate::identity::is_in_use;
use crate::peer::PeerArgs;

#[derive(Debug, Args)]
pub(super) struct LsArgs {
    /// Whose files: a peer id or a multiaddr. Without it: what `warren share` gives with the same --data-dir, or gave
    /// when it ran last.
    #[arg(value_name = "PEER")]
    of: Option<String>,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// Whole words of names and tags, in any case: `photo` does not find `photos`. One of them is enough; files that have
    /// more of them come first. Files in shared directories are found, too, as far as `warren share` lists them.
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: LsArgs) -> Result<()> {
    start_peer_log();
    match &args.of {
        Some(of) => run_of(of, &args.peer).await,
        None => run_here(&args.peer),
    }
}

/// What is shared from this machine. Nobody is asked.
fn run_here(args: &PeerArgs) -> Result<()> {
    let Some(data) = &args.data_dir else {
        return Err(Error::new(Code::InvalidArgument, "nobody was named whose files to list").with_remedy(
            "Name a peer by the id that its `warren share` prints, or say --data-dir DIR of a share on this machine.",
        ));
    };
    let (all, running) = (said(data)?, is_in_use(data));
    if !running && !args.json {
        eprintln!("nothing runs with this profile now; this is what it shared last");
    }
    for said in all {
        if args.json {
            let mut value = listed(&said.listing, None);
            value["path"] = said.path.display().to_string().into();
            value["running"] = running.into();
            print(&value.to_string())?;
        } else {
            print(&format!("{}  {}", line(&said.listing), said.path.display()))?;
        }
    }
    Ok(())
}

async fn run_of(of: &str, args: &PeerArgs) -> Result<()> {
    let peer = args.start(Vec::new()).await?;
    let found = async {
        let target = once_in_reach(|| peer.node.connect(of)).await;
        let target = target.map_err(|error| absent(of, error))?;
        peer.node.files()?.listings(connected(target)).await
    };
    let found = found.await;
    peer.node.close().await;
    let found = found?;
    if found.is_empty() {
        eprintln!("{of} shares nothing");
    }
    for signed in found {
        let author = signed.author().to_base36();
        match args.json {
            true => print(&listed(signed.listing(), Some(&author)).to_string())?,
            false => print(&line(signed.listing()))?,
        }
    }
    Ok(())
}

pub(super) async fn search(args: SearchArgs) -> Result<()> {
    start_peer_log();
    let peer = args.peer.start(Vec::new()).await?;
    let words = args.words.join(" ");
    let found = async {
        let files = peer.node.files()?;
        once_in_reach(|| files.search(&words)).await
    };
    let found = found.await;
    peer.node.close().await;
    let found = found?;
    if found.is_empty() {
        eprintln!(
            "nothing found: words are whole words of names and tags, and one of them is enough; \
            only what somebody shares now, or a relay keeps, is found"
        );
    }
    for hit in found {
        match args.peer.json {
            true => print(&value(&hit).to_string())?,
            false => print(&line(&hit.listing))?,
        }
    }
    Ok(())
}

/// Whoever cannot be asked may be spelled wrong, gone, or elsewhere.
fn absent(of: &str, error: Error) -> Error {
    let away = [
        Code::NotFound,
        Code::DialFailed,
        Code::NotConnected,
        Code::TimedOut,
        Code::NoRelay,
    ];
    if !away.contains(&error.code()) {
        return error;
    }
    let cause = match error.cause() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Error::new(error.code(), format!("{of} cannot be reached"))
        .caused_by(cause)
        .with_remedy(
            "Check the id that its `warren share` prints, that it still runs, and that --join leads to the same network.",
        )
}

fn line(listing: &Listing) -> String {
    let tags: Vec<String> = listing.tags.iter().map(|tag| format!("#{tag}")).collect();
    let (size, link) = (told_size(listing.size), link(&listing.cid, &listing.name));
    format!("{size:>9}  {}  {link}  {}", listing.name, tags.join(" "))
        .trim_end()
        .to_owned()
}

fn value(hit: &Hit) -> serde_json::Value {
    let mut value = listed(&hit.listing, None);
    let holders = hit.holders.iter();
    let holders = holders.filter_map(|bytes| PeerId::from_bytes(bytes).ok());
    let holders: Vec<String> = holders.map(|peer| peer.to_string()).collect();
    value["holders"] = holders.into();
    value["words"] = hit.words.into();
    value["authors"] = hit.authors.into();
    value
}
