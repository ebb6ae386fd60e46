//! The listings that a node gives to those who ask it.
//!
//! Knows which of them have a word, and how many fit one answer. A page never ends between two listings of one file,
//! so that whoever goes on after its id misses none.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use super::listing::Signed;
use crate::limits::{LISTING_PAGE, MAX_LISTINGS, MAX_LISTINGS_PER_FILE};
use crate::proto::Millis;
use crate::proto::files::cid::Cid;
use crate::proto::files::wire::Answer;
use crate::proto::key::PublicKey;

/// A listing and its words.
#[derive(Clone, Debug)]
struct Kept {
    signed: Signed,
    tokens: Vec<String>,
}

/// Listings by file and author.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    kept: BTreeMap<Cid, Vec<Kept>>,
    /// Which files have a word.
    words: BTreeMap<String, BTreeSet<Cid>>,
    count: usize,
}

impl Catalogue {
    /// Takes a listing in, in place of an older one. False when there is a newer one, or no room.
    pub fn put(&mut self, signed: Signed) -> bool {
        let cid = signed.listing().cid;
        let mut of_file = self.take_out(&cid);
        let known = |kept: &Kept| kept.signed.author() == signed.author();
        let room = self.count < MAX_LISTINGS && of_file.len() < MAX_LISTINGS_PER_FILE;
        let known = of_file.iter().position(known);
        let newer = known.is_none_or(|at| signed.replaces(&of_file[at].signed));
        let taken = newer && (known.is_some() || room);
        if taken {
            let tokens = signed.listing().tokens();
            known.map(|at| of_file.remove(at));
            of_file.push(Kept { signed, tokens });
        }
        self.put_back(cid, of_file);
        taken
    }

    /// A file is not shared any more, or an author's word about it does not count.
    pub fn remove(&mut self, cid: &Cid, author: Option<&PublicKey>) {
        let mut of_file = self.take_out(cid);
        of_file.retain(|kept| author.is_some_and(|author| kept.signed.author() != *author));
        self.put_back(*cid, of_file);
    }

    /// Forgets what does not count any more.
    pub fn expire(&mut self, now: Millis) {
        let old = |kept: &Kept| kept.signed.expires() <= now;
        let files = self.kept.iter();
        let files = files.filter(|(_, of_file)| of_file.iter().any(old));
        let files: Vec<Cid> = files.map(|(cid, _)| *cid).collect();
        for cid in files {
            let mut of_file = self.take_out(&cid);
            of_file.retain(|kept| !old(kept));
            self.put_back(cid, of_file);
        }
    }

    fn take_out(&mut self, cid: &Cid) -> Vec<Kept> {
        let of_file = self.kept.remove(cid).unwrap_or_default();
        for word in of_file.iter().flat_map(|kept| &kept.tokens) {
            if let Some(files) = self.words.get_mut(word) {
                files.remove(cid);
                if files.is_empty() {
                    self.words.remove(word);
                }
            }
        }
        self.count -= of_file.len();
        of_file
    }

    fn put_back(&mut self, cid: Cid, of_file: Vec<Kept>) {
        if of_file.is_empty() {
            return;
        }
        for word in of_file.iter().flat_map(|kept| &kept.tokens) {
            self.words.entry(word.clone()).or_default().insert(cid);
        }
        self.count += of_file.len();
        self.kept.insert(cid, of_file);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All words: where this node is to be named.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.keys().map(String::as_str)
    }

