//! What of the kept is given to others. A file may be there for itself and in several directories: it is given until the last
//! of them is gone.

use std::collections::HashMap;
use std::sync::Arc;

use warren_shared::error::Result;
use warren_shared::net::files::{Files, Held};
use warren_shared::proto::files::cid::{Cid, Root};

/// Bytes as one of those has them that consist of them.
type Owned = (Cid, Arc<dyn Held>);

/// See the module.
#[derive(Default)]
pub(super) struct Given {
    /// Who has the bytes.
    owners: HashMap<Root, Vec<Owned>>,
    /// What each consists of: itself, then the files of a directory in the order of their first paths.
    parts: HashMap<Cid, Vec<Cid>>,
}

impl Given {
    /// Gives all that a kept file or directory consists of from now on, itself first; or nothing of it.
    pub fn add(&mut self, files: &Files, owner: Cid, held: Vec<Arc<dyn Held>>) -> Result<()> {
        self.remove(files, &owner);
        let parts = held.iter().map(|held| held.cid()).collect();
        self.parts.insert(owner, parts);
        for held in held {
            if let Err(error) = files.share(held.clone()) {
                self.remove(files, &owner);
                return Err(error);
            }
            let root = held.cid().root;
            self.owners.entry(root).or_default().push((owner, held));
        }
        Ok(())
    }

    /// Gives nothing of it any more, unless something else that is kept has it: what is given no longer.
    pub fn remove(&mut self, files: &Files, owner: &Cid) -> Vec<Cid> {
        let mut gone = Vec::new();
        for part in self.parts.remove(owner).unwrap_or_default() {
            let Some(owners) = self.owners.get_mut(&part.root) else {
                continue;
            };
            owners.retain(|(one, _)| one != owner);
            match owners.first() {
                Some((_, held)) => {
                    // It takes the place of what goes: there is room for that.
                    let _ = files.share(held.clone());
                }
                None => {
                    self.owners.remove(&part.root);
                    files.unshare(&part);
                    gone.push(part);
                }
            }
        }
        gone
    }

    /// Something that is given and has a file: itself, or a directory.
    pub fn owner_of(&self, cid: &Cid) -> Option<Cid> {
        let owners = self.owners.get(&cid.root)?;
        owners.first().map(|(owner, _)| *owner)
    }

    /// The files of a directory that is given.
    pub fn members(&self, owner: &Cid) -> &[Cid] {
        let parts = self.parts.get(owner).map_or(&[][..], Vec::as_slice);
        parts.get(1..).unwrap_or_default()
    }
}
