//! Session descriptions of native peers, whose stack writes none.
//!
//! What is written is what browsers write for a connection with data channels and nothing else. Of the
//! remote's is read what the stack has to know; what makes no difference to data channels is passed over.

use super::candidate::Candidate;
use crate::webrtc::fingerprint::Fingerprint;
use crate::webrtc::frame::MAX_MESSAGE;
use crate::webrtc::sdp::{BadDescription, Description, attribute};
use crate::webrtc::ufrag::Credentials;

/// Who begins the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// The end that says so.
    Active,
    /// The other one.
    Passive,
    /// Whichever the other one likes; in offers only.
    Either,
}

impl Setup {
    fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::Either => "actpass",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Setup::Active, Setup::Passive, Setup::Either]
            .into_iter()
            .find(|setup| setup.as_str() == text)
    }
}

/// What this end says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Any number; descriptions of other attempts have others.
    pub session: u64,
    /// Its ICE credentials.
    pub credentials: &'a Credentials,
    /// The hash of its certificate.
    pub fingerprint: &'a Fingerprint,
    /// Who begins the DTLS handshake.
    pub setup: Setup,
    /// The name of the section; an answer has that of the offer.
    pub mid: &'a str,
}

impl Own<'_> {
    /// The text. The ways to this end are told one by one.
    pub fn to_sdp(&self) -> String {
        let Own {
            credentials: Credentials { ufrag, password },
            mid,
            ..
        } = self;
        [
            "v=0".to_owned(),
            // Nobody looks at the address, and it is nobody's business.
            format!("o=- {} 2 IN IP4 127.0.0.1", self.session >> 1),
            "s=-".to_owned(),
            "t=0 0".to_owned(),
            format!("a=group:BUNDLE {mid}"),
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel".to_owned(),
            "c=IN IP4 0.0.0.0".to_owned(),
            format!("a=ice-ufrag:{ufrag}"),
            format!("a=ice-pwd:{password}"),
            "a=ice-options:trickle".to_owned(),
            format!("a=fingerprint:sha-256 {}", self.fingerprint.to_sdp()),
            format!("a=setup:{}", self.setup.as_str()),
            format!("a=mid:{mid}"),
            "a=sctp-port:5000".to_owned(),
            format!("a=max-message-size:{MAX_MESSAGE}"),
            String::new(),
        ]
        .join("\r\n")
    }
}

/// What the remote says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its ICE credentials.
    pub credentials: Credentials,
    /// The hash of its certificate.
    pub fingerprint: Fingerprint,
    /// Who begins the DTLS handshake, as the remote wants it.
    pub setup: Setup,
    /// The name of its section.
    pub mid: String,
    /// Ways to it that are in the description.
    pub candidates: Vec<Candidate>,
}

impl Remote {
    /// Reads an offer or an answer with one section, that of data channels.
    pub fn parse(sdp: &str, offer: bool) -> Result<Self, BadDescription> {
        let Description {
            credentials,
            fingerprint,
            mid,
            max_message,
        } = Description::parse(sdp)?;
        let setup = match attribute(sdp, "setup") {
            // RFC 8842: what offers leave open is for the answer to say.
            None if offer => Some(Setup::Either),
            None => None,
            Some(text) => Setup::parse(text),
        };
        let setup = setup
            .filter(|setup| offer || *setup != Setup::Either)
            .ok_or(BadDescription::Attribute("setup"))?;
        if max_message != 0 && max_message < MAX_MESSAGE as u64 {
            return Err(BadDescription::Attribute("max-message-size"));
        }
        let candidates = sdp
            .lines()
            .filter_map(|line| line.trim_end().strip_prefix("a="))
            .filter(|line| line.starts_with("candidate:"));
        let candidates = candidates.map(|text| Candidate {
            text: text.to_owned(),
            mid: Some(mid.clone()),
            line: Some(0),
            ufrag: None,
        });
        Ok(Remote {
            candidates: candidates.collect(),
            credentials,
            fingerprint,
            setup,
            mid,
        })
    }
}

#[cfg(test)]
mod tests;
