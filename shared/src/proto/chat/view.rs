//! What an application shows: messages with their edits and reactions applied, members, and events.

use serde::Serialize;

use super::log::{Held, Log, Place};
use super::message::{Content, FileCard, MessageId};
use crate::proto::Millis;
use crate::proto::key::PublicKey;

/// A message as it is to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Names it.
    pub id: String,
    /// Who wrote it: a public key in hex.
    pub author: String,
    /// What the author was called.
    pub nick: String,
    /// When, as its author says.
    pub time: Millis,
    /// Its place among messages of the same time.
    pub count: u64,
    /// What it says now.
    pub text: String,
    /// The file it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    /// The message it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Whether its text was changed.
    pub edited: bool,
    /// Marks beside it.
    pub reactions: Vec<Reaction>,
    /// Whether it was written here.
    pub mine: bool,
}

/// A file as it is to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its content.
    pub cid: String,
    /// What it is called.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Its media type; may be empty.
    pub media: String,
}

/// A mark, and who put it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// An emoji, or a word.
    pub mark: String,
    /// Public keys in hex.
    pub authors: Vec<String>,
}

/// Somebody who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// A public key in hex.
    pub author: String,
    /// Tells several devices of one author apart.
    pub session: String,
    /// What they are called.
    pub nick: String,
    /// Since when this peer knows of them.
    pub since: Millis,
}

/// What happened in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RoomEvent {
    /// A message has arrived. Not always in order: older ones come with the history.
    Message { message: Entry },
    /// A message was edited, or marked.
    Changed { message: Entry },
    /// A message was taken back by its author.
    Deleted { id: String },
    /// Somebody has come.
    Joined { member: MemberView },
    /// Somebody has left, or was not heard of any more.
    Left { member: MemberView, lost: bool },
    /// Somebody has another nickname.
    Renamed { member: MemberView },
    /// Somebody writes, or has stopped.
    Typing { member: MemberView, on: bool },
    /// So many messages are known to be missing.
    Missing { count: u64 },
    /// So many messages were not read yet.
    Unread { count: u64 },
    /// Somebody who keeps messages has given everything.
    Synced {},
    /// So many events were lost, because nobody read them.
    Lagged { dropped: u64 },
}

/// Whether a message is shown by itself.
pub(super) fn is_shown(held: &Held) -> bool {
    matches!(
        held.body.content,
        Content::Text { .. } | Content::File { .. }
    )
}

/// The message of this name as it is now, if it is to be shown.
pub(super) fn entry(log: &Log, id: &MessageId, me: &PublicKey) -> Option<Entry> {
    let held = log.get(id).filter(|held| is_shown(held))?;
    Some(with_changes(held, log.changes(*id), me))
}

/// The newest messages before a place, the oldest first.
pub(super) fn entries(
    log: &Log,
    before: Option<Place>,
    limit: usize,
    me: &PublicKey,
) -> Vec<Entry> {
    let changes: Vec<(MessageId, &Held)> = log
        .iter()
        .filter_map(|held| Some((held.body.touches()?, held)))
        .collect();
    let earlier =
        |held: &&Held| before.is_none_or(|before| (held.body.at, held.body.id()) < before);
    let newest = log.iter().rev().filter(|held| is_shown(held));
    let mut entries: Vec<Entry> = newest
        .filter(earlier)
        .take(limit)
        .map(|held| {
            let id = held.body.id();
            let touching = changes.iter().filter(|(target, _)| *target == id);
            with_changes(held, touching.map(|(_, held)| *held), me)
        })
        .collect();
    entries.reverse();
    entries
}

fn with_changes<'a>(
    held: &Held,
    touching: impl Iterator<Item = &'a Held>,
    me: &PublicKey,
) -> Entry {
    let body = &held.body;
    let (text, file, reply_to) = match &body.content {
        Content::Text { text, to } => (text.clone(), None, to.map(|id| id.to_string())),
        Content::File { file, text } => (text.clone(), Some(shown_file(file)), None),
        _ => (String::new(), None, None),
    };
    let mut entry = Entry {
        id: body.id().to_string(),
        author: body.author.to_string(),
        nick: body.nick.clone(),
        time: body.at.time,
        count: body.at.count,
        text,
        file,
        reply_to,
        edited: false,
        reactions: Vec::new(),
        mine: body.author == *me,
    };
    for change in touching {
        apply(&mut entry, change);
    }
    entry
        .reactions
        .retain(|reaction| !reaction.authors.is_empty());
    entry
}

/// In the order in which they were said: of several edits, or marks of one author, the last one counts.
fn apply(entry: &mut Entry, change: &Held) {
    match &change.body.content {
        Content::Edit { text, .. } => {
            entry.text.clone_from(text);
            entry.edited = true;
        }
        Content::React { mark, on, .. } => {
            let author = change.body.author.to_string();
            let known = entry.reactions.iter_mut().find(|one| one.mark == *mark);
            let reaction = match known {
                Some(known) => known,
                None => {
                    entry.reactions.push(Reaction {
                        mark: mark.clone(),
                        authors: Vec::new(),
                    });
                    let last = entry.reactions.len() - 1;
                    &mut entry.reactions[last]
                }
            };
            reaction.authors.retain(|known| *known != author);
            if *on {
                reaction.authors.push(author);
            }
        }
        _ => {}
    }
}

fn shown_file(file: &FileCard) -> File {
    File {
        cid: file.cid.clone(),
        name: file.name.clone(),
        size: file.size,
        media: file.media.clone(),
    }
}
