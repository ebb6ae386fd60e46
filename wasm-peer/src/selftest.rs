//! Runs the protocol crate's self-tests inside a wasm engine, and what only such an engine can test.

use js_sys::{Array, Object, Reflect};
use warren_shared::api::Reply;
use warren_shared::selftest::{CASES, Case, Checked};
use wasm_bindgen::prelude::*;

use warren_page::port::encode_reply;

const OWN: &[Case] = &[("JSON results arrive as JSON", json_results)];

/// Runs every case; returns `{name, ok, message}` for each.
#[wasm_bindgen]
pub fn selftest() -> Array {
    CASES
        .iter()
        .chain(OWN)
        .map(|(name, case)| {
            let outcome = case();
            let row = Object::new();
            let set = |key: &str, value: JsValue| {
                let _ = Reflect::set(&row, &key.into(), &value);
            };
            set("name", (*name).into());
            set("ok", outcome.is_ok().into());
            set("message", outcome.err().unwrap_or_default().into());
            row
        })
        .collect()
}

fn json_results() -> Checked {
    for text in [
        "null",
        r#"{"a":null,"b":[1,null,"x"]}"#,
        "[0.5,-1,1e300,true]",
        "9007199254740993",
        "18446744073709551615",
    ] {
        let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let reply = encode_reply(&Reply::Json(value)).map_err(|error| error.to_string())?;
        let said = js_sys::JSON::stringify(&reply).map_err(|_| text.to_owned())?;
        let meant = js_sys::JSON::parse(text).and_then(|value| js_sys::JSON::stringify(&value));
        if Ok(&said) != meant.as_ref() {
            return Err(format!("{text} arrived as {said}"));
        }
    }
    Ok(())
}
