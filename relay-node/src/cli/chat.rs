//! `warren chat`: a room on the command line. Lines of standard input are sent, what others say is printed.
//! On a terminal a line that begins with a slash is a command.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::chat::Joined;
use warren_shared::platform;
use warren_shared::proto::chat::keys::{read_secret, secret_text};
use warren_shared::proto::chat::passphrase::secret_of;
use warren_shared::proto::chat::{Entry, MemberView, MessageId, RoomEvent, RoomRef};
use warren_shared::proto::date;

use super::lines::Lines;
use super::{asked_to_stop, start_peer_log};
use crate::peer::PeerArgs;

/// Lines of input that wait until they are sent.
const LINES: usize = 16;
const HELP: &str = "/reply TEXT, /react MARK: to the last message of others; /edit TEXT, /delete: your last one; \
/members, /nick NAME, /link, /quit";

#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// The room: its name, or a link to it (in quotes: it has a # in it).
    room: String,
    /// Makes the room private: its secret is in this file, which is created when there is none.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Makes the room private: its members know these words, the first line of this file.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
    passphrase_file: Option<PathBuf>,
    /// What others see beside your messages.
    #[arg(long, value_name = "NAME", default_value = "")]
    nick: String,
    /// So many messages of before are printed first, as far as they are there.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    last: usize,
    /// Stays when standard input has ended, until it is interrupted.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    pub(super) peer: PeerArgs,
}

pub(super) async fn run(args: ChatArgs) -> Result<()> {
    start_peer_log();
    let mut room = room(&args)?;
    let words = args.passphrase_file.as_deref().map(words).transpose()?;
    let peer = args.peer.start(Vec::new()).await?;
    if let Some(words) = words {
        let (network, name) = (peer.node.network().clone(), room.name.clone());
        let stretched = tokio::task::spawn_blocking(move || secret_of(&network, &name, &words));
        let stretched = stretched.await.map_err(|error| {
            Error::new(Code::Internal, "the passphrase was not used").caused_by(error)
        })?;
        room.secret = Some(stretched?);
    }
    let chat = peer.node.chat()?;
    let joined = chat.join(&room, &args.nick).await?;
    let mut talk = Talk {
        joined,
        lines: Lines::to_stdout(),
        shown: Shown {
            json: args.peer.json,
            terminal: std::io::stdout().is_terminal(),
        },
        link: room.fragment(),
        own: None,
        other: None,
    };
    talk.begin(&room, args.last).await?;
    let outcome = talk.go_on(args.follow).await;
    chat.settle().await;
    let Talk { joined, lines, .. } = talk;
    joined.leave().await;
    peer.node.close().await;
    outcome.and(lines.finish().await)
}

fn room(args: &ChatArgs) -> Result<RoomRef> {
    let mut room = RoomRef::parse(&args.room)?;
    let file = args.secret_file.as_ref();
    if room.secret.is_some() && (file.is_some() || args.passphrase_file.is_some()) {
        let text = "the room is given by a link with a secret, and by a file";
        return Err(Error::new(Code::InvalidArgument, text).with_remedy("Give one of them."));
    }
    if let Some(path) = file {
        room.secret = Some(secret(path)?);
    }
    Ok(room)
}

