//! What a stranger may cost: answers, a small entry, and only then a connection.
//!
//! Pure: packets in, packets and decisions out; the clock is an argument. A caller's first check is
//! answered at once and followed by a check of ours, whose transaction id is a keyed hash of the
//! caller's address. Whoever answers that has the address; until then all that is kept is a bounded
//! entry, and nothing is lost with it but a repetition.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use warren_shared::webrtc::stun::{Kind, Packet, address_answer, check_answer, check_request};
use warren_shared::webrtc::ufrag::Call;

use super::{agent, limits};

/// How long a proof of an address may take: the slowest path there is.
const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Someone whose address is proven.
pub(super) struct Caller {
    pub(super) username: String,
    pub(super) call: Call,
    /// What it has sent so far, oldest first: a check, and perhaps the beginning of DTLS.
    pub(super) early: Vec<Bytes>,
}

/// What to do about a packet of a stranger.
#[derive(Default)]
pub(super) struct Reaction {
    pub(super) send: Vec<Vec<u8>>,
    pub(super) admit: Option<Caller>,
}

/// Everybody who has called and is not admitted.
pub(super) struct Callers {
    secret: [u8; 32],
    started: Instant,
    pending: Bounded<SocketAddr, Caller>,
    proven: Bounded<SocketAddr, ()>,
    ended: Bounded<String, ()>,
    answers: Rate,
    checks: Rate,
}

impl Callers {
    pub(super) fn new(secret: [u8; 32], now: Instant) -> Self {
        Callers {
            secret,
            started: now,
            pending: Bounded::new(limits::PENDING_CALLERS),
            proven: Bounded::new(limits::PROVEN_CALLERS),
            ended: Bounded::new(limits::ENDED_CALLS),
            answers: Rate::new(limits::ANSWERS, limits::ANSWERS_PER_PREFIX),
            // The first bound is for floods from forged sources, where nobody can be singled out.
            checks: Rate::new(limits::CHECKS, limits::CHECKS_PER_PREFIX),
        }
    }

    /// A datagram of an address that belongs to no connection.
    pub(super) fn receive(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) -> Reaction {
        let Some(packet) = Packet::parse(&bytes) else {
            self.keep_early(source, bytes);
            return Reaction::default();
        };
        match (packet.kind, packet.username) {
            (Kind::Request, None) => self.tell_address(now, source, &packet),
            (Kind::Request, Some(_)) => self.called(now, source, &packet, &bytes),
            (Kind::Success, _) => self.proved(now, source, &packet.transaction),
            (Kind::Failure | Kind::Other, _) => Reaction::default(),
        }
    }

    /// The connection of this call is over; its client may not know yet, and goes on checking.
    pub(super) fn over(&mut self, username: String) {
        self.ended.insert(username, ());
    }

    /// Whether somebody there has been challenged.
    pub(super) fn awaits(&self, source: &SocketAddr) -> bool {
        self.pending.contains(source)
    }

    /// Entries of those whose address is not proven.
    #[cfg(test)]
    pub(super) fn pending(&self) -> usize {
        self.pending.entries.len()
    }

    fn tell_address(&mut self, now: Instant, source: SocketAddr, packet: &Packet) -> Reaction {
        if !self.answers.allow(now, source) {
            return Reaction::default();
        }
        Reaction {
            send: vec![address_answer(&packet.transaction, source)],
            admit: None,
        }
    }

    fn called(
        &mut self,
        now: Instant,
        source: SocketAddr,
        packet: &Packet,
        bytes: &Bytes,
    ) -> Reaction {
        let username = packet.username.unwrap_or_default();
        let Ok(call) = Call::from_username(username) else {
            return Reaction::default();
        };
        // Without a signature it is no check, and a short packet would be answered with long ones.
        let length = bytes.len();
        if !packet.authenticated || length > limits::EARLY_PACKET || self.ended.contains(username) {
            return Reaction::default();
        }
        let caller = Caller {
            username: username.to_owned(),
            // A copy: the batch that it came in is much larger.
            early: vec![Bytes::copy_from_slice(bytes)],
            call,
        };
        if self.proven.remove(&source).is_some() {
            return Reaction {
                send: Vec::new(),
                admit: Some(caller),
            };
        }
        if !self.checks.allow(now, source) {
            return Reaction::default();
        }
        // The answer lets the client begin with DTLS, so it comes last: the proof then comes first.
        let send = vec![
            self.challenge(now, source, &caller.call),
            check_answer(&packet.transaction, source, |bytes| {
                agent::hmac_sha1(&caller.call.server.password, bytes)
            }),
        ];
        match self.pending.get_mut(&source) {
            // A repetition; what has come since the first time is still needed.
            Some(known) if known.username == username => {}
            _ => self.pending.insert(source, caller),
        }
        Reaction { send, admit: None }
    }

