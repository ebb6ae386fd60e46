//! The one spelling of a label.
//!
//! Knows hyphens and lengths, where Unicode begins, and what some reader could take for a content
//! identifier. UTS-46 itself is in `tables`, for those who have room for it.

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
    let lower = text.to_ascii_lowercase();
    let ascii = match lower.is_ascii() && !lower.starts_with(ASCII_PREFIX) {
        true => lower,
        false => beyond_ascii(text, lower)?,
    };
    match ascii.len() > MAX_NAME_LABEL {
        true => Err(too_long(text)),
        false => Ok(ascii),
    }
}

fn beyond_ascii(text: &str, lower: String) -> Result<String, Flaw> {
    let ascii = ascii(text, lower)?;
    if ascii.len() > MAX_NAME_LABEL {
        return Err(too_long(text));
    }
    let flaw = || Flaw::at(1, None, "not in its normal form");
    let shown = checked(&ascii).ok_or_else(flaw)?;
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
    Ok(ascii)
}

#[cfg(feature = "unicode")]
fn ascii(text: &str, _: String) -> Result<String, Flaw> {
    super::tables::ascii(text)
}

#[cfg(feature = "unicode")]
fn checked(ascii: &str) -> Option<String> {
    super::tables::unicode(ascii)
}

/// Without the tables only ASCII is read.
#[cfg(not(feature = "unicode"))]
fn ascii(text: &str, lower: String) -> Result<String, Flaw> {
    let beyond = (1..).zip(text.chars()).find(|(_, c)| !c.is_ascii());
    match beyond {
        Some((at, character)) => {
            let why = "the Unicode module is needed to read it";
            Err(Flaw::at(at, Some(character), why))
        }
        None => Ok(lower),
    }
}

/// Without the tables the structure and the scripts are checked; the normal form was checked by the
/// witnesses, which give nobody another spelling.
#[cfg(not(feature = "unicode"))]
fn checked(ascii: &str) -> Option<String> {
    structured(ascii)
}

/// What an `xn--` label spells, if it is Punycode of something beyond ASCII.
#[cfg(any(test, not(feature = "unicode")))]
fn structured(ascii: &str) -> Option<String> {
    let text = unicode(ascii);
    let encoded = idna::punycode::encode_str(&text)?;
    let same = ascii.strip_prefix(ASCII_PREFIX) == Some(encoded.as_str());
    (same && !text.is_ascii()).then_some(text)
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

/// The label as people read it; it must be one that [`normalise`] gave.
pub(super) fn unicode(ascii: &str) -> String {
    let encoded = ascii.strip_prefix(ASCII_PREFIX);
    let decoded = encoded.and_then(idna::punycode::decode_to_string);
    decoded.unwrap_or_else(|| ascii.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punycode_is_read_without_tables() {
        assert_eq!(structured("xn--bcher-kva").as_deref(), Some("bücher"));
        assert_eq!(structured("xn--strae-oqa").as_deref(), Some("straße"));
        for broken in [
            "xn--",
            "xn--alice-",
            "xn--99999999",
            "alice",
            "xn--a-ecp.ru",
        ] {
            assert_eq!(structured(broken), None, "{broken}");
        }
    }

    #[cfg(not(feature = "unicode"))]
    #[test]
    fn without_tables_ascii_alone_is_read() {
        assert_eq!(normalise("Alice").as_deref(), Ok("alice"));
        assert_eq!(normalise("XN--Bcher-KVA").as_deref(), Ok("xn--bcher-kva"));
        let beyond = normalise("bücher").expect_err("no tables");
        assert_eq!((beyond.character, beyond.position), (Some('ü'), 2));
        assert!(beyond.why.contains("Unicode module"));
        let pretender = normalise("xn--80ak6aa92e").expect_err("looks like apple");
        assert!(pretender.why.contains("looks like"));
    }
}
