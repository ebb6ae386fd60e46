//! One step of a command: says what runs, how it ended and how long it took. Knows nothing about the work.

use std::time::{Duration, Instant};

use crate::failure::Result;

/// A running step. Progress goes to stderr: stdout belongs to results.
pub struct Step {
    name: String,
    started: Instant,
}

impl Step {
    pub fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        eprintln!("▸ {name}");
        Self {
            name,
            started: Instant::now(),
        }
    }

    pub fn done(self) {
        eprintln!("✓ {} ({})", self.name, human(self.started.elapsed()));
    }

    pub fn failed(self) {
        eprintln!("✗ {} ({})", self.name, human(self.started.elapsed()));
    }

    /// Says that a step had nothing to do.
    pub fn up_to_date(name: &str) {
        eprintln!("· {name}: up to date");
    }

    /// Runs `work` as a step.
    pub fn run<T>(name: impl Into<String>, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let step = Self::start(name);
        let result = work();
        match &result {
            Ok(_) => step.done(),
            Err(_) => step.failed(),
        }
        result
    }
}

/// A duration as a person reads it: `0.4 s`, `2 min 05 s`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(human(Duration::from_millis(420)), "0.4 s");
        assert_eq!(human(Duration::from_secs(125)), "2 min 05 s");
    }
}