    fn challenge(&self, now: Instant, source: SocketAddr, call: &Call) -> Vec<u8> {
        let username = format!("{}:{}", call.client.ufrag, call.server.ufrag);
        check_request(
            &self.transaction(self.period(now), source),
            &username,
            |bytes| agent::hmac_sha1(&call.client.password, bytes),
        )
    }

    fn proved(&mut self, now: Instant, source: SocketAddr, transaction: &[u8; 12]) -> Reaction {
        let period = self.period(now);
        let ours = [period, period.saturating_sub(1)]
            .iter()
            .any(|period| self.transaction(*period, source) == *transaction);
        if !ours {
            return Reaction::default();
        }
        let admit = self.pending.remove(&source);
        if admit.is_none() {
            // Its entry fell out in a flood: its next check is welcome at once.
            self.proven.insert(source, ());
        }
        Reaction {
            send: Vec::new(),
            admit,
        }
    }

    /// A client that has its answer starts DTLS, perhaps a moment before its proof arrives.
    fn keep_early(&mut self, source: SocketAddr, bytes: Bytes) {
        if let Some(caller) = self.pending.get_mut(&source)
            && caller.early.len() <= limits::EARLY_PACKETS
            && bytes.len() <= limits::EARLY_PACKET
        {
            caller.early.push(Bytes::copy_from_slice(&bytes));
        }
    }

    fn period(&self, now: Instant) -> u64 {
        now.duration_since(self.started).as_secs() / CHALLENGE_LIFE.as_secs()
    }

    fn transaction(&self, period: u64, source: SocketAddr) -> [u8; 12] {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(&period.to_be_bytes());
        match source.ip() {
            IpAddr::V4(ip) => hasher.update(&ip.octets()),
            IpAddr::V6(ip) => hasher.update(&ip.octets()),
        };
        hasher.update(&source.port().to_be_bytes());
        let mut transaction = [0; 12];
        hasher.finalize_xof().fill(&mut transaction);
        transaction
    }
}

/// The network that an address belongs to, as one subscriber usually has it.
pub(super) fn prefix(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip) >> 8),
        IpAddr::V6(ip) => (u128::from(ip) >> 72) as u64 | 1 << 63,
    }
}

/// A map that forgets its oldest entry instead of growing.
struct Bounded<K, V> {
    entries: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
    next: u64,
    capacity: usize,
}

impl<K: std::hash::Hash + Eq + Clone, V> Bounded<K, V> {
    fn new(capacity: usize) -> Self {
        Bounded {
            entries: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            capacity,
        }
    }

    fn insert(&mut self, key: K, value: V) {
        self.next += 1;
        self.entries.insert(key.clone(), (self.next, value));
        self.order.push_back((self.next, key));
        // Places of replaced and removed entries go when they are the oldest.
        while self.order.len() > self.capacity {
            let Some((age, key)) = self.order.pop_front() else {
                break;
            };
            if self.entries.get(&key).is_some_and(|entry| entry.0 == age) {
                self.entries.remove(&key);
            }
        }
    }

    fn contains<Q: std::hash::Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.contains_key(key)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.1)
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|entry| entry.1)
    }
}

/// So many a second, and so many of one network.
struct Rate {
    most: u32,
    most_by_prefix: u32,
    since: Option<Instant>,
    all: u32,
    by_prefix: HashMap<u64, u32>,
}

impl Rate {
    fn new(most: u32, most_by_prefix: u32) -> Self {
        Rate {
            most,
            most_by_prefix,
            since: None,
            all: 0,
            by_prefix: HashMap::new(),
        }
    }

    fn allow(&mut self, now: Instant, source: SocketAddr) -> bool {
        let fresh = self
            .since
            .is_some_and(|since| now.duration_since(since) < SECOND);
        if !fresh {
            self.since = Some(now);
            self.all = 0;
            self.by_prefix.clear();
        }
        if self.all >= self.most {
            return false;
        }
        let count = self.by_prefix.entry(prefix(source.ip())).or_default();
        if *count >= self.most_by_prefix {
            return false;
        }
        *count += 1;
        self.all += 1;
        true
    }
}

#[cfg(test)]
mod tests;
