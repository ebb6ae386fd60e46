//! What authors sign: messages, and receipts for them.
//!
//! Knows the signed bytes and their limits. Does not know where a message is, nor whether it was seen
//! before.

use minicbor::{Decode, Encode};

use crate::limits::{MAX_MESSAGE, MAX_SAFE_INTEGER, MAX_SIGNED_MESSAGE};
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::{Refusal, Value};
use crate::proto::{Millis, cbor};

/// Precedes the signed bytes of a message.
const MESSAGE_PREFIX: &[u8] = b"warren-direct-message-1\0";
/// Precedes those of a receipt.
const RECEIPT_PREFIX: &[u8] = b"warren-direct-receipt-1\0";
const VERSION: u64 = 1;

/// A random number for each start of an author's program; messages are counted in it.
pub type Session = [u8; 16];
/// What a message is called: made of author, session and number.
pub type Id = [u8; 16];

/// A message that its author signed. Made by [`Message::sign`] and [`Message::open`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who wrote it.
    pub author: PublicKey,
    /// Whom it is for.
    pub to: PublicKey,
    /// Which count of the author's it is part of.
    pub session: Session,
    /// Its place there, from 1.
    pub number: u64,
    /// When it was written, by the author's hybrid clock.
    pub time: Millis,
    /// At most 16 KiB.
    pub body: Value,
    bytes: Vec<u8>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct MessageWire<'a> {
    #[n(0)]
    version: u64,
    #[n(1)]
    network: NetworkId,
    #[n(2)]
    author: PublicKey,
    #[n(3)]
    to: PublicKey,
    #[cbor(n(4), with = "minicbor::bytes")]
    session: Session,
    #[n(5)]
    number: u64,
    #[n(6)]
    time: u64,
    /// The block of the body.
    #[cbor(b(7), with = "minicbor::bytes")]
    body: &'a [u8],
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Signed<'a> {
    #[cbor(b(0), with = "minicbor::bytes")]
    what: &'a [u8],
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// What of a message is not its content.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub to: PublicKey,
    pub session: Session,
    pub number: u64,
    pub time: Millis,
}

impl Message {
    /// Signs a message.
    pub fn sign(
        author: &SigningKey,
        network: &NetworkId,
        head: Head,
        body: &Value,
    ) -> Result<Message, Refusal> {
        let block = body.write(MAX_MESSAGE)?;
        let what = cbor::encode(&MessageWire {
            version: VERSION,
            network: network.clone(),
            author: author.public(),
            to: head.to,
            session: head.session,
            number: head.number,
            time: head.time,
            body: &block,
        });
        Ok(Message {
            author: author.public(),
            to: head.to,
            session: head.session,
            number: head.number,
            time: head.time,
            body: body.clone(),
            bytes: signed(MESSAGE_PREFIX, &what, author),
        })
    }

    /// Reads and verifies a message; every accepted message has exactly one encoding.
    pub fn open(bytes: &[u8], network: &NetworkId) -> Result<Message, Refusal> {
        let (message, verified) = Self::parse(bytes, network)?;
        match verified() {
            true => Ok(message),
            false => Err(Refusal::BadSignature),
        }
    }

    /// Reads a message that was verified before it was stored.
    pub(crate) fn stored(bytes: &[u8], network: &NetworkId) -> Result<Message, Refusal> {
        Ok(Self::parse(bytes, network)?.0)
    }

    fn parse<'a>(
        bytes: &'a [u8],
        network: &NetworkId,
    ) -> Result<(Message, impl FnOnce() -> bool + use<'a>), Refusal> {
        if bytes.len() > MAX_SIGNED_MESSAGE {
            return Err(Refusal::Oversized);
        }
        let envelope: Signed<'a> = cbor::decode(bytes)?;
        if cbor::first_integer(envelope.what)? != VERSION {
            return Err(Refusal::UnknownVersion);
        }
        let wire: MessageWire<'a> = cbor::decode(envelope.what)?;
        if wire.network != *network {
            return Err(Refusal::WrongNetwork);
        }
        let numbers = 1..=MAX_SAFE_INTEGER;
        if !numbers.contains(&wire.number) || wire.time > MAX_SAFE_INTEGER {
            return Err(Refusal::Malformed);
        }
        let author = wire.author;
        let message = Message {
            author,
            to: wire.to,
            session: wire.session,
            number: wire.number,
            time: wire.time,
            body: Value::read(wire.body, MAX_MESSAGE)?,
            bytes: bytes.to_vec(),
        };
        Ok((message, move || {
            verifies(MESSAGE_PREFIX, &envelope, &author)
        }))
    }

    /// As it travels and is stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it is called.
    pub fn id(&self) -> Id {
        id(&self.author, &self.session, self.number)
    }
}

