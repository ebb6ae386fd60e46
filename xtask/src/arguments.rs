//! The few command-line arguments that the commands take.

use crate::failure::{Failure, Result};

/// What follows the name of a command; each command takes out what it knows.
pub struct Arguments {
    command: String,
    rest: Vec<String>,
}

impl Arguments {
    pub fn new(command: &str, rest: Vec<String>) -> Self {
        Self {
            command: command.to_owned(),
            rest,
        }
    }

    /// Takes out a switch; only what precedes `--` is ours.
    pub fn flag(&mut self, name: &str) -> bool {
        let ours = self.ours();
        let found = self.rest[..ours]
            .iter()
            .position(|argument| argument == name);
        found.map(|index| self.rest.remove(index)).is_some()
    }

    /// Takes out an option with its value, written `--name value` or `--name=value`.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        let ours = self.ours();
        let joined = format!("{name}=");
        let Some(index) = self.rest[..ours]
            .iter()
            .position(|argument| argument == name || argument.starts_with(&joined))
        else {
            return Ok(None);
        };
        let argument = self.rest.remove(index);
        if let Some(value) = argument.strip_prefix(&joined) {
            return Ok(Some(value.to_owned()));
        }
        if index + 1 < ours {
            return Ok(Some(self.rest.remove(index)));
        }
        Err(self.misuse(&format!("{name} needs a value")))
    }

    /// Takes out the first argument that is not an option.
    pub fn positional(&mut self) -> Option<String> {
        let ours = self.ours();
        let index = self.rest[..ours]
            .iter()
            .position(|argument| !argument.starts_with('-'))?;
        Some(self.rest.remove(index))
    }

    /// Takes what follows `--`: arguments for another program.
    pub fn passed_on(&mut self) -> Vec<String> {
        let ours = self.ours();
        self.rest.split_off(ours).into_iter().skip(1).collect()
    }

    /// Refuses what nobody took.
    pub fn finish(self) -> Result {
        match self.rest.first() {
            None => Ok(()),
            Some(argument) => Err(self.misuse(&format!("does not understand {argument:?}"))),
        }
    }

    /// A failure of whoever typed the command.
    pub fn misuse(&self, problem: &str) -> Failure {
        Failure::new(
            format!("cargo xtask {}: {problem}", self.command),
            "`cargo xtask help` lists the commands and what they take",
        )
    }

    fn ours(&self) -> usize {
        self.rest
            .iter()
            .position(|argument| argument == "--")
            .unwrap_or(self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        Arguments::new("test", text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn each_kind_is_taken_once() {
        let mut given = arguments("--long --http 1:2 name -- --long x");
        assert!(given.flag("--long"));
        assert!(!given.flag("--long"));
        assert_eq!(given.value("--http"), Ok(Some("1:2".into())));
        assert_eq!(given.positional(), Some("name".into()));
        assert_eq!(given.positional(), None);
        assert_eq!(given.passed_on(), ["--long", "x"]);
        assert_eq!(given.finish(), Ok(()));
    }

    #[test]
    fn joined_values_and_missing_values() {
        assert_eq!(
            arguments("--http=1:2").value("--http"),
            Ok(Some("1:2".into()))
        );
        assert!(arguments("--http").value("--http").is_err());
        assert!(arguments("--http -- x").value("--http").is_err());
    }

    #[test]
    fn leftovers_are_refused() {
        assert!(
            arguments("--lnog")
                .finish()
                .unwrap_err()
                .to_string()
                .contains("--lnog")
        );
    }
}
