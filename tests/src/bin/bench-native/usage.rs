//! What this process has used, as Linux tells.

use std::fs;
use std::time::Duration;

/// The kernel counts in these, whatever its own clock is.
const TICKS_PER_SECOND: u64 = 100;

/// Processor time of all threads so far.
pub fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in parentheses and may contain spaces.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    let used = ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0);
    Duration::from_millis(used * 1000 / TICKS_PER_SECOND)
}

/// Bytes of memory in use.
pub fn resident() -> std::io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1024)
}
