//! A directory that an application hands over: its files one after the other, as their list says.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::collection::Collection;
use super::super::entry::{About, Entry};
use super::super::new::Announced;
use super::super::note::{Note, Part};
use super::super::store::{FileStore, Held, Intake, Portion, Stored};
use super::packs::{Packing, Written};
use super::{Folder, Member};
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_DIRECTORY_FILES, PIECE};
use crate::net::reach::once_in_reach;
use crate::proto::files::cid::{Cid, Root};
use crate::proto::files::directory::{Directory, Entry as Listed};
use crate::proto::files::path::FilePath;
use crate::proto::files::search::Signed;
use crate::proto::files::tree::{Decoder, Need, Sender, TreeBuilder};
use crate::proto::files::wire::FileRefusal;

/// See the module. Dropped before it is finished, it leaves nothing behind.
pub struct NewFolder {
    collection: Collection,
    about: About,
    /// In the order in which they are handed over; those before `next` have their ids.
    files: Vec<Listed>,
    next: usize,
    open: Option<Open>,
    packing: Packing,
    seen: HashSet<Root>,
    /// What was stored for it.
    packs: Vec<Written>,
    own: Vec<Arc<Entry>>,
    stays: bool,
}

/// The file that is being handed over.
struct Open {
    left: u64,
    to: To,
}

enum To {
    Small(Vec<u8>),
    Large(Box<dyn Intake>),
}

impl Collection {
    /// Begins a directory of files with these paths and sizes that the application hands over, one after the other. What
    /// cannot be a directory, or does not fit, is refused before any of them is read.
    pub async fn begin_folder(&self, about: About, files: Vec<(String, u64)>) -> Result<NewFolder> {
        if files.len() > MAX_DIRECTORY_FILES {
            let many = format!(
                "a directory has at most {MAX_DIRECTORY_FILES} files, and this has {}",
                files.len()
            );
            return Err(Error::new(Code::TooLarge, many)
                .with_remedy("Share its parts, or pack it into one file."));
        }
        let files = files.into_iter().map(listed).collect::<Result<Vec<_>>>()?;
        let directory = Directory::new(files.clone())?;
        sign(self, &about, directory.publish().0, directory.size())?;
        self.fits(directory.size()).await?;
        Ok(NewFolder {
            collection: self.clone(),
            about,
            files,
            next: 0,
            open: None,
            packing: Packing::default(),
            seen: HashSet::new(),
            packs: Vec::new(),
            own: Vec::new(),
            stays: false,
        })
    }

    async fn fits(&self, size: u64) -> Result<()> {
        let room = self.store.room().await?;
        if size > room.most {
            return Err(Error::new(
                Code::TooLarge,
                "the directory is larger than what this page may keep",
            )
            .with_remedy("Use `warren share` for it, or share its parts."));
        }
        if size > room.most - room.used.min(room.most) {
            return Err(
                Error::new(Code::StorageFailed, "there is no room for this directory")
                    .with_remedy("Remove files that are not needed any more, then try again."),
            );
        }
        Ok(())
    }
}

/// What is not known of a file before it is read is its id.
fn listed((path, size): (String, u64)) -> Result<Listed> {
    let checked = FilePath::new(&path).map_err(|flaw| {
        Error::new(
            Code::InvalidArgument,
            format!("{path:?} cannot be shared: {flaw}"),
        )
        .with_remedy("Rename the file, or leave it out.")
    })?;
    Ok(Listed {
        path: checked,
        cid: Cid::file(Root::default()),
        size,
        // Browsers guess it from the name, as whoever reads the directory can: equal directories have equal ids.
        media: String::new(),
    })
}

fn sign(collection: &Collection, about: &About, cid: Cid, size: u64) -> Result<Option<Signed>> {
    let listing = about.listing(cid, size);
    listing.map(|listing| collection.sign(&listing)).transpose()
}

