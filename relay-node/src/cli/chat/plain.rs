//! A room as plain lines: what a terminal without a screen, a pipe or a program gets.

use std::io::IsTerminal;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::chat::Joined;
use warren_shared::proto::chat::{Entry, RoomEvent, RoomRef};
use warren_shared::proto::date;

use super::commands::{HELP, Last, obey};
use super::words::{author_of, name_of, one_line, said};
use crate::cli::asked_to_stop;
use crate::cli::lines::Lines;

/// Lines of input that wait until they are sent.
const LINES: usize = 16;
/// Within this all members have answered whoever comes; see `spec/chat.md`.
const ANSWERED: Duration = Duration::from_secs(3);

/// How things are told.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub json: bool,
    pub terminal: bool,
    /// Whether messages are there the next time.
    pub kept: bool,
}

/// A room, and the lines about it.
pub(super) struct Talk {
    joined: Joined,
    lines: Lines,
    shown: Shown,
    link: String,
    last: Last,
    /// Whether there was somebody else.
    met: bool,
    /// Whether a message was sent.
    said: bool,
}

impl Talk {
    pub fn new(joined: Joined, link: String, shown: Shown) -> Talk {
        Talk {
            joined,
            lines: Lines::to_stdout(),
            shown,
            link,
            last: Last::default(),
            met: false,
            said: false,
        }
    }

    /// From the messages of before to the end of the input.
    pub async fn run(
        mut self,
        room: &RoomRef,
        before: usize,
        follow: bool,
    ) -> (Joined, Lines, Result<()>) {
        let outcome = async {
            self.begin(room, before).await?;
            self.go_on(follow).await
        };
        let outcome = outcome.await;
        (self.joined, self.lines, outcome)
    }

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
        } else if private {
            eprintln!(
                "in the private room {:?}; others enter with '{}'",
                room.name, self.link
            );
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
        let (mut waiting, mut leaving) = (true, false);
        let mut answered = Box::pin(tokio::time::sleep(ANSWERED));
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = self.lines.unread() => return Ok(()),
                () = &mut answered, if waiting => {
                    waiting = false;
                    self.tell_if_alone(follow).await?;
                    if leaving {
                        return Ok(());
                    }
                }
                event = self.joined.events.next() => match event {
                    Some(event) => {
                        self.happened(event).await;
                        if leaving && self.met {
                            return Ok(());
                        }
                    }
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
                    // Whether anybody hears it is known in a moment.
                    None if waiting && self.said && self.is_alone().await? => {
                        (open, leaving) = (false, true);
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    /// Of interest where lines come from, or go to, something else than a person at a terminal.
    async fn is_alone(&self) -> Result<bool> {
        let people = self.shown.terminal && std::io::stdin().is_terminal();
        Ok(!people && !self.shown.json && !self.met && self.joined.members().await?.is_empty())
    }

    async fn tell_if_alone(&self, follow: bool) -> Result<()> {
        if self.is_alone().await? {
            let later = match (follow, self.shown.kept) {
                (true, _) => "who comes while this runs gets what was said",
                (false, true) => {
                    "who is here when it is entered again with this --data-dir gets what was said"
                }
                (false, false) => {
                    "with --follow this stays, and gives what was said to those who come"
                }
            };
            eprintln!(
                "nobody else is in the room yet: {later}; relays that keep history do so, too"
            );
        }
        Ok(())
    }

    /// On a terminal one goes on after a mistake; a program is told, and waits when it is too fast.
    async fn send(&mut self, text: &str, terminal: bool) -> Result<()> {
        loop {
            match self.joined.send(text).await {
                Ok(id) => {
                    self.said = true;
                    self.last.own = Some(id);
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
        match obey(&self.joined, &self.link, &mut self.last, command).await {
            Ok(Some(text)) => self.lines.say(text).await,
            Ok(None) => {}
            Err(error) => eprintln!("{error}. {}", error.remedy()),
        }
    }

    async fn happened(&mut self, event: RoomEvent) {
        self.met |= matches!(event, RoomEvent::Joined { .. });
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
            self.last.note(message);
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
