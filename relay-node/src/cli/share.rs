//! `warren share`: gives files and directories to whoever asks, from where they are, until it is stopped. What changes
//! is noticed and shared as what it is then.

mod keeping;
mod listings;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::{FILES_WITHDRAWN_AT_ONCE, MAX_TAG};
use warren_shared::net::files::{Files, Held};
use warren_shared::net::reach::once_in_reach;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::search::{Listing, tokens};

use self::keeping::left_early;
use self::listings::{of_files, of_path, share_of};
use super::get::link;
use super::greet::listen_addresses;
use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::files::{Library, Scanned, on_disk, say, scan};
use crate::peer::{Peer, PeerArgs};

/// Whoever stops waits no longer for others to hear of it.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct ShareArgs {
    /// Files and directories. They stay where they are; links in directories are left out. Of directories some 200 files
    /// are found by their own names, too; the others come with them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A word or a few by which they are found, beside those of their names; may be given several times.
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    tags: Vec<String>,
    /// Send at most so many KiB a second, to all together.
    #[arg(long, value_name = "KIB")]
    limit_rate: Option<u64>,
    /// Look after so many seconds whether something has changed.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    rescan: u64,
    /// Ask the relays that this machine is connected to, to keep each file and directory for when this has ended, and say
    /// which of them do, and until when. A directory is kept as a whole, with all of its files.
    #[arg(long)]
    keep: bool,
    /// With --keep: end when the relays were asked about everything. The exit status is 0 when at least one relay has all
    /// of each file and directory by then.
    #[arg(long, requires = "keep")]
    leave: bool,
    /// For how many days, at most 90, counted anew each day while this runs.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=90))]
    keep_days: u64,
    /// Where to listen for direct connections, over TCP and QUIC.
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

/// A tag without a word finds nothing.
fn tag(text: &str) -> std::result::Result<String, String> {
    let length = text.len();
    if tokens([text]).is_empty() {
        return Err("a tag has at least one letter or digit, such as holiday".to_owned());
    }
    match length <= MAX_TAG {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a tag has at most {MAX_TAG} bytes, this one {length}"
        )),
    }
}

/// One of the paths, and what is shared of it now.
struct Offer {
    path: PathBuf,
    shared: Option<Shared>,
}

/// A path as it is shared.
#[derive(Clone)]
struct Shared {
    scanned: Scanned,
    /// Of the path; then, if it is a directory, of its files that are found by themselves.
    listings: Vec<Listing>,
}

impl Shared {
    /// What is announced.
    fn cids(&self) -> BTreeSet<Cid> {
        self.listings.iter().map(|listing| listing.cid).collect()
    }

    fn announces(&self, cid: &Cid) -> bool {
        self.listings.iter().any(|listing| listing.cid == *cid)
    }
}

struct Sharing {
    peer: Peer,
    files: Files,
    library: Option<Arc<Library>>,
    tags: Vec<String>,
    /// How many places in the network the files of a directory take, with their words.
    places: usize,
    /// What relays are to keep, if that is wanted.
    keep: Option<mpsc::UnboundedSender<(PathBuf, Listing)>>,
    lines: Lines,
    json: bool,
}

pub(super) async fn run(args: ShareArgs) -> Result<()> {
    start_peer_log();
    let peer = args.peer.start(listen_addresses(args.listen)).await?;
    let files = peer.node.files()?;
    files.limit_rate(args.limit_rate.map(|kib| kib.saturating_mul(1_024)));
    let library = peer.data().map(Library::open).transpose()?.map(Arc::new);
    let mut tags = args.tags.clone();
    tags.sort();
    tags.dedup();
    let (keep, wanted) = mpsc::unbounded_channel();
    let directories = args.paths.iter().filter(|path| path.is_dir());
    let sharing = Sharing {
        peer,
        files,
        library,
        tags,
        places: share_of(directories.count()),
        keep: args.keep.then_some(keep),
        lines: Lines::to_stdout(),
        json: args.peer.json,
    };
    let stop = asked_to_stop();
    let mut offers = Vec::new();
    for path in &args.paths {
        let scanned = sharing.scan(path).await?;
        let shared = sharing.offer(scanned, None).await?;
        offers.push(Offer {
            path: path.clone(),
            shared: Some(shared),
        });
        sharing.say_here(&offers).await?;
    }
    sharing.ready(args.leave).await?;
    let leave_after = args.leave.then(|| different(&offers));
    let outcome = tokio::select! {
        () = stop => match args.leave {
            true => Err(left_early()),
            false => Ok(()),
        },
        () = sharing.lines.unread(), if !args.leave => Ok(()),
        () = sharing.watch(&mut offers, Duration::from_secs(args.rescan.max(1))) => Ok(()),
        outcome = sharing.have_kept(wanted, args.keep_days, leave_after) => outcome,
    };
    sharing.end(&offers).await?;
    outcome
}

