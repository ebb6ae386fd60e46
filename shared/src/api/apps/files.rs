//! Calls about files. A file is handed over, and read, piece by piece: the next one is asked for when the last one was
//! taken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc;
use futures::future::{Either, join, select};
use futures::{FutureExt, SinkExt, StreamExt};
use libp2p::PeerId;
use serde_json::{Value, json};

use super::folders;
use super::messages::{FilesAction, FilesCall};
use super::{AppSession, range};
use crate::api::messages::{Outgoing, Reply, WireValue};
use crate::error::{Code, Error, Result};
use crate::limits::{FETCH_TOLD_EVERY, FETCH_TOLD_STRETCHES};
use crate::net::files::{About, Collection, Entry, Held};
use crate::platform;
use crate::proto::files::search::{Hit, Listing};
use crate::proto::files::{Cid, Kind};
use crate::sorted::SortedMap;

pub(super) async fn serve(session: &AppSession, id: f64, call: FilesCall) -> Result<Reply> {
    match call.action {
        FilesAction::Share => share(session, id, &call).await,
        FilesAction::ShareInPlace => share_in_place(session, id, &call).await,
        FilesAction::Allow => {
            let files = files(session).await?;
            let entry = files.allow(&call.id.parse()?).await?;
            Ok(Reply::Json(folders::any(&files, &entry)))
        }
        FilesAction::Take => session.handed.take(call).await,
        FilesAction::End => {
            session.handed.end(call.call);
            Ok(Reply::Nothing {})
        }
        FilesAction::Fetch => fetch(session, id, &call).await,
        FilesAction::ShareFolder => folders::share(session, id, &call).await,
        FilesAction::FetchFolder => folders::fetch(session, id, &call).await,
        FilesAction::FetchMember => folders::member(session, id, &call).await,
        FilesAction::Pin => folders::pin(session, &call).await,
        action @ (FilesAction::Pause | FilesAction::Resume) => {
            let on = action == FilesAction::Pause;
            files(session).await?.pause(&call.id.parse()?, on)?;
            Ok(Reply::Nothing {})
        }
        FilesAction::Read => {
            let files = files(session).await?;
            let piece = call.place.unwrap_or_default() as u64;
            let bytes = files.read_piece(&call.id.parse()?, piece).await;
            bytes.map(Reply::Bytes)
        }
        FilesAction::List => {
            let files = files(session).await?;
            let all = files.list();
            let all = all.iter().map(|entry| folders::any(&files, entry));
            Ok(Reply::Json(all.collect()))
        }
        FilesAction::Remove => {
            let cid = call.id.parse()?;
            let removed = files(session).await?.remove(&cid).await;
            Ok(Reply::Json(removed.into()))
        }
        FilesAction::Storage => {
            let room = files(session).await?.room().await?;
            Ok(Reply::Json(json!({
                "durable": room.durable, "used": room.used, "most": room.most, "reason": room.reason,
            })))
        }
        FilesAction::Search => search(session, id, &call.text).await,
    }
}

/// What there is, as soon as that is known: it needs no relay.
pub(super) async fn files(session: &AppSession) -> Result<Collection> {
    let files = session.here().await?.files()?.clone();
    files.restored().await;
    Ok(files)
}

/// Files that the application is handing over. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Handed(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    last: u64,
    files: SortedMap<u64, mpsc::Sender<Vec<u8>>>,
}

/// One of them. Dropped, nothing more is taken of it.
pub(super) struct Handing {
    handed: Handed,
    number: u64,
}

impl Handed {
    pub(super) fn open(&self) -> (Handing, mpsc::Receiver<Vec<u8>>) {
        // Whoever hands something over waits until it was taken.
        let (hand, pieces) = mpsc::channel(0);
        let mut open = self.files();
        open.last += 1;
        let number = open.last;
        open.files.insert(number, hand);
        let handed = self.clone();
        (Handing { handed, number }, pieces)
    }

    async fn take(&self, call: FilesCall) -> Result<Reply> {
        let Some(WireValue::Bytes(bytes)) = call.value else {
            let what = Error::new(Code::InvalidArgument, "files are handed over as bytes");
            return Err(what);
        };
        let gone = || Error::new(Code::Cancelled, "this file is not handed over any more");
        let found = self.files().files.get(&(call.call as u64)).cloned();
        let mut found = found.ok_or_else(gone)?;
        found.send(bytes).await.map_err(|_| gone())?;
        Ok(Reply::Nothing {})
    }

    fn end(&self, call: f64) {
        self.files().files.remove(&(call as u64));
    }

