//! The one error type of xtask: a line of cause and a line of remedy.
//!
//! It knows nothing about how a failure is shown; `main` prints it.

use std::fmt::{self, Display};

/// Why a command stopped, and what its user can do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    cause: String,
    remedy: String,
}

pub type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            cause: one_line(&cause.into()),
            remedy: one_line(&remedy.into()),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  fix: {}", self.cause, self.remedy)
    }
}

/// Adds cause and remedy to the errors of the standard library and of dependencies.
pub trait OrFail<T> {
    fn or_fail(self, what: impl Display, remedy: &str) -> Result<T>;
}

impl<T, E: Display> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, what: impl Display, remedy: &str) -> Result<T> {
        self.map_err(|error| Failure::new(format!("{what}: {error:#}"), remedy))
    }
}

/// The remedy for file errors inside the checkout.
pub const CHECK_DISK: &str =
    "check the free space and the permissions of the checkout, then run the command again";

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_exactly_two_lines() {
        let failure = Failure::new("a\nb", "c\n  d");
        assert_eq!(failure.to_string(), "error: a b\n  fix: c d");
    }
}
