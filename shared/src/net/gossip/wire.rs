//! The messages of gossipsub, as far as a leaf needs them: subscriptions and publications.
//!
//! Control messages are passed over. A leaf is in no mesh, gossips about nothing and asks for nothing:
//! its relays send it everything.

use bytes::Bytes;

use crate::protobuf::{Damaged, put_bytes, put_varint, skip, take_bytes, take_varint};

const SUBSCRIPTION: u64 = 1 << 3 | 2;
const PUBLISH: u64 = 2 << 3 | 2;
/// Fields of a subscription.
const ON: u64 = 1 << 3;
const TOPIC_ID: u64 = 2 << 3 | 2;
/// Fields of a publication. The others would name or prove its sender, which is refused here.
const DATA: u64 = 2 << 3 | 2;
const TOPIC: u64 = 4 << 3 | 2;

/// What another peer said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rpc {
    /// Topics that it wants, or wants no more.
    pub subscriptions: Vec<(bool, Bytes)>,
    /// Packets and their topics.
    pub published: Vec<(Bytes, Bytes)>,
}

/// Says which topics are wanted, or are not any more.
pub(super) fn subscriptions<'a>(on: bool, topics: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut rpc = Vec::new();
    for topic in topics {
        let mut one = Vec::new();
        put_varint(&mut one, ON);
        put_varint(&mut one, u64::from(on));
        put_bytes(&mut one, TOPIC_ID, topic.as_bytes());
        put_bytes(&mut rpc, SUBSCRIPTION, &one);
    }
    rpc
}

/// A packet for everybody who wants its topic.
pub(super) fn publication(topic: &str, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    put_bytes(&mut message, DATA, data);
    put_bytes(&mut message, TOPIC, topic.as_bytes());
    let mut rpc = Vec::new();
    put_bytes(&mut rpc, PUBLISH, &message);
    rpc
}

/// Reads what another peer said.
pub(super) fn decode(frame: Vec<u8>) -> Result<Rpc, Damaged> {
    let mut bytes = Bytes::from(frame);
    let mut rpc = Rpc::default();
    while !bytes.is_empty() {
        match take_varint(&mut bytes)? {
            SUBSCRIPTION => {
                let mut one = take_bytes(&mut bytes)?;
                rpc.subscriptions.push(subscription(&mut one)?);
            }
            PUBLISH => {
                let mut message = take_bytes(&mut bytes)?;
                rpc.published.extend(published(&mut message)?);
            }
            other => skip(other, &mut bytes)?,
        }
    }
    Ok(rpc)
}

fn subscription(bytes: &mut Bytes) -> Result<(bool, Bytes), Damaged> {
    let (mut on, mut topic) = (false, Bytes::new());
    while !bytes.is_empty() {
        match take_varint(bytes)? {
            ON => on = take_varint(bytes)? != 0,
            TOPIC_ID => topic = take_bytes(bytes)?,
            other => skip(other, bytes)?,
        }
    }
    Ok((on, topic))
}

/// Nothing, if it names its sender: packets here prove themselves.
fn published(bytes: &mut Bytes) -> Result<Option<(Bytes, Bytes)>, Damaged> {
    let (mut data, mut topic, mut signed) = (Bytes::new(), Bytes::new(), false);
    while !bytes.is_empty() {
        match take_varint(bytes)? {
            DATA => data = take_bytes(bytes)?,
            TOPIC => topic = take_bytes(bytes)?,
            other => {
                signed |= matches!(other >> 3, 1 | 3 | 5 | 6);
                skip(other, bytes)?;
            }
        }
    }
    Ok((!signed).then_some((topic, data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        assert_eq!(
            subscriptions(true, ["ab"].into_iter()),
            [0x0a, 6, 0x08, 1, 0x12, 2, b'a', b'b']
        );
        assert_eq!(
            publication("ab", &[7, 8]),
            [0x12, 8, 0x12, 2, 7, 8, 0x22, 2, b'a', b'b']
        );
    }

    #[test]
    fn what_is_written_is_read_and_the_rest_passed_over() {
        let mut frame = subscriptions(true, ["x", "y"].into_iter());
        frame.extend(subscriptions(false, ["z"].into_iter()));
        // A GRAFT, which a leaf does not care for.
        frame.extend([0x1a, 5, 0x1a, 3, 0x0a, 1, b'x']);
        frame.extend(publication("x", b"data"));
        let rpc = decode(frame.clone()).unwrap();
        let topics: Vec<_> = rpc
            .subscriptions
            .iter()
            .map(|(on, t)| (*on, &t[..]))
            .collect();
        assert_eq!(topics, [(true, &b"x"[..]), (true, b"y"), (false, b"z")]);
        assert_eq!(rpc.published, [(Bytes::from("x"), Bytes::from("data"))]);
        for end in 1..frame.len() {
            let _ = decode(frame[..end].to_vec());
        }
        assert_eq!(decode(vec![0x12, 9, 1]), Err(Damaged));
    }

    #[test]
    fn packets_that_name_their_sender_are_dropped() {
        for field in [1u8, 3, 5, 6] {
            let message = [0x12, 1, 7, 0x22, 1, b'x', field << 3 | 2, 1, 9];
            let frame = [&[0x12, message.len() as u8], &message[..]].concat();
            assert!(decode(frame).unwrap().published.is_empty(), "field {field}");
        }
    }
}
