//! What is said in a room: the bodies that authors sign, and which of them make sense.
//!
//! Knows content and limits. How a body travels, and who may say it, is [`super::packet`]'s.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::keys::Topic;
use super::stamp::Stamp;
use crate::error::{Code, Error, Result};
use crate::limits::{
    MAX_CHAT_TEXT, MAX_CID_TEXT, MAX_FILE_NAME, MAX_MEDIA_TYPE, MAX_NICK, MAX_REACTION,
    MAX_SAFE_INTEGER,
};
use crate::proto::Millis;
use crate::proto::key::PublicKey;
use crate::proto::record::Refusal;

/// The first number of every body.
pub const VERSION: u64 = 1;

/// Names a message: its author, a session of theirs, and its number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct MessageId {
    /// Who wrote it.
    #[n(0)]
    pub author: PublicKey,
    /// A random number of the author's device.
    #[n(1)]
    pub session: u64,
    /// Counted from 1.
    #[n(2)]
    pub number: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}-{}", self.author, self.session, self.number)
    }
}

impl FromStr for MessageId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let mut parts = text.split('-');
            let id = MessageId {
                author: parts.next()?.parse().ok()?,
                session: u64::from_str_radix(parts.next()?, 16).ok()?,
                number: parts.next()?.parse().ok()?,
            };
            (parts.next().is_none() && id.to_string() == text).then_some(id)
        };
        read().ok_or_else(|| {
            Error::new(Code::InvalidArgument, "this is not the id of a message")
                .with_remedy("Use the id that came with the message.")
        })
    }
}

/// A file that is spoken of: where it is, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct FileCard {
    /// Its content, as text.
    #[n(0)]
    pub cid: String,
    /// What it is called.
    #[n(1)]
    pub name: String,
    /// In bytes.
    #[n(2)]
    pub size: u64,
    /// Its media type; may be empty.
    #[n(3)]
    pub media: String,
}

/// What somebody says. The last three are about the moment: they have no number and are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Content {
    /// Something new, or an answer.
    #[n(0)]
    Text {
        /// What is said.
        #[n(0)]
        text: String,
        /// What it answers.
        #[n(1)]
        to: Option<MessageId>,
    },
    /// A file.
    #[n(1)]
    File {
        /// Which.
        #[n(0)]
        file: FileCard,
        /// What is said about it; may be empty.
        #[n(1)]
        text: String,
    },
    /// A mark beside a message.
    #[n(2)]
    React {
        /// Beside which.
        #[n(0)]
        to: MessageId,
        /// An emoji, or a word.
        #[n(1)]
        mark: String,
        /// Whether it is put there, or taken away.
        #[n(2)]
        on: bool,
    },
    /// Another text for a message of the same author.
    #[n(3)]
    Edit {
        /// Of which session.
        #[n(0)]
        session: u64,
        /// Which number.
        #[n(1)]
        number: u64,
        /// What it says now.
        #[n(2)]
        text: String,
    },
    /// A message of the same author is taken back.
    #[n(4)]
    Delete {
        /// Of which session.
        #[n(0)]
        session: u64,
        /// Which number.
        #[n(1)]
        number: u64,
    },
    /// The author is here.
    #[n(5)]
    Here {
        /// The peer that can be asked for history, in bytes.
        #[cbor(n(0), with = "minicbor::bytes")]
        peer: Vec<u8>,
        /// How often this is said, in milliseconds.
        #[n(1)]
        every: u64,
        /// The number of the author's last message in this session; 0 before the first.
        #[n(2)]
        head: u64,
        /// Whether the author has just come, and wants to know who else is here.
        #[n(3)]
        new: bool,
        /// How many messages the author has, and what they come to: see [`super::log::Digest`].
        #[n(4)]
        count: u64,
        /// See above.
        #[n(5)]
        sum: u64,
    },
    /// The author leaves.
    #[n(6)]
    Gone {},
    /// The author is writing, or has stopped.
    #[n(7)]
    Typing {
        /// Which.
        #[n(0)]
        on: bool,
    },
}

impl Content {
    /// Whether it is numbered and kept.
    pub fn lasts(&self) -> bool {
        !matches!(
            self,
            Content::Here { .. } | Content::Gone {} | Content::Typing { .. }
        )
    }

    fn check(&self) -> Result<(), Refusal> {
        let fine = match self {
            Content::Text { text, to } => {
                short(text, MAX_CHAT_TEXT)? && !text.is_empty() && to.is_none_or(is_id)
            }
            Content::File { file, text } => short(text, MAX_CHAT_TEXT)? && file.is_sound()?,
            Content::React { to, mark, .. } => {
                short(mark, MAX_REACTION)? && !mark.is_empty() && plain(mark) && is_id(*to)
            }
            Content::Edit {
                session,
                number,
                text,
            } => short(text, MAX_CHAT_TEXT)? && !text.is_empty() && counted(*session, *number),
            Content::Delete { session, number } => counted(*session, *number),
            Content::Here {
                peer, every, head, ..
            } => {
                peer.len() <= crate::limits::MAX_PEER_ID
                    && *every > 0
                    && safe(*every)
                    && safe(*head)
            }
            Content::Gone {} | Content::Typing { .. } => true,
        };
        fine.then_some(()).ok_or(Refusal::Malformed)
    }
}