fn words(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn secret(path: &Path) -> Result<[u8; 16]> {
    match std::fs::read_to_string(path) {
        Ok(text) => read_secret(text.trim()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = platform::entropy();
            create(path, &secret_text(&secret)).map_err(|error| unusable(path, &error))?;
            Ok(secret)
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let text = format!("cannot use the secret in {}", path.display());
    Error::new(Code::StorageFailed, text)
        .caused_by(error)
        .with_remedy("Check the path and its permissions.")
}

/// How things are told.
#[derive(Clone, Copy)]
struct Shown {
    json: bool,
    terminal: bool,
}

struct Talk {
    joined: Joined,
    lines: Lines,
    shown: Shown,
    link: String,
    /// The last message of this member, and of any other.
    own: Option<MessageId>,
    other: Option<MessageId>,
}

impl Talk {
    async fn begin(&mut self, room: &RoomRef, last: usize) -> Result<()> {
        let private = room.secret.is_some();
        let entered = json!({"event": "entered", "room": self.joined.id(), "name": room.name,
            "private": private, "link": self.link});
        if self.shown.json {
            self.lines.say(entered.to_string()).await;
        } else if self.shown.terminal {
            let kind = if private { "private room" } else { "room" };
            let text = format!(
                "in the {kind} {:?}; others enter with '{}'; {HELP}",
                room.name, self.link
            );
            self.lines.say(text).await;
        }
        for entry in self.joined.history(None, last).await? {
            self.message(&entry).await;
        }
        Ok(())
    }

    /// Until the input ends, unless it follows, or somebody asks it to stop.
    async fn go_on(&mut self, follow: bool) -> Result<()> {
        let commands = std::io::stdin().is_terminal();
        let mut input = input();
        let (mut open, mut stop) = (true, Box::pin(asked_to_stop()));
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = self.lines.unread() => return Ok(()),
                event = self.joined.events.next() => match event {
                    Some(event) => self.happened(event).await,
                    None => return Err(Error::new(Code::Closed, "the room was closed")),
                },
                line = input.recv(), if open => match line {
                    Some(line) if line.trim().is_empty() => {}
                    Some(line) => match line.strip_prefix('/').filter(|_| commands) {
                        Some("quit") => return Ok(()),
                        Some(command) => self.obey(command).await,
                        None => self.send(&line, commands).await?,
                    },
                    None if follow => open = false,
                    None => return Ok(()),
                },
            }
        }
    }

    /// On a terminal one goes on after a mistake; a program is told, and waits when it is too fast.
    async fn send(&mut self, text: &str, terminal: bool) -> Result<()> {
        loop {
            match self.joined.send(text).await {
                Ok(id) => {
                    self.own = Some(id);
                    return Ok(());
                }
                Err(error) if error.code() == Code::Overloaded && !terminal => {
                    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
                }
                Err(error) if terminal => {
                    eprintln!("{error}. {}", error.remedy());
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn obey(&mut self, command: &str) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let nothing = || Error::new(Code::NotFound, "there is no such message yet");
        let done = match (word, self.own, self.other) {
            ("reply", _, Some(to)) => self
                .joined
                .reply(to, rest)
                .await
                .map(|id| self.own = Some(id)),
            ("react", _, Some(to)) => self.joined.react(to, rest, true).await.map(drop),
            ("edit", Some(own), _) => self.joined.edit(own, rest).await.map(drop),
            ("delete", Some(own), _) => self.joined.delete(own).await.map(drop),
            ("reply" | "react" | "edit" | "delete", ..) => Err(nothing()),
            ("nick", ..) => self.joined.rename(rest).await,
            ("link", ..) => {
                self.lines.say(self.link.clone()).await;
                Ok(())
            }
            ("members", ..) => self.tell_members().await,
            _ => Err(Error::new(Code::InvalidArgument, "unknown command").with_remedy(HELP)),
        };
        if let Err(error) = done {
            eprintln!("{error}. {}", error.remedy());
        }
    }

    async fn tell_members(&mut self) -> Result<()> {
        let members = self.joined.members().await?;
        let names: Vec<String> = members.iter().map(name_of).collect();
        self.lines
            .say(format!("* here: {}", names.join(", ")))
            .await;
        Ok(())
    }

    async fn happened(&mut self, event: RoomEvent) {
        if self.shown.json {
            self.note(&event);
            let mut value = serde_json::to_value(&event).unwrap_or(Value::Null);
            if let Some(kind) = value.as_object_mut().and_then(|event| event.remove("kind")) {
                value["event"] = kind;
            }
            return self.lines.say(value.to_string()).await;
        }
        match &event {
            RoomEvent::Message { message } => return self.message(message).await,
            RoomEvent::Changed { message } if message.edited => {
                let text = format!(
                    "* {} now says: {}",
                    author_of(message),
                    one_line(&message.text)
                );
                return self.lines.say(text).await;
            }
            RoomEvent::Joined { member } => {
                self.aside(format!("{} is here", name_of(member))).await
            }
            RoomEvent::Left { member, lost } => {
                let how = if *lost { "is lost" } else { "has left" };
                self.aside(format!("{} {how}", name_of(member))).await;
            }
            RoomEvent::Missing { count } if *count > 0 => {
                self.aside(format!("{count} messages are missing")).await;
            }
            _ => {}
        }
    }

    /// What happens around the messages is for people only.
    async fn aside(&self, text: String) {
        if self.shown.terminal {
            self.lines.say(format!("* {text}")).await;
        }
    }

    async fn message(&mut self, message: &Entry) {
        self.note(&RoomEvent::Message {
            message: message.clone(),
        });
        let line = match self.shown {
            Shown { json: true, .. } => json!({"event": "message", "message": message}).to_string(),
            // What was typed here is on the screen already.
            Shown { terminal: true, .. } if message.mine => return,
            Shown { terminal: true, .. } => {
                let time = date::moment(message.time);
                format!("{time} {}: {}", author_of(message), said(message))
            }
            _ => format!("{}: {}", author_of(message), said(message)),
        };
        self.lines.say(line).await;
    }

    fn note(&mut self, event: &RoomEvent) {
        if let RoomEvent::Message { message } = event {
            let id = message.id.parse().ok();
            match message.mine {
                true => self.own = id.or(self.own),
                false => self.other = id.or(self.other),
            }
        }
    }
}

/// Lines of standard input, read by a thread of its own: nothing else waits for them.
fn input() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lines();
        while let Some(Ok(line)) = input.next()
            && sender.blocking_send(line).is_ok()
        {}
    });
    lines
}

fn said(message: &Entry) -> String {
    let text = one_line(&message.text);
    match &message.file {
        Some(file) => format!("[{}, {} bytes, {}] {text}", file.name, file.size, file.cid),
        None => text,
    }
}

/// A message is one line, and moves no cursor.
fn one_line(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

fn author_of(message: &Entry) -> String {
    named(&message.nick, &message.author)
}

fn name_of(member: &MemberView) -> String {
    named(&member.nick, &member.author)
}

/// Nicknames can be anybody's; the beginning of the key tells two of one name apart.
fn named(nick: &str, author: &str) -> String {
    let key = author.get(..6).unwrap_or(author);
    match nick.is_empty() {
        true => key.to_owned(),
        false => format!("{nick} ({key})"),
    }
}
