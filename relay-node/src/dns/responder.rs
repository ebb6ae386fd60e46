//! From a question to its answer, whichever way it came: rates, resolving, deadline, counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::Multiaddr;
use warren_shared::error::{Code, Error};
use warren_shared::net::address::quota_prefix;
use warren_shared::net::names::{Agent, Rates};
use warren_shared::platform;
use warren_shared::proto::Millis;
use warren_shared::proto::names::Name;
use warren_shared::proto::names::dns::{self, Outcome, Query, Rcode, Received, Transport};
use warren_shared::proto::names::resolver::Options;
use warren_shared::proto::record::provider::Prefix;

use super::DnsLimits;

/// How many questions were answered with which code, or not at all.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    const DROPPED: &str = "dropped";
    const LIMITED: &str = "limited";

    fn one(&self, what: &'static str) {
        *locked(&self.0).entry(what).or_default() += 1;
    }

    /// By code; those beyond the rate as `limited`, those that nobody answers as `dropped`.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.0).clone()
    }
}

/// What is to be done about a question now.
pub(super) enum Next {
    Nothing,
    Send(Vec<u8>),
    Resolve(Query),
}

pub(super) struct Responder {
    agent: Agent,
    limits: DnsLimits,
    shares: Shares,
    counts: Arc<Counts>,
}

/// How often networks may ask. What is forged over UDP takes nothing from those who ask over TCP.
struct Shares {
    udp: Mutex<Rates<Prefix>>,
    tcp: Mutex<Rates<Prefix>>,
}

impl Shares {
    fn new(limits: &DnsLimits) -> Self {
        Self {
            udp: Mutex::new(Rates::new(limits.udp_per_prefix)),
            tcp: Mutex::new(Rates::new(limits.tcp_per_prefix)),
        }
    }

    /// Loopback and private networks are not told apart: there may be anybody behind an address.
    fn take(&self, from: IpAddr, transport: Transport, now: Millis) -> bool {
        let rates = match transport {
            Transport::Udp => &self.udp,
            Transport::Tcp => &self.tcp,
        };
        match quota_prefix(&Multiaddr::from(from)) {
            Some(prefix) => locked(rates).take(prefix, now),
            None => true,
        }
    }
}

impl Responder {
    pub fn new(agent: Agent, limits: DnsLimits, counts: Arc<Counts>) -> Self {
        Self {
            agent,
            limits,
            shares: Shares::new(&limits),
            counts,
        }
    }

    /// Looks at a question; what can be answered without resolving is answered.
    pub fn receive(&self, bytes: &[u8], from: IpAddr, transport: Transport) -> Next {
        let received = dns::receive(bytes, transport);
        if received == Received::Silence {
            self.dropped();
            return Next::Nothing;
        }
        if !self.shares.take(from, transport, platform::now()) {
            return self.too_many(received, transport);
        }
        match received {
            Received::Silence => Next::Nothing,
            Received::Answer(answer, rcode) => {
                self.counts.one(rcode.as_str());
                Next::Send(answer)
            }
            Received::Resolve(query) => Next::Resolve(query),
        }
    }

    /// No answer is longer than its question then, so that nothing is gained by forging addresses.
    fn too_many(&self, received: Received, transport: Transport) -> Next {
        self.counts.one(Counts::LIMITED);
        match received {
            Received::Resolve(query) => Next::Send(query.too_many(transport)),
            Received::Answer(..) | Received::Silence => Next::Nothing,
        }
    }

    /// There is no room for one more.
    pub fn dropped(&self) {
        self.counts.one(Counts::DROPPED);
    }

    /// The answer, within the deadline.
    pub async fn answer(&self, query: &Query, transport: Transport) -> Vec<u8> {
        let (answer, rcode) = match query.name() {
            Some(name) => self.resolved(query, name, transport).await,
            None => query.answer(Outcome::Empty, transport),
        };
        self.counts.one(rcode.as_str());
        answer
    }

    async fn resolved(&self, query: &Query, name: &Name, transport: Transport) -> (Vec<u8>, Rcode) {
        let resolving = self.agent.resolve(name.clone(), Options::default());
        let resolved = tokio::time::timeout(self.limits.deadline, resolving).await;
        match resolved {
            Ok(Ok(found)) => query.answer(Outcome::Found(&found), transport),
            Ok(Err(error)) if error.code() == Code::NameNotFound && self.is_above(name).await => {
                query.answer(Outcome::Empty, transport)
            }
            Ok(Err(error)) => query.answer(Outcome::Failed(&error), transport),
            Err(_) => {
                let late = Error::new(Code::TimedOut, "the witnesses did not answer in time");
                query.answer(Outcome::Failed(&late), transport)
            }
        }
    }

    /// Whether its zone has something at or below a name: resolvers take "no such name" for all that
    /// is below it.
    async fn is_above(&self, name: &Name) -> bool {
        let Ok(Some((_, zone))) = self.agent.evidence(name.root().clone()).await else {
            return false;
        };
        let entries = &zone.zone().entries;
        let below = format!(".{}", name.sub());
        entries.iter().any(|entry| {
            name.sub().is_empty() || entry.sub == name.sub() || entry.sub.ends_with(&below)
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forged_over_udp_locks_nobody_out_of_tcp() {
        let limits = DnsLimits::default();
        let shares = Shares::new(&limits);
        let taken = |from: &str, transport| {
            let from = from.parse().unwrap();
            let asked = 0..2 * limits.tcp_per_prefix;
            asked.filter(|_| shares.take(from, transport, 0)).count() as u32
        };
        assert_eq!(taken("203.0.113.1", Transport::Udp), limits.udp_per_prefix);
        assert_eq!(taken("203.0.113.2", Transport::Udp), 0);
        assert_eq!(taken("203.0.113.2", Transport::Tcp), limits.tcp_per_prefix);
        assert_eq!(
            taken("127.0.0.1", Transport::Udp),
            2 * limits.tcp_per_prefix
        );
        // What one network can be sent that asked for nothing, in a burst and then each second.
        assert!(limits.udp_per_prefix * 10 <= limits.tcp_per_prefix);
    }
}
