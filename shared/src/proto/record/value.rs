//! Values: JSON text or bytes, as an immutable block or inside a signed envelope.
//!
//! Knows the block and its limits. Does not interpret JSON beyond checking that every reader can
//! parse it.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::Refusal;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_CONTENT, MAX_JSON_DEPTH, MAX_PAYLOAD};
use crate::proto::Millis;
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{Key, NetworkId, SigningKey};

/// Domain of a user's mutable values.
pub const VALUE_DOMAIN: &str = "value";

const KIND_JSON: u8 = 0;
const KIND_BYTES: u8 = 1;

/// What users store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// JSON text.
    Json(String),
    /// Anything.
    Bytes(Vec<u8>),
}

impl Value {
    /// Encodes a value with at most so many bytes of content.
    pub(in crate::proto) fn write(&self, most: usize) -> Result<Vec<u8>, Refusal> {
        check(self, most)?;
        Ok(encode(self))
    }

    /// Reads what [`Self::write`] gave; refuses every other encoding.
    pub(in crate::proto) fn read(bytes: &[u8], most: usize) -> Result<Value, Refusal> {
        let value = decode(bytes).ok_or(Refusal::Malformed)?;
        check(&value, most)?;
        match encode(&value) == bytes {
            true => Ok(value),
            false => Err(Refusal::Malformed),
        }
    }
}

/// A value in its one encoding: deterministic CBOR `[kind, content]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueBlock {
    value: Value,
    bytes: Vec<u8>,
}

impl ValueBlock {
    /// Checks and encodes a value.
    pub fn new(value: &Value) -> Result<ValueBlock> {
        let bytes = value
            .write(MAX_CONTENT)
            .map_err(|refusal| not_storable(value, refusal))?;
        Ok(ValueBlock {
            value: value.clone(),
            bytes,
        })
    }

    /// Reads a block; refuses every encoding but its one.
    pub fn open(bytes: &[u8]) -> Result<ValueBlock, Refusal> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(Refusal::Oversized);
        }
        Ok(ValueBlock {
            value: Value::read(bytes, MAX_CONTENT)?,
            bytes: bytes.to_vec(),
        })
    }

    /// What it holds.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The encoded block.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where an immutable value lives.
    pub fn key(&self) -> Key {
        Key::value(&self.bytes)
    }
}

fn encode(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let written = match value {
        Value::Json(text) => encoder.array(2).and_then(|e| e.u8(KIND_JSON)?.str(text)),
        Value::Bytes(bytes) => encoder
            .array(2)
            .and_then(|e| e.u8(KIND_BYTES)?.bytes(bytes)),
    };
    written.expect("writing to memory cannot fail");
    encoder.into_writer()
}

fn decode(bytes: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    if decoder.array().ok()? != Some(2) {
        return None;
    }
    match (decoder.u8().ok()?, decoder.datatype().ok()?) {
        (KIND_JSON, Type::String) => Some(Value::Json(decoder.str().ok()?.to_owned())),
        (KIND_BYTES, Type::Bytes) => Some(Value::Bytes(decoder.bytes().ok()?.to_vec())),
        _ => None,
    }
}

fn check(value: &Value, most: usize) -> Result<(), Refusal> {
    let length = match value {
        Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    };
    if length > most {
        return Err(Refusal::Oversized);
    }
    match value {
        Value::Json(text) => check_json(text).map_err(|_| Refusal::Malformed),
        Value::Bytes(_) => Ok(()),
    }
}

