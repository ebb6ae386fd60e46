//! JSON-RPC 2.0 between two peers: the frame around it, and the methods every peer has.

use serde_json::{Value, json};

use super::codec::Message;
use crate::error::{Code, Error, Result};
use crate::proto::cbor;

/// A JSON-RPC request, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcRequest(pub String);

/// A JSON-RPC response, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcReply(pub String);

macro_rules! text_frame {
    ($name:ident) => {
        impl Message for $name {
            fn to_frame(&self) -> Vec<u8> {
                cbor::encode(&self.0)
            }
            fn from_frame(bytes: &[u8]) -> std::result::Result<Self, String> {
                cbor::decode(bytes)
                    .map($name)
                    .map_err(|_| "not the canonical encoding of a text".into())
            }
        }
    };
}
text_frame!(RpcRequest);
text_frame!(RpcReply);

impl RpcRequest {
    /// A call that expects an answer.
    pub fn new(method: &str, params: Value) -> Self {
        RpcRequest(
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string(),
        )
    }

    /// Method and parameters, or the reply that says what is wrong with the request.
    pub fn parse(&self) -> std::result::Result<(String, Value), RpcReply> {
        let message: Value = serde_json::from_str(&self.0)
            .map_err(|error| RpcReply::error(Value::Null, -32700, &error.to_string()))?;
        match (message["jsonrpc"].as_str(), message["method"].as_str()) {
            (Some("2.0"), Some(method)) => Ok((method.to_owned(), message["params"].clone())),
            _ => Err(RpcReply::error(
                message["id"].clone(),
                -32600,
                "not a JSON-RPC 2.0 request",
            )),
        }
    }
}

impl RpcReply {
    /// What the method returned.
    pub fn result(value: Value) -> Self {
        RpcReply(json!({"jsonrpc": "2.0", "id": 1, "result": value}).to_string())
    }

    /// Why there is no result, with a code of JSON-RPC 2.0.
    pub fn error(id: Value, code: i64, message: &str) -> Self {
        RpcReply(
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
                .to_string(),
        )
    }

    /// The answer to a call of a method that nobody serves here.
    pub fn unknown_method(method: &str) -> Self {
        Self::error(
            json!(1),
            -32601,
            &format!("this peer does not offer {method:?}"),
        )
    }

    /// The result, or what the other peer said went wrong.
    pub fn into_result(self) -> Result<Value> {
        let mut message: Value = serde_json::from_str(&self.0).map_err(|error| {
            Error::new(Code::ProtocolViolation, "the peer's reply is not JSON").caused_by(error)
        })?;
        if let Some(text) = message["error"]["message"].as_str() {
            let code = if message["error"]["code"] == json!(-32601) {
                Code::Unsupported
            } else {
                Code::Refused
            };
            return Err(Error::new(
                code,
                format!("the peer answered with an error: {text}"),
            ));
        }
        match message
            .as_object_mut()
            .and_then(|reply| reply.remove("result"))
        {
            Some(result) => Ok(result),
            None => Err(Error::new(
                Code::ProtocolViolation,
                "the peer's reply has neither result nor error",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_back_and_answered() {
        let request = RpcRequest::new("warren.ping", json!({"n": 1}));
        let frame = RpcRequest::from_frame(&request.to_frame()).unwrap();
        assert_eq!(
            frame.parse().unwrap(),
            ("warren.ping".to_owned(), json!({"n": 1}))
        );
        assert_eq!(RpcReply::result(json!(7)).into_result().unwrap(), json!(7));
    }

    #[test]
    fn a_text_has_one_encoding() {
        assert_eq!(
            RpcReply::from_frame(&[0x61, b'x']),
            Ok(RpcReply("x".into()))
        );
        for other in [
            &[0x78, 0x01, b'x'][..],
            &[0x7f, 0x61, b'x', 0xff],
            &[0x61, b'x', 0],
        ] {
            assert!(RpcReply::from_frame(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn errors_keep_their_meaning() {
        let unknown = RpcReply::unknown_method("x").into_result().unwrap_err();
        assert_eq!(unknown.code(), Code::Unsupported);
        assert!(RpcRequest("{".into()).parse().is_err());
        assert!(RpcRequest(r#"{"method":"x"}"#.into()).parse().is_err());
        assert!(RpcReply("[]".into()).into_result().is_err());
    }
}
