//! What a name can lead to.
//!
//! Knows the kinds of resources, their limits and their readable form. Does not fetch or dial any.

mod line;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use multibase::Base;
use serde::{Deserialize, Serialize};

use super::name::Name;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_NAME, MAX_ZONE_TEXT};
use crate::proto::key::PublicKey;

/// A content identifier in its canonical text: CIDv1, base 32.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(String);

/// CIDv1 with one-byte codec and hash code, a digest of at most 64 bytes.
const MAX_CID_TEXT: usize = 120;

impl FromStr for Cid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cid> {
        let bytes = text
            .strip_prefix('b')
            .filter(|_| text.len() <= MAX_CID_TEXT)
            .and_then(|body| Base::Base32Lower.decode(body).ok());
        let canonical = bytes
            .filter(|bytes| is_cid(bytes))
            .map(|bytes| multibase::encode(Base::Base32Lower, bytes));
        match canonical.as_deref() == Some(text) {
            true => Ok(Cid(text.to_owned())),
            false => Err(
                Error::new(Code::InvalidArgument, "not a content identifier")
                    .with_remedy("Content identifiers of files begin with \"baf\"."),
            ),
        }
    }
}

fn is_cid(bytes: &[u8]) -> bool {
    let parts = || {
        let (version, rest) = unsigned_varint::decode::u64(bytes).ok()?;
        let (_codec, rest) = unsigned_varint::decode::u64(rest).ok()?;
        let (_hash, rest) = unsigned_varint::decode::u64(rest).ok()?;
        let (length, digest) = unsigned_varint::decode::u64(rest).ok()?;
        Some(version == 1 && length == digest.len() as u64 && !digest.is_empty())
    };
    parts().unwrap_or(false)
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({})", self.0)
    }
}

/// Something that a name leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ResourceText", into = "ResourceText")]
pub enum Resource {
    /// A peer of this network.
    Peer(PublicKey),
    /// A host, with port 0 when any will do.
    Address(IpAddr, u16),
    /// A file.
    File(Cid),
    /// A directory that is shown as a web site.
    Site(Cid),
    /// A page of the web.
    Url(String),
    /// Anything people write.
    Text(String),
    /// Another name that stands for this one; alone in its entry.
    Alias(Name),
}

impl Resource {
    /// Whether it leads to a place on the public internet, as far as it leads to a place at all.
    /// Names can point at the reader's own network, and pages must not be led there.
    pub fn is_public(&self) -> bool {
        match self {
            Resource::Address(ip, _) => is_public(*ip),
            Resource::Url(url) => host_of(url).is_some_and(|host| is_public_host(&host)),
            _ => true,
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Resource::Url(url) if !is_url(url) => {
                Err("a URL is http:// or https://, without spaces")
            }
            Resource::Text(text) if text.len() > MAX_ZONE_TEXT => Err("a text beyond 1,024 bytes"),
            Resource::Alias(name) if name.to_string().len() > MAX_NAME => Err("too long an alias"),
            _ => Ok(()),
        }
    }
}

fn is_url(url: &str) -> bool {
    let scheme = url.starts_with("https://") || url.starts_with("http://");
    let clean = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    scheme
        && clean
        && url.len() <= MAX_ZONE_TEXT
        && host_of(url).is_some_and(|host| !host.is_empty())
}

/// The host of a URL, without brackets and port.
fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?,
        None => host.split(':').next()?,
    };
    Some(host.to_ascii_lowercase())
}

/// Whether a URL's host can be one of the public internet. Browsers know more spellings of an address
/// than four numbers (`127.1`, `0x7f000001`, digits of other scripts): what is neither an address as
/// it should be written nor a domain name in plain ASCII counts as private.
fn is_public_host(host: &str) -> bool {
    if let Ok(ip) = host.parse() {
        return is_public(ip);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    let Some((_, last)) = host.rsplit_once('.') else {
        // One label alone is a name of the reader's own network.
        return false;
    };
    // No domain begins like a number at its end; browsers take such a host for an address.
    let named = last.starts_with(|c: char| c.is_ascii_alphabetic());
    let inside = ["localhost", "local", "internal", "home", "lan"].contains(&last);
    let homely = host == "home.arpa" || host.ends_with(".home.arpa");
    named && !inside && !homely && host.split('.').all(label)
}

/// Whether an address belongs to one host of the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let special = ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast();
            let carrier = a == 100 && (64..128).contains(&b);
            let protocol = a == 192 && b == 0 && c == 0;
            let benchmark = a == 198 && (18..20).contains(&b);
            // Once the nearest 6to4 relay, whoever that was.
            let anycast = a == 192 && b == 88 && c == 99;
            let odd = carrier || protocol || benchmark || anycast;
            !(special || odd || a == 0 || a >= 240)
        }
        IpAddr::V6(ip) => {
            let segments = ip.segments();
            let mapped = ip.to_ipv4_mapped();
            // NAT64 and 6to4 carry an IPv4 address that may be private.
            let carried = match segments {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                    Some((u32::from(high) << 16 | u32::from(low)).into())
                }
                _ => None,
            };
            let global = segments[0] & 0xe000 == 0x2000;
            let documentation = matches!(segments, [0x2001, 0xdb8, ..] | [0x3fff, ..0x1000, ..]);
            // Tunnels, benchmarks, hashes: 2001::/23 is nobody's host.
            let protocol = matches!(segments, [0x2001, ..0x200, ..]);
            match mapped.or(carried) {
                Some(ip) => is_public(IpAddr::V4(ip)),
                None => global && !documentation && !protocol,
            }
        }
    }
}

