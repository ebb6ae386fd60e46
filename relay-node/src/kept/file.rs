//! A file that is kept: its bytes and hashes as they were fetched. Nothing is open while nobody reads it: there may be
//! thousands.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use warren_shared::net::files::{Held, Portion};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::pieces::Pieces;
use warren_shared::proto::files::tree::{Need, Sender, Tree};

use crate::files::{portion, refusal};

/// All of a file. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct KeptFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cid: Cid,
    tree: Tree,
    data: PathBuf,
    hashes: PathBuf,
}

impl KeptFile {
    pub fn new(cid: Cid, tree: Tree, data: PathBuf, hashes: PathBuf) -> KeptFile {
        KeptFile(Arc::new(Inner {
            cid,
            tree,
            data,
            hashes,
        }))
    }
}

impl Inner {
    fn read(&self, sender: Sender, room: usize) -> Portion {
        let (mut data, mut hashes) = (None, None);
        Portion::fill(sender, room, |need, out| {
            let (place, path, offset) = match need {
                Need::Hashes { offset, .. } => (&mut hashes, &self.hashes, offset),
                Need::Data { offset, .. } => (&mut data, &self.data, offset),
            };
            let read = opened(place, path).and_then(|file| file.read_exact_at(out, offset));
            read.map_err(refusal)
        })
    }
}

fn opened<'a>(file: &'a mut Option<File>, path: &Path) -> io::Result<&'a File> {
    if file.is_none() {
        *file = Some(File::open(path)?);
    }
    file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[async_trait]
impl Held for KeptFile {
    fn cid(&self) -> Cid {
        self.0.cid
    }

    fn tree(&self) -> Tree {
        self.0.tree
    }

    fn pieces(&self) -> Pieces {
        Pieces::all(self.0.tree.pieces())
    }

    async fn read(&self, sender: Sender, room: usize) -> Portion {
        let inner = self.0.clone();
        portion(sender, move |sender| inner.read(sender, room)).await
    }
}
