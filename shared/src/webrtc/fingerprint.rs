//! The SHA-256 hash of a DTLS certificate, in the three forms it travels in.

use std::fmt;

/// Multihash code and length of a SHA-256 digest.
const SHA_256: [u8; 2] = [0x12, 0x20];
const PROLOGUE: &[u8] = b"libp2p-webrtc-noise:";

/// The hash of a certificate: what an address promises and what a handshake proves.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From the digest itself.
    pub const fn new(digest: [u8; 32]) -> Self {
        Fingerprint(digest)
    }

    /// From a multihash, as the `/certhash` of an address holds it; SHA-256 only.
    pub fn from_multihash(bytes: &[u8]) -> Option<Self> {
        let digest = bytes.strip_prefix(&SHA_256)?;
        Some(Fingerprint(digest.try_into().ok()?))
    }

    /// As a multihash.
    pub fn to_multihash(self) -> [u8; 34] {
        let mut bytes = [0; 34];
        bytes[..2].copy_from_slice(&SHA_256);
        bytes[2..].copy_from_slice(&self.0);
        bytes
    }

    /// From the colon-separated hexadecimal of a session description.
    pub fn from_sdp(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let mut parts = text.split(':');
        for byte in &mut digest {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Fingerprint(digest))
    }

    /// As colon-separated hexadecimal.
    pub fn to_sdp(self) -> String {
        self.0.map(|byte| format!("{byte:02X}")).join(":")
    }

    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_sdp())
    }
}

/// What the noise handshake on channel 0 is bound to: it fails when either end talks through a
/// DTLS connection with other certificates.
pub fn noise_prologue(client: Fingerprint, server: Fingerprint) -> Vec<u8> {
    [
        PROLOGUE,
        &client.to_multihash()[..],
        &server.to_multihash()[..],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of the libp2p WebRTC specification.
    const CLIENT: &str = "3e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870";
    const SERVER: &str = "30fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99";

    fn parsed(hex: &str) -> Fingerprint {
        let colons: Vec<&str> = (0..hex.len())
            .step_by(2)
            .map(|at| &hex[at..at + 2])
            .collect();
        Fingerprint::from_sdp(&colons.join(":")).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn prologue_is_that_of_the_specification() {
        assert_eq!(
            hex(&noise_prologue(parsed(CLIENT), parsed(SERVER))),
            format!("6c69627032702d7765627274632d6e6f6973653a1220{CLIENT}1220{SERVER}")
        );
    }

    #[test]
    fn forms_lead_back_to_each_other() {
        let fingerprint = parsed(CLIENT);
        assert_eq!(
            Fingerprint::from_sdp(&fingerprint.to_sdp()),
            Some(fingerprint)
        );
        assert_eq!(
            Fingerprint::from_multihash(&fingerprint.to_multihash()),
            Some(fingerprint)
        );
    }

    #[test]
    fn damaged_forms_are_refused() {
        let good = parsed(SERVER);
        let text = good.to_sdp();
        for bad in [
            "",
            &text[..text.len() - 1],
            &format!("{text}:00"),
            &text.replace(':', "-"),
            &text.replacen("30", "+3", 1),
        ] {
            assert_eq!(Fingerprint::from_sdp(bad), None, "{bad:?}");
        }
        let hash = good.to_multihash();
        assert_eq!(Fingerprint::from_multihash(&hash[..33]), None);
        assert_eq!(Fingerprint::from_multihash(&[0x13; 34]), None);
    }
}
