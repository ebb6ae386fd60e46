//! Requests: read from what a stranger sent, and written for others to read.

use serde_json::{Map, Value};

use super::{Fault, Response};
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_METHOD, MAX_RPC_BATCH, MAX_RPC_ID};

/// A call, or a notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Names the call in its response: text, a number or null. Nobody responds to what has none.
    pub id: Option<Value>,
    /// What is called.
    pub method: String,
    /// With what: an array, an object, or null when nothing was sent.
    pub params: Value,
}

/// What came in one message. What is wrong with it is said by the response that is due.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// One request.
    One(std::result::Result<Request, Response>),
    /// Several, to be answered together.
    Batch(Vec<std::result::Result<Request, Response>>),
}

impl Incoming {
    /// Reads what a peer sent.
    pub fn read(text: &str) -> Incoming {
        let refused = |fault| Incoming::One(Err(Response::fault(Value::Null, fault)));
        match serde_json::from_str(text) {
            Err(_) => refused(Fault::parse_error()),
            Ok(Value::Array(all)) if all.is_empty() => {
                refused(Fault::invalid_request("an empty batch"))
            }
            Ok(Value::Array(all)) if all.len() > MAX_RPC_BATCH => refused(Fault::invalid_request(
                "more requests than a batch may have",
            )),
            Ok(Value::Array(all)) => Incoming::Batch(all.into_iter().map(request).collect()),
            Ok(one) => Incoming::One(request(one)),
        }
    }
}

fn request(value: Value) -> std::result::Result<Request, Response> {
    let Value::Object(mut members) = value else {
        return Err(Response::fault(
            Value::Null,
            Fault::invalid_request("not an object"),
        ));
    };
    let id = members.remove("id");
    let fits = id.as_ref().is_none_or(is_id);
    let told = id.clone().filter(is_id).unwrap_or(Value::Null);
    let refuse = |why: &str| Err(Response::fault(told.clone(), Fault::invalid_request(why)));
    if !fits {
        return refuse("the id is no text, number or null");
    }
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refuse("not JSON-RPC 2.0");
    }
    let method = match members.remove("method") {
        Some(Value::String(method)) if (1..=MAX_METHOD).contains(&method.len()) => method,
        _ => return refuse("no method, or a name that is too long"),
    };
    let params = members.remove("params");
    if params.as_ref().is_some_and(|params| !is_structured(params)) {
        return refuse("the parameters are no array or object");
    }
    Ok(Request {
        id,
        method,
        params: params.unwrap_or(Value::Null),
    })
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(text) => text.len() <= MAX_RPC_ID,
        Value::Number(_) | Value::Null => true,
        _ => false,
    }
}

fn is_structured(params: &Value) -> bool {
    params.is_object() || params.is_array()
}

impl Request {
    /// The request as it travels.
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }

    fn to_value(&self) -> Value {
        let mut members = Map::new();
        members.insert("jsonrpc".into(), "2.0".into());
        members.insert("method".into(), self.method.as_str().into());
        if let Some(id) = &self.id {
            members.insert("id".into(), id.clone());
        }
        if !self.params.is_null() {
            members.insert("params".into(), self.params.clone());
        }
        Value::Object(members)
    }
}

/// Several requests as they travel together.
pub fn batch_text(requests: &[Request]) -> String {
    Value::Array(requests.iter().map(Request::to_value).collect()).to_string()
}

/// A name that a method may have.
pub fn check_method(method: &str) -> Result<()> {
    let why = match method.len() {
        0 => "a method without a name",
        1..=MAX_METHOD if method.starts_with("rpc.") => "JSON-RPC keeps names in rpc.* for itself",
        1..=MAX_METHOD => return Ok(()),
        _ => "the name of a method has at most 128 bytes",
    };
    Err(Error::new(Code::InvalidArgument, why))
}

/// Parameters that a call may have: an array, an object, or none.
pub fn check_params(params: &Value) -> Result<()> {
    if params.is_null() || is_structured(params) {
        return Ok(());
    }
    let error = Error::new(
        Code::InvalidArgument,
        "the parameters of a call are an array or an object",
    );
    Err(error.with_remedy("Put a single value into an array: [7]."))
}
