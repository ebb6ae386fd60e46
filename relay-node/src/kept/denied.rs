//! What the operator of a relay does not want there: files and authors, a line each.

use std::collections::HashSet;
use std::path::Path;

use warren_shared::error::{Code, Error, Result};
use warren_shared::proto::files::cid::{Cid, Root};
use warren_shared::proto::key::PublicKey;

use crate::files::{Stamp, failed};

/// Nobody reads longer lists through.
const MOST: u64 = 64 * 1024 * 1024;

/// A denylist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denied {
    roots: HashSet<Root>,
    authors: HashSet<PublicKey>,
    /// What the file looked like.
    stamp: Option<Stamp>,
}

impl Denied {
    /// Reads a list: an id of a file or directory, or the key of an author, in each line; what comes after it, and
    /// after `#`, is for people.
    pub fn read(path: &Path) -> Result<Denied> {
        let unreadable = |error| failed("read", path, error);
        // As it was before it was read: one that changes meanwhile is read again.
        let stamp = Stamp::of(path).map_err(unreadable)?;
        if stamp.size > MOST {
            let message = format!("{} is longer than 64 MiB", path.display());
            return Err(Error::new(Code::ConfigInvalid, message));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let mut denied = Denied::parse(&text).map_err(|(line, word)| {
            let message = format!(
                "line {line} of {} is neither a file nor an author: {word}",
                path.display()
            );
            Error::new(Code::ConfigInvalid, message).with_remedy(
                "Write an id (baf…) or the key of an author (k51…) into each line, and # before remarks.",
            )
        })?;
        denied.stamp = Some(stamp);
        Ok(denied)
    }

    fn parse(text: &str) -> std::result::Result<Denied, (usize, String)> {
        let mut denied = Denied::default();
        for (number, line) in (1..).zip(text.lines()) {
            let wanted = line.split('#').next().unwrap_or_default();
            let Some(word) = wanted.split_whitespace().next() else {
                continue;
            };
            let author = || PublicKey::from_base36(word).or_else(|_| PublicKey::from_peer_id(word));
            if let Ok(cid) = word.parse::<Cid>() {
                denied.roots.insert(cid.root);
            } else if let Ok(author) = author() {
                denied.authors.insert(author);
            } else {
                return Err((number, word.chars().take(80).collect()));
            }
        }
        Ok(denied)
    }

    /// Whether this file is not wanted, or not of this author.
    pub fn has(&self, cid: &Cid, author: &PublicKey) -> bool {
        self.roots.contains(&cid.root) || self.authors.contains(author)
    }

    /// Whether this file is not wanted, whoever shares it.
    pub fn has_file(&self, cid: &Cid) -> bool {
        self.roots.contains(&cid.root)
    }

    /// Files that are not wanted, whoever shares them.
    pub fn roots(&self) -> impl Iterator<Item = Root> + '_ {
        self.roots.iter().copied()
    }

    /// Whether the file looks as it did when this was read. One that is missing for a moment is being replaced.
    pub fn is_of(&self, path: &Path) -> bool {
        Stamp::of(path).is_err() || Stamp::of(path).ok() == self.stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warren_shared::proto::key::SigningKey;

    #[test]
    fn files_and_authors_are_read_and_mistakes_are_named() {
        let author = SigningKey::from_seed([1; 32]).public();
        let peer = SigningKey::from_seed([2; 32]).public();
        let (file, folder) = (Cid::file([7; 32]), Cid::directory([8; 32]));
        let text = format!(
            "# not here\n\n  {file}  # a remark\n{folder} another\n{}\n{}\n",
            author.to_base36(),
            peer.to_peer_id()
        );
        let denied = Denied::parse(&text).unwrap();
        let nobody = SigningKey::from_seed([3; 32]).public();
        let other = Cid::file([9; 32]);
        for (cid, author, has) in [
            (file, nobody, true),
            (folder, nobody, true),
            (other, author, true),
            (other, peer, true),
            (other, nobody, false),
        ] {
            assert_eq!(denied.has(&cid, &author), has, "{cid}");
        }
        assert!(denied.has_file(&file) && denied.has_file(&folder) && !denied.has_file(&other));
        assert_eq!(denied.roots().count(), 2);
        let wrong = Denied::parse(&format!("{file}\nnonsense"));
        assert_eq!(wrong, Err((2, "nonsense".to_owned())));
    }

    #[test]
    fn a_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denied");
        assert!(Denied::read(&path).is_err());
        std::fs::write(&path, "# nothing yet\n").unwrap();
        let denied = Denied::read(&path).unwrap();
        assert!(denied.is_of(&path));
        std::fs::write(&path, format!("{}\n", Cid::file([7; 32]))).unwrap();
        assert!(!denied.is_of(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(denied.is_of(&path), "it is being replaced");
    }
}
