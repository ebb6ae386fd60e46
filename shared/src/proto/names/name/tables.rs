//! The one spelling of a label that needs the tables of Unicode: UTS-46, and whether what comes out is
//! its own normal form.
//!
//! Only where the feature `unicode` is on: the tables are as large as all of `names`.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Flaw, scripts};

/// The ASCII form of a label that is beyond ASCII, or says so by `xn--`.
pub(super) fn ascii(text: &str) -> Result<String, Flaw> {
    let ascii = to_ascii(text).ok_or_else(|| culprit(text))?;
    if ascii.is_empty() {
        return Err(Flaw::at(1, None, "nothing is left of this label"));
    }
    Ok(ascii)
}

/// The label as people read it; it comes from there unchanged, or it is none.
pub(super) fn unicode(ascii: &str) -> Option<String> {
    let (text, _) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    (to_ascii(&text).as_deref() == Some(ascii)).then(|| text.into_owned())
}

fn to_ascii(text: &str) -> Option<String> {
    let ascii = Uts46::new().to_ascii(
        text.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::Check,
        DnsLength::Ignore,
    );
    ascii.ok().map(|ascii| ascii.into_owned())
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
