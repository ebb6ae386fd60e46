//! Asks servers by STUN how this end is seen from outside. Pure: time and numbers are arguments.

use std::net::SocketAddr;
use std::time::Instant;

use warren_shared::webrtc::stun::{Packet, address_request, mapped_address};

use super::super::limits;

/// The questions of one attempt.
pub(super) struct Questions(Vec<Question>);

struct Question {
    server: SocketAddr,
    transaction: [u8; 12],
    /// How often it was asked.
    asked: u32,
    /// When it is asked again, or given up.
    due: Instant,
}

/// Reads `stun:<address>:<port>`. Names are not looked up.
pub(super) fn server(url: &str) -> Option<SocketAddr> {
    let server: SocketAddr = url.strip_prefix("stun:")?.parse().ok()?;
    (server.port() != 0 && !server.ip().is_unspecified()).then_some(server)
}

impl Questions {
    /// One to each server, from now on. `number` gives random ones.
    pub(super) fn new(
        servers: &[SocketAddr],
        now: Instant,
        mut number: impl FnMut() -> [u8; 12],
    ) -> Self {
        let servers = servers.iter().take(limits::QUESTIONS);
        let questions = servers.map(|server| Question {
            server: *server,
            transaction: number(),
            asked: 0,
            due: now,
        });
        Questions(questions.collect())
    }

    /// When [`Questions::next`] has something to say.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(|question| question.due).min()
    }

    /// A datagram to send now. Questions without an answer are forgotten.
    pub(super) fn next(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        self.0
            .retain(|question| question.due > now || question.asked < limits::QUESTION_TRIES);
        let question = self.0.iter_mut().find(|question| question.due <= now)?;
        question.due = now + limits::QUESTION_AGAIN * (1 << question.asked);
        question.asked += 1;
        Some((question.server, address_request(&question.transaction)))
    }

    /// Whether a datagram answers one of them, and how this end is seen then.
    pub(super) fn answered(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<Option<SocketAddr>> {
        let packet = Packet::parse(datagram)?;
        let at = self.0.iter().position(|question| {
            question.server == source && question.transaction == packet.transaction
        })?;
        self.0.swap_remove(at);
        Some(mapped_address(datagram))
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use warren_shared::webrtc::stun::address_answer;

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn questions(servers: &[SocketAddr], now: Instant) -> Questions {
        let mut number = 0;
        Questions::new(servers, now, || {
            number += 1;
            [number; 12]
        })
    }

    #[test]
    fn servers_are_addresses() {
        assert_eq!(server("stun:192.0.2.1:3478"), Some(at("192.0.2.1:3478")));
        assert_eq!(server("stun:[2001:db8::1]:9"), Some(at("[2001:db8::1]:9")));
        for other in [
            "stun:example.org:3478",
            "turn:192.0.2.1:1",
            "stun:0.0.0.0:1",
            "stun:192.0.2.1:0",
            "",
        ] {
            assert_eq!(server(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_question_is_repeated_and_then_given_up() {
        let start = Instant::now();
        let mut questions = questions(&[at("192.0.2.1:1")], start);
        let mut asked = Vec::new();
        while let Some(due) = questions.due() {
            while let Some((_, bytes)) = questions.next(due) {
                asked.push((due - start, bytes));
            }
        }
        let times: Vec<Duration> = asked.iter().map(|(time, _)| *time).collect();
        let step = limits::QUESTION_AGAIN;
        assert_eq!(times, [Duration::ZERO, step, step * 3, step * 7]);
        assert!(asked.iter().all(|(_, bytes)| *bytes == asked[0].1));
        assert!(questions.is_over());
    }

    #[test]
    fn only_the_server_that_was_asked_answers_and_once() {
        let now = Instant::now();
        let (first, second) = (at("192.0.2.1:1"), at("[2001:db8::1]:1"));
        let mut questions = questions(&[first, second], now);
        while questions.next(now).is_some() {}
        let seen = at("203.0.113.9:4444");
        let answer = address_answer(&[1; 12], seen);
        assert_eq!(questions.answered(second, &answer), None);
        assert_eq!(questions.answered(first, &answer[1..]), None);
        assert_eq!(questions.answered(first, &answer), Some(Some(seen)));
        assert_eq!(questions.answered(first, &answer), None);
        assert!(!questions.is_over());
        // Whatever it says instead: it has answered.
        let question = address_request(&[2; 12]);
        assert_eq!(questions.answered(second, &question), Some(None));
        assert!(questions.is_over());
    }
}
