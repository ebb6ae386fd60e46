//! The certificate whose hash is part of the node's address, and its file.

use multibase::Base;
use rcgen::{CertificateParams, KeyPair};
use str0m::config::DtlsCert;
use warren_shared::error::{Code, Error, Result};
use warren_shared::webrtc::fingerprint::Fingerprint;

use super::agent;

/// A DTLS certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// A new certificate, as PEM with its key.
    pub fn generate() -> Result<Vec<u8>> {
        let failed = |error: rcgen::Error| {
            Error::new(Code::Internal, "no WebRTC certificate could be made").caused_by(error)
        };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = CertificateParams::default()
            .self_signed(&key)
            .map_err(failed)?;
        Ok(format!("{}\n{}", key.serialize_pem(), certificate.pem()).into_bytes())
    }

    /// Reads what [`Certificate::generate`] makes, or what the stock libp2p transport made.
    pub fn from_pem(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        // The stock transport wrote the name with an underscore.
        let key = block(&text, "PRIVATE KEY").or_else(|| block(&text, "PRIVATE_KEY"));
        let (Some(certificate), Some(key)) = (block(&text, "CERTIFICATE"), key) else {
            return Err(damaged("it has no certificate or no key"));
        };
        KeyPair::try_from(&key[..]).map_err(|error| damaged(&error.to_string()))?;
        Ok(Certificate { certificate, key })
    }

    /// What addresses promise.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(agent::sha256(&self.certificate))
    }

    pub(super) fn for_dtls(&self) -> DtlsCert {
        DtlsCert {
            certificate: self.certificate.clone(),
            private_key: self.key.clone(),
        }
    }
}

fn damaged(cause: &str) -> Error {
    Error::new(
        Code::StorageFailed,
        "the stored WebRTC certificate cannot be read",
    )
    .caused_by(cause.to_owned())
    .with_remedy(
        "restore webrtc.pem from a backup, or delete it: the relay's WebRTC address then changes",
    )
}

/// The first block of that name in a PEM file.
fn block(text: &str, name: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {name}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {name}-----"))?;
    let body: String = body.split_whitespace().collect();
    Base::Base64Pad.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_certificate_is_read_back() {
        let pem = Certificate::generate().unwrap();
        let read = Certificate::from_pem(&pem).unwrap();
        assert_eq!(
            read.fingerprint(),
            Certificate::from_pem(&pem).unwrap().fingerprint()
        );
        let other = Certificate::from_pem(&Certificate::generate().unwrap()).unwrap();
        assert_ne!(read.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_file_of_the_stock_transport_keeps_its_address() {
        let pem = Certificate::generate().unwrap();
        let new = String::from_utf8(pem.clone()).unwrap();
        let old = format!(
            "-----BEGIN EXPIRES-----\r\n/3ZyZQAAAAA=\r\n-----END EXPIRES-----\r\n\n{}",
            new.replace("PRIVATE KEY", "PRIVATE_KEY")
                .replace('\n', "\r\n")
        );
        assert_eq!(
            Certificate::from_pem(old.as_bytes()).unwrap().fingerprint(),
            Certificate::from_pem(&pem).unwrap().fingerprint()
        );
    }

    #[test]
    fn damaged_files_are_refused_with_a_remedy() {
        let pem = String::from_utf8(Certificate::generate().unwrap()).unwrap();
        let cut = &pem[..pem.len() / 2];
        let keyless = pem.replace("PRIVATE KEY", "NO KEY");
        let wrong = pem.replace("MIG", "AIG");
        for text in ["", cut, &keyless, &wrong] {
            let error = Certificate::from_pem(text.as_bytes()).err().unwrap();
            assert!(error.remedy().contains("webrtc.pem"), "{text:?}");
        }
    }
}
