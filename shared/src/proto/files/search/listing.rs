//! What somebody says about a file, signed.
//!
//! Knows the fields and whose word they are. Whether the file is what is said of it, only the file shows.

use minicbor::{Decode, Encode};

use super::words::tokens;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_FILE, MAX_FILE_NAME, MAX_MEDIA_TYPE, MAX_SAFE_INTEGER, MAX_TAG, MAX_TAGS};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::files::cid::Cid;
use crate::proto::key::{NetworkId, PublicKey, SigningKey};
use crate::proto::record::Refusal;
use crate::proto::{Millis, cbor};

/// Domain of listings.
pub const LISTING_DOMAIN: &str = "file-listing";

/// A file as its publisher describes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Listing {
    /// Which.
    #[n(0)]
    pub cid: Cid,
    /// What it is called: 1 to 255 bytes without control characters.
    #[n(1)]
    pub name: String,
    /// In bytes; of a directory, of all its files.
    #[n(2)]
    pub size: u64,
    /// Its media type; may be empty.
    #[n(3)]
    pub media: String,
    /// At most 16 of 1 to 64 bytes, sorted, each once.
    #[n(4)]
    pub tags: Vec<String>,
}

impl Listing {
    /// The words by which it is found.
    pub fn tokens(&self) -> Vec<String> {
        let tags = self.tags.iter().map(String::as_str);
        tokens([self.name.as_str()].into_iter().chain(tags))
    }

    /// Signs it: it counts until `expires`, and in place of every other of the same author with a lower `seq`.
    pub fn sign(
        &self,
        key: &SigningKey,
        network: &NetworkId,
        seq: u64,
        (issued, expires): (Millis, Millis),
    ) -> Result<Signed> {
        self.check().map_err(|refusal| {
            Error::new(Code::InvalidArgument, "this cannot be listed")
                .caused_by(refusal)
                .with_remedy("Use a name of 1 to 255 bytes and at most 16 different tags of 1 to 64 bytes, without control characters.")
        })?;
        let body = Body {
            domain: LISTING_DOMAIN.to_owned(),
            network: network.clone(),
            key: key.public(),
            label: self.cid.to_string(),
            seq,
            issued,
            expires,
            payload: cbor::encode(self),
        };
        Ok(Signed {
            listing: self.clone(),
            envelope: Envelope::sign(body, key)?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        let plain = |text: &str| !text.chars().any(char::is_control);
        let named = (1..=MAX_FILE_NAME).contains(&self.name.len()) && plain(&self.name);
        let typed = self.media.len() <= MAX_MEDIA_TYPE && plain(&self.media);
        let tag = |tag: &String| (1..=MAX_TAG).contains(&tag.len()) && plain(tag);
        let tagged = self.tags.len() <= MAX_TAGS && self.tags.iter().all(tag);
        let sorted = self.tags.is_sorted_by(|one, two| one < two);
        // A directory may have more in it than a file can have.
        let sized = match self.cid.kind {
            super::super::Kind::File => self.size <= MAX_FILE,
            super::super::Kind::Directory => self.size <= MAX_SAFE_INTEGER,
        };
        match named && typed && tagged && sorted && sized {
            true => Ok(()),
            false => Err(Refusal::Malformed),
        }
    }
}

/// A listing that somebody has signed. Made only by [`Listing::sign`] and [`Signed::open`], so it is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    listing: Listing,
    envelope: Envelope,
}

impl Signed {
    /// Reads and verifies a listing for a network, as of a time.
    pub fn open(bytes: &[u8], network: &NetworkId, now: Millis) -> Result<Signed, Refusal> {
        let envelope = Envelope::open(bytes)?;
        let body = envelope.body();
        if body.domain != LISTING_DOMAIN {
            return Err(Refusal::Unsupported);
        }
        if body.network != *network {
            return Err(Refusal::WrongNetwork);
        }
        envelope.check_time(now)?;
        let listing: Listing = cbor::decode(&body.payload)?;
        listing.check()?;
        if body.label != listing.cid.to_string() {
            return Err(Refusal::WrongKey);
        }
        Ok(Signed { listing, envelope })
    }

    /// What is said.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Who says so.
    pub fn author(&self) -> PublicKey {
        self.envelope.body().key
    }

    /// When it stops counting.
    pub fn expires(&self) -> Millis {
        self.envelope.body().expires
    }

    /// As it travels.
    pub fn bytes(&self) -> &[u8] {
        self.envelope.bytes()
    }

