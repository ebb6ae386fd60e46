//! Text to values. Knows what each kind of setting looks like, not where the text came from.

use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use warren_shared::{
    error::Result,
    proto::key::{NetworkId, PublicKey},
};

use super::{Listen, LogFormat, source::Complaint};

pub(super) fn listen(text: &str) -> Result<Listen, Complaint> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Listen::Off);
    }
    let problem = match text.parse::<SocketAddr>() {
        Ok(address) => return Ok(Listen::At(address)),
        Err(_) if text.parse::<u16>().is_ok() => "a port without an IP address",
        Err(_) if text.starts_with("localhost:") => "a host name, not an IP address",
        Err(_) => "not an IP address and port",
    };
    Err(Complaint {
        problem: problem.into(),
        remedy: "Write it like 0.0.0.0:8080, 127.0.0.1:0 or [::]:8080, or off.",
    })
}

pub(super) fn network(text: &str) -> Result<NetworkId, Complaint> {
    text.parse().map_err(|error| Complaint {
        problem: format!("not a network id ({error})"),
        remedy: "Use 1 to 32 of the characters a-z, 0-9 and -.",
    })
}

pub(super) fn join_url(text: &str) -> Result<String, Complaint> {
    let complain = |problem: &str| Complaint {
        problem: problem.into(),
        remedy: "Write it like https://relay.example.org or http://192.0.2.1:8080.",
    };
    let text = text.trim_end_matches('/');
    let rest = ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or_else(|| complain("not an http:// or https:// URL"))?;
    if rest.is_empty() || rest.starts_with(['/', ':', '?', '#']) {
        return Err(complain("the URL names no host"));
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(complain("the URL contains white space"));
    }
    Ok(text.to_owned())
}

pub(super) fn multiaddr(text: &str) -> Result<Multiaddr, Complaint> {
    text.parse().map_err(|error| Complaint {
        problem: format!("not a multiaddr ({error})"),
        remedy: "Write it like /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…, as the other relay prints it.",
    })
}

pub(super) fn witness(text: &str) -> Result<PublicKey, Complaint> {
    let key = PublicKey::from_peer_id(text).or_else(|_| PublicKey::from_base36(text));
    key.map_err(|_| Complaint {
        problem: "not the peer id of a relay".into(),
        remedy: "Write it as that relay prints it: 12D3Koo….",
    })
}

pub(super) fn external_ip(text: &str) -> Result<IpAddr, Complaint> {
    let complain = |problem: &str| Complaint {
        problem: problem.into(),
        remedy: "Give the address by which others reach this machine, like 198.51.100.7.",
    };
    let ip: IpAddr = text.parse().map_err(|_| complain("not an IP address"))?;
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(complain("nobody can connect to that address"));
    }
    Ok(ip)
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Complaint> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err(Complaint {
            problem: "not a log format".into(),
            remedy: "Write human or json.",
        }),
    }
}

/// Bytes, with an ending for larger numbers of them; nothing for `off`.
pub(super) fn size(text: &str) -> Result<Option<u64>, Complaint> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let complain = |problem: &str| Complaint {
        problem: problem.into(),
        remedy: "Write it like 500M, 20G or 2T, or off.",
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| complain("not a size"))?;
    let shift = match text[digits.len()..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(complain("not a size")),
    };
    let bytes = number.checked_mul(1 << shift);
    let bytes = bytes.filter(|bytes| *bytes < 1 << 60);
    bytes.map(Some).ok_or_else(|| complain("too large"))
}

pub(super) fn boolean(text: &str) -> Result<bool, Complaint> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Complaint {
            problem: "neither true nor false".into(),
            remedy: "Write true or false.",
        }),
    }
}
