//! What a name leads to, as records.
//!
//! Knows which resource is which record, and that no address of a private network leaves. Does not
//! know how records are written.

use std::net::IpAddr;

use super::kind;
use crate::limits::{NAME_MISSING_TTL, SECOND};
use crate::proto::names::name::Name;
use crate::proto::names::resolution::Resolution;
use crate::proto::names::resource::{Resource, is_public};

/// Longest piece of a text: its length has one byte.
const MAX_PIECE: usize = 255;

/// The sections of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub answers: Vec<Record>,
    /// Whether the zone is named, which says for how long there is nothing.
    pub authority: bool,
    /// May be left out when there is no room.
    pub additional: Vec<Record>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Whose it is; nothing for what was asked for.
    pub owner: Option<Name>,
    /// In seconds.
    pub ttl: u32,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Address(IpAddr),
    Alias(Name),
    Text(Vec<Vec<u8>>),
    Service(u16, Name),
    /// The start of authority of `p2p`, which says for how long there is nothing.
    Zone,
    /// Who answers for `p2p`.
    Server,
    /// Instead of everything (RFC 8482).
    Minimal,
}

/// For how many seconds others remember that there is nothing, and who answers.
pub(super) const NOTHING_TTL: u32 = (NAME_MISSING_TTL / SECOND) as u32;

impl Records {
    /// There is nothing of that type, or no such name.
    pub fn nothing() -> Records {
        Records {
            authority: true,
            ..Records::default()
        }
    }

    /// What there is about `p2p` itself.
    pub fn of_apex(kind: u16) -> Records {
        let data = match kind {
            kind::SOA => Data::Zone,
            kind::NS => Data::Server,
            kind::ANY => Data::Minimal,
            _ => return Records::nothing(),
        };
        let record = Record {
            owner: None,
            ttl: NOTHING_TTL,
            data,
        };
        Records {
            answers: vec![record],
            ..Records::default()
        }
    }

    /// What a name leads to.
    pub fn of(found: &Resolution, kind: u16) -> Records {
        let ttl = u32::try_from(found.ttl / SECOND).unwrap_or(u32::MAX);
        let record = |owner: Option<&Name>, data| Record {
            owner: owner.cloned(),
            ttl,
            data,
        };
        if kind == kind::ANY {
            return Records {
                answers: vec![record(None, Data::Minimal)],
                ..Records::default()
            };
        }
        let owners = [None].into_iter().chain(found.via.iter().map(Some));
        let aliases = owners.zip(&found.via);
        let mut answers: Vec<Record> = aliases
            .map(|(owner, to)| record(owner, Data::Alias(to.clone())))
            .collect();
        let owner = found.via.last();
        if kind == kind::CNAME {
            answers.truncate(1);
        } else {
            let place = owner.unwrap_or(&found.name);
            let data = data(&found.resources, kind, place);
            answers.extend(data.into_iter().map(|data| record(owner, data)));
        }
        let empty = match kind {
            kind::CNAME => answers.is_empty(),
            _ => answers.len() == found.via.len(),
        };
        let additional = match kind {
            kind::SRV if !empty => addresses(&found.resources, |_| true),
            _ => Vec::new(),
        };
        Records {
            answers,
            authority: empty,
            additional: additional
                .into_iter()
                .map(|data| record(owner, data))
                .collect(),
        }
    }
}

fn data(resources: &[Resource], kind: u16, place: &Name) -> Vec<Data> {
    match kind {
        kind::A => addresses(resources, IpAddr::is_ipv4),
        kind::AAAA => addresses(resources, IpAddr::is_ipv6),
        kind::TXT => resources.iter().filter_map(text).collect(),
        kind::SRV => {
            let port = |resource: &Resource| match resource {
                Resource::Address(ip, port @ 1..) if is_public(*ip) => Some(*port),
                _ => None,
            };
            let mut ports: Vec<u16> = resources.iter().filter_map(port).collect();
            ports.sort_unstable();
            ports.dedup();
            let service = |port| Data::Service(port, place.clone());
            ports.into_iter().map(service).collect()
        }
        _ => Vec::new(),
    }
}

/// Each address once, in the owner's order.
fn addresses(resources: &[Resource], wanted: impl Fn(&IpAddr) -> bool) -> Vec<Data> {
    let mut seen = Vec::new();
    for resource in resources {
        if let Resource::Address(ip, _) = resource
            && is_public(*ip)
            && wanted(ip)
            && !seen.contains(ip)
        {
            seen.push(*ip);
        }
    }
    seen.into_iter().map(Data::Address).collect()
}

/// A text as it is; what DNS has no type for in its readable form. Addresses have types.
fn text(resource: &Resource) -> Option<Data> {
    let text = match resource {
        Resource::Address(..) | Resource::Alias(_) => return None,
        Resource::Text(text) => text.clone(),
        other if other.is_public() => other.to_string(),
        _ => return None,
    };
    let pieces = match text.as_bytes() {
        [] => vec![Vec::new()],
        bytes => bytes.chunks(MAX_PIECE).map(<[u8]>::to_vec).collect(),
    };
    Some(Data::Text(pieces))
}
