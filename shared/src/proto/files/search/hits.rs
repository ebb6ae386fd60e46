//! The answers to a search: merged, each file once, the best first, as they come.
//!
//! Knows how well a listing fits, and who has the file. How many speak for a file counts only among those that fit
//! equally well, because identities cost nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::listing::{Listing, Signed};
use super::words::tokens;
use crate::limits::{MAX_HITS, MAX_HOLDERS, MAX_LISTINGS_PER_FILE};
use crate::proto::files::cid::Cid;

/// How well a listing fits: words of the search that it has, those of them that are in the name, and whether the name
/// has no others.
type Fit = (usize, usize, bool);

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// As the listing says that fits best.
    pub listing: Listing,
    /// How many of the words were found.
    pub words: usize,
    /// Different authors who list it.
    pub authors: usize,
    /// Peers that say they have it, in the order in which they said so.
    pub holders: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Found {
    /// The best fit last.
    listings: Vec<(Fit, Signed)>,
    holders: Vec<Vec<u8>>,
}

impl Found {
    fn fit(&self) -> Fit {
        self.listings.last().map_or((0, 0, false), |best| best.0)
    }
}

/// What comes of one search.
#[derive(Clone, Debug)]
pub struct Hits {
    words: BTreeSet<String>,
    found: BTreeMap<Cid, Found>,
}

impl Hits {
    /// A search for some text; nothing, when there are no words in it.
    pub fn new(text: &str) -> Option<Hits> {
        let words: BTreeSet<String> = tokens([text]).into_iter().collect();
        let found = BTreeMap::new();
        (!words.is_empty()).then_some(Hits { words, found })
    }

    /// What is asked of others: sorted, as requests want them.
    pub fn words(&self) -> Vec<String> {
        self.words.iter().cloned().collect()
    }

    /// A peer gives a listing, which is verified. Whether that changes what was found.
    pub fn add(&mut self, holder: &[u8], signed: Signed) -> bool {
        let fit = self.fit(signed.listing());
        let cid = signed.listing().cid;
        if fit.0 == 0 || !self.has_room(&cid, fit) {
            return false;
        }
        let found = self.found.entry(cid).or_insert_with(|| Found {
            listings: Vec::new(),
            holders: Vec::new(),
        });
        let mut news = false;
        if found.holders.len() < MAX_HOLDERS && !found.holders.iter().any(|known| known == holder) {
            found.holders.push(holder.to_vec());
            news = true;
        }
        let listings = &mut found.listings;
        let known = |(_, known): &(Fit, Signed)| known.author() == signed.author();
        match listings.iter().position(known) {
            Some(at) if signed.replaces(&listings[at].1) => {
                listings[at] = (fit, signed);
                news = true;
            }
            Some(_) => {}
            None => {
                listings.push((fit, signed));
                news = true;
            }
        }
        listings.sort_by_key(|(fit, signed)| (*fit, Reverse(signed.author())));
        if listings.len() > MAX_LISTINGS_PER_FILE {
            listings.remove(0);
        }
        news
    }

    fn fit(&self, listing: &Listing) -> Fit {
        let has = |words: &[String]| {
            words
                .iter()
                .filter(|word| self.words.contains(*word))
                .count()
        };
        let name = tokens([listing.name.as_str()]);
        let named = has(&name);
        (has(&listing.tokens()), named, named == name.len())
    }

    /// When there are too many, the worst makes room for a better one.
    fn has_room(&mut self, cid: &Cid, fit: Fit) -> bool {
        if self.found.len() < MAX_HITS || self.found.contains_key(cid) {
            return true;
        }
        let worst = self.found.iter().map(|(cid, found)| (found.fit(), *cid));
        match worst.min() {
            Some((worst, cid)) if worst < fit => {
                self.found.remove(&cid);
                true
            }
            _ => false,
        }
    }

