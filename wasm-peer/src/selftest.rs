//! Runs the protocol crate's self-tests inside a wasm engine.

use js_sys::{Array, Object, Reflect};
use warren_shared::selftest::CASES;
use wasm_bindgen::prelude::*;

/// Runs every case; returns `{name, ok, message}` for each.
#[wasm_bindgen]
pub fn selftest() -> Array {
    CASES
        .iter()
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