/// The readable form, in JSON and TOML: a kind, and the fields of that kind. Flat, because reading an
/// enum of this shape costs a browser three times the code.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceText {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl ResourceText {
    fn fields(&self) -> usize {
        let texts = [&self.peer, &self.cid, &self.url, &self.text, &self.name];
        let texts = texts.into_iter().filter(|text| text.is_some()).count();
        texts + usize::from(self.ip.is_some()) + usize::from(self.port.is_some())
    }
}

impl From<Resource> for ResourceText {
    fn from(resource: Resource) -> ResourceText {
        let mut text = ResourceText::default();
        let (kind, field, value) = match resource {
            Resource::Peer(key) => ("peer", &mut text.peer, key.to_peer_id()),
            Resource::Address(ip, port) => {
                (text.ip, text.port) = (Some(ip), Some(port));
                text.kind = "address".into();
                return text;
            }
            Resource::File(cid) => ("file", &mut text.cid, cid.0),
            Resource::Site(cid) => ("site", &mut text.cid, cid.0),
            Resource::Url(url) => ("url", &mut text.url, url),
            Resource::Text(words) => ("text", &mut text.text, words),
            Resource::Alias(name) => ("alias", &mut text.name, name.to_string()),
        };
        *field = Some(value);
        text.kind = kind.into();
        text
    }
}

impl TryFrom<ResourceText> for Resource {
    type Error = Error;

    fn try_from(text: ResourceText) -> Result<Resource> {
        let wanted = 1 + usize::from(text.kind == "address" && text.port.is_some());
        let fits = text.fields() == wanted;
        let resource = match (text.kind.clone().as_str(), text) {
            ("peer", ResourceText { peer: Some(id), .. }) => {
                Some(Resource::Peer(PublicKey::from_peer_id(&id)?))
            }
            (
                "address",
                ResourceText {
                    ip: Some(ip), port, ..
                },
            ) => Some(Resource::Address(ip, port.unwrap_or(0))),
            ("file", ResourceText { cid: Some(cid), .. }) => Some(Resource::File(cid.parse()?)),
            ("site", ResourceText { cid: Some(cid), .. }) => Some(Resource::Site(cid.parse()?)),
            ("url", ResourceText { url: Some(url), .. }) => Some(Resource::Url(url)),
            (
                "text",
                ResourceText {
                    text: Some(text), ..
                },
            ) => Some(Resource::Text(text)),
            (
                "alias",
                ResourceText {
                    name: Some(name), ..
                },
            ) => Some(Resource::Alias(Name::parse(&name)?)),
            _ => None,
        };
        let wrong = |why| Error::new(Code::InvalidArgument, why);
        let resource = resource.filter(|_| fits);
        let resource = resource.ok_or_else(|| wrong("not the fields of a kind of resource"))?;
        resource.check().map_err(wrong)?;
        Ok(resource)
    }
}

const PEER: u8 = 0;
const ADDRESS: u8 = 1;
const FILE: u8 = 2;
const SITE: u8 = 3;
const URL: u8 = 4;
const TEXT: u8 = 5;
const ALIAS: u8 = 6;

impl<C> Encode<C> for Resource {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Resource::Peer(key) => e.array(2)?.u8(PEER)?.bytes(key.as_bytes())?,
            Resource::Address(ip, port) => {
                e.array(3)?.u8(ADDRESS)?;
                match ip {
                    IpAddr::V4(ip) => e.bytes(&ip.octets())?,
                    IpAddr::V6(ip) => e.bytes(&ip.octets())?,
                };
                e.u16(*port)?
            }
            Resource::File(cid) => e.array(2)?.u8(FILE)?.str(&cid.0)?,
            Resource::Site(cid) => e.array(2)?.u8(SITE)?.str(&cid.0)?,
            Resource::Url(url) => e.array(2)?.u8(URL)?.str(url)?,
            Resource::Text(text) => e.array(2)?.u8(TEXT)?.str(text)?,
            Resource::Alias(name) => e.array(2)?.u8(ALIAS)?.str(&name.to_string())?,
        }
        .ok()
    }
}

impl<'b, C> Decode<'b, C> for Resource {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let wrong = || decode::Error::message("not a resource");
        let length = d.array()?;
        let kind = d.u8()?;
        if length != Some(if kind == ADDRESS { 3 } else { 2 }) {
            return Err(wrong());
        }
        let cid = |text: &str| text.parse::<Cid>().map_err(|_| wrong());
        let resource = match kind {
            PEER => Resource::Peer(PublicKey::decode(d, c)?),
            ADDRESS => {
                let bytes = d.bytes()?;
                let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
                Resource::Address(v4.or(v6).map_err(|_| wrong())?, d.u16()?)
            }
            FILE => Resource::File(cid(d.str()?)?),
            SITE => Resource::Site(cid(d.str()?)?),
            URL => Resource::Url(d.str()?.to_owned()),
            TEXT => Resource::Text(d.str()?.to_owned()),
            ALIAS => Resource::Alias(Name::find(d.str()?).map_err(|_| wrong())?),
            _ => return Err(wrong()),
        };
        resource.check().map_err(|_| wrong())?;
        Ok(resource)
    }
}

#[cfg(test)]
mod tests;
