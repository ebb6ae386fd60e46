//! Who calls: the ICE user name fragments of WebRTC-direct.
//!
//! There is no signalling, so the first packet must carry everything: the `USERNAME` of the
//! client's STUN request names the version of the protocol and, with it, both ends' credentials.
//!
//! * Version 1: both ends use the same `libp2p+webrtc+v1/…` as user name and password. A browser
//!   must rewrite its own session description for that, which browsers are about to forbid.
//! * Version 2: the client keeps the credentials that its browser made, and tells its password
//!   inside the server's half: `libp2p+webrtc+v2/<client password>`.

use std::fmt;

const V1: &str = "libp2p+webrtc+v1/";
const V2: &str = "libp2p+webrtc+v2/";
/// RFC 8839, in characters.
const UFRAG_LENGTH: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 22..=256;

/// How the two ends derive their credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// One value for both ends; needs a rewritten session description.
    V1,
    /// The client's own credentials stay as they are.
    V2,
}

/// ICE credentials of one end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The user name fragment.
    pub ufrag: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    fn same(value: &str) -> Self {
        Credentials {
            ufrag: value.to_owned(),
            password: value.to_owned(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.ufrag)
    }
}

/// Both ends' credentials, as one `USERNAME` or one dial implies them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The version of the protocol.
    pub version: Version,
    /// The end that dialled.
    pub client: Credentials,
    /// The end that listens.
    pub server: Credentials,
}

impl Call {
    /// What a client of version 1 uses; `random` makes the call unique.
    pub fn v1(random: &[u8; 32]) -> Self {
        let value = format!("{V1}{}", ice_text(random));
        Call {
            version: Version::V1,
            client: Credentials::same(&value),
            server: Credentials::same(&value),
        }
    }

    /// What a client of version 2 uses, given the credentials its own ICE agent has.
    pub fn v2(client: Credentials) -> Result<Self, BadUsername> {
        check(&client.ufrag, UFRAG_LENGTH)?;
        check(&client.password, PASSWORD_LENGTH)?;
        let value = format!("{V2}{}", client.password);
        check(&value, UFRAG_LENGTH)?;
        Ok(Call {
            version: Version::V2,
            client,
            server: Credentials::same(&value),
        })
    }

    /// Reads the `USERNAME` of a request that reached the server.
    pub fn from_username(username: &str) -> Result<Self, BadUsername> {
        let (server, client) = username.split_once(':').ok_or(BadUsername::Halves)?;
        check(server, UFRAG_LENGTH)?;
        check(client, UFRAG_LENGTH)?;
        if let Some(secret) = server.strip_prefix(V2) {
            check(secret, PASSWORD_LENGTH)?;
            let client = Credentials {
                ufrag: client.to_owned(),
                password: secret.to_owned(),
            };
            return Ok(Call {
                version: Version::V2,
                client,
                server: Credentials::same(server),
            });
        }
        if !server.starts_with(V1) {
            return Err(BadUsername::Version);
        }
        // The value is a password too, and the other end has the same.
        check(server, PASSWORD_LENGTH)?;
        if server != client {
            return Err(BadUsername::Halves);
        }
        Ok(Call {
            version: Version::V1,
            client: Credentials::same(client),
            server: Credentials::same(server),
        })
    }

    /// The `USERNAME` of requests from the client.
    pub fn username(&self) -> String {
        format!("{}:{}", self.server.ufrag, self.client.ufrag)
    }

    /// Fresh credentials of an ICE agent of ours.
    pub fn credentials(random: &[u8; 32]) -> Credentials {
        let text = ice_text(random);
        Credentials {
            ufrag: text[..8].to_owned(),
            password: text[8..].to_owned(),
        }
    }
}

/// Why a `USERNAME` was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUsername {
    /// Not two halves around a colon, or two that do not belong together.
    #[error("the user name has not two halves that belong together")]
    Halves,
    /// A half is too short or too long.
    #[error("a half of the user name has a forbidden length")]
    Length,
    /// A character that ICE does not allow.
    #[error("the user name has a forbidden character")]
    Character,
    /// No version we know.
    #[error("the user name is of an unknown version")]
    Version,
}

fn check(text: &str, length: std::ops::RangeInclusive<usize>) -> Result<(), BadUsername> {
    if !length.contains(&text.len()) {
        return Err(BadUsername::Length);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.bytes()
        .all(allowed)
        .then_some(())
        .ok_or(BadUsername::Character)
}

/// Random bytes as characters that ICE allows: 6 bits each, so 32 bytes keep 192 bits.
fn ice_text(random: &[u8; 32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    random
        .iter()
        .map(|byte| ALPHABET[usize::from(byte & 63)] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "asd88fgpdd777uzjYhagZg99";

    #[test]
    fn both_versions_lead_back_to_themselves() {
        let v1 = Call::v1(&[5; 32]);
        assert_eq!(Call::from_username(&v1.username()), Ok(v1.clone()));
        assert_eq!(v1.client, v1.server);

        let v2 = Call::v2(Credentials {
            ufrag: "EsAw".into(),
            password: PASSWORD.into(),
        })
        .unwrap();
        assert_eq!(v2.username(), format!("libp2p+webrtc+v2/{PASSWORD}:EsAw"));
        assert_eq!(v2.server.ufrag, v2.server.password);
        assert_eq!(Call::from_username(&v2.username()), Ok(v2));
    }

    #[test]
    fn fresh_credentials_are_allowed() {
        for seed in 0..=255 {
            Call::v2(Call::credentials(&[seed; 32])).unwrap();
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "a".repeat(257);
        for (bad, why) in [
            (String::new(), BadUsername::Halves),
            ("libp2p+webrtc+v1".into(), BadUsername::Halves),
            (
                format!("libp2p+webrtc+v3/{PASSWORD}:EsAw"),
                BadUsername::Version,
            ),
            ("someone:else".into(), BadUsername::Version),
            (
                format!("libp2p+webrtc+v2/{PASSWORD}:abc"),
                BadUsername::Length,
            ),
            (
                format!("libp2p+webrtc+v2/{PASSWORD}:{long}"),
                BadUsername::Length,
            ),
            (format!("libp2p+webrtc+v2/{long}:EsAw"), BadUsername::Length),
            ("libp2p+webrtc+v2/short:EsAw".into(), BadUsername::Length),
            ("libp2p+webrtc+v2/:EsAw".into(), BadUsername::Length),
            (
                format!("libp2p+webrtc+v2/{PASSWORD}:Es Aw"),
                BadUsername::Character,
            ),
            (
                format!("libp2p+webrtc+v2/{PASSWORD}:Es:w"),
                BadUsername::Character,
            ),
            (
                format!("libp2p+webrtc+v2/{PASSWORD}-:EsAw"),
                BadUsername::Character,
            ),
            ("libp2p+webrtc+v1/abcdefgh:EsAw".into(), BadUsername::Halves),
            (
                "libp2p+webrtc+v1/:libp2p+webrtc+v1/".into(),
                BadUsername::Length,
            ),
        ] {
            assert_eq!(Call::from_username(&bad), Err(why), "{bad:?}");
        }
    }
}