/// A path may be named twice.
fn different(offers: &[Offer]) -> usize {
    let shared = offers.iter().filter_map(|offer| offer.shared.as_ref());
    let paths: BTreeSet<&Path> = shared.map(|shared| shared.scanned.path.as_path()).collect();
    paths.len()
}

impl Sharing {
    async fn scan(&self, path: &std::path::Path) -> Result<Scanned> {
        let (path, library) = (path.to_owned(), self.library.clone());
        let scanning = tokio::task::spawn_blocking(move || scan(&path, library.as_deref()));
        scanning.await.map_err(|error| {
            Error::new(Code::Internal, "a path was not scanned").caused_by(error)
        })?
    }

    /// Gives it to others from now on, and says so.
    async fn offer(&self, scanned: Scanned, before: Option<Cid>) -> Result<Shared> {
        let listing = of_path(&scanned, &self.tags);
        let inside = of_files(&scanned, &self.tags, self.places);
        let signed = self.peer.node.sign_listing(&listing)?;
        for held in scanned.held() {
            self.files.share(held)?;
        }
        self.files.list(signed);
        once_in_reach(|| self.files.announce(&scanned.cid)).await?;
        self.files.announce_words(&listing.tokens());
        for listing in &inside {
            self.files.list(self.peer.node.sign_listing(listing)?);
            self.files.announce_soon(&listing.cid);
            self.files.announce_words(&listing.tokens());
        }
        self.say_offered(&scanned, before, inside.len()).await;
        if let Some(keep) = &self.keep {
            let _ = keep.send((scanned.path.clone(), listing.clone()));
        }
        let listings = std::iter::once(listing).chain(inside).collect();
        Ok(Shared { scanned, listings })
    }

    async fn say_offered(&self, scanned: &Scanned, before: Option<Cid>, found: usize) {
        let (cid, link) = (scanned.cid.to_string(), link(&scanned.cid, &scanned.name));
        let path = scanned.path.display();
        let line = match (self.json, before) {
            (true, before) => json!({
                "event": if before.is_some() { "changed" } else { "sharing" },
                "cid": cid, "name": scanned.name, "size": scanned.size, "files": scanned.files.len(),
                "found": found, "link": link, "before": before.map(|cid| cid.to_string()),
            })
            .to_string(),
            (false, Some(_)) => format!("{path} has changed: {link}"),
            (false, None) => format!("{path}: {link}"),
        };
        self.lines.say(line).await;
        let all: BTreeSet<Cid> = scanned.files.iter().map(|file| file.cid()).collect();
        if scanned.block.is_some() && found < all.len() && !self.json {
            eprintln!(
                "{path}: of its {} files {found} are found by their own names, the others with it or by their ids",
                all.len()
            );
        }
    }

    async fn ready(&self, leaves: bool) -> Result<()> {
        // Whoever hears from here on who this is can find it.
        once_in_reach(|| self.peer.node.publish_peer_record()).await?;
        let snapshot = self.peer.node.handle().snapshot().await?;
        let line = match self.json {
            true => json!({"event": "ready", "peer": snapshot.id, "addresses": snapshot.addresses})
                .to_string(),
            false if leaves => format!("sharing as {} until relays have it", snapshot.id),
            false => format!("sharing as {} until this is stopped", snapshot.id),
        };
        self.lines.say(line).await;
        Ok(())
    }

