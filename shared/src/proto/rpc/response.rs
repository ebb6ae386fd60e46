//! Responses: written for callers, and read from whoever was called.

use serde_json::{Map, Value};

use super::Fault;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_FRAME, MAX_RPC_BATCH};

/// What became of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// That of the request; null when the request had none that could be read.
    pub id: Value,
    /// What the method gave, or why it gave nothing.
    pub outcome: std::result::Result<Value, Fault>,
    /// For one of many results: whether it is one of them, and not the end. Nothing for a single one.
    pub more: Option<bool>,
}

impl Response {
    /// What a method gave.
    pub fn result(id: Value, value: Value) -> Response {
        Response {
            id,
            outcome: Ok(value),
            more: None,
        }
    }

    /// Why there is no result.
    pub fn fault(id: Value, fault: Fault) -> Response {
        Response {
            id,
            outcome: Err(fault),
            more: None,
        }
    }

    /// One of many results, or after the last one the end of them.
    pub fn part(id: Value, item: Option<Value>) -> Response {
        Response {
            id,
            more: Some(item.is_some()),
            outcome: Ok(item.unwrap_or(Value::Null)),
        }
    }

    /// The response as it travels. A result that does not fit becomes an error that says so.
    pub fn to_text(&self) -> String {
        self.written().0
    }

    /// The same, and whether it is what was to be said.
    pub fn written(&self) -> (String, bool) {
        fitting(self, MAX_FRAME - HEAD)
    }

    fn write(&self) -> String {
        let mut members = Map::new();
        members.insert("jsonrpc".into(), "2.0".into());
        members.insert("id".into(), self.id.clone());
        match &self.outcome {
            Ok(value) => members.insert("result".into(), value.clone()),
            Err(fault) => members.insert("error".into(), fault.to_value()),
        };
        if let Some(more) = self.more {
            members.insert("more".into(), more.into());
        }
        Value::Object(members).to_string()
    }
}

/// The head of the text in its frame.
const HEAD: usize = 3;
/// Room for a response that only says that the real one is too large, to the longest id.
const LEAST: usize = 512;

fn fitting(response: &Response, room: usize) -> (String, bool) {
    let text = response.write();
    match text.len() <= room {
        true => (text, true),
        false => {
            let refusal = Response::fault(response.id.clone(), Fault::too_large());
            (refusal.write(), false)
        }
    }
}

/// The responses to a batch in one message, in the order in which they are added.
#[derive(Debug)]
pub struct Batch {
    text: String,
    left: usize,
}

impl Batch {
    /// For so many responses.
    pub fn new(responses: usize) -> Batch {
        Batch {
            text: String::from("["),
            left: responses,
        }
    }

    /// Adds the next one; where it leaves no room for the others, it says that it is too large.
    pub fn add(&mut self, response: &Response) {
        self.left = self.left.saturating_sub(1);
        let taken = HEAD + self.text.len() + 2 + self.left * LEAST;
        let (written, _) = fitting(response, MAX_FRAME.saturating_sub(taken));
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(&written);
    }

    /// The message.
    pub fn end(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

/// What a message says to whoever made one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// The only result.
    Whole(Value),
    /// One of many results.
    Item(Value),
    /// There are no more of them.
    End,
}

/// Reads a message about the call with this id.
pub fn read_part(text: &str, id: u64) -> Result<Part> {
    let response = serde_json::from_str(text).ok().and_then(response);
    let response = response.ok_or_else(violated)?;
    // Who could not read the request does not know its id.
    if response.id != id && !(response.id.is_null() && response.outcome.is_err()) {
        return Err(violated());
    }
    let value = response.outcome?;
    Ok(match response.more {
        None => Part::Whole(value),
        Some(true) => Part::Item(value),
        Some(false) => Part::End,
    })
}

/// Reads the responses to a batch whose calls have the ids 1 to `calls`.
pub fn read_batch(text: &str, calls: usize) -> Result<Vec<Result<Value>>> {
    let all = match serde_json::from_str(text) {
        Ok(Value::Array(all)) if all.len() <= MAX_RPC_BATCH => all,
        // The batch as a whole was refused.
        Ok(one) => {
            let fault = response(one).and_then(|one| one.outcome.err());
            return Err(fault.map_or_else(violated, Error::from));
        }
        Err(_) => return Err(violated()),
    };
    let mut found: Vec<Option<Result<Value>>> = (0..calls).map(|_| None).collect();
    for one in all {
        let one = response(one).ok_or_else(violated)?;
        let place = one.id.as_u64().and_then(|id| id.checked_sub(1));
        let place = place.and_then(|place| found.get_mut(place as usize));
        match place {
            Some(place) if place.is_none() && one.more.is_none() => {
                *place = Some(one.outcome.map_err(Error::from));
            }
            _ => return Err(violated()),
        }
    }
    found
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(violated)
}

fn response(value: Value) -> Option<Response> {
    let Value::Object(mut members) = value else {
        return None;
    };
    if members.get("jsonrpc")?.as_str() != Some("2.0") {
        return None;
    }
    let outcome = match (members.remove("result"), members.remove("error")) {
        (Some(value), None) => Ok(value),
        (None, Some(fault)) => Err(Fault::from_value(fault)?),
        _ => return None,
    };
    let more = match members.remove("more") {
        None => None,
        Some(more) => Some(more.as_bool()?),
    };
    Some(Response {
        id: members.remove("id")?,
        outcome,
        more,
    })
}

fn violated() -> Error {
    Error::new(
        Code::ProtocolViolation,
        "what the peer answered is no JSON-RPC response to this call",
    )
}