    /// Whether it counts in place of another one of the same author about the same file.
    pub fn replaces(&self, other: &Signed) -> bool {
        let order = |signed: &Signed| (signed.envelope.body().seq, signed.envelope.hash());
        order(self) > order(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DAY;

    const NOW: Millis = 1_700_000_000_000;

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn network() -> NetworkId {
        "test".parse().unwrap()
    }

    fn listing() -> Listing {
        Listing {
            cid: Cid::file([7; 32]),
            name: "Meer & Küste.jpg".to_owned(),
            size: 5,
            media: "image/jpeg".to_owned(),
            tags: vec!["ferien".to_owned(), "nordsee 2024".to_owned()],
        }
    }

    fn signed(listing: &Listing, seq: u64) -> Signed {
        let times = (NOW, NOW + 7 * DAY);
        listing.sign(&key(), &network(), seq, times).unwrap()
    }

    #[test]
    fn it_is_verified() {
        let signed = signed(&listing(), 3);
        let open = |now| Signed::open(signed.bytes(), &network(), now);
        assert_eq!(open(NOW).as_ref(), Ok(&signed));
        assert_eq!(
            (signed.author(), signed.expires()),
            (key().public(), NOW + 7 * DAY)
        );
        assert_eq!(open(NOW + 8 * DAY), Err(Refusal::Expired));
        let other = Signed::open(signed.bytes(), &"other".parse().unwrap(), NOW);
        assert_eq!(other, Err(Refusal::WrongNetwork));
        let mut bytes = signed.bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(
            Signed::open(&bytes, &network(), NOW),
            Err(Refusal::BadSignature)
        );
        let tokens = listing().tokens();
        assert_eq!(
            tokens,
            ["2024", "ferien", "jpg", "küste", "meer", "nordsee"]
        );
    }

    #[test]
    fn a_listing_stands_only_where_it_belongs() {
        let payload = cbor::encode(&listing());
        let body = |domain: &str, label: String, payload| Body {
            domain: domain.to_owned(),
            network: network(),
            key: key().public(),
            label,
            seq: 1,
            issued: NOW,
            expires: NOW + DAY,
            payload,
        };
        let open = |body| {
            let envelope = Envelope::sign(body, &key()).unwrap();
            Signed::open(envelope.bytes(), &network(), NOW)
        };
        let label = listing().cid.to_string();
        assert!(open(body(LISTING_DOMAIN, label.clone(), payload.clone())).is_ok());
        let elsewhere = Cid::file([8; 32]).to_string();
        let moved = open(body(LISTING_DOMAIN, elsewhere, payload.clone()));
        assert_eq!(moved, Err(Refusal::WrongKey));
        assert_eq!(
            open(body("value", label.clone(), payload)),
            Err(Refusal::Unsupported)
        );
        assert_eq!(
            open(body(LISTING_DOMAIN, label, vec![0])),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn the_later_one_counts() {
        let (one, two) = (signed(&listing(), 1), signed(&listing(), 2));
        assert!(two.replaces(&one) && !one.replaces(&two) && !one.replaces(&one));
        let renamed = Listing {
            name: "b".to_owned(),
            ..listing()
        };
        let same = signed(&renamed, 1);
        assert_ne!(same.replaces(&one), one.replaces(&same), "everybody agrees");
    }

    #[test]
    fn senseless_listings_are_neither_signed_nor_read() {
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let many: Vec<String> = (0..=MAX_TAGS).map(|n| format!("{n:02}")).collect();
        for bad in [
            Listing {
                name: String::new(),
                ..listing()
            },
            Listing {
                name: "x".repeat(256),
                ..listing()
            },
            Listing {
                name: "a\nb".to_owned(),
                ..listing()
            },
            Listing {
                size: MAX_FILE + 1,
                ..listing()
            },
            Listing {
                media: "x".repeat(129),
                ..listing()
            },
            Listing {
                tags: tags(&["b", "a"]),
                ..listing()
            },
            Listing {
                tags: tags(&["a", "a"]),
                ..listing()
            },
            Listing {
                tags: tags(&[""]),
                ..listing()
            },
            Listing {
                tags: tags(&[&"x".repeat(65)]),
                ..listing()
            },
            Listing {
                tags: many,
                ..listing()
            },
        ] {
            let refused = bad.sign(&key(), &network(), 1, (NOW, NOW + DAY));
            assert_eq!(
                refused.unwrap_err().code(),
                Code::InvalidArgument,
                "{bad:?}"
            );
            let body = Body {
                payload: cbor::encode(&bad),
                ..signed(&listing(), 1).envelope.body().clone()
            };
            let envelope = Envelope::sign(body, &key()).unwrap();
            let read = Signed::open(envelope.bytes(), &network(), NOW);
            assert_eq!(read, Err(Refusal::Malformed), "{bad:?}");
        }
        let large = Listing {
            cid: Cid::directory([7; 32]),
            size: MAX_FILE + 1,
            ..listing()
        };
        signed(&large, 1);
    }
}
