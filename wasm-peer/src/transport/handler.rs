//! Event handlers that are taken off before the code behind them goes.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

/// A function on a property such as `onmessage` of a JavaScript object, until it is dropped.
pub(super) struct Handler {
    target: JsValue,
    name: &'static str,
    function: Closure<dyn Fn(JsValue)>,
}

impl Handler {
    /// Sets the property of `target`.
    pub fn new(target: &JsValue, name: &'static str, run: impl Fn(JsValue) + 'static) -> Self {
        let handler = Handler {
            target: target.clone(),
            name,
            function: Closure::new(run),
        };
        handler.set(handler.function.as_ref());
        handler
    }

    fn set(&self, value: &JsValue) {
        // Only frozen objects and foreign setters refuse, and browsers have neither here.
        let _ = Reflect::set(&self.target, &JsValue::from_str(self.name), value);
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // Events that are queued already find no handler then, instead of one that is gone.
        self.set(&JsValue::NULL);
    }
}
