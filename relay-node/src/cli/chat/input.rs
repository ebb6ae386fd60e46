//! The line at the bottom of the screen: text, and a cursor in it. Knows no terminal.

/// What is being typed. The cursor stands before a character, or at the end.
#[derive(Debug, Default)]
pub(super) struct Input {
    text: String,
    cursor: usize,
}

impl Input {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is before the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    pub fn put(&mut self, typed: &str) {
        // One line is one message; what moves cursors does not go out.
        let typed: String = typed.chars().filter(|c| !c.is_control()).collect();
        self.text.insert_str(self.cursor, &typed);
        self.cursor += typed.len();
    }

    pub fn set(&mut self, text: &str) {
        *self = Input::default();
        self.put(text);
    }

    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    pub fn left(&mut self) {
        self.cursor -= self.last_before().map_or(0, char::len_utf8);
    }

    pub fn right(&mut self) {
        let next = self.text[self.cursor..].chars().next();
        self.cursor += next.map_or(0, char::len_utf8);
    }

    pub fn home(&mut self) {
        self.cursor = 0;
    }

    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub fn backspace(&mut self) {
        if self.cursor > 0 {
            self.left();
            self.text.remove(self.cursor);
        }
    }

    pub fn delete(&mut self) {
        if self.cursor < self.text.len() {
            self.text.remove(self.cursor);
        }
    }

    /// Removes the word before the cursor.
    pub fn erase_word(&mut self) {
        while self.last_before().is_some_and(char::is_whitespace) {
            self.backspace();
        }
        while self.last_before().is_some_and(|c| !c.is_whitespace()) {
            self.backspace();
        }
    }

    fn last_before(&self) -> Option<char> {
        self.before().chars().next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_edited_by_characters() {
        let mut input = Input::default();
        input.put("Käse");
        input.left();
        input.left();
        input.backspace();
        input.put("ö");
        assert_eq!((input.text(), input.before()), ("Köse", "Kö"));
        input.delete();
        input.home();
        input.right();
        input.put("!\u{1b}[2J\n");
        assert_eq!(input.text(), "K![2Jöe");
        input.end();
        input.put(" two  ");
        input.erase_word();
        assert_eq!(input.text(), "K![2Jöe ");
        assert_eq!(input.take(), "K![2Jöe ");
        input.backspace();
        input.left();
        input.delete();
        assert_eq!((input.text(), input.before()), ("", ""));
    }
}
