//! `warren get`: fetches a file or a directory from everybody who has it. What was fetched before stays, whatever ended
//! that.

mod fetch;
mod folder;
mod place;
mod shown;
mod wanted;
mod work;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::FILES_IN_FLIGHT;
use warren_shared::net::connected;
use warren_shared::net::files::{How, Tally};
use warren_shared::proto::files::Kind;
use warren_shared::proto::files::cid::Cid;

use self::fetch::Getting;
use self::place::{Place, pour};
use self::shown::Shown;
pub(super) use self::shown::told_size;
use self::wanted::Wanted;
pub(super) use self::wanted::link;
use self::work::{Work, checksum, sum_line};
use super::greet::listen_addresses;
use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::files::failed;
use crate::peer::{Peer, PeerArgs};

/// How a file is called in its work folder until it is written to standard output.
const WHOLE: &str = "whole";

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// What: the id of a file or directory, a link as `warren share` or a page gives it, or a name that leads to one. A link
    /// to a page (https://…/#/f/…) is also where to join, when nothing else is said.
    what: String,
    /// Where to put it; otherwise here, under its name or id. A file goes into a folder that is there; a directory becomes
    /// the folder. `-` writes a file to standard output, when all of it is there.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Ask this peer, too, which is known to have it; may be given several times.
    #[arg(long, value_name = "PEER")]
    from: Vec<String>,
    /// Give up when nothing has come for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Tell the SHA-256 of the finished file, or of each file of a directory, in the form that `sha256sum -c` reads.
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
    let peer = args.start().await?;
    let lines = match args.to_stdout() {
        // The file goes there.
        true => Lines::to_stderr(),
        false => Lines::to_stdout(),
    };
    let outcome = tokio::select! {
        outcome = get(&peer, &args, &lines) => outcome,
        () = stop => Err(Error::new(Code::Cancelled, "the download was stopped")
            .with_remedy("Run the same again: it goes on where it was.")),
    };
    peer.node.close().await;
    lines.finish().await?;
    outcome
}

impl GetArgs {
    fn to_stdout(&self) -> bool {
        self.output.as_deref().is_some_and(place::is_stdout)
    }

    /// Joins; through the relay whose page the link leads to, when no relay was named.
    async fn start(&self) -> Result<Peer> {
        let listen = listen_addresses(self.listen);
        let Some(page) = wanted::page(&self.what).filter(|_| self.peer.relays().is_empty()) else {
            return self.peer.start(listen).await;
        };
        match self.peer.json {
            true => eprintln!("{}", json!({"event": "joining", "through": page})),
            false => eprintln!("joining through {page}, as the link says"),
        }
        let mut peer = self.peer.clone();
        peer.join = vec![page.clone()];
        let started = peer.start(listen).await;
        started.map_err(|error| no_relay(&page, error))
    }
}

/// A link may lead to any page.
fn no_relay(page: &str, error: Error) -> Error {
    let elsewhere = [Code::JoinFailed, Code::TimedOut, Code::ProtocolViolation];
    if !elsewhere.contains(&error.code()) {
        return error;
    }
    let message = format!("{page}, where the link leads, is no relay to join");
    let cause = match error.cause() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Error::new(error.code(), message)
        .caused_by(cause)
        .with_remedy("Say with --join which relay of the file's network to join through.")
}

async fn get(peer: &Peer, args: &GetArgs, lines: &Lines) -> Result<()> {
    let wanted = Wanted::find(peer, &args.what).await?;
    let cid = wanted.cid;
    let to = Place::of(args.output.as_deref(), &wanted)?;
    let work = match &to {
        Place::At(place) if cid.kind == Kind::File && work::is_there(place, cid).await? => {
            return done(args, lines, place, std::slice::from_ref(place), None).await;
        }
        Place::At(place) => Work::begin(place)?,
        Place::Stdout => Work::begin(Path::new(&cid.to_string()))?,
    };
    let place = match to {
        Place::At(place) => place,
        Place::Stdout => work.folder.join(WHOLE),
    };
    let mut named = Vec::new();
    for peer_id in &args.from {
        named.push(connected(peer.node.connect(peer_id).await?));
    }
    let files = peer.node.files()?;
    let getting = Getting {
        sources: files.sources(cid, named),
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
    let fetched = fetch(&getting, cid, &place, args.to_stdout()).await;
    let (got, files) = fetched.inspect_err(|_| getting.work.tidy())?;
    if args.to_stdout() {
        pour(place.clone()).await?;
        done(args, lines, Path::new("-"), &files, got).await?;
        getting.work.end();
        return Ok(());
    }
    getting.work.end();
    done(args, lines, &place, &files, got).await
}

/// What is there then, and of it what was fetched.
async fn fetch(
    getting: &Getting<'_>,
    cid: Cid,
    place: &Path,
    to_stdout: bool,
) -> Result<(Option<Got>, Vec<PathBuf>)> {
    if cid.kind == Kind::Directory {
        let (got, files) = getting.folder(cid, place).await?;
        return Ok((Some(got), files));
    }
    // It may have been whole when an earlier try to write it out ended.
    let got = match to_stdout && work::is_there(place, cid).await? {
        true => None,
        false => Some(getting.file(cid, place).await?),
    };
    Ok((got, vec![place.to_owned()]))
}

/// What was fetched, and what was there before.
#[derive(Clone, Copy, Debug)]
struct Got {
    size: u64,
    had: u64,
    came: u64,
    liars: usize,
}

impl Got {
    /// All of it was there.
    fn there(files: &[PathBuf]) -> Result<Got> {
        let mut size = 0;
        for file in files {
            let length = std::fs::metadata(file).map(|data| data.len());
            size += length.map_err(|error| failed("read", file, error))?;
        }
        Ok(Got {
            size,
            had: size,
            came: 0,
            liars: 0,
        })
    }
}

/// Says that these files are there, at a place or below it.
async fn done(
    args: &GetArgs,
    lines: &Lines,
    place: &Path,
    files: &[PathBuf],
    got: Option<Got>,
) -> Result<()> {
    let mut sums = Vec::new();
    for file in files.iter().filter(|_| args.sha256) {
        // What went to standard output lies somewhere else for a moment.
        let named = if args.to_stdout() {
            place
        } else {
            file.as_path()
        };
        sums.push((named, checksum(file).await?));
    }
    let path = place.display().to_string();
    if args.peer.json {
        let sha256 = match (&sums[..], files) {
            ([], _) => Value::Null,
            ([(_, sum)], [file]) if file.as_path() == place || args.to_stdout() => json!(sum),
            _ => sums
                .iter()
                .map(|(path, sum)| (path.display().to_string(), json!(sum)))
                .collect::<Map<_, _>>()
                .into(),
        };
        let got = got.map_or_else(|| Got::there(files), Ok)?;
        let line = json!({
            "event": "done", "path": path, "size": got.size, "had": got.had, "came": got.came, "liars": got.liars,
            "sha256": sha256,
        });
        lines.say(line.to_string()).await;
        return Ok(());
    }
    let what = match args.to_stdout() {
        true => "written to standard output".to_owned(),
        false => path,
    };
    lines
        .say(match got {
            Some(got) => format!("{what} ({} came)", told_size(got.came)),
            None => format!("{what} was there already"),
        })
        .await;
    for (path, sum) in sums {
        lines.say(sum_line(&sum, path)).await;
    }
    Ok(())
}
