//! A room on the whole terminal: what is on the screen, what keys do, and the loop that keeps both going.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    self, Event as Pressed, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use tokio::sync::mpsc;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::chat::Joined;
use warren_shared::proto::chat::{Entry, MemberView, RoomEvent, RoomRef};

use super::commands::{Last, obey};
use super::input::Input;
use super::words::one_line;
use crate::cli::asked_to_stop;

/// Keys that wait until they are looked at.
const KEYS: usize = 256;
/// Messages that are fetched at a time.
const PAGE: usize = 200;
/// Whether somebody types is told this often at most.
const TYPING_EVERY: Duration = Duration::from_secs(3);

/// What is shown. Messages stand in their order, whenever they came.
pub(super) struct Screen {
    pub title: String,
    pub messages: BTreeMap<(u64, u64, String), Entry>,
    pub members: Vec<MemberView>,
    pub typing: Vec<MemberView>,
    pub missing: u64,
    pub notice: String,
    pub input: Input,
    /// Lines between the end of the messages and the bottom of the screen.
    pub above_end: usize,
    /// New messages below what is seen.
    pub below: usize,
}

/// What a key asks for beside what it does on the screen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Say(String),
    Command(String),
    Typing,
    Older,
    Quit,
}

impl Screen {
    pub fn new(room: &RoomRef) -> Screen {
        let kind = if room.secret.is_some() {
            "private"
        } else {
            "open to all"
        };
        Screen {
            title: format!("{} · {kind}", one_line(&room.name)),
            messages: BTreeMap::new(),
            members: Vec::new(),
            typing: Vec::new(),
            missing: 0,
            notice:
                "Enter sends, PageUp looks back, /help tells what else there is, Ctrl-C leaves."
                    .to_owned(),
            input: Input::default(),
            above_end: 0,
            below: 0,
        }
    }

    pub fn put(&mut self, message: Entry) -> bool {
        let place = (message.time, message.count, message.id.clone());
        self.messages.insert(place, message).is_none()
    }

    fn shows(&self, id: &str) -> bool {
        self.messages.values().any(|message| message.id == id)
    }

    /// The last message of this member, as it is seen.
    pub fn last_own(&self) -> Option<&Entry> {
        self.messages.values().rev().find(|message| message.mine)
    }

    pub fn oldest(&self) -> Option<&Entry> {
        self.messages.values().next()
    }

    /// Something has happened in the room.
    pub fn happened(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::Message { message } => {
                let (author, mine) = (message.author.clone(), message.mine);
                self.typing.retain(|member| member.author != author);
                if self.put(message) && !mine && self.above_end > 0 {
                    self.below += 1;
                }
            }
            // Older ones come in their place when one looks back.
            RoomEvent::Changed { message } if self.shows(&message.id) => drop(self.put(message)),
            RoomEvent::Changed { .. } => {}
            RoomEvent::Deleted { id } => self.messages.retain(|_, message| message.id != id),
            RoomEvent::Joined { member } | RoomEvent::Renamed { member } => {
                self.forget(&member);
                self.members.push(member);
                self.members.sort_by(|one, other| {
                    (&one.nick, &one.author).cmp(&(&other.nick, &other.author))
                });
            }
            RoomEvent::Left { member, .. } => {
                self.forget(&member);
                self.typing.retain(|one| !same(one, &member));
            }
            RoomEvent::Typing { member, on } => {
                self.typing.retain(|one| !same(one, &member));
                if on {
                    self.typing.push(member);
                }
            }
            RoomEvent::Missing { count } => self.missing = count,
            RoomEvent::Lagged { .. } | RoomEvent::Unread { .. } | RoomEvent::Synced {} => {}
        }
    }

    fn forget(&mut self, member: &MemberView) {
        self.members.retain(|one| !same(one, member));
    }

    /// A key was pressed.
    pub fn pressed(&mut self, key: KeyEvent, height: usize) -> Option<Wish> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if control => return Some(Wish::Quit),
            KeyCode::Char('w') if control => self.input.erase_word(),
            KeyCode::Char('u') if control => drop(self.input.take()),
            KeyCode::Char(c) if !control => {
                self.input.put(c.encode_utf8(&mut [0; 4]));
                let command = self.input.text().starts_with('/');
                return (!command).then_some(Wish::Typing);
            }
            KeyCode::Backspace => self.input.backspace(),
            KeyCode::Delete => self.input.delete(),
            KeyCode::Left => self.input.left(),
            KeyCode::Right => self.input.right(),
            KeyCode::Home => self.input.home(),
            KeyCode::End => self.input.end(),
            KeyCode::Up if self.input.text().is_empty() => return self.edit_last(),
            KeyCode::Esc => self.go_to_end(),
            KeyCode::PageDown => {
                self.above_end = self.above_end.saturating_sub(height);
                if self.above_end == 0 {
                    self.go_to_end();
                }
            }
            KeyCode::PageUp => {
                self.above_end += height;
                return Some(Wish::Older);
            }
            KeyCode::Enter => return self.enter(),
            _ => {}
        }
        None
    }

    fn enter(&mut self) -> Option<Wish> {
        let line = self.input.take();
        self.notice.clear();
        self.go_to_end();
        match line.strip_prefix('/') {
            _ if line.trim().is_empty() => None,
            Some("quit") => Some(Wish::Quit),
            Some(command) => Some(Wish::Command(command.to_owned())),
            None => Some(Wish::Say(line)),
        }
    }

    fn edit_last(&mut self) -> Option<Wish> {
        let own = self.last_own()?;
        let text = format!("/edit {}", one_line(&own.text));
        self.input.set(&text);
        None
    }

    fn go_to_end(&mut self) {
        (self.above_end, self.below) = (0, 0);
    }
}