/// The depth is checked first, so that the parser never recurses on hostile input.
fn check_json(text: &str) -> Result<(), String> {
    if json_depth(text) > MAX_JSON_DEPTH {
        return Err(format!("nested deeper than {MAX_JSON_DEPTH} levels"));
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn json_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn not_storable(value: &Value, refusal: Refusal) -> Error {
    match (value, refusal) {
        (_, Refusal::Oversized) => Error::new(
            Code::TooLarge,
            format!("a value holds at most {MAX_CONTENT} bytes"),
        ),
        (Value::Json(text), _) => Error::new(Code::InvalidArgument, "not valid JSON")
            .caused_by(check_json(text).err().unwrap_or_default())
            .with_remedy("Pass valid JSON, or store it as bytes."),
        (Value::Bytes(_), _) => Error::new(Code::InvalidArgument, "cannot store this value"),
    }
}

/// A user's mutable value: a block in an envelope with the domain [`VALUE_DOMAIN`].
pub struct MutableValue;

impl MutableValue {
    /// Signs a value under a label of the author.
    pub fn sign(
        author: &SigningKey,
        network: &NetworkId,
        label: &str,
        block: &ValueBlock,
        seq: u64,
        (issued, expires): (Millis, Millis),
    ) -> Result<Envelope> {
        let body = Body {
            domain: VALUE_DOMAIN.to_owned(),
            network: network.clone(),
            key: author.public(),
            label: label.to_owned(),
            seq,
            issued,
            expires,
            payload: block.bytes().to_vec(),
        };
        Envelope::sign(body, author)
    }

    /// The block in an envelope of that domain.
    pub fn open(envelope: &Envelope) -> Result<ValueBlock, Refusal> {
        if envelope.body().domain != VALUE_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        ValueBlock::open(&envelope.body().payload)
    }

    /// Where an author's value with this label lives.
    pub fn key(author: &crate::proto::key::PublicKey, label: &str) -> Key {
        Key::record(VALUE_DOMAIN, author, label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        Value::Json(text.to_owned())
    }

    #[test]
    fn round_trips() {
        for value in [
            json("{\"a\":[1,2.5,null]}"),
            json("\"\""),
            Value::Bytes(vec![]),
            Value::Bytes(vec![7; 8192]),
        ] {
            let block = ValueBlock::new(&value).unwrap();
            assert_eq!(ValueBlock::open(block.bytes()).unwrap(), block);
            assert_eq!(block.value(), &value);
        }
    }

    #[test]
    fn kinds_have_different_keys() {
        let text = ValueBlock::new(&json("1")).unwrap();
        let bytes = ValueBlock::new(&Value::Bytes(b"1".to_vec())).unwrap();
        assert_ne!(text.key(), bytes.key());
    }

    #[test]
    fn refuses_what_some_reader_could_not_parse() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        for bad in ["", "{", "nul", "1 2", "\"\\ud800\"", "1e999", "'a'", &deep] {
            let error = ValueBlock::new(&json(bad)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{bad}");
            assert!(error.cause().is_some_and(|cause| !cause.is_empty()));
        }
        let allowed = format!("{}\"[[[[\\\"[\"{}", "[".repeat(64), "]".repeat(64));
        ValueBlock::new(&json(&allowed)).unwrap();
    }

    #[test]
    fn says_clearly_when_too_large() {
        let error = ValueBlock::new(&Value::Bytes(vec![0; 8193])).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge);
        assert!(error.message().contains("8192"));
        assert_eq!(
            ValueBlock::open(&encode(&Value::Bytes(vec![0; 8193]))),
            Err(Refusal::Oversized)
        );
        assert_eq!(ValueBlock::open(&[0; 20_000]), Err(Refusal::Oversized));
    }

    #[test]
    fn refuses_other_encodings() {
        for bad in [
            &[][..],
            &[0x82, 0x01],
            &[0x82, 0x01, 0x41],
            &[0x82, 0x00, 0x41, 0x31],
            &[0x82, 0x02, 0x41, 0x31],
            &[0x82, 0x18, 0x01, 0x41, 0x31],
            &[0x82, 0x01, 0x58, 0x01, 0x31],
            &[0x82, 0x01, 0x41, 0x31, 0x00],
            &[0x83, 0x01, 0x41, 0x31, 0x00],
            &[0x9f, 0x01, 0x41, 0x31, 0xff],
            &[0x82, 0x00, 0x61, 0xff],
        ] {
            assert_eq!(ValueBlock::open(bad), Err(Refusal::Malformed), "{bad:?}");
        }
    }
}
