//! Values: immutable ones under their hash, and this author's own under labels.

use super::Node;
use crate::error::{Code, Error, Result};
use crate::net::client::StoreReport;
use crate::net::overlay::Overlay;
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::{MutableValue, Record, VALUE_DOMAIN, Value, ValueBlock};

/// Each try that fails has met a version that somebody else wrote meanwhile.
pub(super) const WRITE_TRIES: usize = 3;

/// The version after `known`. Never below the time: when all nodes have forgotten a record, an old
/// copy of it that somebody puts back must not win against what is written then.
pub(super) fn next_seq(known: u64, now: Millis) -> u64 {
    known.saturating_add(1).max(now)
}

/// The value inside a record that was read.
pub fn value_of(record: &Record) -> Result<ValueBlock> {
    match record {
        Record::Value(block) => Ok(block.clone()),
        Record::Signed(envelope) if envelope.body().domain != VALUE_DOMAIN => Err(Error::new(
            Code::InvalidKey,
            "what is stored at this key is not a value, but what a peer says about itself",
        )
        .with_remedy("Find that peer by its id instead.")),
        Record::Signed(envelope) => Ok(MutableValue::open(envelope)?),
    }
}

impl Node {
    /// Stores an immutable value under its hash.
    pub async fn put(&self, value: &Value) -> Result<(Key, StoreReport)> {
        let block = ValueBlock::new(value)?;
        let key = block.key();
        Ok((key, self.overlay.store(Record::Value(block)).await?))
    }

    /// Stores a new version of this author's value under a label. Calls for one label are carried out
    /// in their order.
    pub async fn set(
        &self,
        label: &str,
        value: &Value,
        lifetime: Millis,
    ) -> Result<(Key, u64, StoreReport)> {
        let block = ValueBlock::new(value)?;
        let key = MutableValue::key(&self.author(), label);
        let mut turn = self.turns.take(&format!("set {label}"));
        turn.come().await;
        for _ in 0..WRITE_TRIES {
            let known = match self.overlay.record_at(key).await? {
                Some(Record::Signed(envelope)) => envelope.body().seq,
                _ => 0,
            };
            let now = self.overlay.client().now();
            let seq = next_seq(known, now);
            let envelope = MutableValue::sign(
                &self.keys.author,
                &self.keys.network,
                label,
                &block,
                seq,
                (now, now + lifetime),
            )?;
            match self.overlay.store(Record::Signed(envelope)).await {
                Err(error) if error.code() == Code::Older => continue,
                other => return other.map(|report| (key, seq, report)),
            }
        }
        Err(Error::new(
            Code::Older,
            "somebody else keeps writing this value with the same author key",
        ))
    }

    /// The verified record at a key.
    pub async fn get(&self, key: Key) -> Result<Record> {
        self.overlay
            .record_at(key)
            .await?
            .ok_or_else(|| Error::new(Code::NotFound, format!("nothing is stored at {key}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key::SigningKey;
    use crate::proto::record::peer::PeerRecord;

    #[test]
    fn versions_rise_with_the_time_and_never_fall() {
        assert_eq!(next_seq(0, 1_000), 1_000, "nobody knows a version");
        assert_eq!(next_seq(7, 1_000), 1_000);
        assert_eq!(next_seq(1_000, 1_000), 1_001, "twice in a millisecond");
        assert_eq!(next_seq(5_000, 1_000), 5_001, "written by a fast clock");
    }

    #[test]
    fn what_is_no_value_is_named() {
        let key = SigningKey::from_seed([1; 32]);
        let network = "testnet".parse().unwrap();
        let peer = PeerRecord {
            addresses: vec![],
            relays: vec![],
            mailboxes: vec![],
            capabilities: vec![],
            author: None,
        };
        let record = Record::Signed(peer.sign(&key, &network, 1, 1_000).unwrap());
        let error = value_of(&record).unwrap_err();
        assert_eq!(error.code(), Code::InvalidKey);
        assert!(error.remedy().contains("peer"));
    }
}
