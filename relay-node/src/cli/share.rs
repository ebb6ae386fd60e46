//! `warren share`: gives files and directories to whoever asks, from where they are, until it is stopped. What changes
//! is noticed and shared as what it is then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use libp2p::PeerId;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::DAY;
use warren_shared::net::files::Files;
use warren_shared::net::reach::once_in_reach;
use warren_shared::proto::Millis;
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::search::Listing;

use super::get::link;
use super::greet::listen_addresses;
use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::files::{Library, Scanned, on_disk, say, scan};
use crate::peer::{Peer, PeerArgs};

/// Whoever stops waits no longer for others to hear of it.
const FAREWELL: Duration = Duration::from_secs(2);
/// While this runs, what relays keep is kept for as long from each day on.
const KEPT_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Args)]
pub(super) struct ShareArgs {
    /// Files and directories. They stay where they are; links in directories are left out.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A word or a few by which they are found, beside those of their names; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Send at most so many KiB a second, to all together.
    #[arg(long, value_name = "KIB")]
    limit_rate: Option<u64>,
    /// Look after so many seconds whether something has changed.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    rescan: u64,
    /// Ask the relays to keep each file for when this has ended, and say which of them does. Directories are not kept.
    #[arg(long)]
    keep: bool,
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

/// One of the paths, and what is shared of it now.
struct Offer {
    path: PathBuf,
    shared: Option<Scanned>,
}

struct Sharing {
    peer: Peer,
    files: Files,
    library: Option<Arc<Library>>,
    tags: Vec<String>,
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
    let sharing = Sharing {
        peer,
        files,
        library,
        tags,
        keep: args.keep.then_some(keep),
        lines: Lines::to_stdout(),
        json: args.peer.json,
    };
    let stop = asked_to_stop();
    let mut offers = Vec::new();
    for path in &args.paths {
        let scanned = sharing.scan(path).await?;
        sharing.offer(&scanned, None).await?;
        offers.push(Offer {
            path: path.clone(),
            shared: Some(scanned),
        });
        sharing.say_here(&offers).await?;
    }
    sharing.ready().await?;
    tokio::select! {
        () = stop => {}
        () = sharing.lines.unread() => {}
        () = sharing.watch(&mut offers, Duration::from_secs(args.rescan.max(1))) => {}
        () = sharing.have_kept(wanted, args.keep_days) => {}
    }
    sharing.end(&offers).await
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
    async fn offer(&self, scanned: &Scanned, before: Option<Cid>) -> Result<()> {
        let listing = self.listing(scanned);
        let signed = self.peer.node.sign_listing(&listing)?;
        for held in scanned.held() {
            self.files.share(held)?;
        }
        self.files.list(signed);
        once_in_reach(|| self.files.announce(&scanned.cid)).await?;
        self.files.announce_words(&listing.tokens());
        let (cid, link) = (scanned.cid.to_string(), link(&scanned.cid, &scanned.name));
        let line = match (self.json, before) {
            (true, before) => json!({
                "event": if before.is_some() { "changed" } else { "sharing" },
                "cid": cid, "name": scanned.name, "size": scanned.size, "files": scanned.files.len(),
                "link": link, "before": before.map(|cid| cid.to_string()),
            })
            .to_string(),
            (false, Some(_)) => format!("{} has changed: {link}", scanned.path.display()),
            (false, None) => format!("{}: {link}", scanned.path.display()),
        };
        self.lines.say(line).await;
        if let Some(keep) = &self.keep {
            let _ = keep.send((scanned.path.clone(), listing));
        }
        Ok(())
    }

    /// Asks the relays to keep what is shared, one after the other, and all of it again each day; never returns.
    async fn have_kept(&self, mut wanted: mpsc::UnboundedReceiver<(PathBuf, Listing)>, days: u64) {
        let mut all = BTreeMap::new();
        let tomorrow = tokio::time::Instant::now() + KEPT_AGAIN;
        let mut again = tokio::time::interval_at(tomorrow, KEPT_AGAIN);
        loop {
            tokio::select! {
                new = wanted.recv() => match new {
                    Some((path, listing)) => {
                        self.keep(&listing, days).await;
                        all.insert(path, listing);
                    }
                    None => return std::future::pending().await,
                },
                _ = again.tick() => {
                    for listing in all.values() {
                        self.keep(listing, days).await;
                    }
                }
            }
        }
    }

    async fn keep(&self, listing: &Listing, days: u64) {
        let until = self.files.network_time() + days * DAY;
        let mut count = 0;
        match self.peer.node.keep(listing, until).await {
            Err(error) => self.say_kept(listing, None, Err(error)).await,
            Ok(answers) => {
                for (relay, kept) in answers {
                    count += usize::from(kept.is_ok());
                    self.say_kept(listing, Some(relay), kept).await;
                }
            }
        }
        let cid = listing.cid.to_string();
        let line = match self.json {
            true => json!({"event": "keeping", "cid": cid, "relays": count}).to_string(),
            false => format!("{}: {count} relays keep it for {days} days", listing.name),
        };
        self.lines.say(line).await;
    }