    /// Whether a file has this word.
    pub fn has(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    /// A page of those that have one of some words, or of all without words.
    pub fn page(&self, words: Option<&[String]>, after: Option<&Cid>) -> Answer {
        let bounds = (after.map_or(Unbounded, Excluded), Unbounded);
        // The first files of the page are among the first with each word.
        let mut files: BTreeSet<&Cid> = BTreeSet::new();
        match words {
            Some(words) => words
                .iter()
                .filter_map(|word| self.words.get(word))
                .for_each(|with| files.extend(with.range::<Cid, _>(bounds).take(PAGE_FILES))),
            None => files.extend(
                self.kept
                    .range::<Cid, _>(bounds)
                    .map(|(cid, _)| cid)
                    .take(PAGE_FILES),
            ),
        }
        let matches = |kept: &&Kept| {
            words.is_none_or(|words| {
                words
                    .iter()
                    .any(|word| kept.tokens.binary_search(word).is_ok())
            })
        };
        let (mut listings, mut bytes) = (Vec::new(), 0);
        for cid in files {
            let found: Vec<&Kept> = self
                .kept
                .get(cid)
                .into_iter()
                .flatten()
                .filter(matches)
                .collect();
            let length: usize = found.iter().map(|kept| kept.signed.bytes().len()).sum();
            if bytes + length > LISTING_PAGE {
                return Answer::Listings {
                    listings,
                    more: true,
                };
            }
            bytes += length;
            listings.extend(found.iter().map(|kept| kept.signed.bytes().to_vec()));
        }
        Answer::Listings {
            listings,
            more: false,
        }
    }
}

/// More files than a page has room for: each listing has a signature, a key and the text of an id.
const PAGE_FILES: usize = LISTING_PAGE / (64 + 32 + 59) + 1;

const _: () = assert!(MAX_LISTINGS_PER_FILE * crate::limits::MAX_ENVELOPE <= LISTING_PAGE);

#[cfg(test)]
mod tests {
    use super::super::testing::{network, signed_by};
    use super::*;

    const NOW: Millis = super::super::testing::NOW;

    fn listings(answer: &Answer) -> (Vec<Signed>, bool) {
        let decoded = Answer::decode(&answer.encode()).expect("a sound answer");
        let Answer::Listings { listings, more } = decoded else {
            panic!("{answer:?}");
        };
        let open = |bytes: Vec<u8>| Signed::open(&bytes, &network(), NOW).unwrap();
        (listings.into_iter().map(open).collect(), more)
    }

    fn words(text: &str) -> Vec<String> {
        super::super::tokens([text])
    }

    #[test]
    fn what_has_a_word_is_given() {
        let mut catalogue = Catalogue::default();
        for (file, name) in [(1, "red house"), (2, "blue house"), (3, "red car")] {
            assert!(catalogue.put(signed_by(1, file, name, 1)));
        }
        let found = |text: &str| {
            let (found, _) = listings(&catalogue.page(Some(&words(text)), None));
            found
                .iter()
                .map(|one| one.listing().cid.root[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(found("RED"), [1, 3]);
        assert_eq!(found("house car"), [1, 2, 3]);
        assert_eq!(found("green"), [0; 0]);
        let words: Vec<&str> = catalogue.words().collect();
        assert_eq!(words, ["blue", "car", "house", "red"]);
    }

    #[test]
    fn the_later_word_of_an_author_counts_and_authors_are_few() {
        let mut catalogue = Catalogue::default();
        assert!(catalogue.put(signed_by(1, 1, "new", 2)));
        assert!(!catalogue.put(signed_by(1, 1, "old", 1)));
        assert!(catalogue.put(signed_by(1, 1, "newest", 3)));
        assert_eq!(catalogue.len(), 1);
        assert!(catalogue.words().eq(["newest"]));
        for author in 2..=4 {
            assert!(catalogue.put(signed_by(author, 1, "other", 1)));
        }
        assert!(!catalogue.put(signed_by(5, 1, "one more", 1)));
        let author = signed_by(2, 1, "x", 1).author();
        catalogue.remove(&Cid::file([1; 32]), Some(&author));
        assert_eq!(catalogue.len(), 3);
        catalogue.remove(&Cid::file([1; 32]), None);
        assert!(catalogue.is_empty());
        catalogue.put(signed_by(1, 1, "short", 1));
        catalogue.expire(NOW + crate::limits::DAY);
        assert!(catalogue.is_empty() && catalogue.words().next().is_none());
    }

    #[test]
    fn pages_go_on_where_they_ended_and_split_no_file() {
        let mut catalogue = Catalogue::default();
        for file in 0..100 {
            for author in 1..=3 {
                let name = format!("holiday {}", "x".repeat(200));
                assert!(catalogue.put(signed_by(author, file, &name, 1)));
            }
        }
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let (found, more) = listings(&catalogue.page(Some(&words("holiday")), after.as_ref()));
            assert!(found.len().is_multiple_of(3));
            after = found.last().map(|last| last.listing().cid);
            seen.extend(found);
            pages += 1;
            if !more {
                break;
            }
        }
        assert!(pages > 1);
        assert_eq!(seen.len(), 300);
        let all = listings(&catalogue.page(None, after.as_ref())).0;
        assert!(all.is_empty());
    }
}
