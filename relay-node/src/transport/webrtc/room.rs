//! How much the stack is given to send: enough to fill the path, and little more.
//!
//! The stack looks at everything that is in flight whenever it sends, and streams take turns only
//! before they are inside it. And it sends what it may in one burst: browsers receive into small
//! socket buffers, and lose what does not fit (measured: a third of the throughput on a short path).
//! So it is given half more than the path holds: what was acknowledged per second, times the
//! shortest round trip of late. Pure: time and amounts are arguments.

use std::time::{Duration, Instant};

use super::limits;

/// A path may become longer: round trips are forgotten after one to two of these.
const MEMORY: Duration = Duration::from_secs(10);
/// How much of the path is given.
const SHARE: f64 = 1.5;
/// What is given beyond that: acknowledgements come in lumps.
const SPARE: f64 = 32.0 * 1024.0;

/// The measure of one connection.
pub(super) struct Room {
    written: u64,
    acknowledged: u64,
    mark: Option<Mark>,
    shortest: Shortest,
    room: usize,
}

/// A point in what was written, to see when it is acknowledged.
struct Mark {
    until: u64,
    at: Instant,
    acknowledged: u64,
}

/// The shortest round trip of this period and of the one before.
struct Shortest {
    since: Instant,
    now: Duration,
    before: Duration,
}

impl Room {
    pub(super) fn new(now: Instant) -> Self {
        Room {
            written: 0,
            acknowledged: 0,
            mark: None,
            shortest: Shortest {
                since: now,
                now: Duration::MAX,
                before: Duration::MAX,
            },
            room: limits::STACK_BUFFER_LEAST,
        }
    }

    /// How many bytes the stack may hold.
    pub(super) fn bytes(&self) -> usize {
        self.room
    }

    /// The stack has taken that much.
    pub(super) fn written(&mut self, now: Instant, bytes: usize) {
        self.written += bytes as u64;
        if self.mark.is_none() {
            self.mark = Some(Mark {
                until: self.written,
                at: now,
                acknowledged: self.acknowledged,
            });
        }
    }

    /// The stack still holds that much.
    pub(super) fn held(&mut self, now: Instant, bytes: usize) {
        self.acknowledged = self.written.saturating_sub(bytes as u64);
        let Some(mark) = self
            .mark
            .take_if(|mark| mark.until <= self.acknowledged && mark.at < now)
        else {
            return;
        };
        let took = now.duration_since(mark.at);
        let shortest = self.shortest.with(now, took);
        let rate = (self.acknowledged - mark.acknowledged) as f64 / took.as_secs_f64();
        let path = rate * shortest.as_secs_f64();
        // A float beyond the largest integer becomes the largest.
        self.room = ((SHARE * path + SPARE) as usize)
            .clamp(limits::STACK_BUFFER_LEAST, limits::STACK_BUFFER);
    }
}

impl Shortest {
    fn with(&mut self, now: Instant, took: Duration) -> Duration {
        if now.duration_since(self.since) > MEMORY {
            self.before = self.now;
            self.now = Duration::MAX;
            self.since = now;
        }
        self.now = self.now.min(took);
        self.now.min(self.before)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const MESSAGE: usize = 16 * 1024;

    /// Bytes per second that get through, and the room in the end, on a path of this length and
    /// width.
    fn run(room: &mut Room, start: Instant, round_trip: Duration, width: f64) -> (f64, usize) {
        let end = start + Duration::from_secs(4);
        let half = start + Duration::from_secs(2);
        let (mut now, mut free, mut held, mut late) = (start, start, 0, 0);
        let mut flying = VecDeque::new();
        while now < end {
            while held + MESSAGE <= room.bytes() {
                room.written(now, MESSAGE);
                held += MESSAGE;
                free = free.max(now) + Duration::from_secs_f64(MESSAGE as f64 / width);
                flying.push_back(free + round_trip);
            }
            now = flying.pop_front().unwrap();
            held -= MESSAGE;
            room.held(now, held);
            if now > half {
                late += MESSAGE;
            }
        }
        (late as f64 / 2.0, room.bytes())
    }

    #[test]
    fn every_path_is_filled() {
        for (milliseconds, mebibytes) in [(1, 1), (1, 50), (10, 20), (50, 8), (200, 1)] {
            let now = Instant::now();
            let width = f64::from(mebibytes) * 1024.0 * 1024.0;
            let round_trip = Duration::from_millis(milliseconds);
            let (through, _) = run(&mut Room::new(now), now, round_trip, width);
            assert!(
                through > 0.9 * width,
                "{through} of {width} at {milliseconds} ms"
            );
        }
    }

    #[test]
    fn short_paths_get_little() {
        let now = Instant::now();
        let round_trip = Duration::from_micros(100);
        let (_, room) = run(&mut Room::new(now), now, round_trip, 50e6);
        assert!(room <= 64 * 1024, "{room}");
    }

    #[test]
    fn a_path_that_becomes_longer_is_filled_again() {
        let now = Instant::now();
        let mut room = Room::new(now);
        run(&mut room, now, Duration::from_millis(1), 8e6);
        let later = now + 3 * MEMORY;
        run(&mut room, later, Duration::from_millis(50), 8e6);
        let much_later = later + 3 * MEMORY;
        let (through, _) = run(&mut room, much_later, Duration::from_millis(50), 8e6);
        assert!(through > 0.9 * 8e6, "{through}");
    }
}
