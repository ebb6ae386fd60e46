//! Values: immutable ones under their hash, and this author's own under labels.

use super::Node;
use crate::error::{Code, Error, Result};
use crate::net::client::StoreReport;
use crate::net::overlay::Overlay;
use crate::proto::Millis;
use crate::proto::key::Key;
use crate::proto::record::{MutableValue, Record, Value, ValueBlock};

impl Node {
    /// Stores an immutable value under its hash.
    pub async fn put(&self, value: &Value) -> Result<(Key, StoreReport)> {
        let block = ValueBlock::new(value)?;
        let key = block.key();
        Ok((key, self.overlay.store(Record::Value(block)).await?))
    }

    /// Stores a new version of this author's value under a label.
    pub async fn set(
        &self,
        label: &str,
        value: &Value,
        lifetime: Millis,
    ) -> Result<(Key, u64, StoreReport)> {
        let block = ValueBlock::new(value)?;
        let key = MutableValue::key(&self.author(), label);
        for _ in 0..3 {
            let seq = match self.overlay.record_at(key).await? {
                Some(Record::Signed(envelope)) => envelope.body().seq + 1,
                _ => 1,
            };
            let now = self.overlay.client().now();
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
