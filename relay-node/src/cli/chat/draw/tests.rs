use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use warren_shared::proto::chat::view::Reaction;
use warren_shared::proto::chat::{MemberView, RoomEvent, RoomRef};

use super::super::screen::Wish;
use super::*;

const NOON: u64 = 1_800_000_000_000;

fn entry(number: u64, nick: &str, text: &str) -> Entry {
    Entry {
        id: format!("m{number}"),
        author: format!("{nick}00000000"),
        nick: nick.to_owned(),
        time: NOON + number * 60_000,
        count: 0,
        text: text.to_owned(),
        file: None,
        reply_to: None,
        edited: false,
        reactions: Vec::new(),
        mine: nick == "Me",
    }
}

fn member(nick: &str) -> MemberView {
    MemberView {
        author: format!("{nick}00000000"),
        session: "1".to_owned(),
        nick: nick.to_owned(),
        since: 0,
    }
}

fn screen() -> Screen {
    let mut screen = Screen::new(&RoomRef::new("lobby", None).unwrap());
    screen.notice.clear();
    screen
}

fn drawn(screen: &Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(screen, frame)).unwrap();
    terminal.backend().to_string()
}

fn press(screen: &mut Screen, code: KeyCode) -> Option<Wish> {
    screen.pressed(KeyEvent::new(code, KeyModifiers::NONE), 10)
}

#[test]
fn messages_stand_in_their_order_with_what_belongs_to_them() {
    let mut screen = screen();
    let mut answer = entry(2, "Ben", "yes");
    answer.reply_to = Some("m1".to_owned());
    answer.reactions = vec![Reaction {
        mark: "👍".to_owned(),
        authors: vec!["a".to_owned(), "b".to_owned()],
    }];
    screen.happened(RoomEvent::Message { message: answer });
    screen.happened(RoomEvent::Message {
        message: entry(1, "Ada", "is it \u{1b}[31mred?"),
    });
    screen.happened(RoomEvent::Joined {
        member: member("Ada"),
    });
    let text = drawn(&screen, 80, 12);
    assert!(text.contains("lobby · open to all · 1 other"), "{text}");
    assert!(text.contains("Ada (Ada000)"), "{text}");
    assert!(text.contains("is it \u{fffd}[31mred?"), "{text}");
    assert!(text.contains("to Ada (Ada000): is it"), "{text}");
    assert!(text.contains("👍"), "{text}");
    assert!(text.find("red?").unwrap() < text.find("yes").unwrap());
    let narrow = drawn(&screen, 40, 12);
    assert_eq!(narrow.matches("│").count(), 0, "no members: {narrow}");
}

#[test]
fn whoever_looks_back_is_told_of_what_comes_and_goes_there() {
    let mut screen = screen();
    for number in 0..40 {
        screen.happened(RoomEvent::Message {
            message: entry(number, "Ada", &format!("message {number}.")),
        });
    }
    assert!(drawn(&screen, 60, 12).contains("message 39."));
    assert_eq!(press(&mut screen, KeyCode::PageUp), Some(Wish::Older));
    let before = drawn(&screen, 60, 12);
    assert!(!before.contains("message 39."), "{before}");
    screen.happened(RoomEvent::Message {
        message: entry(40, "Ada", "new"),
    });
    assert!(drawn(&screen, 60, 12).contains("1 new messages below"));
    press(&mut screen, KeyCode::Esc);
    assert!(drawn(&screen, 60, 12).contains("new"));
}

#[test]
fn lines_are_sent_commands_are_obeyed_and_nothing_is_neither() {
    let mut screen = screen();
    let mut typed = |text: &str| {
        for c in text.chars() {
            press(&mut screen, KeyCode::Char(c));
        }
        press(&mut screen, KeyCode::Enter)
    };
    assert_eq!(typed("hello"), Some(Wish::Say("hello".to_owned())));
    assert_eq!(
        typed("/nick Ada"),
        Some(Wish::Command("nick Ada".to_owned()))
    );
    assert_eq!(typed("   "), None);
    assert_eq!(typed("/quit"), Some(Wish::Quit));
}

#[test]
fn the_last_own_message_is_edited_with_the_arrow() {
    let mut screen = screen();
    for (number, nick) in [(1, "Me"), (2, "Ada")] {
        screen.happened(RoomEvent::Message {
            message: entry(number, nick, "words"),
        });
    }
    press(&mut screen, KeyCode::Up);
    assert_eq!(screen.input.text(), "/edit words");
    assert!(drawn(&screen, 60, 10).contains("> /edit words"));
}

#[test]
fn long_words_are_broken_and_wide_characters_counted() {
    assert_eq!(wrapped("aa bbbbbb c", 4), ["aa", "bbbb", "bb c"]);
    assert_eq!(wrapped("日本語", 4), ["日本", "語"]);
    assert_eq!(wrapped("", 4), [""]);
}
