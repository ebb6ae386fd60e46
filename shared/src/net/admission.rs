//! Who may hold how many connections. Counts; does not know what a connection is for.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The unit of the quota: what one subscriber usually has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subscriber {
    /// One IPv4 address.
    V4([u8; 4]),
    /// A /64.
    V6([u8; 8]),
}

impl Subscriber {
    /// `None` for loopback and private addresses: reverse proxies and container gateways hide many
    /// users behind one of these.
    pub fn of(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let shared = ip.is_loopback() || ip.is_private() || ip.is_link_local();
                (!shared).then_some(Self::V4(ip.octets()))
            }
            IpAddr::V6(ip) => {
                let shared = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                (!shared).then_some(Self::V6([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

/// Counts connections, for everybody and for each subscriber.
#[derive(Debug, Clone)]
pub struct Admission {
    counts: Arc<Mutex<Counts>>,
    total: usize,
    each: usize,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    subscribers: HashMap<Subscriber, usize>,
}

/// A place among the connections, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    counts: Arc<Mutex<Counts>>,
    subscriber: Option<Subscriber>,
}

impl Admission {
    /// Nobody is connected.
    pub fn new(total: usize, each: usize) -> Self {
        Self {
            counts: Arc::default(),
            total,
            each,
        }
    }

    /// A place for a connection from this address, if there is one.
    pub fn admit(&self, ip: IpAddr) -> Option<Permit> {
        let subscriber = Subscriber::of(ip);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.total {
            return None;
        }
        if let Some(subscriber) = subscriber {
            let count = counts.subscribers.entry(subscriber).or_default();
            if *count >= self.each {
                return None;
            }
            *count += 1;
        }
        counts.total += 1;
        Some(Permit {
            counts: self.counts.clone(),
            subscriber,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        let Some(subscriber) = self.subscriber else {
            return;
        };
        if let Some(count) = counts.subscribers.get_mut(&subscriber) {
            *count -= 1;
            if *count == 0 {
                counts.subscribers.remove(&subscriber);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_subscriber_cannot_take_every_place() {
        let admission = Admission::new(4, 2);
        let first = admission.admit(ip("2001:db8::1")).unwrap();
        let _second = admission.admit(ip("2001:db8::2")).unwrap();
        assert!(admission.admit(ip("2001:db8::3")).is_none());
        let _other = admission.admit(ip("2001:db8:0:1::1")).unwrap();
        drop(first);
        let _again = admission.admit(ip("2001:db8::3")).unwrap();
    }

    #[test]
    fn the_total_holds_for_everybody_and_counts_are_forgotten() {
        let admission = Admission::new(2, 1);
        let local = admission.admit(ip("127.0.0.1")).unwrap();
        let _more = admission.admit(ip("127.0.0.1")).unwrap();
        assert!(admission.admit(ip("198.51.100.1")).is_none());
        drop(local);
        drop(admission.admit(ip("::ffff:198.51.100.1")).unwrap());
        assert!(admission.counts.lock().unwrap().subscribers.is_empty());
    }

    #[test]
    fn mapped_addresses_are_the_address() {
        assert_eq!(
            Subscriber::of(ip("::ffff:198.51.100.1")),
            Subscriber::of(ip("198.51.100.1"))
        );
        assert_eq!(Subscriber::of(ip("::ffff:10.0.0.1")), None);
    }
}