    /// What was found so far, the best first. Equal findings give equal lists, in whatever order they came.
    pub fn ranked(&self) -> Vec<Hit> {
        let mut found: Vec<&Found> = self.found.values().collect();
        found.sort_by_cached_key(|found| {
            let name = found
                .listings
                .last()
                .map(|(_, best)| best.listing().name.clone());
            let (authors, holders) = (found.listings.len(), found.holders.len());
            (Reverse((found.fit(), holders, authors)), name)
        });
        let hits = found.into_iter().filter_map(|found| {
            let (fit, best) = found.listings.last()?;
            Some(Hit {
                listing: best.listing().clone(),
                words: fit.0,
                authors: found.listings.len(),
                holders: found.holders.clone(),
            })
        });
        hits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::signed_by;
    use super::*;

    fn files(hits: &Hits) -> Vec<u8> {
        let ranked = hits.ranked();
        ranked.iter().map(|hit| hit.listing.cid.root[0]).collect()
    }

    #[test]
    fn what_fits_best_comes_first() {
        let mut hits = Hits::new("Red HOUSE").unwrap();
        assert_eq!(hits.words(), ["house", "red"]);
        for (file, name) in [
            (1, "red car"),
            (2, "my red house 2024"),
            (3, "red house"),
            (4, "car"),
        ] {
            hits.add(&[1], signed_by(1, file, name, 1));
        }
        assert_eq!(files(&hits), [3, 2, 1]);
        assert_eq!(hits.ranked()[2].words, 1);
        // One more holder makes a difference among equals only.
        hits.add(&[1], signed_by(1, 5, "red car", 1));
        hits.add(&[2], signed_by(1, 5, "red car", 1));
        hits.add(&[3], signed_by(1, 5, "red car", 1));
        assert_eq!(files(&hits), [3, 2, 5, 1]);
        assert!(Hits::new(" .. ").is_none());
    }

    #[test]
    fn a_file_is_found_once() {
        let mut hits = Hits::new("house").unwrap();
        assert!(hits.add(&[1], signed_by(1, 1, "house", 1)));
        assert!(!hits.add(&[1], signed_by(1, 1, "house", 1)), "nothing new");
        assert!(hits.add(&[2], signed_by(1, 1, "house", 1)));
        assert!(hits.add(&[2], signed_by(2, 1, "a house", 1)));
        assert!(
            !hits.add(&[9], signed_by(1, 2, "car", 1)),
            "not what was searched"
        );
        let ranked = hits.ranked();
        assert_eq!(ranked.len(), 1);
        assert_eq!((ranked[0].authors, ranked[0].holders.len()), (2, 2));
        assert_eq!(ranked[0].listing.name, "house");
        assert!(hits.add(&[1], signed_by(1, 1, "the old house", 2)));
        assert_eq!(
            hits.ranked()[0].listing.name,
            "a house",
            "the other was taken back"
        );
    }

    #[test]
    fn the_order_of_arrival_makes_no_difference() {
        let mut listings = Vec::new();
        for file in 0..20 {
            for author in 1..=3 {
                listings.push(signed_by(author, file, &format!("house {}", file % 3), 1));
            }
        }
        let order = |listings: &[Signed]| {
            let mut hits = Hits::new("house 1").unwrap();
            for listing in listings {
                hits.add(&[1], listing.clone());
            }
            files(&hits)
        };
        let there = order(&listings);
        listings.reverse();
        assert_eq!(order(&listings), there);
        assert_eq!(there.len(), 20);
    }

    #[test]
    fn findings_are_bounded_and_the_best_stay() {
        let mut hits = Hits::new("red house").unwrap();
        let best = signed_by(1, 1, "red house", 1);
        for number in 0..=MAX_HITS as u64 {
            let mut listing = best.listing().clone();
            listing.cid.root[8..16].copy_from_slice(&number.to_be_bytes());
            listing.name = "house of others".to_owned();
            let key = crate::proto::key::SigningKey::from_seed([1; 32]);
            let times = (
                super::super::testing::NOW,
                super::super::testing::NOW + 1_000,
            );
            let network = super::super::testing::network();
            let signed = listing.sign(&key, &network, 1, times).unwrap();
            assert_eq!(hits.add(&[1], signed), number < MAX_HITS as u64);
        }
        assert!(hits.add(&[1], best));
        let ranked = hits.ranked();
        assert_eq!((ranked.len(), ranked[0].words), (MAX_HITS, 2));
        for holder in 0..=MAX_HOLDERS as u64 {
            hits.add(&holder.to_be_bytes(), signed_by(1, 1, "red house", 1));
        }
        assert_eq!(hits.ranked()[0].holders.len(), MAX_HOLDERS);
    }
}
