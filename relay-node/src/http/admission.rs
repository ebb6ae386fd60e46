//! Who may hold how many connections. Counts; does not know what a connection is for.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The unit of the quota: what one subscriber usually has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prefix {
    V4([u8; 4]),
    /// A /64.
    V6([u8; 8]),
}

impl Prefix {
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

#[derive(Debug, Clone)]
pub(super) struct Admission {
    counts: Arc<Mutex<Counts>>,
    total: usize,
    per_prefix: usize,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    prefixes: HashMap<Prefix, usize>,
}

/// A place among the connections, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    counts: Arc<Mutex<Counts>>,
    prefix: Option<Prefix>,
}

impl Admission {
    pub(super) fn new(total: usize, per_prefix: usize) -> Self {
        Self {
            counts: Arc::default(),
            total,
            per_prefix,
        }
    }

    pub(super) fn admit(&self, ip: IpAddr) -> Option<Permit> {
        let prefix = Prefix::of(ip);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.total {
            return None;
        }
        if let Some(prefix) = prefix {
            let count = counts.prefixes.entry(prefix).or_default();
            if *count >= self.per_prefix {
                return None;
            }
            *count += 1;
        }
        counts.total += 1;
        Some(Permit {
            counts: self.counts.clone(),
            prefix,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        let Some(prefix) = self.prefix else { return };
        if let Some(count) = counts.prefixes.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                counts.prefixes.remove(&prefix);
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
    fn one_prefix_cannot_take_every_place() {
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
        assert!(admission.counts.lock().unwrap().prefixes.is_empty());
    }

    #[test]
    fn mapped_addresses_are_the_address() {
        assert_eq!(
            Prefix::of(ip("::ffff:198.51.100.1")),
            Prefix::of(ip("198.51.100.1"))
        );
        assert_eq!(Prefix::of(ip("::ffff:10.0.0.1")), None);
    }
}
