//! Why something is not kept, as exactly as a publisher can make use of it.

use std::fmt;

use super::super::cid::Cid;
use super::KeepRefusal;
use crate::error::{Code, Error};

/// See the module. Peers of before directories were kept read the first only: no other is said of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// No more than this is to be said.
    Why(KeepRefusal),
    /// A directory does not fit.
    NoRoom {
        /// [`KeepRefusal::TooLarge`] for its author, or [`KeepRefusal::Full`] now.
        why: KeepRefusal,
        /// Bytes that it takes there, with all that is beside its files.
        need: u64,
        /// Bytes that it may take.
        most: u64,
    },
    /// A directory has a file that the operator does not want.
    Unwanted(Cid),
}

impl NotKept {
    /// The reason without particulars.
    pub fn refusal(self) -> KeepRefusal {
        match self {
            NotKept::Why(why) | NotKept::NoRoom { why, .. } => why,
            NotKept::Unwanted(_) => KeepRefusal::Denied,
        }
    }
}

impl From<KeepRefusal> for NotKept {
    fn from(why: KeepRefusal) -> NotKept {
        NotKept::Why(why)
    }
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotKept::Why(why) => why.fmt(f),
            NotKept::NoRoom { why, need, most } => {
                let whom = match why {
                    KeepRefusal::TooLarge => "keeps at most",
                    _ => "has room for",
                };
                let whose = match why {
                    KeepRefusal::TooLarge => " for one author",
                    _ => ", and nothing there may go yet",
                };
                write!(
                    f,
                    "the directory takes {need} bytes there with all its files, and the relay {whom} {most}{whose}"
                )
            }
            NotKept::Unwanted(cid) => write!(
                f,
                "the relay's operator does not want a file of the directory: {cid}"
            ),
        }
    }
}

impl From<NotKept> for Error {
    fn from(not: NotKept) -> Error {
        let plain = Error::from(not.refusal());
        match not {
            NotKept::Why(_) => plain,
            NotKept::NoRoom { .. } => {
                Error::new(plain.code(), not.to_string()).with_remedy(plain.remedy())
            }
            NotKept::Unwanted(_) => Error::new(Code::Refused, not.to_string())
                .with_remedy("Share the directory without this file, or ask another relay."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_files_are_named() {
        let why = KeepRefusal::TooLarge;
        let large = Error::from(NotKept::NoRoom {
            why,
            need: 700,
            most: 512,
        });
        assert_eq!(large.code(), Code::TooLarge);
        let told = large.message();
        assert!(told.contains("takes 700 bytes"), "{told}");
        assert!(told.contains("at most 512 for one author"), "{told}");
        assert!(large.remedy().contains("--pin-quota"));
        let why = KeepRefusal::Full;
        let full = Error::from(NotKept::NoRoom {
            why,
            need: 700,
            most: 0,
        });
        assert_eq!(full.code(), Code::Overloaded);
        assert!(full.message().contains("has room for 0"), "{full}");
        let cid = Cid::file([7; 32]);
        let unwanted = Error::from(NotKept::Unwanted(cid));
        assert_eq!(unwanted.code(), Code::Refused);
        assert!(unwanted.message().contains(&cid.to_string()));
        let plain = KeepRefusal::Busy;
        assert_eq!(Error::from(NotKept::from(plain)), Error::from(plain));
    }
}
