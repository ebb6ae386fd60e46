//! Messages about records, names and direct messages inside frames. Those of commands are in `rpc`.

use super::codec::Message;
#[cfg(feature = "apps")]
use crate::proto::{chat, direct::wire as direct};
use crate::proto::{names, record};

macro_rules! frame {
    ($($message:ty),+) => {$(
        impl Message for $message {
            fn to_frame(&self) -> Vec<u8> {
                self.encode()
            }
            fn from_frame(bytes: &[u8]) -> Result<Self, String> {
                Self::decode(bytes).map_err(|refusal| refusal.as_str().to_owned())
            }
        }
    )+};
}

frame!(
    record::wire::Request,
    record::wire::Answer,
    names::wire::Request,
    names::wire::Answer
);

#[cfg(feature = "apps")]
frame!(
    direct::Delivery,
    direct::Taken,
    direct::MailboxRequest,
    direct::MailboxAnswer,
    chat::history::Request,
    chat::history::Answer
);
