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
use warren_shared::proto::files::kept::KeptMap;
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
    folder: Arc<Path>,
}

/// Where something of a file is in a folder.
pub(super) fn place(folder: &Path, cid: &Cid, end: &str) -> PathBuf {
    folder.join(format!("{cid}.{end}"))
}

impl KeptFile {
    /// A file in a folder, if all of it is there. Blocks for a moment.
    pub fn whole(folder: &Arc<Path>, cid: &Cid) -> Option<KeptFile> {
        let place = |end| place(folder, cid, end);
        let map = KeptMap::decode(&std::fs::read(place("map")).ok()?).ok()?;
        let long = |end, length| {
            let found = place(end).metadata();
            found.is_ok_and(|found| found.len() == length)
        };
        let whole = map.cid == *cid
            && map.pieces.is_full()
            && long("data", map.tree.size())
            && long("hashes", map.tree.outboard_size());
        let (cid, tree, folder) = (*cid, map.tree, folder.clone());
        whole.then(|| KeptFile(Arc::new(Inner { cid, tree, folder })))
    }
}

impl Inner {
    fn read(&self, sender: Sender, room: usize) -> Portion {
        let (mut data, mut hashes) = (None, None);
        Portion::fill(sender, room, |need, out| {
            let (file, end, offset) = match need {
                Need::Hashes { offset, .. } => (&mut hashes, "hashes", offset),
                Need::Data { offset, .. } => (&mut data, "data", offset),
            };
            let path = place(&self.folder, &self.cid, end);
            let read = opened(file, &path).and_then(|file| file.read_exact_at(out, offset));
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
