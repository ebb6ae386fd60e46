//! ICE candidates as they travel: the JSON of a browser's `RTCIceCandidate`, or of nothing.
//!
//! Whether a candidate leads anywhere is the WebRTC stack's to find out.

use serde_json::Value;

use crate::limits::SIGNALING_CANDIDATE;

/// A way to one of the ends, as its stack describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What follows `a=` in a description; never empty.
    pub text: String,
    /// Which section it belongs to, by name.
    pub mid: Option<String>,
    /// The same by position. Where a message says neither it is 0: there is one section.
    pub line: Option<u16>,
    /// The ICE user that it belongs to.
    pub ufrag: Option<String>,
}

/// What one message adds to what is known of the ways to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trickled {
    /// One more.
    Candidate(Candidate),
    /// There will be no more, for now at least.
    End,
}

/// The text of a message is neither a candidate nor the end of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadCandidate {
    /// Longer than [`SIGNALING_CANDIDATE`].
    #[error("a candidate is longer than allowed")]
    TooLong,
    /// Not what a browser makes of a candidate.
    #[error("a candidate is damaged")]
    Damaged,
}

impl Trickled {
    /// Reads the text of a message. The end has many forms: browsers make `null` of it, or a candidate
    /// with an empty text, and others leave the text out.
    pub fn parse(json: &str) -> Result<Self, BadCandidate> {
        if json.len() > SIGNALING_CANDIDATE {
            return Err(BadCandidate::TooLong);
        }
        if json.is_empty() {
            return Ok(Trickled::End);
        }
        let value: Value = serde_json::from_str(json).map_err(|_| BadCandidate::Damaged)?;
        match &value {
            Value::Null => return Ok(Trickled::End),
            Value::String(text) if text.is_empty() => return Ok(Trickled::End),
            Value::Object(_) => {}
            _ => return Err(BadCandidate::Damaged),
        }
        let text = text(&value, "candidate")?.unwrap_or_default();
        if text.is_empty() {
            return Ok(Trickled::End);
        }
        // It becomes a line of a description.
        if text.chars().any(char::is_control) {
            return Err(BadCandidate::Damaged);
        }
        Candidate::read(text, &value).map(Trickled::Candidate)
    }

    /// The text of a message.
    pub fn to_json(&self) -> String {
        let Trickled::Candidate(candidate) = self else {
            return Value::Null.to_string();
        };
        let object = serde_json::json!({
            "candidate": candidate.text,
            "sdpMid": candidate.mid,
            "sdpMLineIndex": candidate.line,
            "usernameFragment": candidate.ufrag,
        });
        object.to_string()
    }
}

impl Candidate {
    fn read(candidate: String, value: &Value) -> Result<Self, BadCandidate> {
        let mid = text(value, "sdpMid")?;
        let line = match &value["sdpMLineIndex"] {
            Value::Null => mid.is_none().then_some(0),
            number => {
                let number = number.as_u64().and_then(|number| number.try_into().ok());
                Some(number.ok_or(BadCandidate::Damaged)?)
            }
        };
        Ok(Candidate {
            text: candidate,
            mid,
            line,
            ufrag: text(value, "usernameFragment")?,
        })
    }
}

fn text(value: &Value, name: &str) -> Result<Option<String>, BadCandidate> {
    match &value[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(BadCandidate::Damaged),
    }
}
