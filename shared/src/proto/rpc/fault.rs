//! The errors of JSON-RPC, and what they are to a caller.

use serde_json::{Map, Value};

use crate::error::{Code, Error};
use crate::limits::MAX_RPC_MESSAGE;

/// Why there is no result: the `error` of a response.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// One of the constants here, or whatever the method and its callers agreed on.
    pub code: i64,
    /// One sentence.
    pub message: String,
    /// What programs may want to know; null when there is nothing.
    pub data: Value,
}

impl Fault {
    /// What came is no JSON.
    pub const PARSE_ERROR: i64 = -32_700;
    /// What came is JSON, but no request.
    pub const INVALID_REQUEST: i64 = -32_600;
    /// Nobody serves that method here.
    pub const METHOD_NOT_FOUND: i64 = -32_601;
    /// The method does not take these parameters.
    pub const INVALID_PARAMS: i64 = -32_602;
    /// Whoever serves the method failed.
    pub const INTERNAL: i64 = -32_603;
    /// A method failed and said no code of its own.
    pub const FAILED: i64 = -32_000;
    /// The caller may not call this method.
    pub const NOT_ALLOWED: i64 = -32_001;
    /// Too many calls are under way, of this caller or of all.
    pub const BUSY: i64 = -32_002;
    /// The result does not fit into a message.
    pub const TOO_LARGE: i64 = -32_003;
    /// The method took too long.
    pub const TOO_LATE: i64 = -32_004;
    /// The method gives many results, which a batch cannot carry.
    pub const STREAMED: i64 = -32_005;

    /// An error without data. A long message is cut.
    pub fn new(code: i64, message: &str) -> Fault {
        let mut end = message.len().min(MAX_RPC_MESSAGE);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        Fault {
            code,
            message: message[..end].to_owned(),
            data: Value::Null,
        }
    }

    /// Adds a word about what exactly is wrong.
    pub fn because(mut self, why: &str) -> Fault {
        self.data = why.into();
        self
    }

    /// See [`Fault::PARSE_ERROR`].
    pub fn parse_error() -> Fault {
        Fault::new(Fault::PARSE_ERROR, "Parse error")
    }

    /// See [`Fault::INVALID_REQUEST`].
    pub fn invalid_request(why: &str) -> Fault {
        Fault::new(Fault::INVALID_REQUEST, "Invalid Request").because(why)
    }

    /// See [`Fault::METHOD_NOT_FOUND`].
    pub fn method_not_found() -> Fault {
        Fault::new(Fault::METHOD_NOT_FOUND, "Method not found")
    }

    /// See [`Fault::INVALID_PARAMS`].
    pub fn invalid_params(why: &str) -> Fault {
        Fault::new(Fault::INVALID_PARAMS, "Invalid params").because(why)
    }

    /// See [`Fault::INTERNAL`].
    pub fn internal() -> Fault {
        Fault::new(Fault::INTERNAL, "Internal error")
    }

    /// See [`Fault::FAILED`].
    pub fn failed(message: &str) -> Fault {
        Fault::new(Fault::FAILED, message)
    }

    /// See [`Fault::NOT_ALLOWED`].
    pub fn not_allowed() -> Fault {
        Fault::new(Fault::NOT_ALLOWED, "Not allowed")
    }

    /// See [`Fault::BUSY`].
    pub fn busy() -> Fault {
        Fault::new(Fault::BUSY, "Too many calls at once")
    }

    /// See [`Fault::TOO_LARGE`].
    pub fn too_large() -> Fault {
        Fault::new(Fault::TOO_LARGE, "Result too large")
    }

    /// See [`Fault::TOO_LATE`].
    pub fn too_late() -> Fault {
        Fault::new(Fault::TOO_LATE, "No result in time")
    }

    /// See [`Fault::STREAMED`].
    pub fn streamed() -> Fault {
        Fault::new(Fault::STREAMED, "Call this method by itself")
    }

    /// What it is to a caller.
    pub fn kind(&self) -> Code {
        match self.code {
            Fault::PARSE_ERROR | Fault::INVALID_REQUEST => Code::ProtocolViolation,
            Fault::METHOD_NOT_FOUND | Fault::STREAMED => Code::Unsupported,
            Fault::INVALID_PARAMS => Code::InvalidArgument,
            Fault::BUSY => Code::Overloaded,
            Fault::TOO_LARGE => Code::TooLarge,
            Fault::TOO_LATE => Code::TimedOut,
            _ => Code::Refused,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), self.code.into());
        error.insert("message".into(), self.message.as_str().into());
        if !self.data.is_null() {
            error.insert("data".into(), self.data.clone());
        }
        Value::Object(error)
    }

    /// Nothing if it is not one: a code that is an integer, and a message.
    pub(super) fn from_value(mut value: Value) -> Option<Fault> {
        let message = value.get("message")?.as_str()?;
        let mut fault = Fault::new(value.get("code")?.as_i64()?, message);
        if let Some(data) = value.get_mut("data") {
            fault.data = data.take();
        }
        Some(fault)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        let told = format!("the peer answered with an error: {}", fault.message);
        let error = Error::new(fault.kind(), told).with_detail("rpcCode", fault.code);
        match fault.data {
            Value::Null => error,
            data => error.with_detail("data", data),
        }
    }
}
