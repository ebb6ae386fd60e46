//! Words by which files are found.
//!
//! Knows how text becomes words, the same at everybody who shares or searches: compatible forms, cases and
//! composed accents make no difference. Does not know languages.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

use crate::limits::{MAX_TOKEN, MAX_TOKENS};

/// The words of some texts, each once, sorted. When there are too many, those that come first in the texts count.
pub fn tokens<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        for word in words(&folded(text)) {
            let word = cut(word);
            if found.len() < MAX_TOKENS && !found.contains(&word) {
                found.push(word);
            }
        }
    }
    found.sort_unstable();
    found
}

/// One form for all spellings of a text that look alike or differ in case only.
fn folded(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let lower = nfkc.normalize(text).to_uppercase().to_lowercase();
    // At the end of a word this letter has another form, and words are cut out of texts.
    let lower = lower.replace('ς', "σ");
    nfkc.normalize(&lower).into_owned()
}

/// Runs of letters and digits, with the marks on them. Where words are written without blanks each two
/// neighbouring characters are a word.
fn words(text: &str) -> Vec<String> {
    let marks = CanonicalCombiningClassMapBorrowed::new();
    let (mut found, mut word) = (Vec::new(), String::new());
    let mut last: Option<char> = None;
    let mut paired = false;
    for c in text.chars().chain([' ']) {
        let inside = c.is_alphanumeric() || (marks.get_u8(c) != 0 && !word.is_empty());
        if !is_dense(c) && inside {
            if last.is_some() {
                lone(&mut found, &mut last, paired);
            }
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if is_dense(c) {
            paired = last.is_some();
            if let Some(before) = last {
                found.push(String::from_iter([before, c]));
            }
            last = Some(c);
        } else {
            lone(&mut found, &mut last, paired);
        }
    }
    found
}

/// The end of a run without blanks: a character that stood alone is a word.
fn lone(found: &mut Vec<String>, last: &mut Option<char>, paired: bool) {
    if let Some(c) = last.take().filter(|_| !paired) {
        found.push(c.to_string());
    }
}

/// Han, Hiragana and Katakana.
fn is_dense(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

fn cut(mut word: String) -> String {
    let mut end = word.len().min(MAX_TOKEN);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    word.truncate(end);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        tokens([text])
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(
            of("Urlaub_2024 (final).JPG"),
            ["2024", "final", "jpg", "urlaub"]
        );
        assert_eq!(of("a a A"), ["a"]);
        assert_eq!(of(" .,- "), [""; 0]);
        assert_eq!(tokens(["b a", "c"]), ["a", "b", "c"]);
    }

    #[test]
    fn spellings_make_no_difference() {
        for (one, two) in [
            ("Straße", "STRASSE"),
            ("Über", "u\u{308}BER"),
            ("ﬁle ①", "FILE 1"),
            ("ΟΔΟΣ", "οδος"),
            ("ＡＢＣ", "abc"),
            ("ｶﾞ", "ガ"),
            ("İzmir", "i\u{307}zmir"),
        ] {
            assert_eq!(of(one), of(two), "{one}");
            assert!(!of(one).is_empty());
        }
        assert_ne!(of("uber"), of("über"));
    }

    #[test]
    fn words_without_blanks_are_found_by_their_parts() {
        assert_eq!(of("東京都"), ["京都", "東京"]);
        assert_eq!(of("犬 dog犬"), ["dog", "犬"]);
        let whole = of("東京タワーの写真.jpg");
        assert!(of("写真").iter().all(|word| whole.contains(word)));
        assert_eq!(of("हिन्दी"), ["हिन्दी"], "marks stay with their letters");
    }

    #[test]
    fn they_are_bounded() {
        let many: String = (0..100).map(|n| format!("w{n:03} ")).collect();
        assert_eq!(of(&many).len(), MAX_TOKENS);
        assert_eq!(of(&many)[31], "w031", "the first ones count");
        let long = of(&"ä".repeat(100));
        assert_eq!(long, ["ä".repeat(MAX_TOKEN / 2)]);
        assert!(of(&"한".repeat(99))[0].len() <= MAX_TOKEN);
    }
}
