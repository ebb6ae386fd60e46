//! Session descriptions: what a browser wants to read, and what we need to know of its own.
//!
//! WebRTC-direct has no signalling, so the dialling end writes both halves: it reads its own offer
//! and makes up the answer that the server would have given.

use std::net::SocketAddr;

use super::fingerprint::Fingerprint;
use super::frame::MAX_MESSAGE;
use super::ufrag::{Call, Credentials};

/// Longest description we read: a browser's offer for one data channel has about 600 bytes, and
/// candidates may come on top.
pub const MAX_DESCRIPTION: usize = 64 * 1024;

/// What a description says about the end that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its ICE credentials.
    pub credentials: Credentials,
    /// The hash of its certificate.
    pub fingerprint: Fingerprint,
    /// The name of its data-channel section.
    pub mid: String,
    /// Largest data-channel message it takes; 0 means any.
    pub max_message: u64,
}

/// Why a description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDescription {
    /// Longer than [`MAX_DESCRIPTION`].
    #[error("the session description is longer than allowed")]
    TooLong,
    /// It lacks this attribute, or the attribute is damaged.
    #[error("the session description has no valid {0}")]
    Attribute(&'static str),
}

impl Description {
    /// Reads a description with one data-channel section.
    pub fn parse(sdp: &str) -> Result<Self, BadDescription> {
        if sdp.len() > MAX_DESCRIPTION {
            return Err(BadDescription::TooLong);
        }
        let ufrag = required(sdp, "ice-ufrag")?;
        let password = required(sdp, "ice-pwd")?;
        let fingerprint = attributes(sdp, "fingerprint")
            .filter_map(|value| value.split_once(' '))
            .find(|(algorithm, _)| algorithm.eq_ignore_ascii_case("sha-256"))
            .and_then(|(_, digest)| Fingerprint::from_sdp(digest))
            .ok_or(BadDescription::Attribute("fingerprint"))?;
        let max_message = match attribute(sdp, "max-message-size") {
            // RFC 8841: without the attribute 64 KiB are understood.
            None => 64 * 1024,
            Some(value) => value
                .parse()
                .map_err(|_| BadDescription::Attribute("max-message-size"))?,
        };
        Ok(Description {
            credentials: Credentials {
                ufrag: ufrag.to_owned(),
                password: password.to_owned(),
            },
            fingerprint,
            mid: attribute(sdp, "mid").unwrap_or("0").to_owned(),
            max_message,
        })
    }
}

/// The answer that a server of WebRTC-direct implies by its address.
///
/// It does not say that the server is an ICE-lite agent. A browser that knows nominates the path with a
/// check of its own, 50 ms after the first; until then the server must not answer its DTLS. One that
/// does not know nominates with the first check. Nothing else depends on it.
pub fn server_answer(
    address: SocketAddr,
    certificate: Fingerprint,
    call: &Call,
    mid: &str,
) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (address.ip(), address.port());
    let Credentials { ufrag, password } = &call.server;
    let fingerprint = certificate.to_sdp();
    [
        "v=0".to_owned(),
        format!("o=- 0 0 IN {family} {ip}"),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        format!("m=application {port} UDP/DTLS/SCTP webrtc-datachannel"),
        format!("c=IN {family} {ip}"),
        format!("a=mid:{mid}"),
        "a=ice-options:ice2".to_owned(),
        format!("a=ice-ufrag:{ufrag}"),
        format!("a=ice-pwd:{password}"),
        format!("a=fingerprint:sha-256 {fingerprint}"),
        "a=setup:passive".to_owned(),
        "a=sctp-port:5000".to_owned(),
        format!("a=max-message-size:{MAX_MESSAGE}"),
        format!("a=candidate:1467250027 1 UDP 1467250027 {ip} {port} typ host"),
        "a=end-of-candidates".to_owned(),
        String::new(),
    ]
    .join("\r\n")
}

