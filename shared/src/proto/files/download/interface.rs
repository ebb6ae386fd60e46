//! What goes into a download and what comes out of it.

use crate::proto::Millis;
use crate::proto::files::pieces::Pieces;
use crate::proto::reputation::Evidence;

/// A source, by a number that whoever drives the download gives it: a new one for each connection.
pub type SourceId = u64;

/// A request, by a number that the download gives it.
pub type RequestId = u64;

/// How to download.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes that may be asked for at a time.
    pub in_flight: u64,
    /// Two peers with different seeds fetch in different orders, so that they have something for each other.
    pub seed: u64,
}

/// What a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Everything.
    All,
    /// These pieces.
    Some(Pieces),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fetch a piece.
    Fetch {
        /// To be named when something comes of it.
        request: RequestId,
        /// From whom.
        source: SourceId,
        /// Which.
        piece: u64,
        /// So many bytes of it are there already, from other requests. When that is all of it, it has arrived.
        skip: u64,
    },
    /// What comes of this request is not wanted any more. Nothing more is to be said of it.
    Cancel {
        /// Which.
        request: RequestId,
        /// Whom it was sent to.
        source: SourceId,
    },
    /// Ask a source which pieces it has by now.
    Ask {
        /// Which source.
        source: SourceId,
    },
    /// Have nothing more to do with a source in this download; its requests are given up.
    Leave {
        /// Which source.
        source: SourceId,
        /// Why.
        why: Leaving,
    },
    /// All that is wanted is there.
    Done,
}

/// Why a source is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It sent what is not the file.
    Lied,
    /// Its file has changed or vanished. That is no offence.
    Gone,
    /// It failed again and again, or has not what it says it has.
    Useless,
}

impl Leaving {
    /// What this says about a peer to others things than this download.
    pub fn evidence(self) -> Option<Evidence> {
        match self {
            Leaving::Lied => Some(Evidence::Invalid),
            Leaving::Gone => None,
            Leaving::Useless => Some(Evidence::Failed),
        }
    }
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What came did not verify.
    Lied,
    /// The source says that its file has changed or vanished.
    Gone,
    /// It says that it has not this piece.
    NotThere,
    /// It says that it has too much to do.
    Busy,
    /// The stream broke, or nothing came.
    Broken,
}

/// What a source is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It sends.
    Sending,
    /// It owes something and is silent.
    Silent,
    /// It is left alone for a while.
    Paused,
    /// It has nothing that is wanted, or waits for its turn.
    Idle,
}

/// One source, for people to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Which.
    pub source: SourceId,
    /// What it does.
    pub state: SourceState,
    /// Verified bytes that it gave.
    pub bytes: u64,
    /// Bytes in a second, of late.
    pub rate: u64,
    /// Its answer to the first request took so long.
    pub latency: Option<Millis>,
    /// Pieces that are asked of it.
    pub asked: usize,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pieces that are there, of those that are wanted.
    pub pieces: u64,
    /// Pieces that are wanted.
    pub wanted: u64,
    /// Bytes in a second from all sources that send.
    pub rate: u64,
}
