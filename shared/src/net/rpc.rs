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

    /// The call, or the reply that says what is wrong with the request.
    pub fn parse(&self) -> std::result::Result<RpcCall, RpcReply> {
        let message: Value = serde_json::from_str(&self.0)
            .map_err(|error| RpcReply::error(Value::Null, -32700, &error.to_string()))?;
        let id = message["id"].clone();
        match (message["jsonrpc"].as_str(), message["method"].as_str()) {
            (Some("2.0"), Some(method)) => Ok(RpcCall {
                id,
                method: method.to_owned(),
                params: message["params"].clone(),
            }),
            _ => Err(RpcReply::error(id, -32600, "not a JSON-RPC 2.0 request")),
        }
    }
}

/// A request that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcCall {
    /// Names the call; the reply carries it.
    pub id: Value,
    /// What is called.
    pub method: String,
    /// With what; null when nothing was sent.
    pub params: Value,
}

impl RpcReply {
    /// What the method returned.
    pub fn result(id: Value, value: Value) -> Self {
        RpcReply(json!({"jsonrpc": "2.0", "id": id, "result": value}).to_string())
    }

    /// Why there is no result, with a code of JSON-RPC 2.0.
    pub fn error(id: Value, code: i64, message: &str) -> Self {
        RpcReply(
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
                .to_string(),
        )
    }

    /// The answer to a call of a method that nobody serves here.
    pub fn unknown_method(id: Value, method: &str) -> Self {
        Self::error(id, -32601, &format!("this peer does not offer {method:?}"))
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
        let call = frame.parse().unwrap();
        assert_eq!(
            (call.method.as_str(), &call.params),
            ("warren.ping", &json!({"n": 1}))
        );
        let reply = RpcReply::result(call.id, json!(7));
        assert_eq!(reply.into_result().unwrap(), json!(7));
    }

    #[test]
    fn replies_carry_the_id_of_their_call() {
        let id_of = |reply: RpcReply| serde_json::from_str::<Value>(&reply.0).unwrap()["id"].take();
        for id in [json!(7), json!("seven"), Value::Null] {
            let text = json!({"jsonrpc": "2.0", "id": id, "method": "x"}).to_string();
            let call = RpcRequest(text).parse().unwrap();
            assert_eq!(id_of(RpcReply::result(call.id.clone(), json!(1))), id);
            assert_eq!(id_of(RpcReply::unknown_method(call.id, "x")), id);
            let text = json!({"id": id, "method": "x"}).to_string();
            assert_eq!(id_of(RpcRequest(text).parse().unwrap_err()), id);
        }
        assert!(RpcRequest("[1]".into()).parse().is_err());
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
        let unknown = RpcReply::unknown_method(json!(1), "x")
            .into_result()
            .unwrap_err();
        assert_eq!(unknown.code(), Code::Unsupported);
        assert!(RpcRequest("{".into()).parse().is_err());
        assert!(RpcRequest(r#"{"method":"x"}"#.into()).parse().is_err());
        assert!(RpcReply("[]".into()).into_result().is_err());
    }
}
