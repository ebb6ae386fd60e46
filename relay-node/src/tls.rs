//! The certificate of the HTTP port, replaced while running when its files change.
//!
//! Knows how to read a pair of PEM files and when to read them again. Does not know who connects.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::sync::watch;
use warren_shared::error::{Code, Error, Result};

use crate::config::TlsFiles;

/// How often the files are looked at: a renewal is not urgent, but an operator who has just
/// replaced them should not have to wait to see that it worked.
pub const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// What the last look at changed files led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The pair with this number, counted from 0, is in use.
    Loaded(u64),
    /// The new files are unusable; the pair with this number stays in use.
    Kept(u64, Error),
}

/// A certificate and its key, as files that may change.
#[derive(Debug)]
pub struct TlsIdentity {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    /// What was read last, usable or not, so that a broken pair is reported once.
    seen: Pem,
    current: watch::Sender<Arc<CertifiedKey>>,
    outcome: watch::Sender<Reload>,
}

#[derive(Debug, PartialEq, Eq)]
struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl TlsIdentity {
    /// Reads the pair; at the start a broken one is an error.
    pub fn load(files: TlsFiles) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let seen = Pem::read(&files)?;
        let key = seen.certified(&files, &provider)?;
        Ok(Self {
            files,
            provider,
            seen,
            current: watch::Sender::new(Arc::new(key)),
            outcome: watch::Sender::new(Reload::Loaded(0)),
        })
    }

    /// A configuration whose handshakes use the pair of the moment, for HTTP/1.1.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>> {
        let resolver = Resolver(self.current.subscribe());
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(Code::Internal, "TLS is unusable").caused_by(error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Tells what became of each change.
    pub fn outcomes(&self) -> watch::Receiver<Reload> {
        self.outcome.subscribe()
    }

    /// Looks at the files from time to time, for ever.
    pub async fn watch(mut self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            self.look();
        }
    }

    fn look(&mut self) {
        // A file that is missing for a moment is being replaced: the next look finds it.
        let Ok(found) = Pem::read(&self.files) else {
            return;
        };
        if found == self.seen {
            return;
        }
        let loaded = found.certified(&self.files, &self.provider);
        self.seen = found;
        match loaded {
            Ok(key) => self.replace(key),
            Err(error) => self.keep(error),
        }
    }

    fn replace(&mut self, key: CertifiedKey) {
        self.current.send_replace(Arc::new(key));
        let number = self.number() + 1;
        self.outcome.send_replace(Reload::Loaded(number));
        tracing::info!(cert = %self.files.cert.display(), "TLS certificate reloaded");
    }

    fn keep(&mut self, error: Error) {
        tracing::warn!(%error, cause = error.cause(), "new TLS certificate refused, the old one stays in use");
        let number = self.number();
        self.outcome.send_replace(Reload::Kept(number, error));
    }

    fn number(&self) -> u64 {
        match *self.outcome.borrow() {
            Reload::Loaded(number) | Reload::Kept(number, _) => number,
        }
    }
}

#[derive(Debug)]
struct Resolver(watch::Receiver<Arc<CertifiedKey>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.borrow().clone())
    }
}

impl Pem {
    fn read(files: &TlsFiles) -> Result<Self> {
        Ok(Self {
            cert: read(&files.cert)?,
            key: read(&files.key)?,
        })
    }

    fn certified(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey> {
        let chain = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| {
                unusable(&files.cert, "holds no valid certificate").caused_by(error)
            })?;
        if chain.is_empty() {
            return Err(unusable(&files.cert, "holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| unusable(&files.key, "holds no private key").caused_by(error))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let pair = format!("is no key for {}", files.cert.display());
            unusable(&files.key, &pair).caused_by(error)
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| unusable(path, "cannot be read").caused_by(error))
}

fn unusable(path: &Path, problem: &str) -> Error {
    Error::new(Code::ConfigInvalid, format!("{} {problem}", path.display())).with_remedy(
        "Give --tls-cert the certificate chain and --tls-key its key, both in PEM, \
         readable by this user.",
    )
}
