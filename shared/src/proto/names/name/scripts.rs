//! Which scripts a label may be written in, and which labels only pretend to be Latin.
//!
//! Knows the scripts that people write names in today; everything else is refused. The table is
//! ours, small enough for a browser, and a test compares it with Unicode's.

use super::Flaw;

/// A script that names can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Script {
    Common,
    Inherited,
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Devanagari,
    Bengali,
    Gurmukhi,
    Gujarati,
    Oriya,
    Tamil,
    Telugu,
    Kannada,
    Malayalam,
    Sinhala,
    Thai,
    Lao,
    Tibetan,
    Myanmar,
    Georgian,
    Ethiopic,
    Khmer,
    Hangul,
    Hiragana,
    Katakana,
    Bopomofo,
    Han,
}

use Script::*;

/// Ascending ranges of letters, marks and digits that are left after normalisation.
pub(super) const TABLE: &[(u32, u32, Script)] = &[
    (0x2d, 0x2d, Common),
    (0x30, 0x39, Common),
    (0x61, 0x7a, Latin),
    (0xdf, 0xf6, Latin),
    (0xf8, 0x137, Latin),
    (0x139, 0x148, Latin),
    (0x14a, 0x17e, Latin),
    (0x199, 0x199, Latin),
    (0x1a0, 0x1a1, Latin),
    (0x1af, 0x1b0, Latin),
    (0x1b4, 0x1b4, Latin),
    (0x1cd, 0x1dc, Latin),
    (0x1de, 0x1ef, Latin),
    (0x1f4, 0x1f5, Latin),
    (0x1f8, 0x21b, Latin),
    (0x21e, 0x21f, Latin),
    (0x226, 0x233, Latin),
    (0x253, 0x254, Latin),
    (0x256, 0x257, Latin),
    (0x259, 0x259, Latin),
    (0x25b, 0x25b, Latin),
    (0x263, 0x263, Latin),
    (0x28b, 0x28b, Latin),
    (0x300, 0x304, Inherited),
    (0x306, 0x30c, Inherited),
    (0x31b, 0x31b, Inherited),
    (0x323, 0x328, Inherited),
    (0x32d, 0x32e, Inherited),
    (0x330, 0x331, Inherited),
    (0x390, 0x390, Greek),
    (0x3ac, 0x3ce, Greek),
    (0x430, 0x45f, Cyrillic),
    (0x48a, 0x52f, Cyrillic),
    (0x561, 0x587, Armenian),
    (0x5d0, 0x5ea, Hebrew),
    (0x620, 0x63f, Arabic),
    (0x641, 0x655, Arabic),
    (0x660, 0x669, Arabic),
    (0x66e, 0x6d3, Arabic),
    (0x6d5, 0x6d5, Arabic),
    (0x6ee, 0x6fc, Arabic),
    (0x6ff, 0x6ff, Arabic),
    (0x750, 0x77f, Arabic),
    (0x900, 0x950, Devanagari),
    (0x955, 0x963, Devanagari),
    (0x966, 0x96f, Devanagari),
    (0x971, 0x97f, Devanagari),
    (0x980, 0x9e3, Bengali),
    (0x9e6, 0x9f1, Bengali),
    (0xa01, 0xa75, Gurmukhi),
    (0xa81, 0xaef, Gujarati),
    (0xb01, 0xb6f, Oriya),
    (0xb82, 0xbef, Tamil),
    (0xc00, 0xc6f, Telugu),
    (0xc80, 0xcef, Kannada),
    (0xd00, 0xd4e, Malayalam),
    (0xd54, 0xd6f, Malayalam),
    (0xd7a, 0xd7f, Malayalam),
    (0xd81, 0xdf3, Sinhala),
    (0xe01, 0xe3a, Thai),
    (0xe40, 0xe4e, Thai),
    (0xe50, 0xe59, Thai),
    (0xe81, 0xedf, Lao),
    (0xf20, 0xf29, Tibetan),
    (0xf40, 0xfbc, Tibetan),
    (0x1000, 0x1049, Myanmar),
    (0x1050, 0x109d, Myanmar),
    (0x10d0, 0x10fa, Georgian),
    (0x10fc, 0x10ff, Georgian),
    (0x1200, 0x135f, Ethiopic),
    (0x1380, 0x138f, Ethiopic),
    (0x1780, 0x17d3, Khmer),
    (0x17dc, 0x17e9, Khmer),
    (0x1e00, 0x1eff, Latin),
    (0x1f00, 0x1ffc, Greek),
    (0x3005, 0x3005, Han),
    (0x3007, 0x3007, Han),
    (0x3041, 0x3096, Hiragana),
    (0x309d, 0x309f, Hiragana),
    (0x30a1, 0x30fa, Katakana),
    (0x30fc, 0x30ff, Katakana),
    (0x3105, 0x312f, Bopomofo),
    (0x31a0, 0x31bf, Bopomofo),
    (0x3400, 0x4dbf, Han),
    (0x4e00, 0x9fff, Han),
    (0xac00, 0xd7a3, Hangul),
    (0x20000, 0x3134f, Han),
];

/// Scripts that are written together.
const TOGETHER: [&[Script]; 3] = [&[Han, Hiragana, Katakana], &[Han, Hangul], &[Han, Bopomofo]];

/// Letters that pass for Latin ones: a label of nothing else is refused.
const PRETENDERS: &str = concat!(
    "асԁеёһіїјӏоӧрԛѕԝхӽуўъьпгѵѡҽԍ",
    "αάγιίϊκνοόρτυύϋχωώηή",
    "ագզլհյոսւց\u{585}",
    "\u{10ff}\u{10e7}\u{5e1}\u{5d5}\u{101d}\u{1040}\u{d20}\u{e50}\u{ed0}"
);