impl NewFolder {
    /// Takes the next bytes of its files: where one ends the next one begins.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        loop {
            self.begin_files().await?;
            if rest.is_empty() {
                return Ok(());
            }
            let Some(open) = &mut self.open else {
                let more = "there is more than the files of the directory";
                return Err(Error::new(Code::InvalidArgument, more)
                    .with_remedy("Share it again: a file has changed."));
            };
            let (now, then) = rest.split_at(open.left.min(rest.len() as u64) as usize);
            rest = then;
            open.left -= now.len() as u64;
            match &mut open.to {
                To::Small(small) => small.extend_from_slice(now),
                To::Large(intake) => intake.take(now.to_vec()).await?,
            }
            self.end_file().await?;
        }
    }

    /// Shares the directory. Returns when others can find it.
    pub async fn finish(mut self) -> Result<Arc<Entry>> {
        self.begin_files().await?;
        if self.next < self.files.len() {
            let early = format!("{:?} ended too soon", self.files[self.next].path.as_str());
            return Err(Error::new(Code::InvalidArgument, early)
                .with_remedy("Share it again: the file has changed."));
        }
        self.pack().await?;
        let directory = Directory::new(std::mem::take(&mut self.files))?;
        let (cid, block) = directory.publish();
        let signed = sign(&self.collection, &self.about, cid, directory.size())?;
        let files = self.collection.files.clone();
        let _announced = Announced {
            collection: self.collection.clone(),
            cid,
        };
        once_in_reach(|| files.announce(&cid)).await?;
        let stored = put(self.collection.store.as_ref(), cid, &block).await?;
        let entry = Entry::new(stored, self.about.clone());
        self.own.push(entry.clone());
        self.keep(&entry).await?;
        let put = self.put(&entry, directory);
        // From here on it is the collection's.
        self.stays = true;
        if let Err(error) = put {
            self.collection.remove(&cid).await;
            return Err(error);
        }
        if let Some(signed) = signed {
            let words = signed.listing().tokens();
            files.list(signed);
            files.announce_words(&words);
        }
        Ok(entry)
    }

    /// Opens the next file, and those with nothing in them before it.
    async fn begin_files(&mut self) -> Result<()> {
        while self.open.is_none() && self.next < self.files.len() {
            let left = self.files[self.next].size;
            let to = match left <= PIECE {
                true => To::Small(Vec::with_capacity(left as usize)),
                false => To::Large(self.collection.store.begin(left).await?),
            };
            self.open = Some(Open { left, to });
            self.end_file().await?;
        }
        Ok(())
    }

    /// Stores the open file, if all of it is there.
    async fn end_file(&mut self) -> Result<()> {
        let Some(Open { to, .. }) = self.open.take_if(|open| open.left == 0) else {
            return Ok(());
        };
        let cid = match to {
            To::Small(bytes) => self.small(bytes).await?,
            To::Large(intake) => self.large(intake).await?,
        };
        self.files[self.next].cid = cid;
        self.next += 1;
        Ok(())
    }

    async fn small(&mut self, bytes: Vec<u8>) -> Result<Cid> {
        let cid = Cid::file(*blake3::hash(&bytes).as_bytes());
        if self.is_new(&cid) {
            self.packing.add(cid.root, bytes);
            if self.packing.is_full() {
                self.pack().await?;
            }
        }
        Ok(cid)
    }

    async fn large(&mut self, intake: Box<dyn Intake>) -> Result<Cid> {
        let stored = intake.finish().await?;
        let cid = stored.cid();
        match self.is_new(&cid) {
            true => self.own.push(Entry::new(stored, About::default())),
            false => stored.discard(),
        }
        Ok(cid)
    }

    /// Whether a file is neither in this directory yet nor stored for another one that is here.
    fn is_new(&mut self, cid: &Cid) -> bool {
        self.seen.insert(cid.root) && !self.collection.folders.is_stored(&cid.root)
    }

    async fn pack(&mut self) -> Result<()> {
        if !self.packing.is_empty() {
            let Collection { store, folders, .. } = &self.collection;
            let pack = self.packing.write(store.as_ref(), &folders.recent).await?;
            self.packs.push(pack);
        }
        Ok(())
    }

    /// Keeps what was stored for it; its list is the last: without that nothing comes back after a restart.
    async fn keep(&mut self, list: &Arc<Entry>) -> Result<()> {
        for (stored, _) in &self.packs {
            stored.keep(Note::of(Part::Pack).encode()).await?;
        }
        for entry in self.own.iter().filter(|entry| !Arc::ptr_eq(entry, list)) {
            entry.keep_as(Part::Member).await?;
        }
        list.keep(true).await
    }

    /// It is there from now on.
    fn put(&mut self, list: &Arc<Entry>, directory: Directory) -> Result<()> {
        let Collection { files, folders, .. } = &self.collection;
        let mut put = Vec::new();
        for (_, all) in &self.packs {
            put.extend(folders.put_packed(all.clone()));
        }
        for entry in self.own.iter().filter(|entry| !Arc::ptr_eq(entry, list)) {
            let member = Member::Own(entry.clone());
            match folders.put(entry.cid().root, member.clone()) {
                true => put.push(member),
                false => entry.discard(),
            }
        }
        let folder = Arc::new(Folder::new(list.clone(), directory));
        let missing = folder.look(folders);
        folder.announced.store(true, Ordering::Relaxed);
        for member in put {
            files.share(member.held())?;
        }
        files.share(list.clone())?;
        let cid = list.cid();
        let before = {
            let mut all = self.collection.all();
            folders.state().all.insert(cid, folder);
            all.insert(cid, list.clone())
        };
        if let Some(before) = before {
            before.discard();
            self.collection.unlist(&before);
        }
        match missing.is_empty() {
            true => Ok(()),
            // Another directory that had some of its files was removed meanwhile.
            false => Err(Error::new(
                Code::Cancelled,
                "files of this directory were removed while it was shared",
            )
            .with_remedy("Share it again.")),
        }
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        for (stored, _) in &self.packs {
            stored.discard();
        }
        self.own.iter().for_each(|entry| entry.discard());
    }
}

/// Puts the list of a directory into a store, under its own id.
async fn put(store: &dyn FileStore, cid: Cid, block: &[u8]) -> Result<Arc<dyn Stored>> {
    let (mut builder, mut hashes) = (TreeBuilder::new(), Vec::new());
    // It is far smaller than files may be.
    let _ = builder.take(block, &mut hashes);
    let tree = builder.finish(&mut hashes).tree;
    let stored = store.open(cid, tree).await?;
    for piece in 0..tree.pieces() {
        let sender = Sender::new(cid.root, tree, tree.piece(piece));
        let portion = Portion::fill(sender, usize::MAX, |need, out| {
            let (all, offset) = match need {
                Need::Hashes { offset, .. } => (hashes.as_slice(), offset),
                Need::Data { offset, .. } => (block, offset),
            };
            let found = all.get(offset as usize..);
            let found = found.and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(found.ok_or(FileRefusal::Gone)?);
            Ok(())
        });
        let damaged = || {
            Error::new(
                Code::Internal,
                "a directory is not what it was published as",
            )
        };
        let mut decoder = Decoder::new(cid.root, tree, tree.piece(piece));
        let (mut input, mut parts) = (portion.bytes.as_slice(), Vec::new());
        while let Some(part) = decoder.take(&mut input).map_err(|_| damaged())? {
            parts.push(part);
        }
        if !decoder.is_done() {
            return Err(damaged());
        }
        stored.write(parts).await?;
        stored.complete(piece).await?;
    }
    Ok(stored)
}
