//! Names: `alice.p2p`, `blog.alice.p2p`, `k51….p2p`.
//!
//! Knows the grammar, the normalisation and the look-alike rules, and says which character is wrong.
//! Does not know who holds a name: `certificate` and `zone` do.

mod normal;
mod scripts;
#[cfg(feature = "unicode")]
mod tables;

pub(super) use normal::sub_label;

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use serde::{Serialize, Serializer};

use crate::error::{Code, Error, Result};
use crate::limits::{MAX_NAME, MAX_NAME_TEXT};
use crate::proto::key::PublicKey;
use normal::{is_cid, normalise, unicode};

/// The last label of every name; may be left out.
pub const SUFFIX: &str = "p2p";

/// A human label in its one spelling: 1 to 63 of `[a-z0-9-]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// Who a name belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// Whoever the witnesses say.
    Human(Label),
    /// The key itself.
    Key(PublicKey),
}

/// A name in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    root: Root,
    sub: String,
}

/// What is wrong with a name, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The character, if it is one.
    pub character: Option<char>,
    /// Counted in characters from 1.
    pub position: usize,
    /// Why it cannot stand there.
    pub why: String,
}

impl Flaw {
    fn at(position: usize, character: Option<char>, why: impl Into<String>) -> Flaw {
        Flaw {
            character,
            position,
            why: why.into(),
        }
    }

    fn after(mut self, characters: usize) -> Flaw {
        self.position += characters;
        self
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.character {
            Some(character) => write!(
                f,
                "character {} (U+{:04X}) at position {}: {}",
                character.escape_debug(),
                u32::from(character),
                self.position,
                self.why
            ),
            None => write!(f, "at position {}: {}", self.position, self.why),
        }
    }
}

impl From<Flaw> for Error {
    fn from(flaw: Flaw) -> Error {
        let error = Error::new(Code::NameInvalid, format!("not a name: {flaw}"))
            .with_detail("position", flaw.position)
            .with_detail("why", &flaw.why);
        error.with_details("character", flaw.character)
    }
}

impl Name {
    /// Reads what a person typed; `.p2p` at the end may be missing.
    pub fn parse(text: &str) -> Result<Name> {
        Ok(Self::find(text)?)
    }

    /// As [`Self::parse`], with the flaw in parts.
    pub fn find(text: &str) -> Result<Name, Flaw> {
        if text.len() > MAX_NAME_TEXT {
            return Err(Flaw::at(1, None, "longer than any name"));
        }
        let mut labels = split(text);
        if labels.len() > 1 && labels.last().is_some_and(|(_, label)| label.is_empty()) {
            labels.pop();
        }
        if labels.len() > 1 && labels.last().is_some_and(|(_, label)| is_suffix(label)) {
            labels.pop();
        }
        let (start, root) = labels.pop().unwrap_or((0, ""));
        let root = Root::find(root).map_err(|flaw| flaw.after(start))?;
        let sub = labels
            .into_iter()
            .map(|(start, label)| sub_label(label).map_err(|flaw| flaw.after(start)))
            .collect::<Result<Vec<_>, Flaw>>()?;
        let name = Name {
            root,
            sub: sub.join("."),
        };
        if name.to_string().len() > MAX_NAME {
            let why = format!("a name has at most {MAX_NAME} characters");
            return Err(Flaw::at(1, None, why));
        }
        Ok(name)
    }

    /// The name of a key.
    pub fn of_key(key: PublicKey) -> Name {
        Name::from(Root::Key(key))
    }

    /// The name as people read it.
    pub fn to_unicode(&self) -> String {
        let labels = self.to_string();
        let shown: Vec<String> = labels.split('.').map(unicode).collect();
        shown.join(".")
    }

    /// Whose zone it is in.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The entry inside the zone; empty for the zone's own.
    pub fn sub(&self) -> &str {
        &self.sub
    }
}

impl From<Root> for Name {
    fn from(root: Root) -> Name {
        let sub = String::new();
        Name { root, sub }
    }
}

impl From<Label> for Name {
    fn from(label: Label) -> Name {
        Root::Human(label).into()
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Name> {
        Name::parse(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.sub.is_empty() {
            write!(f, "{}.", self.sub)?;
        }
        match &self.root {
            Root::Human(label) => write!(f, "{label}.{SUFFIX}"),
            Root::Key(key) => write!(f, "{}.{SUFFIX}", key.to_base36()),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Root {
    fn find(text: &str) -> Result<Root, Flaw> {
        let lower = text.to_ascii_lowercase();
        if let Ok(key) = PublicKey::from_base36(&lower) {
            // Padded and otherwise odd spellings of a key are no second name of it.
            if key.to_base36() == lower {
                return Ok(Root::Key(key));
            }
        }
        Label::find(text).map(Root::Human)
    }
}

impl Label {
    /// Normalises and checks a human label.
    pub fn find(text: &str) -> Result<Label, Flaw> {
        let label = normalise(text)?;
        if is_suffix(&label) {
            return Err(Flaw::at(1, None, "\"p2p\" is the ending of all names"));
        }
        if [text, &label].into_iter().any(is_cid) {
            let why = "looks like a content identifier, which is never a human name";
            return Err(Flaw::at(1, None, why));
        }
        Ok(Label(label))
    }

    /// Reads a label that must be in its one spelling already.
    pub fn exact(text: &str) -> Option<Label> {
        Label::find(text).ok().filter(|label| label.0 == text)
    }

    /// The label in ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label as its owner reads it.
    pub fn to_unicode(&self) -> String {
        unicode(&self.0)
    }

    /// How many characters people see.
    pub fn characters(&self) -> usize {
        self.to_unicode().chars().count()
    }
}

impl FromStr for Label {
    type Err = Error;

    /// A whole name without an entry, such as `alice` or `alice.p2p`.
    fn from_str(text: &str) -> Result<Label> {
        match Name::find(text)? {
            Name {
                root: Root::Human(label),
                sub,
            } if sub.is_empty() => Ok(label),
            _ => Err(Flaw::at(1, None, "only a name such as alice.p2p can be claimed").into()),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label({})", self.0)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<C> Encode<C> for Label {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Label {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Label::exact(d.str()?).ok_or_else(|| decode::Error::message("not a label"))
    }
}

/// Labels with the number of characters before each. UTS-46 knows four full stops.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut start = 0;
    text.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'])
        .map(|label| {
            let at = start;
            start += label.chars().count() + 1;
            (at, label)
        })
        .collect()
}

fn is_suffix(label: &str) -> bool {
    label.eq_ignore_ascii_case(SUFFIX)
}

#[cfg(all(test, feature = "unicode"))]
mod tests;
