//! Why a witness refused, as one byte on the wire.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::Response;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $number:literal $text:literal;)+) => {
        /// Why a witness does not do what it is asked. Numbers on the wire are only ever added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NameRefusal { $($(#[$doc])* $name,)+ }

        impl NameRefusal {
            /// All of them.
            pub const ALL: &[NameRefusal] = &[$(NameRefusal::$name,)+];

            /// The number on the wire.
            pub fn to_u8(self) -> u8 {
                match self { $(NameRefusal::$name => $number,)+ }
            }

            /// A short word for logs and counters.
            pub fn as_str(self) -> &'static str {
                match self { $(NameRefusal::$name => $text,)+ }
            }
        }
    };
}

refusals! {
    /// Bytes that mean nothing, or a signature that does not verify.
    Invalid 1 "invalid";
    /// Made for another network.
    WrongNetwork 2 "wrong-network";
    /// This node is no witness of the set, or hands over to the next one.
    NotWitness 3 "not-witness";
    /// Signed too long ago, or in the future; or the term is over.
    BadTime 4 "bad-time";
    /// Somebody is claiming it at this moment.
    Busy 5 "busy";
    /// The key left an attempt unfinished and must wait.
    Barred 6 "barred";
    /// Somebody holds it.
    Taken 7 "taken";
    /// A higher generation, or a newer claim or zone, is known.
    Older 8 "older";
    /// The claim gives no right to the name.
    NoRight 9 "no-right";
    /// The proof of work is missing.
    NoWork 10 "no-work";
    /// The attempt was seen before.
    Replayed 11 "replayed";
    /// There is no live provisional signature of this claim here.
    NotProvisional 12 "not-provisional";
    /// Too few live provisional signatures.
    NoQuorum 13 "no-quorum";
    /// Nobody holds the name.
    Unbound 14 "unbound";
    /// The operator of this witness refuses the name.
    Denied 15 "denied";
    /// Too many requests.
    RateLimited 16 "rate-limited";
    /// No room for more names.
    Full 17 "full";
    /// The disk of the witness failed.
    StorageFailed 18 "storage-failed";
}

impl NameRefusal {
    /// The reason with this number.
    pub fn from_u8(number: u8) -> Option<NameRefusal> {
        let all = NameRefusal::ALL.iter();
        all.copied().find(|refusal| refusal.to_u8() == number)
    }

    /// The answer that says no more than this.
    pub fn bare(self) -> Response {
        Response::Refused {
            why: self,
            until: None,
            top: 0,
            certificate: None,
        }
    }
}

impl fmt::Display for NameRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<C> Encode<C> for NameRefusal {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u8(self.to_u8())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for NameRefusal {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        NameRefusal::from_u8(d.u8()?).ok_or_else(|| decode::Error::message("unknown refusal"))
    }
}