/// Marks that may follow one letter: Vietnamese and Yoruba need two.
const MARKS_IN_A_ROW: usize = 2;

pub(super) fn script_of(character: char) -> Option<Script> {
    let code = u32::from(character);
    let at = TABLE.partition_point(|(_, last, _)| *last < code);
    let (first, _, script) = TABLE.get(at)?;
    (*first <= code).then_some(*script)
}

#[cfg(feature = "unicode")]
pub(super) fn is_mark(character: char) -> bool {
    script_of(character) == Some(Inherited)
}

/// Checks a normalised label; `typed` has as many characters and is what errors talk about.
pub(super) fn check(label: &str, typed: &str) -> Result<(), Flaw> {
    let characters = || (1..).zip(label.chars().zip(typed.chars()));
    let mut scripts: Vec<Script> = Vec::new();
    let mut marks = 0;
    for (at, (character, typed)) in characters() {
        let flaw = |why: &str| Err(Flaw::at(at, Some(typed), why));
        let Some(script) = script_of(character) else {
            return flaw("not a letter or digit of a script that names are written in");
        };
        marks = if script == Inherited { marks + 1 } else { 0 };
        if marks > MARKS_IN_A_ROW {
            return flaw("too many marks on one letter");
        }
        if !scripts.contains(&script) && !matches!(script, Common | Inherited) {
            scripts.push(script);
            if !written_together(&scripts) {
                return flaw("another script than those before it, which may only look alike");
            }
        }
    }
    mixed_digits(label, typed)?;
    pretended(label, typed)
}

fn written_together(scripts: &[Script]) -> bool {
    let all_in = |set: &&[Script]| scripts.iter().all(|script| set.contains(script));
    scripts.len() < 2 || TOGETHER.iter().any(all_in)
}

/// Digits of two systems in one label: ৪ and 8 are not the same number.
fn mixed_digits(label: &str, typed: &str) -> Result<(), Flaw> {
    let own = |c: char| c.is_numeric() && !c.is_ascii() && script_of(c) != Some(Han);
    let foreign = (1..)
        .zip(label.chars().zip(typed.chars()))
        .find(|(_, (character, _))| own(*character));
    match foreign {
        Some((at, (_, typed))) if label.chars().any(|c| c.is_ascii_digit()) => Err(Flaw::at(
            at,
            Some(typed),
            "a digit of another system than the others",
        )),
        _ => Ok(()),
    }
}

fn pretended(label: &str, typed: &str) -> Result<(), Flaw> {
    let mut letters = label
        .chars()
        .filter(|c| script_of(*c) != Some(Common))
        .peekable();
    if letters.peek().is_some() && letters.all(|c| PRETENDERS.contains(c)) {
        let at = label.chars().take_while(|c| script_of(*c) == Some(Common));
        let at = at.count();
        let why = "every letter of this label looks like a Latin one";
        return Err(Flaw::at(at + 1, typed.chars().nth(at), why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use icu_properties::CodePointMapData;
    use icu_properties::props::Script as Theirs;

    fn theirs(script: Script) -> Theirs {
        let pairs = [
            (Common, Theirs::Common),
            (Inherited, Theirs::Inherited),
            (Latin, Theirs::Latin),
            (Greek, Theirs::Greek),
            (Cyrillic, Theirs::Cyrillic),
            (Armenian, Theirs::Armenian),
            (Hebrew, Theirs::Hebrew),
            (Arabic, Theirs::Arabic),
            (Devanagari, Theirs::Devanagari),
            (Bengali, Theirs::Bengali),
            (Gurmukhi, Theirs::Gurmukhi),
            (Gujarati, Theirs::Gujarati),
            (Oriya, Theirs::Oriya),
            (Tamil, Theirs::Tamil),
            (Telugu, Theirs::Telugu),
            (Kannada, Theirs::Kannada),
            (Malayalam, Theirs::Malayalam),
            (Sinhala, Theirs::Sinhala),
            (Thai, Theirs::Thai),
            (Lao, Theirs::Lao),
            (Tibetan, Theirs::Tibetan),
            (Myanmar, Theirs::Myanmar),
            (Georgian, Theirs::Georgian),
            (Ethiopic, Theirs::Ethiopic),
            (Khmer, Theirs::Khmer),
            (Hangul, Theirs::Hangul),
            (Hiragana, Theirs::Hiragana),
            (Katakana, Theirs::Katakana),
            (Bopomofo, Theirs::Bopomofo),
            (Han, Theirs::Han),
        ];
        let pair = pairs.into_iter().find(|(ours, _)| *ours == script);
        pair.expect("all are listed").1
    }

    #[test]
    fn the_table_is_in_order_and_agrees_with_unicode() {
        assert!(TABLE.windows(2).all(|pair| pair[0].1 < pair[1].0));
        let unicode = CodePointMapData::<Theirs>::new();
        let mut wrong = Vec::new();
        for (first, last, script) in TABLE {
            for code in *first..=*last {
                let Some(character) = char::from_u32(code) else {
                    continue;
                };
                let found = unicode.get(character);
                // Shared digits and marks that we count to the script that uses them.
                let shared = [Theirs::Common, Theirs::Inherited, Theirs::Unknown].contains(&found);
                if found != theirs(*script) && !shared {
                    wrong.push((code, *script));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:x?}");
    }
}
