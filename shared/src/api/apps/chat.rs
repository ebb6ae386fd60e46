//! Calls about chat rooms: from words to the node's rooms, and from there to JSON.

use futures::StreamExt;
use serde_json::{Value, json};

use super::messages::{ChatAction, ChatCall};
use super::{AppSession, written};
use crate::api::messages::{Outgoing, Reply};
use crate::error::{Code, Error, Result};
use crate::net::apps::Apps;
use crate::net::chat::RoomHandle;
use crate::platform;
use crate::proto::chat::{Content, FileCard, MessageId, RoomRef};

/// Messages in one answer, unless it is said how many.
const PAGE: usize = 100;

/// Works without a relay, too, as soon as there is a network: what is said is sent when there is one.
pub(super) async fn serve(session: &AppSession, id: f64, call: ChatCall) -> Result<Reply> {
    let apps = session.here().await?;
    if call.action == ChatAction::Join {
        return join(session, id, &apps, &call).await;
    }
    let room = apps.chat()?.room(&call.room)?;
    match call.action {
        ChatAction::History => {
            let before = (!call.id.is_empty()).then(|| call.id.parse());
            let limit = call.limit.map_or(PAGE, |limit| limit as usize);
            written(&room.history(before.transpose()?, limit).await?)
        }
        ChatAction::Members => written(&room.members().await?),
        ChatAction::Typing => room.typing(call.on).await.map(nothing),
        ChatAction::Nick => room.rename(&call.nick).await.map(nothing),
        ChatAction::Read => room.mark_read().await.map(nothing),
        _ => written(&say(&room, call).await?.to_string()),
    }
}

fn nothing(_: ()) -> Reply {
    Reply::Nothing {}
}

async fn say(room: &RoomHandle, call: ChatCall) -> Result<MessageId> {
    let (id, text) = (call.id.as_str(), call.text);
    match call.action {
        ChatAction::React => room.react(id.parse()?, &text, call.on).await,
        ChatAction::Edit => room.edit(id.parse()?, &text).await,
        ChatAction::Delete => room.delete(id.parse()?).await,
        ChatAction::File => room.say(file(&text)?).await,
        _ if id.is_empty() => room.send(&text).await,
        _ => room.reply(id.parse()?, &text).await,
    }
}

fn file(text: &str) -> Result<Content> {
    let read = || {
        let card: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| Some(card.get(name)?.as_str()?.to_owned());
        let file = FileCard {
            cid: word("cid")?,
            name: word("name")?,
            size: card.get("size")?.as_u64()?,
            media: word("media").unwrap_or_default(),
        };
        let text = word("text").unwrap_or_default();
        Some(Content::File { file, text })
    };
    read().ok_or_else(|| {
        Error::new(Code::InvalidArgument, "this is not a card of a file")
            .with_remedy("Pass {cid, name, size}, and media and text if there are any.")
    })
}

/// Tells what happens in a room, until the call is cancelled: then this listener has left.
async fn join(session: &AppSession, id: f64, apps: &Apps, call: &ChatCall) -> Result<Reply> {
    let mut room = RoomRef::parse(&call.room)?;
    if call.on && room.secret.is_none() {
        room.secret = Some(platform::entropy());
    }
    let mut joined = apps.chat()?.join(&room, &call.nick).await?;
    let (missing, unread) = joined.counts().await?;
    let entered = json!({
        "kind": "entered",
        "id": joined.id(),
        "name": room.name,
        "link": room.fragment(),
        "private": joined.is_private(),
        "missing": missing,
        "unread": unread,
    });
    let item = Reply::Json(entered);
    session.say(Outgoing::Item { id, item }).await;
    while let Some(event) = joined.events.next().await {
        let item = written(&event)?;
        session.say(Outgoing::Item { id, item }).await;
    }
    Ok(Reply::Nothing {})
}
