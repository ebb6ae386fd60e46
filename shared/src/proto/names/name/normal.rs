//! The one spelling of a label.
//!
//! Knows UTS-46, hyphens and lengths, and what some reader could take for a content identifier.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Flaw, scripts};
use crate::limits::MAX_NAME_LABEL;

const ASCII_PREFIX: &str = "xn--";

/// A label inside a zone: like a human one, and may begin with an underscore, as services do.
pub fn sub_label(text: &str) -> Result<String, Flaw> {
    let Some(service) = text.strip_prefix('_') else {
        return normalise(text);
    };
    let label = normalise(service).map_err(|flaw| flaw.after(1))?;
    if label.len() == MAX_NAME_LABEL {
        return Err(too_long(text));
    }
    Ok(format!("_{label}"))
}

pub(super) fn normalise(text: &str) -> Result<String, Flaw> {
    if text.is_empty() {
        return Err(Flaw::at(1, None, "an empty label"));
    }
    plain_ascii(text)?;
    let ascii = Uts46::new().to_ascii(
        text.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::Check,
        DnsLength::Ignore,
    );
    let ascii = ascii.map_err(|_| culprit(text))?.into_owned();
    if ascii.is_empty() {
        return Err(Flaw::at(1, None, "nothing is left of this label"));
    }
    if ascii.len() > MAX_NAME_LABEL {
        return Err(too_long(text));
    }
    let shown = unicode(&ascii);
    // A position in what was typed is more use than one in what became of it.
    let typed = if shown.chars().count() == text.chars().count() {
        text
    } else {
        &shown
    };
    // Some characters become several: the position stays within what was typed.
    let last = text.chars().count();
    scripts::check(&shown, typed).map_err(|mut flaw| {
        flaw.position = flaw.position.min(last);
        flaw
    })?;
    if unicode_to_ascii(&shown).as_deref() != Some(ascii.as_str()) {
        return Err(Flaw::at(1, None, "not in its normal form"));
    }
    Ok(ascii)
}

fn plain_ascii(text: &str) -> Result<(), Flaw> {
    let hyphen = "a label neither begins nor ends with a hyphen";
    let last = text.chars().count();
    for (at, character) in (1..).zip(text.chars()) {
        let edge = at == 1 || at == last;
        match character {
            '-' if edge => return Err(Flaw::at(at, Some('-'), hyphen)),
            '-' => {}
            _ if character.is_ascii_alphanumeric() || !character.is_ascii() => {}
            '_' => {
                let why = "an underscore stands only at the beginning, inside a zone";
                return Err(Flaw::at(at, Some('_'), why));
            }
            _ => {
                let why = "only letters, digits and hyphens";
                return Err(Flaw::at(at, Some(character), why));
            }
        }
    }
    let reserved = text.get(2..4) == Some("--");
    if reserved && !text.to_ascii_lowercase().starts_with(ASCII_PREFIX) {
        let why = "hyphens at the third and fourth position are reserved";
        return Err(Flaw::at(3, Some('-'), why));
    }
    Ok(())
}

/// UTS-46 says only that something is wrong: the character that is wrong by itself, if there is one.
fn culprit(text: &str) -> Flaw {
    for (at, character) in (1..).zip(text.chars()) {
        let alone = character.to_string();
        let refused = Uts46::new()
            .to_unicode(alone.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow)
            .1
            .is_err();
        if refused && !scripts::is_mark(character) {
            return Flaw::at(at, Some(character), "not allowed in a name");
        }
    }
    let why = "these characters cannot stand together in this way";
    Flaw::at(1, text.chars().next(), why)
}

pub(super) fn unicode(ascii: &str) -> String {
    let (text, _) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    text.into_owned()
}

fn unicode_to_ascii(text: &str) -> Option<String> {
    let ascii = Uts46::new().to_ascii(
        text.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::Check,
        DnsLength::Ignore,
    );
    ascii.ok().map(|ascii| ascii.into_owned())
}

fn too_long(text: &str) -> Flaw {
    let why = format!("a label has at most {MAX_NAME_LABEL} characters");
    let end = text.chars().count().min(MAX_NAME_LABEL + 1);
    Flaw::at(end, None, why)
}

/// Whether some reader could take this for a content identifier, of any kind.
pub(super) fn is_cid(text: &str) -> bool {
    let version_0 = text.len() == 46 && text.starts_with("Qm");
    let version_1 = || {
        let (_, bytes) = multibase::decode(text).ok()?;
        let (version, rest) = unsigned_varint::decode::u64(&bytes).ok()?;
        let (_codec, rest) = unsigned_varint::decode::u64(rest).ok()?;
        let (_hash, rest) = unsigned_varint::decode::u64(rest).ok()?;
        let (length, digest) = unsigned_varint::decode::u64(rest).ok()?;
        Some(version == 1 && length == digest.len() as u64)
    };
    version_0 || version_1().unwrap_or(false)
}
