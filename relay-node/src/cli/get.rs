//! `warren get`: fetches a file or a directory from everybody who has it. What was fetched before stays, whatever ended
//! that.

mod fetch;
mod folder;
mod shown;
mod wanted;
mod work;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::FILES_IN_FLIGHT;
use warren_shared::net::connected;
use warren_shared::net::files::{How, Tally};
use warren_shared::proto::files::Kind;

use self::fetch::Getting;
use self::shown::Shown;
pub(super) use self::shown::told_size;
use self::wanted::Wanted;
pub(super) use self::wanted::link;
use self::work::{Work, checksum};
use super::greet::listen_addresses;
use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::peer::{Peer, PeerArgs};

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// What: the id of a file or directory, a link as `warren share` or a page gives it, or a name that leads to one.
    what: String,
    /// Where to put it; otherwise here, under its name or id.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Ask this peer, too, which is known to have it; may be given several times.
    #[arg(long, value_name = "PEER")]
    from: Vec<String>,
    /// Give up when nothing has come for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Tell the SHA-256 of the finished file, to be compared with others.
    #[arg(long)]
    sha256: bool,
    /// Where to listen for direct connections, over TCP and QUIC: what is there already is given to others meanwhile.
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "0.0.0.0:0",
        conflicts_with = "relay_only"
    )]
    listen: SocketAddr,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: GetArgs) -> Result<()> {
    start_peer_log();
    let stop = asked_to_stop();
    let peer = args.peer.start(listen_addresses(args.listen)).await?;
    let lines = Lines::to_stdout();
    let outcome = tokio::select! {
        outcome = get(&peer, &args, &lines) => outcome,
        () = stop => Err(Error::new(Code::Cancelled, "the download was stopped")
            .with_remedy("Run the same again: it goes on where it was.")),
    };
    peer.node.close().await;
    lines.finish().await?;
    outcome
}

async fn get(peer: &Peer, args: &GetArgs, lines: &Lines) -> Result<()> {
    let wanted = Wanted::find(peer, &args.what).await?;
    let place = match &args.output {
        Some(path) => path.clone(),
        None => wanted.name()?,
    };
    if wanted.cid.kind == Kind::File && work::is_there(&place, wanted.cid).await? {
        return done(args, lines, &place, None).await;
    }
    let work = Work::begin(&place)?;
    let mut named = Vec::new();
    for peer_id in &args.from {
        named.push(connected(peer.node.connect(peer_id).await?));
    }
    let files = peer.node.files()?;
    let getting = Getting {
        sources: files.sources(wanted.cid, named),
        files,
        how: How {
            patience: Duration::from_secs(args.patience.max(1)),
            whole: false,
            in_flight: FILES_IN_FLIGHT,
            tally: Arc::new(Tally::default()),
        },
        work,
        shown: Shown::new(args.peer.json, lines),
        told: AtomicBool::new(false),
    };
    let got = match wanted.cid.kind {
        Kind::File => getting.file(wanted.cid, &place).await,
        Kind::Directory => getting.folder(wanted.cid, &place).await,
    };
    let got = got.inspect_err(|_| getting.work.tidy())?;
    getting.work.end();
    done(args, lines, &place, Some(got)).await
}

/// What was fetched, and what was there before.
#[derive(Clone, Copy, Debug)]
struct Got {
    size: u64,
    had: u64,
    came: u64,
    liars: usize,
}

async fn done(args: &GetArgs, lines: &Lines, place: &Path, got: Option<Got>) -> Result<()> {
    let sha256 = match args.sha256 && place.is_file() {
        true => Some(checksum(place).await?),
        false => None,
    };
    let path = place.display().to_string();
    let line = match args.peer.json {
        true => json!({
            "event": "done", "path": path, "size": got.map(|got| got.size), "had": got.map(|got| got.had),
            "came": got.map(|got| got.came), "liars": got.map(|got| got.liars), "sha256": sha256,
        })
        .to_string(),
        false => {
            let came = match got {
                Some(got) => format!(" ({} came)", told_size(got.came)),
                None => " was there already".to_owned(),
            };
            let sum = sha256.map_or(String::new(), |sum| format!("\nSHA-256 {sum}"));
            format!("{path}{came}{sum}")
        }
    };
    lines.say(line).await;
    Ok(())
}
