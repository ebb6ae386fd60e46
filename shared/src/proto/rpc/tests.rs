use serde_json::{Value, json};

use super::*;
use crate::error::Code;
use crate::limits::{MAX_FRAME, MAX_METHOD, MAX_RPC_BATCH, MAX_RPC_ID, MAX_RPC_MESSAGE};

fn refusal(text: &str) -> Value {
    match Incoming::read(text) {
        Incoming::One(Err(response)) => serde_json::from_str(&response.to_text()).unwrap(),
        other => panic!("{text}: {other:?}"),
    }
}

/// The examples of the specification, and what else cannot be a request.
#[test]
fn what_is_no_request_gets_the_error_of_the_specification() {
    let parse =
        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}});
    for text in [
        "",
        "{",
        r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
        r#"[{"jsonrpc": "2.0", "method": "sum", "id": "1"},{"jsonrpc": "2.0", "method"]"#,
        &"[".repeat(200),
    ] {
        assert_eq!(refusal(text), parse, "{text}");
    }
    for (text, id, why) in [
        ("[]", Value::Null, "an empty batch"),
        ("7", Value::Null, "not an object"),
        (r#"{"method":"x","id":4}"#, json!(4), "not JSON-RPC 2.0"),
        (
            r#"{"jsonrpc":"1.0","method":"x"}"#,
            Value::Null,
            "not JSON-RPC 2.0",
        ),
        (
            r#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#,
            Value::Null,
            "no method, or a name that is too long",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"","id":"a"}"#,
            json!("a"),
            "no method, or a name that is too long",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"x","params":"bar","id":1.5}"#,
            json!(1.5),
            "the parameters are no array or object",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"x","params":null,"id":1}"#,
            json!(1),
            "the parameters are no array or object",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"x","id":[1]}"#,
            Value::Null,
            "the id is no text, number or null",
        ),
    ] {
        let error = json!({"code": -32600, "message": "Invalid Request", "data": why});
        let expected = json!({"jsonrpc": "2.0", "id": id, "error": error});
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn a_batch_has_a_limit_and_each_of_its_requests_is_judged_alone() {
    let one = r#"{"jsonrpc":"2.0","method":"x","id":1}"#;
    let many = |count| format!("[{}]", vec![one; count].join(","));
    assert_eq!(refusal(&many(MAX_RPC_BATCH + 1))["error"]["code"], -32600);
    let Incoming::Batch(all) = Incoming::read(&many(MAX_RPC_BATCH)) else {
        panic!("a batch");
    };
    assert!(all.len() == MAX_RPC_BATCH && all.iter().all(Result::is_ok));
    let Incoming::Batch(all) = Incoming::read(&format!("[1,{one},[]]")) else {
        panic!("a batch");
    };
    let good: Vec<bool> = all.iter().map(Result::is_ok).collect();
    assert_eq!(good, [false, true, false]);
}

#[test]
fn a_request_is_read_back_as_it_was_written() {
    for id in [
        None,
        Some(json!(7)),
        Some(json!("seven")),
        Some(Value::Null),
    ] {
        for params in [Value::Null, json!([1, "two"]), json!({"a": {"b": null}})] {
            let request = Request {
                id: id.clone(),
                method: "x.y".into(),
                params,
            };
            let read = Incoming::read(&request.to_text());
            assert_eq!(read, Incoming::One(Ok(request.clone())));
            let read = Incoming::read(&batch_text(&[request.clone(), request.clone()]));
            assert_eq!(
                read,
                Incoming::Batch(vec![Ok(request.clone()), Ok(request)])
            );
        }
    }
    // What JSON-RPC does not know is left aside.
    let read = Incoming::read(r#"{"jsonrpc":"2.0","method":"x","more":1,"meta":{}}"#);
    assert!(matches!(read, Incoming::One(Ok(Request { id: None, .. }))));
}

#[test]
fn names_and_ids_have_limits() {
    let named = |method: &str, id: &str| {
        Incoming::read(&json!({"jsonrpc": "2.0", "method": method, "id": id}).to_string())
    };
    let (long, id) = ("m".repeat(MAX_METHOD), "i".repeat(MAX_RPC_ID));
    assert!(matches!(named(&long, &id), Incoming::One(Ok(_))));
    assert!(matches!(
        named(&format!("{long}m"), &id),
        Incoming::One(Err(_))
    ));
    assert!(matches!(
        named(&long, &format!("{id}i")),
        Incoming::One(Err(_))
    ));
    assert!(check_method(&long).is_ok());
    for method in ["", "rpc.x", &format!("{long}m")] {
        assert_eq!(
            check_method(method).unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    assert!(check_params(&json!([])).is_ok() && check_params(&Value::Null).is_ok());
    assert_eq!(
        check_params(&json!(7)).unwrap_err().code(),
        Code::InvalidArgument
    );
    let long = "ü".repeat(MAX_RPC_MESSAGE);
    assert!(Fault::failed(&long).message.len() <= MAX_RPC_MESSAGE);
}

#[test]
fn responses_are_read_as_what_they_are() {
    let whole = Response::result(json!(1), json!({"a": 1})).to_text();
    assert_eq!(read_part(&whole, 1).unwrap(), Part::Whole(json!({"a": 1})));
    let item = Response::part(json!(1), Some(Value::Null)).to_text();
    assert_eq!(read_part(&item, 1).unwrap(), Part::Item(Value::Null));
    let end = Response::part(json!(1), None).to_text();
    assert_eq!(read_part(&end, 1).unwrap(), Part::End);
    for (id, fault, code) in [
        (json!(1), Fault::method_not_found(), Code::Unsupported),
        (Value::Null, Fault::parse_error(), Code::ProtocolViolation),
        (Value::Null, Fault::busy(), Code::Overloaded),
        (json!(1), Fault::not_allowed(), Code::Refused),
        (json!(1), Fault::new(42, "full moon"), Code::Refused),
    ] {
        let number = fault.code.to_string();
        let error = read_part(&Response::fault(id, fault).to_text(), 1).unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.detail("rpcCode"), Some(number.as_str()));
    }
    let told = Fault::invalid_params("no number");
    let error = read_part(&Response::fault(json!(1), told).to_text(), 1).unwrap_err();
    assert_eq!(error.detail("data"), Some("\"no number\""));
}

#[test]
fn what_is_no_response_to_the_call_is_a_violation() {
    for text in [
        "",
        "[]",
        "7",
        r#"{"jsonrpc":"2.0","id":2,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":1}"#,
        r#"{"jsonrpc":"2.0","result":1}"#,
        r#"{"id":1,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":1,"more":1}"#,
    ] {
        let error = read_part(text, 1).unwrap_err();
        assert_eq!(error.code(), Code::ProtocolViolation, "{text}");
    }
}

#[test]
fn the_responses_of_a_batch_find_their_calls() {
    let mut batch = Batch::new(2);
    batch.add(&Response::fault(json!(2), Fault::not_allowed()));
    batch.add(&Response::result(json!(1), json!("one")));
    let text = batch.end();
    let read = read_batch(&text, 2).unwrap();
    assert_eq!(read[0], Ok(json!("one")));
    assert_eq!(read[1].as_ref().unwrap_err().code(), Code::Refused);
    for (calls, text) in [
        (1, text.as_str()),
        (3, &text),
        (1, "[]"),
        (1, "{}"),
        (
            1,
            r#"[{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":1,"result":1}]"#,
        ),
    ] {
        let error = read_batch(text, calls).unwrap_err();
        assert_eq!(error.code(), Code::ProtocolViolation, "{calls} {text}");
    }
    let refused = Response::fault(Value::Null, Fault::busy()).to_text();
    assert_eq!(
        read_batch(&refused, 3).unwrap_err().code(),
        Code::Overloaded
    );
}

#[test]
fn what_does_not_fit_is_told_and_leaves_room_for_the_others() {
    let huge = json!("x".repeat(MAX_FRAME));
    let text = Response::result(json!(1), huge.clone()).to_text();
    assert_eq!(read_part(&text, 1).unwrap_err().code(), Code::TooLarge);

    let mut batch = Batch::new(MAX_RPC_BATCH);
    let large = json!("x".repeat(MAX_FRAME / 2));
    for number in 1..=MAX_RPC_BATCH {
        // The longest id that a response may have to repeat, each byte of it to be escaped.
        let id = if number > 30 {
            json!("\u{1}".repeat(MAX_RPC_ID))
        } else {
            json!(number)
        };
        batch.add(&Response::result(id, large.clone()));
    }
    let text = batch.end();
    assert!(text.len() + 3 <= MAX_FRAME);
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(all.len(), MAX_RPC_BATCH);
    assert_eq!(all[0]["result"], large);
    assert!(
        all[1..]
            .iter()
            .all(|one| one["error"]["code"] == Fault::TOO_LARGE)
    );
}

#[test]
fn a_rule_names_nobody_until_it_does() {
    let bob = vec![1; 38];
    assert_eq!(Allow::default().judge(&bob), Verdict::No);
    assert_eq!(Allow::anyone().judge(&bob), Verdict::Yes);
    let mut rule = Allow {
        peers: vec![bob.clone()],
        ..Allow::default()
    };
    assert_eq!(rule.judge(&bob), Verdict::Yes);
    assert_eq!(rule.judge(&[2; 38]), Verdict::No);
    rule.namespaces.push("a room".into());
    assert_eq!(rule.judge(&[2; 38]), Verdict::LookItUp);
    let rule = Allow {
        authors: vec![[7; 32]],
        ..Allow::default()
    };
    assert_eq!(rule.judge(&bob), Verdict::LookItUp);
}
