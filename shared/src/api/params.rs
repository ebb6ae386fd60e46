//! How calls arrive: the name of a method, and one object with its parameters.
//!
//! The object has one flat shape for all methods but `start`, whose parameters are [`StartParams`]. An
//! enum with a shape for each method says the same, and costs every page ten times the download.
//!
//! [`StartParams`]: super::StartParams

use serde::Deserialize;

use super::messages::{Call, Hint, NameAction, NameCall, WireValue};

/// The parameters of any method. What is missing is empty, and refused as such by whoever needs it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Params {
    value: Option<WireValue>,
    label: String,
    ttl_ms: Option<f64>,
    key: String,
    namespace: String,
    limit: Option<f64>,
    id: String,
    target: String,
    upload: f64,
    download: f64,
    kind: Option<Hint>,
    action: Option<NameAction>,
    name: String,
    text: String,
    fresh: bool,
    private: bool,
}

impl Params {
    /// The call of a method; nothing if there is no such method, or if what it cannot do without is
    /// missing.
    pub fn call(self, method: &str) -> Option<Call> {
        Some(match method {
            "dhtPut" => Call::DhtPut { value: self.value? },
            "dhtSet" => Call::DhtSet {
                label: self.label,
                value: self.value?,
                ttl_ms: self.ttl_ms,
            },
            "dhtGet" => Call::DhtGet { key: self.key },
            "provide" => Call::Provide {
                namespace: self.namespace,
            },
            "unprovide" => Call::Unprovide {
                namespace: self.namespace,
            },
            "find" => Call::Find {
                namespace: self.namespace,
                limit: self.limit,
            },
            "findPeer" => Call::FindPeer { id: self.id },
            "connect" | "reserve" => Call::Connect {
                target: self.target,
                reserve: method == "reserve",
            },
            "disconnect" | "release" => Call::Disconnect {
                id: self.id,
                release: method == "release",
            },
            "ping" => Call::Ping { id: self.id },
            "measure" => Call::Measure {
                id: self.id,
                upload: self.upload,
                download: self.download,
            },
            "name" => Call::Name(NameCall {
                action: self.action?,
                name: self.name,
                text: self.text,
                fresh: self.fresh,
                private: self.private,
            }),
            "snapshot" => Call::Snapshot {},
            "hint" => Call::Hint { kind: self.kind? },
            "close" => Call::Close {},
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, params: &str) -> Option<Call> {
        serde_json::from_str::<Params>(params).ok()?.call(method)
    }

    #[test]
    fn a_method_takes_its_parameters() {
        let set = r#"{"label": "x", "value": {"json": "1"}, "ttlMs": 5}"#;
        assert!(matches!(
            call("dhtSet", set),
            Some(Call::DhtSet { label, ttl_ms: Some(5.0), .. }) if label == "x"
        ));
        let name = r#"{"action": "resolve", "name": "alice", "fresh": true}"#;
        assert!(matches!(
            call("name", name),
            Some(Call::Name(NameCall {
                action: NameAction::Resolve,
                fresh: true,
                ..
            }))
        ));
        let reserve = call("reserve", r#"{"target": "/ip4/192.0.2.1/tcp/1/ws"}"#);
        assert!(matches!(
            reserve,
            Some(Call::Connect { reserve: true, target }) if target.ends_with("/ws")
        ));
        let release = call("release", r#"{"id": "r"}"#);
        assert!(matches!(
            release,
            Some(Call::Disconnect { release: true, id }) if id == "r"
        ));
        let hint = call("hint", r#"{"kind": "offline"}"#);
        assert!(matches!(
            hint,
            Some(Call::Hint {
                kind: Hint::Offline
            })
        ));
        assert!(matches!(call("close", "{}"), Some(Call::Close {})));
    }

    #[test]
    fn what_cannot_be_understood_is_no_call() {
        for (method, params) in [
            ("nothing", "{}"),
            ("dhtPut", "{}"),
            ("name", "{}"),
            ("hint", r#"{"kind": "tired"}"#),
            ("find", r#"{"namespace": 7}"#),
        ] {
            assert!(call(method, params).is_none(), "{method} {params}");
        }
    }
}
