//! What the calls on a stream come to.

use super::super::frame::BadFrame;
use super::MAX_UNREAD;

/// Why a half of a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The remote gave up the stream.
    #[error("the remote reset the stream")]
    Reset,
    /// The remote does not read any more.
    #[error("the remote does not read this stream any more")]
    Stopped,
    /// The application closed this half before.
    #[error("the stream is closed for writing")]
    Closed,
    /// The channel went away before the stream ended.
    #[error("the connection ended before the stream did")]
    Lost,
    /// The reader was too slow for a sender without flow control.
    #[error("the reader was too slow: the remote sent {MAX_UNREAD} bytes that nobody read")]
    TooSlow,
    /// What arrived is not of this protocol.
    #[error(transparent)]
    Frame(#[from] BadFrame),
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// The remote has sent everything, and it was read.
    End,
    /// Nothing yet.
    Nothing,
}

/// How soon the waiting frames must be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// They end a half of the stream, and go at once.
    Flag,
    /// They only allow more payload, and go when there is room.
    Limit,
}
