//! What can be typed in a room beside messages: lines that begin with a slash.

use warren_shared::error::{Code, Error, Result};
use warren_shared::net::chat::RoomHandle;
use warren_shared::proto::chat::{Entry, MessageId};

use super::words::name_of;

pub(super) const HELP: &str = "/reply TEXT, /react MARK: to the last message of others; /edit TEXT, /delete: your last one; \
/members, /nick NAME, /link, /quit";

/// The last message of this member, and of any other.
#[derive(Clone, Copy, Default)]
pub(super) struct Last {
    pub own: Option<MessageId>,
    pub other: Option<MessageId>,
}

impl Last {
    pub fn note(&mut self, message: &Entry) {
        let id = message.id.parse().ok();
        match message.mine {
            true => self.own = id.or(self.own),
            false => self.other = id.or(self.other),
        }
    }
}

/// Does what a line says, without its slash; gives what is to be shown.
pub(super) async fn obey(
    room: &RoomHandle,
    link: &str,
    last: &mut Last,
    command: &str,
) -> Result<Option<String>> {
    let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
    match (word, last.own, last.other) {
        ("reply", _, Some(to)) => last.own = Some(room.reply(to, rest).await?),
        ("react", _, Some(to)) => drop(room.react(to, rest, true).await?),
        ("edit", Some(own), _) => drop(room.edit(own, rest).await?),
        ("delete", Some(own), _) => drop(room.delete(own).await?),
        ("reply" | "react" | "edit" | "delete", ..) => {
            return Err(Error::new(Code::NotFound, "there is no such message yet"));
        }
        ("nick", ..) => room.rename(rest).await?,
        ("link", ..) => return Ok(Some(link.to_owned())),
        ("members", ..) => {
            let members = room.members().await?;
            let names: Vec<String> = members.iter().map(name_of).collect();
            return Ok(Some(format!("* here: {}", names.join(", "))));
        }
        ("help", ..) => return Ok(Some(HELP.to_owned())),
        _ => {
            return Err(Error::new(Code::InvalidArgument, "unknown command").with_remedy(HELP));
        }
    }
    Ok(None)
}