fn same(one: &MemberView, other: &MemberView) -> bool {
    (&one.author, &one.session) == (&other.author, &other.session)
}

/// Has the terminal until this member leaves.
pub(super) async fn show(mut joined: Joined, room: &RoomRef) -> (Joined, Result<()>) {
    let mut terminal = ratatui::init();
    let outcome = run(&mut terminal, &mut joined, room).await;
    ratatui::restore();
    (joined, outcome)
}

async fn run(terminal: &mut DefaultTerminal, joined: &mut Joined, room: &RoomRef) -> Result<()> {
    let mut screen = Screen::new(room);
    let mut last = Last::default();
    for message in joined.history(None, PAGE).await? {
        last.note(&message);
        screen.put(message);
    }
    for member in joined.members().await? {
        screen.happened(RoomEvent::Joined { member });
    }
    let (mut keys, mut stop) = (keys(), Box::pin(asked_to_stop()));
    let mut typed = None;
    loop {
        let drawn = terminal.draw(|frame| super::draw::draw(&screen, frame));
        let height = drawn.map_err(|error| unusable(&error))?.area.height;
        let wish = tokio::select! {
            () = &mut stop => return Ok(()),
            event = joined.events.next() => {
                let closed = || Error::new(Code::Closed, "the room was closed");
                let event = event.ok_or_else(closed)?;
                if let RoomEvent::Message { message } = &event {
                    last.note(message);
                }
                screen.happened(event);
                None
            }
            key = keys.recv() => match key {
                Some(Pressed::Key(key)) if key.kind != KeyEventKind::Release => {
                    screen.pressed(key, usize::from(height.saturating_sub(5)).max(1))
                }
                Some(Pressed::Paste(text)) => {
                    screen.input.put(&text);
                    None
                }
                // Another size is drawn at once.
                Some(_) => None,
                None => return Ok(()),
            },
        };
        let link = room.fragment();
        let done = match wish {
            None => Ok(None),
            Some(Wish::Quit) => return Ok(()),
            Some(Wish::Say(text)) => {
                let sent = joined.send(&text).await;
                if sent.is_err() {
                    screen.input.set(&text);
                }
                sent.map(|_| None)
            }
            Some(Wish::Command(command)) => {
                last.own = screen.last_own().and_then(|own| own.id.parse().ok());
                obey(joined, &link, &mut last, &command).await
            }
            Some(Wish::Typing) => {
                let now = std::time::Instant::now();
                match typed.is_some_and(|at| now < at + TYPING_EVERY) {
                    true => Ok(None),
                    false => {
                        typed = Some(now);
                        joined.typing(true).await.map(|()| None)
                    }
                }
            }
            Some(Wish::Older) => older(joined, &mut screen).await.map(|()| None),
        };
        match done {
            Ok(Some(text)) => screen.notice = text,
            Ok(None) => {}
            Err(error) => screen.notice = format!("{error}. {}", error.remedy()),
        }
    }
}

async fn older(joined: &Joined, screen: &mut Screen) -> Result<()> {
    let before = screen.oldest().map(|entry| entry.id.parse()).transpose()?;
    for message in joined.history(before, PAGE).await? {
        screen.put(message);
    }
    Ok(())
}

/// Keys, read by a thread of its own: nothing else waits for them.
fn keys() -> mpsc::Receiver<Pressed> {
    let (sender, keys) = mpsc::channel(KEYS);
    std::thread::spawn(move || {
        while let Ok(pressed) = event::read()
            && sender.blocking_send(pressed).is_ok()
        {}
    });
    keys
}

fn unusable(error: &std::io::Error) -> Error {
    Error::new(Code::Unsupported, "the terminal cannot be drawn on")
        .caused_by(error)
        .with_remedy("Use --plain.")
}