    /// Looks again and again whether something has changed; never returns.
    async fn watch(&self, offers: &mut [Offer], every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let mut changed = false;
            for at in 0..offers.len() {
                let (before, rest) = offers.split_at_mut(at);
                let Some((offer, after)) = rest.split_first_mut() else {
                    break;
                };
                let others = before.iter().chain(&*after);
                let others = others.filter_map(|offer| offer.shared.as_ref()).collect();
                changed |= self.look(offer, others).await;
            }
            if changed && let Err(error) = self.say_here(offers).await {
                tracing::warn!(%error, "`warren ls` does not know what is shared now");
            }
        }
    }

    /// Whether something else is shared now. What is shared of other paths, too, stays.
    async fn look(&self, offer: &mut Offer, others: Vec<&Shared>) -> bool {
        if let Some(shared) = &offer.shared {
            let scanned = shared.scanned.clone();
            let same = tokio::task::spawn_blocking(move || scanned.is_unchanged()).await;
            if same.unwrap_or(true) {
                return false;
            }
        }
        let before = offer.shared.take();
        if let Some(before) = &before {
            self.take_back(before, &others);
        }
        let outcome = match self.scan(&offer.path).await {
            Ok(scanned) => {
                let known = before.as_ref().map(|before| before.scanned.cid);
                let cid = known.unwrap_or(scanned.cid);
                self.offer(scanned, Some(cid)).await
            }
            Err(error) => Err(error),
        };
        let mut gone = before.as_ref().map_or_else(BTreeSet::new, Shared::cids);
        gone.retain(|cid| !others.iter().any(|other| other.announces(cid)));
        match outcome {
            Ok(shared) => {
                gone = &gone - &shared.cids();
                offer.shared = Some(shared);
            }
            Err(error) if before.is_some() => self.say_unavailable(&offer.path, &error).await,
            Err(_) => {}
        }
        if !gone.is_empty() {
            let files = self.files.clone();
            tokio::spawn(async move { withdraw(&files, gone).await });
        }
        before.is_some() || offer.shared.is_some()
    }

    async fn say_unavailable(&self, path: &Path, error: &Error) {
        let path = path.display().to_string();
        let line = match self.json {
            true => json!({"event": "unavailable", "path": path, "error": error}).to_string(),
            false => format!("{path} is not shared for now: {error}"),
        };
        self.lines.say(line).await;
    }

    /// For `warren ls` on this machine.
    async fn say_here(&self, offers: &[Offer]) -> Result<()> {
        let Some(data) = self.peer.data().map(Path::to_owned) else {
            return Ok(());
        };
        let mut all = Vec::new();
        for shared in offers.iter().filter_map(|offer| offer.shared.as_ref()) {
            let listing = of_path(&shared.scanned, &self.tags);
            let signed = self.peer.node.sign_listing(&listing)?;
            all.push((shared.scanned.path.clone(), signed));
        }
        on_disk(move || {
            say(
                &data,
                all.iter().map(|(path, signed)| (path.as_path(), signed)),
            )
        })
        .await
    }

    /// Nobody gets it any more, or finds it by its words. Where it was announced is not told.
    fn take_back(&self, shared: &Shared, others: &[&Shared]) {
        for listing in &shared.listings {
            self.files.unlist(&listing.cid, &listing.tokens());
        }
        let gone: BTreeSet<Cid> = shared.scanned.held().map(|held| held.cid()).collect();
        gone.iter().for_each(|cid| self.files.unshare(cid));
        for other in others {
            if let Err(error) = self.give_again(other, &gone) {
                tracing::warn!(%error, "something is not shared any more that is still there");
            }
        }
    }

    /// Goes on with those that are shared of another path as well.
    fn give_again(&self, other: &Shared, gone: &BTreeSet<Cid>) -> Result<()> {
        for held in other.scanned.held() {
            if gone.contains(&held.cid()) {
                self.files.share(held)?;
            }
        }
        for listing in &other.listings {
            if gone.contains(&listing.cid) {
                self.files.list(self.peer.node.sign_listing(listing)?);
                self.files.announce_words(&listing.tokens());
            }
        }
        Ok(())
    }

    async fn end(self, offers: &[Offer]) -> Result<()> {
        let shared = offers.iter().filter_map(|offer| offer.shared.as_ref());
        let cids: BTreeSet<Cid> = shared.flat_map(Shared::cids).collect();
        let leaving = withdraw(&self.files, cids);
        if tokio::time::timeout(FAREWELL, leaving).await.is_err() {
            tracing::debug!("not all was withdrawn");
        }
        self.peer.node.close().await;
        self.lines.finish().await
    }
}

/// Says where it was announced that it is here no longer.
async fn withdraw(files: &Files, cids: BTreeSet<Cid>) {
    let leaving = cids
        .into_iter()
        .map(|cid| async move { files.withdraw(&cid).await });
    stream::iter(leaving)
        .buffer_unordered(FILES_WITHDRAWN_AT_ONCE)
        .collect::<()>()
        .await;
}

/// A listing for people and programs.
pub(super) fn listed(listing: &Listing, author: Option<&str>) -> Value {
    json!({
        "cid": listing.cid.to_string(), "name": listing.name, "size": listing.size, "media": listing.media,
        "tags": listing.tags, "author": author, "link": link(&listing.cid, &listing.name),
    })
}