    async fn say_kept(&self, listing: &Listing, relay: Option<PeerId>, kept: Result<Millis>) {
        let relay = relay.map(|relay| relay.to_string());
        let cid = listing.cid.to_string();
        let line = match (self.json, kept) {
            (true, Ok(until)) => {
                json!({"event": "kept", "cid": cid, "relay": relay, "until": until}).to_string()
            }
            (true, Err(error)) => {
                json!({"event": "notKept", "cid": cid, "relay": relay, "error": error}).to_string()
            }
            // All that was promised is said in the line for all of them.
            (false, Ok(_)) => return,
            (false, Err(error)) => {
                let who = relay.unwrap_or_else(|| "nobody".to_owned());
                format!("{}: not kept by {who}: {error}", listing.name)
            }
        };
        self.lines.say(line).await;
    }

    async fn ready(&self) -> Result<()> {
        // Whoever hears from here on who this is can find it.
        once_in_reach(|| self.peer.node.publish_peer_record()).await?;
        let snapshot = self.peer.node.handle().snapshot().await?;
        let line = match self.json {
            true => json!({"event": "ready", "peer": snapshot.id, "addresses": snapshot.addresses})
                .to_string(),
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
            for offer in &mut *offers {
                changed |= self.look(offer).await;
            }
            if changed && let Err(error) = self.say_here(offers).await {
                tracing::warn!(%error, "`warren ls` does not know what is shared now");
            }
        }
    }

    /// Whether something else is shared now.
    async fn look(&self, offer: &mut Offer) -> bool {
        if let Some(shared) = &offer.shared {
            let shared = shared.clone();
            let same = tokio::task::spawn_blocking(move || shared.is_unchanged()).await;
            if same.unwrap_or(true) {
                return false;
            }
        }
        let before = offer.shared.take();
        if let Some(before) = &before {
            self.take_back(before);
        }
        let outcome = match self.scan(&offer.path).await {
            Ok(scanned) => {
                let cid = before.as_ref().map_or(scanned.cid, |before| before.cid);
                let outcome = self.offer(&scanned, Some(cid)).await;
                offer.shared = Some(scanned);
                outcome
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome
            && before.is_some()
        {
            let path = offer.path.display().to_string();
            let line = match self.json {
                true => json!({"event": "unavailable", "path": path, "error": error}).to_string(),
                false => format!("{path} is not shared for now: {error}"),
            };
            self.lines.say(line).await;
        }
        before.is_some() || offer.shared.is_some()
    }

    /// For `warren ls` on this machine.
    async fn say_here(&self, offers: &[Offer]) -> Result<()> {
        let Some(data) = self.peer.data().map(Path::to_owned) else {
            return Ok(());
        };
        let mut all = Vec::new();
        for scanned in offers.iter().filter_map(|offer| offer.shared.as_ref()) {
            let signed = self.peer.node.sign_listing(&self.listing(scanned))?;
            all.push((scanned.path.clone(), signed));
        }
        on_disk(move || {
            say(
                &data,
                all.iter().map(|(path, signed)| (path.as_path(), signed)),
            )
        })
        .await
    }

    fn listing(&self, scanned: &Scanned) -> Listing {
        Listing {
            cid: scanned.cid,
            name: scanned.name.clone(),
            size: scanned.size,
            media: String::new(),
            tags: self.tags.clone(),
        }
    }

    fn take_back(&self, scanned: &Scanned) {
        for held in scanned.held() {
            self.files.unshare(&held.cid());
        }
        let (files, cid) = (self.files.clone(), scanned.cid);
        tokio::spawn(async move { files.withdraw(&cid).await });
    }

    async fn end(self, offers: &[Offer]) -> Result<()> {
        let shared = offers.iter().filter_map(|offer| offer.shared.as_ref());
        let leaving = shared.map(|scanned| self.files.withdraw(&scanned.cid));
        let leaving = futures::future::join_all(leaving);
        if tokio::time::timeout(FAREWELL, leaving).await.is_err() {
            tracing::debug!("not all was withdrawn");
        }
        self.peer.node.close().await;
        self.lines.finish().await
    }
}

/// A listing for people and programs.
pub(super) fn listed(listing: &Listing, author: Option<&str>) -> Value {
    json!({
        "cid": listing.cid.to_string(), "name": listing.name, "size": listing.size, "media": listing.media,
        "tags": listing.tags, "author": author, "link": link(&listing.cid, &listing.name),
    })
}
