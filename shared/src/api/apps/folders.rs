//! Calls about directories, and about what relays are to keep.

use std::sync::Arc;

use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};

use super::AppSession;
use super::files::{about, files, view};
use super::messages::FilesCall;
use crate::api::messages::{Outgoing, Reply};
use crate::error::{Code, Error, Result};
use crate::limits::{DAY, FETCH_TOLD_EVERY, KEEP_LONGEST};
use crate::net::files::{Collection, Entry, Folder, Held};
use crate::platform;
use crate::proto::files::{Cid, Kind};

/// For how many days a file is kept, unless it is said otherwise.
const DAYS: f64 = 30.0;

/// Takes a directory, and answers when others can find it. Its files follow each other as if they were one.
pub(super) async fn share(session: &AppSession, id: f64, call: &FilesCall) -> Result<Reply> {
    let (about, listed) = (about(&call.text)?, listed(&call.text)?);
    session.joined().await?;
    let files = files(session).await?;
    let mut folder = files.begin_folder(about, listed).await?;
    let (handing, mut pieces) = session.handed.open();
    let item = Reply::Json(json!({"call": handing.number()}));
    session.say(Outgoing::Item { id, item }).await;
    while let Some(bytes) = pieces.next().await {
        folder.take(&bytes).await?;
    }
    let entry = folder.finish().await?;
    Ok(Reply::Json(any(&files, &entry)))
}

/// `{files: [[path, size], …]}`.
fn listed(text: &str) -> Result<Vec<(String, u64)>> {
    let told: Option<Value> = serde_json::from_str(text).ok();
    let files = told.and_then(|mut told| serde_json::from_value(told["files"].take()).ok());
    files.ok_or_else(|| {
        Error::new(Code::InvalidArgument, "this is no list of files")
            .with_remedy("Pass the path and the size of each file.")
    })
}

/// Fetches a directory, and tells how far it is; the first thing that is told has its list. Cancelled, it is given up,
/// unless somebody else fetches it, too.
pub(super) async fn fetch(session: &AppSession, id: f64, call: &FilesCall) -> Result<Reply> {
    let cid: Cid = call.id.parse()?;
    if cid.kind == Kind::File {
        let file = Error::new(Code::Unsupported, "this is a file, not a directory");
        return Err(file.with_remedy("Fetch it with peer.files.fetch()."));
    }
    let about = about(&call.text)?;
    let files = files(session).await?;
    // What is there already needs no relay.
    if !files
        .folder(&cid)
        .is_some_and(|folder| folder.is_complete())
    {
        session.joined().await?;
    }
    let following = files.follow_folder(cid, about).await?;
    let (entry, folder) = (following.entry(), following.folder());
    let mut told = folder_view(&files, entry, folder);
    let mut first = told.clone();
    // As text it crosses at once, however many there are.
    first["entries"] = entries(folder)?.into();
    let item = Reply::Json(first);
    session.say(Outgoing::Item { id, item }).await;
    let mut complete = following.complete().boxed();
    loop {
        match select(complete, platform::sleep(FETCH_TOLD_EVERY)).await {
            Either::Left((outcome, _)) => {
                return outcome.map(|()| Reply::Json(folder_view(&files, entry, folder)));
            }
            Either::Right(((), rest)) => complete = rest,
        }
        let now = folder_view(&files, entry, folder);
        if now != told {
            told = now;
            let item = Reply::Json(told.clone());
            session.say(Outgoing::Item { id, item }).await;
        }
    }
}

/// `[[path, id, size, media], …]`.
fn entries(folder: &Folder) -> Result<String> {
    let entries = folder.directory().entries().iter();
    let rows = entries.map(|one| (one.path.as_str(), one.cid, one.size, &one.media));
    serde_json::to_string(&rows.collect::<Vec<_>>()).map_err(|error| {
        Error::new(Code::Internal, "a directory cannot be written down").caused_by(error)
    })
}

/// Tells how far a file of a directory is that is here, or being fetched. It comes before the others.
pub(super) async fn member(session: &AppSession, id: f64, call: &FilesCall) -> Result<Reply> {
    let (cid, directory): (Cid, Cid) = (call.id.parse()?, call.text.parse()?);
    let files = files(session).await?;
    let mut told = Value::Null;
    loop {
        // Another one may have taken its place, or nobody fetches it any more.
        let entry = files.member_of(&directory, &cid).await?;
        let now = view(&entry);
        if entry.is_whole() {
            // Whoever waits for the beginning hears of that, too.
            let item = Reply::Json(now.clone());
            session.say(Outgoing::Item { id, item }).await;
            return Ok(Reply::Json(now));
        }
        if now != told {
            told = now;
            let item = Reply::Json(told.clone());
            session.say(Outgoing::Item { id, item }).await;
        }
        platform::sleep(FETCH_TOLD_EVERY).await;
    }
}

/// What there is to say of a file or a directory.
pub(super) fn any(files: &Collection, entry: &Arc<Entry>) -> Value {
    match files.folder(&entry.cid()) {
        Some(folder) => folder_view(files, entry, &folder),
        None => view(entry),
    }
}

fn folder_view(files: &Collection, entry: &Entry, folder: &Folder) -> Value {
    let (cid, about) = (entry.cid().to_string(), entry.about());
    let complete = folder.is_complete();
    json!({
        "cid": cid, "name": about.name, "media": about.media, "tags": about.tags,
        "size": folder.directory().size(), "bytes": files.there_of(folder), "complete": complete,
        "sources": folder.sources(), "paused": folder.is_paused(), "files": folder.directory().entries().len(),
    })
}

/// Asks the relays to keep a file or a directory: which does, and until when.
pub(super) async fn pin(session: &AppSession, call: &FilesCall) -> Result<Reply> {
    let cid: Cid = call.id.parse()?;
    let days = call.place.unwrap_or(DAYS);
    let most = (KEEP_LONGEST / DAY) as f64;
    if !(1.0..=most).contains(&days) {
        let message = format!("relays keep files for 1 to {most} days");
        return Err(Error::new(Code::InvalidArgument, message)
            .with_remedy("Ask for less, and pin it again before that is over."));
    }
    session.joined().await?;
    let files = files(session).await?;
    let answers = files.pin(&cid, (days * DAY as f64) as u64).await?;
    let relays = answers.iter().map(|(relay, kept)| match kept {
        Ok(until) => json!({"relay": relay.to_string(), "until": until}),
        Err(error) => json!({"relay": relay.to_string(), "error": error}),
    });
    Ok(Reply::Json(relays.collect()))
}
