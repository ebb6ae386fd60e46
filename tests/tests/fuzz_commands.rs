//! Fuzzed parsers of JSON commands: what strangers send, and what they answer.

use std::mem::discriminant;

use serde_json::Value;
use warren_shared::limits::MAX_RPC_BATCH;
use warren_shared::proto::rpc::{Incoming, Request, Response, batch_text, read_batch, read_part};
use warren_tests::fuzz::fuzz;

#[test]
fn commands() {
    let words: [&[u8]; 10] = [
        b"\"jsonrpc\":\"2.0\"",
        b"\"id\":",
        b"\"method\":\"x\"",
        b"\"params\":[]",
        b"\"result\":",
        b"\"error\":{\"code\":1,\"message\":\"\"}",
        b"\"more\":false",
        b"{},",
        b"[[[[",
        b"null",
    ];
    fuzz("commands", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let requests = match Incoming::read(&text) {
            Incoming::One(one) => vec![asked(one)],
            Incoming::Batch(all) => {
                assert!((1..=MAX_RPC_BATCH).contains(&all.len()));
                all.into_iter().map(asked).collect()
            }
        };
        let part = read_part(&text, 1).map_err(|error| error.code());
        let responses = read_batch(&text, 2).map_err(|error| error.code());
        assert!(responses.as_ref().is_ok_and(|all| all.len() == 2) || responses.is_err());
        let first: Vec<_> = requests.into_iter().take(4).collect();
        (
            first,
            part.map(|part| discriminant(&part)),
            responses.is_ok(),
        )
    });
}

/// A request is read back as it is; whatever is none gets a response that says so.
fn asked(one: Result<Request, Response>) -> (bool, bool, Option<i64>) {
    match one {
        Ok(request) => {
            let again = Incoming::read(&request.to_text());
            let many = Incoming::read(&batch_text(std::slice::from_ref(&request)));
            // The last bit of a fraction may change on its way through text.
            if !has_fraction(&request.params) && !request.id.as_ref().is_some_and(has_fraction) {
                assert_eq!(again, Incoming::One(Ok(request.clone())));
                assert_eq!(many, Incoming::Batch(vec![Ok(request.clone())]));
            }
            (request.id.is_some(), request.params.is_null(), None)
        }
        Err(refusal) => {
            let code = refusal.outcome.as_ref().expect_err("a refusal").code;
            assert!([-32_700, -32_600].contains(&code));
            assert!(refusal.written().1, "it fits");
            // Whoever asked with the id 1 understands it, unless the id was another one.
            let understood = read_part(&refusal.to_text(), 1).expect_err("a refusal");
            let known = refusal.id == 1 || refusal.id.is_null();
            assert_eq!(understood.detail("rpcCode").is_some(), known);
            (refusal.id.is_null(), false, Some(code))
        }
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(all) => all.iter().any(has_fraction),
        Value::Object(all) => all.values().any(has_fraction),
        _ => false,
    }
}
