//! Direct messages: one sample of everything that is signed, sealed or encoded, and hostile versions of
//! it.

use super::mutations::{hex, mutate};
use super::vectors::Vector;
use super::{Checked, samples};
use crate::proto::direct::wire::{
    Delivery, Left, MailboxAnswer, MailboxRequest, NotTaken, Parcel, Taken, Waiting,
};
use crate::proto::direct::{Contact, Device, Head, Message, Receipt, open, seal};
use crate::proto::envelope::Envelope;
use crate::proto::key::SigningKey;
use crate::proto::prng::Prng;
use crate::proto::record::{Refusal, Value};

/// For whom the samples are.
fn recipient() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

/// The first message of a session.
fn message() -> Message {
    let head = Head {
        to: recipient().public(),
        session: [7; 16],
        number: 1,
        time: samples::NOW,
    };
    let body = Value::Json("\"hello\"".to_owned());
    Message::sign(&samples::author(), &samples::network(), head, &body).expect("it fits")
}

/// A receipt for it.
fn receipt() -> Vec<u8> {
    let receipt = Receipt {
        author: recipient().public(),
        to: samples::author().public(),
        session: [7; 16],
        next: 2,
    };
    receipt.sign(&recipient(), &samples::network())
}

fn parcels() -> [Parcel; 2] {
    let (settled, message) = (1, message().bytes().to_vec());
    let receipt = receipt();
    [
        Parcel::Message { settled, message },
        Parcel::Receipt { receipt },
    ]
}

/// The message in its seal.
fn sealed() -> Vec<u8> {
    seal(&recipient().public(), &parcels()[0].encode(), [9; 32])
}

fn contact() -> Envelope {
    let mut contact = Contact::default();
    contact.add(Device {
        peer: samples::transport().public().to_peer_id_bytes(),
        mailboxes: vec![SigningKey::from_seed([4; 32]).public().to_peer_id_bytes()],
        seen: samples::NOW,
    });
    let signed = contact.sign(&samples::author(), &samples::network(), 1, samples::NOW);
    signed.expect("within the limits")
}

fn deliveries() -> [Delivery; 2] {
    let (settled, messages) = (1, vec![message().bytes().to_vec()]);
    let receipt = receipt();
    [
        Delivery::Messages { settled, messages },
        Delivery::Receipt { receipt },
    ]
}

fn requests() -> [MailboxRequest; 2] {
    let parcel = Left {
        id: message().id(),
        sealed: sealed(),
    };
    [
        MailboxRequest::Leave {
            to: recipient().public(),
            parcels: vec![parcel],
        },
        MailboxRequest::Fetch {
            proof: samples::author_proof().bytes().to_vec(),
            after: 4,
            done: vec![3, 4],
        },
    ]
}

fn answers() -> [MailboxAnswer; 3] {
    let (place, sealed) = (5, sealed());
    let why = Refusal::Full;
    [
        MailboxAnswer::Kept { count: 1 },
        MailboxAnswer::Waiting {
            entries: vec![Waiting { place, sealed }],
            more: false,
        },
        MailboxAnswer::Refused { why },
    ]
}

fn delivery_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Delivery::decode(bytes).ok()?.encode())
}

fn taken_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(Taken::decode(bytes).ok()?.encode())
}

fn request_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(MailboxRequest::decode(bytes).ok()?.encode())
}

fn answer_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(MailboxAnswer::decode(bytes).ok()?.encode())
}

fn message_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let message = Message::open(bytes, &samples::network()).ok()?;
    Some(message.bytes().to_vec())
}

fn receipt_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let receipt = Receipt::open(bytes, &samples::network()).ok()?;
    Some(receipt.sign(&recipient(), &samples::network()))
}

fn sealed_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let plain = open(&recipient(), bytes).ok()?;
    Some(seal(&recipient().public(), &plain, [9; 32]))
}

fn contact_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let envelope = Envelope::open(bytes).ok()?;
    Contact::open(&envelope).ok()?;
    Some(envelope.bytes().to_vec())
}

/// All vectors about direct messages.
pub(super) fn vectors() -> Vec<Vector> {
    let vector = |name, make, again| Vector { name, make, again };
    let until = || Taken::Until { next: 2 }.encode();
    let refused = || {
        let why = NotTaken::Blocked;
        Taken::Refused { why }.encode()
    };
    vec![
        vector(
            "direct message",
            || message().bytes().to_vec(),
            message_again,
        ),
        vector("direct receipt", receipt, receipt_again),
        vector("direct sealed parcel", sealed, sealed_again),
        vector(
            "contact record",
            || contact().bytes().to_vec(),
            contact_again,
        ),
        vector(
            "direct delivery of messages",
            || deliveries()[0].encode(),
            delivery_again,
        ),
        vector(
            "direct delivery of a receipt",
            || deliveries()[1].encode(),
            delivery_again,
        ),
        vector("direct answer Until", until, taken_again),
        vector("direct answer Refused, blocked", refused, taken_again),
        vector(
            "mailbox request Leave",
            || requests()[0].encode(),
            request_again,
        ),
        vector(
            "mailbox request Fetch",
            || requests()[1].encode(),
            request_again,
        ),
        vector(
            "mailbox answer Kept",
            || answers()[0].encode(),
            answer_again,
        ),
        vector(
            "mailbox answer Waiting",
            || answers()[1].encode(),
            answer_again,
        ),
        vector(
            "mailbox answer Refused, full",
            || answers()[2].encode(),
            answer_again,
        ),
    ]
}

/// No mutation of a message, a receipt or a seal is accepted; one of a contact record neither.
pub fn signed(seed: u64, cases: u64) -> Checked {
    let originals = [
        message().bytes().to_vec(),
        receipt(),
        sealed(),
        contact().bytes().to_vec(),
    ];
    let readers = [message_again, receipt_again, sealed_again, contact_again];
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let original = &originals[prng.below(4) as usize];
        let other = &originals[prng.below(4) as usize];
        let mutant = mutate(original, other, &mut prng);
        let accepted = readers.iter().any(|read| read(&mutant).is_some());
        if accepted && !originals.contains(&mutant) {
            let mutant = hex(&mutant);
            return Err(format!("seed {seed}, case {case}: accepted {mutant}"));
        }
    }
    Ok(())
}

/// A mutated message of the protocols is refused, or is the one encoding of another one.
pub fn messages(seed: u64, cases: u64) -> Checked {
    type Reader = fn(&[u8]) -> Option<Vec<u8>>;
    let parcel_again: Reader = |bytes| Some(Parcel::decode(bytes).ok()?.encode());
    let mut originals: Vec<(Vec<u8>, Reader)> = Vec::new();
    originals.extend(deliveries().map(|one| (one.encode(), delivery_again as Reader)));
    originals.extend(requests().map(|one| (one.encode(), request_again as Reader)));
    originals.extend(answers().map(|one| (one.encode(), answer_again as Reader)));
    originals.extend(parcels().map(|one| (one.encode(), parcel_again)));
    originals.push((Taken::Until { next: 2 }.encode(), taken_again));
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let count = originals.len() as u64;
        let (original, again) = &originals[prng.below(count) as usize];
        let (other, _) = &originals[prng.below(count) as usize];
        let mutant = mutate(original, other, &mut prng);
        if again(&mutant).is_some_and(|again| again != mutant) {
            let mutant = hex(&mutant);
            return Err(format!("seed {seed}, case {case}: two encodings: {mutant}"));
        }
    }
    Ok(())
}
