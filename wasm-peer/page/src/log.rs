//! Errors of the engine in the browser's console; panics as readable errors.

use std::fmt::Write;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use web_sys::console;

/// Installs the console as log and panic output, once.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            console::error_1(&format!("warren: {info}").into())
        }));
        let _ = tracing::subscriber::set_global_default(Console);
    });
}

/// Shows warnings and errors of our own code; the network's everyday failures are events, not logs.
struct Console;

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("warren")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("warren: [{}]", event.metadata().target()));
        event.record(&mut line);
        match *event.metadata().level() {
            Level::ERROR => console::error_1(&line.0.into()),
            _ => console::warn_1(&line.0.into()),
        }
    }
}

/// Stands for a number of more than 64 bits.
const BEYOND: &str = "beyond 64 bits";

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }

    // What writes numbers of these kinds for debugging would be downloaded for the sake of events that nothing sends.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record_debug(field, &format_args!("{value}"));
    }
    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_str(field, BEYOND),
        }
    }
    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.record_u64(field, value),
            Err(_) => self.record_str(field, BEYOND),
        }
    }
}
