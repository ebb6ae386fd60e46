//! A resource on one line, as people type it: `kind:value`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::Resource;
use crate::error::{Code, Error, Result};
use crate::proto::key::PublicKey;
use crate::proto::names::name::Name;

/// So many characters of what is no resource are told.
const MAX_TOLD: usize = 80;

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Peer(key) => write!(f, "peer:{}", key.to_peer_id()),
            Resource::Address(ip, 0) => write!(f, "address:{ip}"),
            Resource::Address(ip, port) => write!(f, "address:{}", SocketAddr::new(*ip, *port)),
            Resource::File(cid) => write!(f, "file:{cid}"),
            Resource::Site(cid) => write!(f, "site:{cid}"),
            Resource::Url(url) => write!(f, "url:{url}"),
            Resource::Text(text) => write!(f, "text:{text}"),
            Resource::Alias(name) => write!(f, "alias:{name}"),
        }
    }
}

impl FromStr for Resource {
    type Err = Error;

    fn from_str(line: &str) -> Result<Resource> {
        let wrong = |cause: &dyn fmt::Display| {
            // Somebody may have given a whole file.
            let short: String = line.chars().take(MAX_TOLD).collect();
            let more = if short.len() < line.len() { "…" } else { "" };
            let what = format!("\"{}{more}\" is not a resource", short.escape_debug());
            Error::new(Code::InvalidArgument, what)
                .caused_by(cause)
                .with_remedy("Write it like address:1.1.1.1, url:https://example.org, text:hello or alias:bob.p2p.")
        };
        let (kind, value) = line
            .split_once(':')
            .ok_or_else(|| wrong(&"no kind before a colon"))?;
        let resource = match kind {
            "peer" => {
                Resource::Peer(PublicKey::from_peer_id(value).map_err(|error| wrong(&error))?)
            }
            "address" => address(value).ok_or_else(|| wrong(&"not an IP address"))?,
            "file" => Resource::File(value.parse().map_err(|error| wrong(&error))?),
            "site" => Resource::Site(value.parse().map_err(|error| wrong(&error))?),
            "url" => Resource::Url(value.to_owned()),
            "text" => Resource::Text(value.to_owned()),
            "alias" => Resource::Alias(Name::parse(value)?),
            _ => return Err(wrong(&format!("{kind:?} is no kind of resource"))),
        };
        resource.check().map_err(|why| wrong(&why))?;
        Ok(resource)
    }
}

fn address(text: &str) -> Option<Resource> {
    let bare = text.parse::<IpAddr>().map(|ip| Resource::Address(ip, 0));
    let with_port = || {
        text.parse()
            .map(|at: SocketAddr| Resource::Address(at.ip(), at.port()))
    };
    bare.or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_not_told_whole() {
        let error = format!("text:{}", "ü".repeat(2_000)).parse::<Resource>();
        let error = error.unwrap_err().to_string();
        assert!(
            error.chars().count() < 200 && error.contains('…'),
            "{error}"
        );
    }

    #[test]
    fn lines_are_read_back() {
        for line in [
            "address:192.0.2.7",
            "address:192.0.2.7:8080",
            "address:2001:db8::7",
            "address:[2001:db8::7]:8080",
            "url:https://example.org/a?b=c",
            "text:colons: allowed",
            "alias:bob.p2p",
        ] {
            let resource: Resource = line.parse().unwrap();
            assert_eq!(resource.to_string(), line);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for line in [
            "",
            "hello",
            "color:red",
            "address:example.org",
            "url:ftp://x",
            "alias:-x",
            "file:x",
        ] {
            assert!(line.parse::<Resource>().is_err(), "{line}");
        }
    }
}
