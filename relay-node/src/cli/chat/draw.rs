//! Draws a room: title, messages by day, members where there is room for them, and the line that is typed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use warren_shared::proto::chat::Entry;
use warren_shared::proto::date;

use super::screen::Screen;
use super::words::{author_of, name_of, one_line, said};

/// Members are shown beside the messages from this width on.
const WIDE: u16 = 72;
/// The width of the members.
const MEMBERS: u16 = 22;
/// Where the text of a message begins: behind its time.
const INDENT: usize = 6;
/// Authors are told apart by these.
const COLOURS: [Color; 6] = [
    Color::Cyan,
    Color::Green,
    Color::Yellow,
    Color::Magenta,
    Color::Blue,
    Color::LightRed,
];

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

pub(super) fn draw(screen: &Screen, frame: &mut Frame<'_>) {
    let rows = [
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ];
    let [title, body, notice, input] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(heading(screen), title);
    let body = match body.width >= WIDE {
        true => {
            let columns = [Constraint::Min(1), Constraint::Length(MEMBERS)];
            let [body, aside] = Layout::horizontal(columns).areas(body);
            members(screen, frame, aside);
            body
        }
        false => body,
    };
    messages(screen, frame, body);
    frame.render_widget(Paragraph::new(status(screen)), notice);
    typed(screen, frame, input);
}

fn heading(screen: &Screen) -> Paragraph<'_> {
    let mut text = vec![Span::styled(screen.title.as_str(), BOLD)];
    let others = match screen.members.len() {
        0 => " · nobody else is here".to_owned(),
        1 => " · 1 other".to_owned(),
        count => format!(" · {count} others"),
    };
    text.push(Span::styled(others, DIM));
    if screen.missing > 0 {
        let missing = format!(" · {} messages are missing", screen.missing);
        text.push(Span::styled(missing, Color::Yellow));
    }
    Paragraph::new(Line::from(text))
}

fn members(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let names = screen.members.iter().map(|member| {
        let colour = colour_of(&member.author);
        Line::styled(format!(" {}", one_line(&name_of(member))), colour)
    });
    let block = Block::new().borders(Borders::LEFT).border_style(DIM);
    frame.render_widget(Paragraph::new(names.collect::<Vec<_>>()).block(block), area);
}

fn messages(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let lines = lines(screen, usize::from(area.width.max(20)));
    let height = usize::from(area.height);
    // Whoever looks back further than there is anything sees the beginning.
    let above_end = screen.above_end.min(lines.len().saturating_sub(height));
    let end = lines.len() - above_end;
    let seen = &lines[end.saturating_sub(height)..end];
    // The last message is at the bottom.
    let top = area.height - seen.len() as u16;
    let area = Rect {
        y: area.y + top,
        height: seen.len() as u16,
        ..area
    };
    frame.render_widget(Paragraph::new(seen.to_vec()), area);
}

/// All messages, wrapped, with a line for each day.
pub(super) fn lines(screen: &Screen, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut day = String::new();
    for message in screen.messages.values() {
        let of = date::day(message.time);
        if of != day {
            let side = "─".repeat(width.saturating_sub(of.len() + 2) / 2);
            lines.push(Line::styled(format!("{side} {of} {side}"), DIM));
            day = of;
        }
        lines.extend(message_lines(screen, message, width));
    }
    lines
}

fn message_lines(screen: &Screen, message: &Entry, width: usize) -> Vec<Line<'static>> {
    let time = date::moment(message.time);
    let time = time.get(11..16).unwrap_or(&time).to_owned();
    let author = one_line(&author_of(message));
    let style = match message.mine {
        true => BOLD,
        false => Style::new().fg(colour_of(&message.author)),
    };
    let mut lines = Vec::new();
    let head = vec![
        Span::styled(format!("{time} "), DIM),
        Span::styled(author, style),
        Span::styled(answered(screen, message), DIM),
    ];
    lines.push(Line::from(head));
    let mut text = said(message);
    if message.edited {
        text.push_str(" (edited)");
    }
    let indent = " ".repeat(INDENT);
    for part in wrapped(&text, width.saturating_sub(INDENT)) {
        lines.push(Line::raw(format!("{indent}{part}")));
    }
    if !message.reactions.is_empty() {
        let marks = message.reactions.iter();
        let marks: Vec<String> = marks
            .map(|one| format!("{} {}", one_line(&one.mark), one.authors.len()))
            .collect();
        lines.push(Line::styled(format!("{indent}{}", marks.join("  ")), DIM));
    }
    lines
}

/// What a message answers, in a few words.
fn answered(screen: &Screen, message: &Entry) -> String {
    let Some(to) = &message.reply_to else {
        return String::new();
    };
    let of = screen.messages.values().find(|one| one.id == *to);
    match of {
        Some(of) => {
            let text = wrapped(&said(of), 40);
            let first = text.into_iter().next().unwrap_or_default();
            format!(" to {}: {first}", one_line(&author_of(of)))
        }
        None => " to a message that is not here".to_owned(),
    }
}

/// Lines of at most so many columns, broken between words where that is possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if !line.is_empty() && line.width() + c.width().unwrap_or(0) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

fn status(screen: &Screen) -> Line<'_> {
    if screen.below > 0 {
        let text = format!("{} new messages below: Esc goes there", screen.below);
        return Line::styled(text, Color::Yellow);
    }
    if !screen.notice.is_empty() {
        return Line::styled(screen.notice.as_str(), DIM);
    }
    let names: Vec<String> = screen.typing.iter().map(name_of).collect();
    let text = match names.as_slice() {
        [] => String::new(),
        [one] => format!("{} is writing…", one_line(one)),
        many => format!("{} are writing…", many.len()),
    };
    Line::styled(text, DIM)
}

/// The end of a long line is seen, as far as the cursor.
fn typed(screen: &Screen, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.width).saturating_sub(3);
    let mut before = screen.input.before();
    while before.width() > room {
        let first = before.chars().next().map_or(0, char::len_utf8);
        before = &before[first..];
    }
    let hidden = screen.input.before().len() - before.len();
    let shown = &screen.input.text()[hidden..];
    let line = Line::from(vec![Span::styled("> ", BOLD), Span::raw(shown.to_owned())]);
    frame.render_widget(Paragraph::new(line), area);
    let column = area.x + 2 + before.width() as u16;
    frame.set_cursor_position(Position::new(column, area.y));
}

fn colour_of(author: &str) -> Color {
    let sum = author
        .bytes()
        .fold(0usize, |sum, byte| sum + usize::from(byte));
    COLOURS[sum % COLOURS.len()]
}

#[cfg(test)]
mod tests;
