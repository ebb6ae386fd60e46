//! Directories of a collection, and what is there of their files.
//!
//! A directory's list is an entry of the collection, as a file is; its files are not: others get them under their ids, but
//! nobody is told of them, and they are there for as long as some directory has them. Where their bytes are is known to
//! [`packs`], how they come to [`fetching`] and [`sharing`].

mod fetching;
mod member;
mod opening;
mod packs;
mod restoring;
mod sharing;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::channel::oneshot;
use libp2p::PeerId;

pub use self::fetching::FollowingFolder;
use self::member::Member;
use self::opening::NotOpened;
use self::packs::Recent;
pub(super) use self::restoring::Loose;
pub use self::sharing::NewFolder;
use super::Files;
use super::entry::Entry;
use super::how::Tally;
use super::store::Held;
use crate::error::{Code, Error};
use crate::limits::PIECE;
use crate::proto::files::cid::{Cid, Root};
use crate::proto::files::directory::Directory;

/// See the module. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Folders {
    state: Arc<Mutex<State>>,
    recent: Recent,
}

#[derive(Default)]
struct State {
    all: BTreeMap<Cid, Arc<Folder>>,
    members: HashMap<Root, Member>,
}

impl Folders {
    /// The directory whose list this is, once that is there.
    pub fn get(&self, cid: &Cid) -> Option<Arc<Folder>> {
        self.state().all.get(cid).cloned()
    }

    /// What is there of a file that some directory has.
    pub fn entry(&self, cid: &Cid) -> Option<Arc<Entry>> {
        self.member(&cid.root).map(|member| member.entry())
    }

    /// The same, to be given to others.
    pub fn held(&self, cid: &Cid) -> Option<Arc<dyn Held>> {
        self.member(&cid.root).map(|member| member.held())
    }

    /// Ends with all of them. What is kept stays.
    pub fn close(&self, files: &Files) {
        let State { all, members } = std::mem::take(&mut *self.state());
        for (root, member) in members {
            files.unshare(&Cid::file(root));
            member.close();
        }
        all.values().for_each(|folder| folder.give_up());
    }

    /// Asks nobody for more of a directory's files, or goes on. Files that somebody fetches with another one go on in any
    /// case.
    pub fn pause(&self, cid: &Cid, on: bool) {
        let state = self.state();
        let Some(folder) = state.all.get(cid) else {
            return;
        };
        let busy = |other: &Folder| other.entry.is_followed() && !other.is_of(&folder.entry);
        let others = match on {
            true => state.wanted_by(|other| busy(other) && !other.entry.pause.is_on()),
            false => HashSet::new(),
        };
        for root in folder.members.iter().map(|wanted| wanted.cid.root) {
            if let Some(Member::Own(entry)) = state.members.get(&root)
                && !others.contains(&root)
            {
                entry.pause.turn(on);
            }
        }
    }

    /// A directory is not there any more; the ids of files that went with it, because no other one has them.
    pub fn forget(&self, cid: &Cid) -> Vec<Cid> {
        let mut state = self.state();
        let Some(folder) = state.all.remove(cid) else {
            return Vec::new();
        };
        let wanted = state.wanted_by(|_| true);
        let running = state.wanted_by(|other| !other.entry.pause.is_on());
        let gone = folder.members.iter().map(|member| member.cid);
        let gone: Vec<Cid> = gone.filter(|cid| !wanted.contains(&cid.root)).collect();
        let dropped: Vec<Member> = gone
            .iter()
            .filter_map(|cid| state.members.remove(&cid.root))
            .collect();
        // What was paused with it goes on for those that are not.
        for wanted in &folder.members {
            if let Some(Member::Own(entry)) = state.members.get(&wanted.cid.root)
                && running.contains(&wanted.cid.root)
            {
                entry.pause.end();
            }
        }
        drop(state);
        dropped.iter().for_each(Member::discard);
        folder.give_up();
        gone
    }

    /// Whether all of a file is there.
    fn is_whole(&self, root: &Root) -> bool {
        self.member(root).is_some_and(|member| member.is_whole())
    }

    /// Whether it is also where the store keeps it: what waits in memory may never be.
    fn is_stored(&self, root: &Root) -> bool {
        let member = self.member(root);
        member.is_some_and(|member| member.is_whole() && !matches!(member, Member::Waiting(_)))
    }

    fn member(&self, root: &Root) -> Option<Member> {
        self.state().members.get(root).cloned()
    }

