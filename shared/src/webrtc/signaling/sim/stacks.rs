//! WebRTC stacks that find each other once they know each other, or do not.

use super::super::candidate::Candidate;
use super::{Event, World};

impl World {
    /// The stacks have found each other, if the other one is still there.
    pub(super) fn connects(&mut self, link: usize, side: usize) {
        let stacks = self.links[link].stacks;
        if !stacks[side].open {
            return;
        }
        if !stacks[1 - side].open {
            return self.remote_gone(link, side);
        }
        if let Some(attempt) = &mut self.links[link].ends[side] {
            attempt.connected();
        }
    }

    pub(super) fn remote_gone(&mut self, link: usize, side: usize) {
        if let Some(attempt) = &mut self.links[link].ends[side] {
            attempt.unreachable();
        }
        self.close(link, side);
    }

    /// Two stacks that know each other and a way connect, each when it notices.
    pub(super) fn meet(&mut self, link: usize) {
        let place = &mut self.links[link];
        let known = place
            .stacks
            .iter()
            .all(|stack| stack.accepted && stack.open);
        let way = place.stacks.iter().any(|stack| stack.candidates > 0);
        if known && way && !place.met && !self.scene.apart {
            place.met = true;
            for side in 0..2 {
                self.soon(link, side, Event::Connects);
            }
        }
    }

    pub(super) fn connected(&mut self, link: usize, side: usize) {
        self.stood.insert(link);
        self.live[side].insert(link);
        if !self.is_stock(side)
            && let Some(old) = self.meetings[side].connected(link)
        {
            self.close(old, side);
        }
        self.most[side] = self.most[side].max(self.live[side].len());
    }

    pub(super) fn close(&mut self, link: usize, side: usize) {
        self.meetings[side].ended(link);
        self.live[side].remove(&link);
        let open = std::mem::take(&mut self.links[link].stacks[side].open);
        if open && self.links[link].met {
            self.soon(link, 1 - side, Event::RemoteGone);
        }
    }
}

/// What a stack of an attempt says of itself.
pub fn description(link: usize, side: usize) -> String {
    let digest = [link as u8, side as u8].repeat(16);
    let digest: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(
        "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:u{link}{side}\r\n\
         a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {}\r\na=mid:0\r\n",
        digest.join(":")
    )
}

/// The ways that it finds.
pub fn way(link: usize, side: usize, number: usize) -> Candidate {
    Candidate {
        text: format!(
            "candidate:{number} 1 udp 1 192.0.2.{side} {} typ host",
            1_000 + link
        ),
        mid: Some("0".to_owned()),
        line: Some(0),
        ufrag: Some(format!("u{link}{side}")),
    }
}