/// The offer with other ICE credentials: version 1 cannot do without.
pub fn with_credentials(offer: &str, credentials: &Credentials) -> String {
    let mut sdp = String::with_capacity(offer.len() + 256);
    for line in offer.lines() {
        match line.split_once(':') {
            Some(("a=ice-ufrag", _)) => {
                sdp.push_str("a=ice-ufrag:");
                sdp.push_str(&credentials.ufrag);
            }
            Some(("a=ice-pwd", _)) => {
                sdp.push_str("a=ice-pwd:");
                sdp.push_str(&credentials.password);
            }
            _ => sdp.push_str(line),
        }
        sdp.push_str("\r\n");
    }
    sdp
}

fn required<'a>(sdp: &'a str, name: &'static str) -> Result<&'a str, BadDescription> {
    attribute(sdp, name)
        .filter(|value| !value.is_empty())
        .ok_or(BadDescription::Attribute(name))
}

pub(super) fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    attributes(sdp, name).next()
}

fn attributes<'a>(sdp: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    sdp.lines().filter_map(move |line| {
        let (found, value) = line.strip_prefix("a=")?.split_once(':')?;
        (found == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 2543 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 30:FC:9F:46:9C:20:74:19:DF:DD:0A:AB:5F:27:A8:6C:97:3C:94:E4:05:48:DB:93:75:CC:A2:E9:15:97:3B:99\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

    #[test]
    fn offer_of_a_browser_is_understood() {
        let offer = Description::parse(OFFER).unwrap();
        assert_eq!(offer.credentials.ufrag, "EsAw");
        assert_eq!(offer.credentials.password, "P2uYro0UCOQ4zxjKXaWCBui1");
        assert_eq!((offer.mid.as_str(), offer.max_message), ("0", 262_144));
        assert_eq!(offer.fingerprint.digest()[..2], [0x30, 0xfc]);
    }

    #[test]
    fn answer_says_what_the_call_implies() {
        let offer = Description::parse(OFFER).unwrap();
        let call = Call::v2(offer.credentials).unwrap();
        for address in ["192.0.2.7:4001", "[2001:db8::7]:4001"] {
            let address: SocketAddr = address.parse().unwrap();
            let answer = server_answer(address, offer.fingerprint, &call, &offer.mid);
            let read = Description::parse(&answer).unwrap();
            assert_eq!(read.credentials, call.server);
            assert_eq!(read.fingerprint, offer.fingerprint);
            assert_eq!(read.max_message, MAX_MESSAGE as u64);
            assert!(answer.contains(&format!(" {} 4001 typ host\r\n", address.ip())));
            assert!(answer.lines().any(|line| line == "a=setup:passive"));
        }
    }

    #[test]
    fn rewriting_changes_the_credentials_and_nothing_else() {
        let call = Call::v1(&[3; 32]);
        let rewritten = with_credentials(OFFER, &call.client);
        assert_eq!(
            Description::parse(&rewritten).unwrap().credentials,
            call.client
        );
        let differ = OFFER
            .lines()
            .zip(rewritten.lines())
            .filter(|(before, after)| before != after)
            .count();
        assert_eq!(differ, 2);
        assert_eq!(OFFER.lines().count(), rewritten.lines().count());
    }

    #[test]
    fn what_is_missing_is_named() {
        for (line, name) in [
            ("a=ice-ufrag:", "ice-ufrag"),
            ("a=ice-pwd:", "ice-pwd"),
            ("a=fingerprint:", "fingerprint"),
        ] {
            let without: String = OFFER
                .lines()
                .filter(|other| !other.starts_with(line))
                .map(|line| format!("{line}\n"))
                .collect();
            assert_eq!(
                Description::parse(&without),
                Err(BadDescription::Attribute(name))
            );
        }
        let long = "a".repeat(MAX_DESCRIPTION + 1);
        assert_eq!(Description::parse(&long), Err(BadDescription::TooLong));
    }
}
