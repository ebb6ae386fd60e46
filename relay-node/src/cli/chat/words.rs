//! Messages and members in words that fit a line.

use warren_shared::proto::chat::{Entry, MemberView};

pub(super) fn said(message: &Entry) -> String {
    let text = one_line(&message.text);
    match &message.file {
        Some(file) => format!("[{}, {} bytes, {}] {text}", file.name, file.size, file.cid),
        None => text,
    }
}

/// A message is one line, and moves no cursor.
pub(super) fn one_line(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

pub(super) fn author_of(message: &Entry) -> String {
    named(&message.nick, &message.author)
}

pub(super) fn name_of(member: &MemberView) -> String {
    named(&member.nick, &member.author)
}

/// Nicknames can be anybody's; the beginning of the key tells two of one name apart.
pub(super) fn named(nick: &str, author: &str) -> String {
    let key = author.get(..6).unwrap_or(author);
    match nick.is_empty() {
        true => key.to_owned(),
        false => format!("{nick} ({key})"),
    }
}