impl FileCard {
    fn is_sound(&self) -> Result<bool, Refusal> {
        let named = short(&self.name, MAX_FILE_NAME)? && !self.name.is_empty() && plain(&self.name);
        let typed = short(&self.media, MAX_MEDIA_TYPE)? && plain(&self.media);
        let cid = short(&self.cid, MAX_CID_TEXT)? && !self.cid.is_empty();
        let letters = self.cid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Ok(named && typed && cid && letters && safe(self.size))
    }
}

fn short(text: &str, limit: usize) -> Result<bool, Refusal> {
    match text.len() <= limit {
        true => Ok(true),
        false => Err(Refusal::Oversized),
    }
}

fn plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn safe(number: u64) -> bool {
    number <= MAX_SAFE_INTEGER
}

fn counted(session: u64, number: u64) -> bool {
    safe(session) && safe(number) && number > 0
}

fn is_id(id: MessageId) -> bool {
    counted(id.session, id.number)
}

/// What an author signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Body {
    /// [`VERSION`].
    #[n(0)]
    pub version: u64,
    /// The only room where it counts; it is in one network only.
    #[n(1)]
    pub topic: Topic,
    /// Who signs it.
    #[n(2)]
    pub author: PublicKey,
    /// A random number of the author's device.
    #[n(3)]
    pub session: u64,
    /// Counted from 1; 0 for what is not kept.
    #[n(4)]
    pub number: u64,
    /// Its place in the order of messages.
    #[n(5)]
    pub at: Stamp,
    /// What the author is called; may be empty.
    #[n(6)]
    pub nick: String,
    /// What is said.
    #[n(7)]
    pub content: Content,
}

impl Body {
    /// Its name, if it is kept.
    pub fn id(&self) -> MessageId {
        MessageId {
            author: self.author,
            session: self.session,
            number: self.number,
        }
    }

    /// When it was said, as its author says.
    pub fn time(&self) -> Millis {
        self.at.time
    }

    /// The message that this one changes or marks.
    pub fn touches(&self) -> Option<MessageId> {
        let own = |session, number| MessageId {
            author: self.author,
            session,
            number,
        };
        match &self.content {
            Content::React { to, .. } => Some(*to),
            Content::Edit {
                session, number, ..
            }
            | Content::Delete { session, number } => Some(own(*session, *number)),
            _ => None,
        }
    }

    /// Whether it keeps the rules that need no keys.
    pub fn check(&self) -> Result<(), Refusal> {
        self.content.check()?;
        let numbered = safe(self.session) && safe(self.number) && safe(self.at.time);
        let kept = (self.number > 0) == self.content.lasts();
        let fine = self.version == VERSION && numbered && kept && self.at.is_sound();
        let nick = short(&self.nick, MAX_NICK)? && plain(&self.nick);
        (fine && nick).then_some(()).ok_or(Refusal::Malformed)
    }
}

/// Why something cannot be said, in words for the one who wants to say it.
pub fn unsayable(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Oversized => Error::new(Code::TooLarge, "this is too long for a message").with_remedy(
            "A message has at most 16 KiB, a nickname 64 bytes, a reaction 48; share longer text as a file.",
        ),
        _ => Error::new(Code::InvalidArgument, "this cannot be said in a room")
            .with_remedy("A text must not be empty; names and reactions have no control characters."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;

    #[test]
    fn ids_have_one_spelling() {
        let id = MessageId {
            author: SigningKey::from_seed([1; 32]).public(),
            session: 0xabc,
            number: 12,
        };
        let text = id.to_string();
        assert_eq!(text.parse::<MessageId>().unwrap(), id);
        for bad in [
            text.to_uppercase(),
            text.replace("-12", "-012"),
            format!("{text}-1"),
        ] {
            assert!(bad.parse::<MessageId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn content_is_held_to_its_limits() {
        let text = |length| Content::Text {
            text: "x".repeat(length),
            to: None,
        };
        assert_eq!(text(MAX_CHAT_TEXT).check(), Ok(()));
        assert_eq!(text(MAX_CHAT_TEXT + 1).check(), Err(Refusal::Oversized));
        assert_eq!(text(0).check(), Err(Refusal::Malformed));
        let file = |cid: &str, name: &str| {
            let (cid, name) = (cid.to_owned(), name.to_owned());
            let media = String::new();
            let (size, text) = (1, String::new());
            let file = FileCard {
                cid,
                name,
                size,
                media,
            };
            Content::File { file, text }.check()
        };
        assert_eq!(file("bafkr4i", "a b.txt"), Ok(()));
        for (cid, name) in [("", "a"), ("baf/..", "a"), ("baf", ""), ("baf", "a\nb")] {
            assert_eq!(file(cid, name), Err(Refusal::Malformed), "{cid} {name}");
        }
    }
}