/// What a message of an author is called.
pub(super) fn id(author: &PublicKey, session: &Session, number: u64) -> Id {
    let mut hasher = blake3::Hasher::new_derive_key("warren 2026 direct message id v1");
    hasher.update(author.as_bytes()).update(session);
    hasher.update(&number.to_be_bytes());
    let mut id = Id::default();
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    id
}

/// A recipient's word that it has stored all messages of a session below a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who has them.
    pub author: PublicKey,
    /// Who wrote them.
    pub to: PublicKey,
    /// In which session.
    pub session: Session,
    /// The number that is expected next.
    pub next: u64,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct ReceiptWire {
    #[n(0)]
    version: u64,
    #[n(1)]
    network: NetworkId,
    #[n(2)]
    author: PublicKey,
    #[n(3)]
    to: PublicKey,
    #[cbor(n(4), with = "minicbor::bytes")]
    session: Session,
    #[n(5)]
    next: u64,
}

impl Receipt {
    /// Signs a receipt; `author` is the recipient of the messages.
    pub fn sign(&self, author: &SigningKey, network: &NetworkId) -> Vec<u8> {
        let what = cbor::encode(&ReceiptWire {
            version: VERSION,
            network: network.clone(),
            author: author.public(),
            to: self.to,
            session: self.session,
            next: self.next,
        });
        signed(RECEIPT_PREFIX, &what, author)
    }

    /// Reads and verifies a receipt.
    pub fn open(bytes: &[u8], network: &NetworkId) -> Result<Receipt, Refusal> {
        if bytes.len() > MAX_SIGNED_MESSAGE {
            return Err(Refusal::Oversized);
        }
        let envelope: Signed<'_> = cbor::decode(bytes)?;
        if cbor::first_integer(envelope.what)? != VERSION {
            return Err(Refusal::UnknownVersion);
        }
        let wire: ReceiptWire = cbor::decode(envelope.what)?;
        if wire.network != *network {
            return Err(Refusal::WrongNetwork);
        }
        if wire.next > MAX_SAFE_INTEGER {
            return Err(Refusal::Malformed);
        }
        if !verifies(RECEIPT_PREFIX, &envelope, &wire.author) {
            return Err(Refusal::BadSignature);
        }
        Ok(Receipt {
            author: wire.author,
            to: wire.to,
            session: wire.session,
            next: wire.next,
        })
    }
}

fn signed(prefix: &[u8], what: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&[prefix, what].concat());
    cbor::encode(&Signed { what, signature })
}

fn verifies(prefix: &[u8], signed: &Signed<'_>, key: &PublicKey) -> bool {
    key.verify(&[prefix, signed.what].concat(), &signed.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> NetworkId {
        "test-net".parse().unwrap()
    }

    fn sample(length: usize) -> Result<Message, Refusal> {
        let (author, to) = (
            SigningKey::from_seed([1; 32]),
            SigningKey::from_seed([2; 32]),
        );
        let head = Head {
            to: to.public(),
            session: [7; 16],
            number: 1,
            time: 1_700_000_000_000,
        };
        Message::sign(&author, &network(), head, &Value::Bytes(vec![9; length]))
    }

    #[test]
    fn messages_up_to_the_limit_travel() {
        for length in [0, 1, MAX_MESSAGE] {
            let message = sample(length).unwrap();
            assert!(message.bytes().len() <= MAX_SIGNED_MESSAGE);
            assert_eq!(Message::open(message.bytes(), &network()), Ok(message));
        }
        assert_eq!(sample(MAX_MESSAGE + 1), Err(Refusal::Oversized));
    }

    #[test]
    fn a_message_counts_in_its_network_and_is_no_receipt() {
        let message = sample(3).unwrap();
        let other = "other-net".parse().unwrap();
        assert_eq!(
            Message::open(message.bytes(), &other),
            Err(Refusal::WrongNetwork)
        );
        assert!(Receipt::open(message.bytes(), &network()).is_err());
        let mut broken = message.bytes().to_vec();
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(
            Message::open(&broken, &network()),
            Err(Refusal::BadSignature)
        );
    }

    #[test]
    fn ids_differ_by_author_session_and_number() {
        let (one, two) = (
            SigningKey::from_seed([1; 32]),
            SigningKey::from_seed([2; 32]),
        );
        let ids = [
            id(&one.public(), &[7; 16], 1),
            id(&one.public(), &[7; 16], 2),
            id(&one.public(), &[8; 16], 1),
            id(&two.public(), &[7; 16], 1),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id));
        }
    }
}
