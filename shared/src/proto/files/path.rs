//! Paths inside a directory: those that mean the same, and nothing else, on every system.
//!
//! Knows which paths no reader should ever create, and which two of them are one file somewhere. Does not
//! know any file system.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::error::{Code, Error};
use crate::limits::{MAX_FILE_NAME, MAX_PATH, MAX_PATH_DEPTH};

/// What Windows takes for a device, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathFlaw {
    /// No name, or none between two slashes, or one at the beginning or end.
    Empty,
    /// Longer than a path or a name may be.
    TooLong,
    /// More names than there may be.
    TooDeep,
    /// It leaves the directory, or stays where it is.
    Dots,
    /// A backslash or a colon: separators and drives somewhere.
    Separator,
    /// A character that nobody sees.
    Control,
    /// Ends in a dot or a blank, which some systems take away.
    Ending,
    /// The name of a device.
    Device,
}

impl PathFlaw {
    fn explained(self) -> &'static str {
        match self {
            PathFlaw::Empty => "it has an empty name",
            PathFlaw::TooLong => "it is too long",
            PathFlaw::TooDeep => "it is nested too deeply",
            PathFlaw::Dots => "it leads out of the directory",
            PathFlaw::Separator => "it has a backslash or a colon",
            PathFlaw::Control => "it has a control character",
            PathFlaw::Ending => "a name ends in a dot or a blank",
            PathFlaw::Device => "a name is that of a device on some systems",
        }
    }
}

impl fmt::Display for PathFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explained())
    }
}

impl From<PathFlaw> for Error {
    fn from(flaw: PathFlaw) -> Error {
        let message = format!("the path cannot be shared: {flaw}");
        Error::new(Code::InvalidArgument, message).with_remedy("Rename the file, or leave it out.")
    }
}

/// A relative path of safe names with `/` between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

impl FilePath {
    /// Checks a path.
    pub fn new(text: &str) -> Result<FilePath, PathFlaw> {
        if text.len() > MAX_PATH {
            return Err(PathFlaw::TooLong);
        }
        if text.split('/').count() > MAX_PATH_DEPTH {
            return Err(PathFlaw::TooDeep);
        }
        text.split('/').try_for_each(check_name)?;
        Ok(FilePath(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// This path and those above it, the shortest first; the last one is the file.
    pub(super) fn steps(&self) -> impl Iterator<Item = &str> {
        let ends = self.0.match_indices('/').map(|(at, _)| at);
        ends.chain([self.0.len()]).map(|end| &self.0[..end])
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_name(name: &str) -> Result<(), PathFlaw> {
    if name.is_empty() {
        return Err(PathFlaw::Empty);
    }
    if name.len() > MAX_FILE_NAME {
        return Err(PathFlaw::TooLong);
    }
    if name == "." || name == ".." {
        return Err(PathFlaw::Dots);
    }
    if name.contains(['\\', ':']) {
        return Err(PathFlaw::Separator);
    }
    if name.chars().any(unseen) {
        return Err(PathFlaw::Control);
    }
    if name.ends_with(['.', ' ']) {
        return Err(PathFlaw::Ending);
    }
    match is_device(name) {
        true => Err(PathFlaw::Device),
        false => Ok(()),
    }
}

/// Control characters, and marks that turn the direction of text: they hide what a name ends in.
fn unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_lowercase();
    let numbered = ["com", "lpt"].into_iter().any(|device| {
        let mut rest = stem.strip_prefix(device).unwrap_or_default().chars();
        let digit = matches!(rest.next(), Some('0'..='9' | '¹' | '²' | '³'));
        digit && rest.next().is_none()
    });
    numbered || DEVICES.contains(&stem.as_str())
}

/// Names with equal folded forms are one file on a system that tells neither letters' cases nor spellings of
/// accents apart.
pub(super) fn folded(name: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let lower = nfc.normalize(name).to_uppercase().to_lowercase();
    nfc.normalize(&lower).into_owned()
}

impl<C> Encode<C> for FilePath {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for FilePath {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        FilePath::new(d.str()?).map_err(|flaw| decode::Error::message(flaw.explained()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken() {
        for fine in [
            "a",
            "photos/2024/Meer & Küste.jpeg",
            ".hidden/...x",
            "a b/c?*\"<>|",
            "console.txt",
            "com10",
            "lpt",
            "日本語/ファイル",
        ] {
            assert_eq!(FilePath::new(fine).map(|path| path.0).as_deref(), Ok(fine));
        }
        let path = FilePath::new("a/b/c").unwrap();
        assert_eq!(path.steps().collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
        assert_eq!(path.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn dangerous_paths_are_refused() {
        use PathFlaw::*;
        for (bad, flaw) in [
            ("", Empty),
            ("/etc/passwd", Empty),
            ("a//b", Empty),
            ("a/", Empty),
            ("..", Dots),
            ("../x", Dots),
            ("a/../../x", Dots),
            ("./x", Dots),
            ("a\\..\\x", Separator),
            ("C:x", Separator),
            ("a/x:stream", Separator),
            ("a\0b", Control),
            ("a\nb", Control),
            ("a\u{202e}gnp.exe", Control),
            ("x.", Ending),
            ("... ", Ending),
            ("...", Ending),
            ("a /b", Ending),
            ("NUL", Device),
            ("a/aux.c", Device),
            ("Com1.txt", Device),
            ("lpt².x", Device),
            ("con .x", Device),
        ] {
            assert_eq!(FilePath::new(bad), Err(flaw), "{bad:?}");
        }
        assert_eq!(FilePath::new(&"x".repeat(256)), Err(TooLong));
        assert_eq!(FilePath::new(&"x/".repeat(600)), Err(TooLong));
        assert_eq!(FilePath::new(&vec!["x"; 33].join("/")), Err(TooDeep));
        assert!(FilePath::new(&vec!["x"; 32].join("/")).is_ok());
    }

    #[test]
    fn one_file_on_some_system_is_one_folded_path() {
        for (one, two) in [
            ("README", "readme"),
            ("Stra\u{df}e", "STRASSE"),
            ("u\u{308}ber", "\u{dc}BER"),
            (
                "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
                "\u{3a3}\u{38a}\u{3a3}\u{3a5}\u{3a6}\u{39f}\u{3a3}",
            ),
            ("\u{212a}elvin", "kelvin"),
        ] {
            assert_eq!(folded(one), folded(two));
        }
        assert_ne!(folded("x²"), folded("x2"));
    }
}
