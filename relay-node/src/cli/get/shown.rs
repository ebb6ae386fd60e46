//! How far a download is, for whoever watches: a line that is drawn again and again, or events.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use warren_shared::error::Result;
use warren_shared::net::files::Tally;
use warren_shared::proto::files::cid::Cid;

use crate::cli::lines::Lines;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The rate is that of so many looks.
const LOOKS: usize = 15;
const BAR: usize = 24;

pub(super) struct Shown<'a> {
    json: bool,
    terminal: bool,
    lines: &'a Lines,
    size: AtomicU64,
    had: AtomicU64,
}

impl Shown<'_> {
    pub fn new(json: bool, lines: &Lines) -> Shown<'_> {
        Shown {
            json,
            terminal: !json && std::io::stderr().is_terminal(),
            lines,
            size: AtomicU64::new(0),
            had: AtomicU64::new(0),
        }
    }

    /// It is known how large it is, and what was there before.
    pub async fn begin(&self, cid: Cid, size: u64, had: u64) {
        self.size.store(size, Ordering::Relaxed);
        self.had.store(had, Ordering::Relaxed);
        if self.json {
            let line = json!({"event": "found", "cid": cid.to_string(), "size": size, "had": had});
            self.lines.say(line.to_string()).await;
        }
    }

    /// Tells how far it is until it has ended. `kept` is how many pieces are durable.
    pub async fn while_waiting<T>(
        &self,
        tally: &Tally,
        kept: impl Fn() -> u64,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut work = std::pin::pin!(work);
        let mut looks = Vec::new();
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                () = tokio::time::sleep(LOOK_EVERY) => self.look(tally, kept(), &mut looks).await,
            }
        };
        if self.terminal {
            eprint!("\r\x1b[K");
        }
        outcome
    }

    async fn look(&self, tally: &Tally, kept: u64, looks: &mut Vec<(Instant, u64)>) {
        let came = tally.came.load(Ordering::Relaxed);
        looks.push((Instant::now(), came));
        if looks.len() > LOOKS {
            looks.remove(0);
        }
        let size = self.size.load(Ordering::Relaxed);
        let there = (self.had.load(Ordering::Relaxed) + came).min(size);
        let rate = rate(looks);
        let left = (rate > 0).then(|| (size - there).div_ceil(rate));
        let sources = tally.sources.count();
        if self.json {
            let line = json!({
                "event": "progress", "bytes": there, "size": size, "rate": rate, "sources": sources,
                "secondsLeft": left, "kept": kept,
            });
            self.lines.say(line.to_string()).await;
        } else if self.terminal {
            let line = drawn(there, size, rate, sources, left);
            let mut out = std::io::stderr();
            let _ = write!(out, "\r\x1b[K{line}").and_then(|()| out.flush());
        }
    }
}

/// Bytes in a second, from the first look to the last.
fn rate(looks: &[(Instant, u64)]) -> u64 {
    let (Some((began, before)), Some((ended, after))) = (looks.first(), looks.last()) else {
        return 0;
    };
    let seconds = ended.duration_since(*began).as_secs_f64();
    match seconds > 0.0 {
        true => ((after - before) as f64 / seconds) as u64,
        false => 0,
    }
}

fn drawn(there: u64, size: u64, rate: u64, sources: usize, left: Option<u64>) -> String {
    let full = (there as u128 * BAR as u128 / u128::from(size.max(1))) as usize;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let left = left.map_or(String::new(), |seconds| {
        format!(", {}:{:02} left", seconds / 60, seconds % 60)
    });
    let noun = if sources == 1 { "source" } else { "sources" };
    format!(
        "{bar} {} of {}, {}/s from {sources} {noun}{left}",
        told_size(there),
        told_size(size),
        told_size(rate),
    )
}

/// A size as people say it.
pub(in crate::cli) fn told_size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in units {
        if size < 1_024.0 {
            break;
        }
        (size, unit) = (size / 1_024.0, next);
    }
    match unit {
        "B" => format!("{bytes} B"),
        unit => format!("{size:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told() {
        assert_eq!(told_size(0), "0 B");
        assert_eq!(told_size(1_023), "1023 B");
        assert_eq!(told_size(1_536), "1.5 KiB");
        assert_eq!(told_size(1 << 40), "1.0 TiB");
    }

    #[test]
    fn a_line_says_how_far_it_is() {
        let line = drawn(512, 1_024, 128, 2, Some(64));
        assert_eq!(line.matches('█').count(), BAR / 2);
        assert!(
            line.ends_with("512 B of 1.0 KiB, 128 B/s from 2 sources, 1:04 left"),
            "{line}"
        );
        assert!(drawn(0, 0, 0, 0, None).starts_with('░'));
        assert!(drawn(9, 9, 0, 1, None).ends_with("1 source"));
    }
}
