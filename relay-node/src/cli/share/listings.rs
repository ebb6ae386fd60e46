//! What is said of a scanned path to those who search: one listing of the path and, of a directory, those of its files.

use std::collections::HashSet;

use warren_shared::limits::{MAX_ANNOUNCED, MAX_TAG, MAX_TAGS};
use warren_shared::net::files::Held;
use warren_shared::proto::files::search::Listing;

use crate::files::{Scanned, SharedFile};

/// Places in the network that the files of all directories may take: one for each, and one for each of their words. The
/// other half is left to what was named on the command line.
const PLACES: usize = MAX_ANNOUNCED / 2;

/// The places of each directory, when there are so many.
pub(super) fn share_of(directories: usize) -> usize {
    PLACES / directories.max(1)
}

/// Of the path itself.
pub(super) fn of_path(scanned: &Scanned, tags: &[String]) -> Listing {
    Listing {
        cid: scanned.cid,
        name: scanned.name.clone(),
        size: scanned.size,
        media: String::new(),
        tags: tags.to_vec(),
    }
}

/// Of the different files of a directory, in the order of their paths, as far as they and their words fit so many places.
pub(super) fn of_files(scanned: &Scanned, tags: &[String], places: usize) -> Vec<Listing> {
    if scanned.block.is_none() {
        return Vec::new();
    }
    let mut words: HashSet<String> = of_path(scanned, tags).tokens().into_iter().collect();
    let (mut listings, mut known, mut taken) = (Vec::new(), HashSet::new(), 0);
    for file in &scanned.files {
        let listing = of_file(scanned, file, tags);
        if !known.insert(listing.cid) {
            continue;
        }
        let new = listing.tokens().into_iter();
        let new: Vec<String> = new.filter(|word| !words.contains(word)).collect();
        taken += 1 + new.len();
        if taken > places {
            break;
        }
        words.extend(new);
        listings.push(listing);
    }
    listings
}

/// Under its own name, with the folder that it is in as one more tag.
fn of_file(scanned: &Scanned, file: &SharedFile, tags: &[String]) -> Listing {
    let path = file.path().strip_prefix(&scanned.path);
    let path = path.unwrap_or(file.path()).to_string_lossy();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let folder = match folders {
        "" => scanned.name.clone(),
        folders => format!("{}/{folders}", scanned.name),
    };
    let mut tags = tags.to_vec();
    if tags.len() < MAX_TAGS {
        tags.push(end_of(&folder).to_owned());
        tags.sort();
        tags.dedup();
    }
    Listing {
        cid: file.cid(),
        name: name.to_owned(),
        size: file.tree().size(),
        media: String::new(),
        tags,
    }
}

/// As much as a tag may have: of deep folders the innermost, which say most about the file.
fn end_of(folder: &str) -> &str {
    let mut start = folder.len().saturating_sub(MAX_TAG);
    while !folder.is_char_boundary(start) {
        start += 1;
    }
    &folder[start..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scan;

    fn scanned(files: &[(&str, &str)]) -> (tempfile::TempDir, Scanned) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("films");
        for (path, text) in files {
            let place = root.join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        }
        let scanned = scan(&root, None).unwrap();
        (folder, scanned)
    }

    #[test]
    fn files_have_their_names_and_the_folder_that_they_are_in() {
        let files = [("Red sea.film", "1"), ("a/b/c.txt", "2"), ("copy", "1")];
        let (_folder, scanned) = scanned(&files);
        let listings = of_files(&scanned, &["holiday".to_owned()], PLACES);
        let said: Vec<(&str, Vec<&str>)> = listings
            .iter()
            .map(|listing| {
                let tags = listing.tags.iter().map(String::as_str);
                (listing.name.as_str(), tags.collect())
            })
            .collect();
        let wanted = [
            ("Red sea.film", vec!["films", "holiday"]),
            ("c.txt", vec!["films/a/b", "holiday"]),
        ];
        assert_eq!(said, wanted, "each once, with one of its names");
        let single = scan(&scanned.path.join("copy"), None).unwrap();
        assert!(of_files(&single, &[], PLACES).is_empty());
    }

    #[test]
    fn they_take_no_more_places_than_they_may() {
        let names: Vec<String> = (10..30).map(|n| format!("film {n}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], &name[..])).collect();
        let (_folder, scanned) = scanned(&files);
        // Each takes one for itself and one for its number; the first one more, for the other word.
        assert_eq!(of_files(&scanned, &[], 9).len(), 4);
        assert_eq!(of_files(&scanned, &[], 0).len(), 0);
        assert_eq!(of_files(&scanned, &[], PLACES).len(), names.len());
        assert!(share_of(0) == PLACES && share_of(2) == PLACES / 2);
    }

    #[test]
    fn long_folders_and_many_tags_are_no_mistake() {
        let deep = format!("{}/x", "ä".repeat(40));
        let (_folder, scanned) = scanned(&[(&deep, "1")]);
        let listing = &of_files(&scanned, &[], PLACES)[0];
        assert_eq!(listing.tags, ["ä".repeat(MAX_TAG / 2)]);
        let many: Vec<String> = (0..MAX_TAGS).map(|n| format!("{n:02}")).collect();
        assert_eq!(of_files(&scanned, &many, PLACES)[0].tags, many);
    }
}