    fn files(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handing {
    /// What is said with each of its pieces.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Handing {
    fn drop(&mut self) {
        self.handed.files().files.remove(&self.number);
    }
}

/// Takes a file, and answers when others can find it.
async fn share(session: &AppSession, id: f64, call: &FilesCall) -> Result<Reply> {
    let about = about(&call.text)?;
    let size = call.place.unwrap_or_default() as u64;
    session.joined().await?;
    let files = files(session).await?;
    let mut intake = files.begin(&about, size).await?;
    let (handing, mut pieces) = session.handed.open();
    let item = Reply::Json(json!({"call": handing.number}));
    session.say(Outgoing::Item { id, item }).await;
    while let Some(bytes) = pieces.next().await {
        intake.take(bytes).await?;
    }
    let stored = intake.finish().await?;
    let entry = files.share(stored, about).await?;
    Ok(Reply::Json(view(&entry)))
}

/// The same for a file that stays where it is: it is read there.
async fn share_in_place(session: &AppSession, id: f64, call: &FilesCall) -> Result<Reply> {
    let about = about(&call.text)?;
    session.joined().await?;
    let files = files(session).await?;
    let mut intake = files.begin_in_place(&about, call.call as u64).await?;
    let mut bytes = 0;
    loop {
        match intake.read_on().await? {
            0 => break,
            read => bytes += read,
        }
        let item = Reply::Json(json!({"bytes": bytes}));
        session.say(Outgoing::Item { id, item }).await;
    }
    let entry = files.share(intake.finish().await?, about).await?;
    Ok(Reply::Json(view(&entry)))
}

/// Fetches a file, and tells how far it is. Cancelled, it is given up, unless somebody else fetches it, too.
async fn fetch(session: &AppSession, id: f64, call: &FilesCall) -> Result<Reply> {
    let cid: Cid = call.id.parse()?;
    if cid.kind == Kind::Directory {
        let directory = Error::new(Code::Unsupported, "this is a directory, not a file");
        return Err(directory.with_remedy("Fetch it with peer.files.fetchDirectory()."));
    }
    let about = about(&call.text)?;
    let range = range::read(call)?;
    let view = |entry: &Entry| range::view(entry, view(entry), range.as_ref());
    let files = files(session).await?;
    // What is there already needs no relay.
    if !files
        .find(&cid)
        .is_ok_and(|entry| range::is_there(&entry, range.as_ref()))
    {
        session.joined().await?;
    }
    let following = files.follow_some(cid, about, range.as_ref()).await?;
    let entry = following.entry();
    let mut told = view(entry);
    let item = Reply::Json(told.clone());
    session.say(Outgoing::Item { id, item }).await;
    let mut complete = following.complete().boxed();
    loop {
        match select(complete, platform::sleep(FETCH_TOLD_EVERY)).await {
            Either::Left((outcome, _)) => {
                return outcome.map(|whole| Reply::Json(view(&whole)));
            }
            Either::Right(((), rest)) => complete = rest,
        }
        let now = view(entry);
        if now != told {
            told = now;
            let item = Reply::Json(told.clone());
            session.say(Outgoing::Item { id, item }).await;
        }
    }
}

async fn search(session: &AppSession, id: f64, text: &str) -> Result<Reply> {
    let apps = session.joined().await?;
    // At most one for each peer that is asked.
    let (tell, mut told) = mpsc::unbounded();
    let news = move |hits| drop(tell.unbounded_send(hits));
    let searching = apps.files()?.files().search_telling(text, news);
    let telling = async {
        while let Some(hits) = told.next().await {
            let hits: Vec<Hit> = hits;
            let item = Reply::Json(hits.iter().map(hit).collect());
            session.say(Outgoing::Item { id, item }).await;
        }
    };
    let (outcome, ()) = join(searching, telling).await;
    outcome.map(|_| Reply::Nothing {})
}

/// `{name, media, tags}`, each of which may be missing.
pub(super) fn about(text: &str) -> Result<About> {
    let read = || -> Option<About> {
        let told: Value = match text.is_empty() {
            true => json!({}),
            false => serde_json::from_str(text).ok()?,
        };
        let word = |value: &Value| match value {
            Value::Null => Some(String::new()),
            other => other.as_str().map(str::to_owned),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let tags = match &told["tags"] {
            Value::Null => Vec::new(),
            tags => tags.as_array()?.iter().map(text).collect::<Option<_>>()?,
        };
        Some(About {
            name: word(&told["name"])?,
            media: word(&told["media"])?,
            tags,
        })
    };
    read().ok_or_else(|| {
        Error::new(Code::InvalidArgument, "this does not describe a file")
            .with_remedy("Pass {name, media, tags} with texts.")
    })
}

pub(super) fn view(entry: &Entry) -> Value {
    let (cid, about) = (entry.cid().to_string(), entry.about());
    let mut view = json!({
        "cid": cid, "name": about.name, "media": about.media, "tags": about.tags,
        "size": entry.tree().size(), "bytes": entry.there(), "complete": entry.is_whole(),
        "sources": entry.sources(), "paused": entry.is_paused(),
    });
    let pieces = entry.pieces();
    if !pieces.is_full() {
        view["pieces"] = pieces.shares(FETCH_TOLD_STRETCHES).into();
    }
    if let Some(in_place) = entry.in_place() {
        view["inPlace"] = in_place.as_str().into();
    }
    view
}

fn hit(hit: &Hit) -> Value {
    let Listing {
        cid,
        name,
        size,
        media,
        tags,
    } = &hit.listing;
    let holders = hit
        .holders
        .iter()
        .filter_map(|peer| PeerId::from_bytes(peer).ok());
    let holders: Vec<String> = holders.map(|peer| peer.to_string()).collect();
    json!({
        "cid": cid.to_string(), "name": name, "media": media, "tags": tags, "size": size,
        "words": hit.words, "authors": hit.authors, "holders": holders,
    })
}