    /// A file is there from now on, unless it was before: whether it is this one.
    fn put(&self, root: Root, member: Member) -> bool {
        let mut state = self.state();
        let new = match state.members.get(&root) {
            None => true,
            // What waited is in its pack now.
            Some(Member::Waiting(_)) => matches!(member, Member::Packed(_)),
            // What was on its way was handed over.
            Some(known) => !known.is_whole() && member.is_whole(),
        };
        if new && let Some(Member::Own(part)) = state.members.insert(root, member) {
            drop(state);
            part.discard();
        }
        new
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Files that some of these directories have.
    fn wanted_by(&self, which: impl Fn(&Folder) -> bool) -> HashSet<Root> {
        let folders = self.all.values().filter(|folder| which(folder));
        let members = folders.flat_map(|folder| &folder.members);
        members.map(|member| member.cid.root).collect()
    }
}

/// A file that a directory has, once or several times.
#[derive(Clone, Copy)]
struct Wanted {
    cid: Cid,
    size: u64,
    times: u64,
}

impl Wanted {
    /// Whether it goes into a pack.
    fn is_small(&self) -> bool {
        self.size <= PIECE
    }
}

/// A directory whose list is there.
pub struct Folder {
    entry: Arc<Entry>,
    directory: Directory,
    members: Vec<Wanted>,
    /// Those of its files that nobody has begun to fetch: small ones, and others.
    queue: Mutex<[VecDeque<Wanted>; 2]>,
    /// Who waits for one of its files to be begun, or to be there if it is small.
    waiting: Mutex<Vec<(Root, oneshot::Sender<()>)>>,
    tallies: Mutex<Vec<Weak<Tally>>>,
    /// Bytes of those files that are known to be whole, and how many files that are.
    there: AtomicU64,
    whole: AtomicU64,
    /// Whether others were told that all of it is here.
    announced: AtomicBool,
}

impl Folder {
    fn new(entry: Arc<Entry>, directory: Directory) -> Folder {
        let mut members: Vec<Wanted> = Vec::new();
        let mut known: HashMap<Root, usize> = HashMap::new();
        for file in directory.entries() {
            let at = *known.entry(file.cid.root).or_insert(members.len());
            match members.get_mut(at) {
                Some(member) => member.times += 1,
                None => members.push(Wanted {
                    cid: file.cid,
                    size: file.size,
                    times: 1,
                }),
            }
        }
        Folder {
            entry,
            directory,
            members,
            queue: Mutex::default(),
            waiting: Mutex::default(),
            tallies: Mutex::default(),
            there: AtomicU64::new(0),
            whole: AtomicU64::new(0),
            announced: AtomicBool::new(false),
        }
    }

    /// Whether this is the entry of its list, and no later one.
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        std::ptr::eq(&*self.entry, entry)
    }

    /// Its list.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whether all of its files are there.
    pub fn is_complete(&self) -> bool {
        self.whole.load(Ordering::Relaxed) >= self.members.len() as u64
    }

    /// Whether nothing more of it is asked for, though some is missing.
    pub fn is_paused(&self) -> bool {
        self.entry.pause.is_on() && !self.is_complete()
    }

    /// Peers that send files of it, or could.
    pub fn sources(&self) -> usize {
        let tallies = locked(&self.tallies);
        let live = tallies.iter().filter_map(Weak::upgrade);
        let sources: HashSet<PeerId> = live.flat_map(|tally| tally.sources.peers()).collect();
        sources.len()
    }

    /// Moves whenever something comes of it.
    fn pulse(&self) -> u64 {
        let tallies = locked(&self.tallies);
        let live = tallies.iter().filter_map(Weak::upgrade);
        let coming: u64 = live.map(|tally| tally.came.load(Ordering::Relaxed)).sum();
        self.there.load(Ordering::Relaxed) + coming
    }

    /// Counts what is there of its files; those that are not, in the order of their paths.
    fn look(&self, folders: &Folders) -> Vec<Wanted> {
        let state = folders.state();
        let whole = |wanted: &&Wanted| {
            let member = state.members.get(&wanted.cid.root);
            member.is_some_and(Member::is_whole)
        };
        let (there, missing): (Vec<Wanted>, Vec<Wanted>) =
            self.members.iter().partition(|wanted| whole(wanted));
        let bytes = there.iter().map(|wanted| wanted.size * wanted.times);
        self.there.store(bytes.sum(), Ordering::Relaxed);
        self.whole.store(there.len() as u64, Ordering::Relaxed);
        missing
    }

    /// One more file is whole.
    fn came(&self, wanted: &Wanted) {
        let bytes = wanted.size * wanted.times;
        self.there.fetch_add(bytes, Ordering::Relaxed);
        self.whole.fetch_add(1, Ordering::Relaxed);
        self.wake(&wanted.cid.root);
    }

    /// Resolves when a file was begun, if that ever happens; nothing else is begun before it.
    fn arrival(&self, root: Root) -> oneshot::Receiver<()> {
        let (arrived, arrival) = oneshot::channel();
        let mut waiting = locked(&self.waiting);
        waiting.retain(|(_, waiter)| !waiter.is_canceled());
        waiting.push((root, arrived));
        drop(waiting);
        self.hasten(root);
        arrival
    }

    /// A file comes before the others.
    fn hasten(&self, root: Root) {
        for queue in &mut *locked(&self.queue) {
            let at = queue.iter().position(|wanted| wanted.cid.root == root);
            if let Some(wanted) = at.and_then(|at| queue.remove(at)) {
                queue.push_front(wanted);
            }
        }
    }

    fn wake(&self, root: &Root) {
        let mut waiting = locked(&self.waiting);
        for (_, waiter) in waiting.extract_if(.., |(of, _)| of == root) {
            let _ = waiter.send(());
        }
    }

    /// Nobody fetches it any more: nobody waits for what is not there.
    pub(super) fn give_up(&self) {
        locked(&self.waiting).clear();
        locked(&self.queue)
            .iter_mut()
            .for_each(|queue| queue.clear());
    }

    fn tally(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        let mut tallies = locked(&self.tallies);
        tallies.retain(|other| other.strong_count() > 0);
        tallies.push(Arc::downgrade(&tally));
        tally
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_such_file() -> Error {
    Error::new(Code::NotFound, "the directory has no such file")
        .with_remedy("Look at its entries for what it has.")
}
