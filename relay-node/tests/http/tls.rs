//! TLS on the HTTP port, and certificates that change.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use warren_relay::{config::TlsFiles, http::HttpServer, tls::Reload};
use warren_shared::error::Code;

use crate::support::{LOCALHOST, Running, ask, limits};

/// A pair of files, and what a client has to trust.
pub struct Pair {
    pub dir: TempDir,
    pub trusted: CertificateDer<'static>,
}

impl Pair {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trusted = write_pair(dir.path());
        Self { dir, trusted }
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.dir.path().join("cert.pem"),
            key: self.dir.path().join("key.pem"),
        }
    }

    pub fn renew(&mut self) {
        self.trusted = write_pair(self.dir.path());
    }
}

fn write_pair(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(dir.join("key.pem"), made.key_pair.serialize_pem()).unwrap();
    fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

pub async fn connect(
    server: &Running,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, server.connect().await)
        .await
}

#[tokio::test]
async fn documents_and_page_are_served_over_tls() {
    let pair = Pair::new();
    let server = Running::start_with(Some(pair.files()), limits()).await;
    let client = connect(&server, &pair.trusted).await.unwrap();
    let reply = ask(
        client,
        "GET /.well-known/warren.json HTTP/1.1\nHost: r.example",
    )
    .await;
    assert_eq!(reply.body, "{\"http\":\"https://r.example\"}");

    let client = connect(&server, &pair.trusted).await.unwrap();
    let reply = ask(client, "GET / HTTP/1.1\nHost: r.example").await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("strict-transport-security").is_some());
}

#[tokio::test]
async fn plain_http_is_led_to_tls() {
    let pair = Pair::new();
    let server = Running::start_with(Some(pair.files()), limits()).await;
    let reply = server
        .ask("GET /a?b=c HTTP/1.1\nHost: localhost:8443")
        .await;
    assert_eq!(reply.status, 308);
    assert_eq!(
        reply.header("location"),
        Some("https://localhost:8443/a?b=c")
    );
    assert!(reply.body.contains("speaks TLS"));

    let reply = server.ask("GET / HTTP/1.1\nHost: bad host").await;
    assert_eq!(reply.status, 400);
    let reply = server
        .ask("GET / HTTP/1.1\nHost: localhost\nUpgrade: websocket")
        .await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("wss://"));
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_broken_one_is_not() {
    let mut pair = Pair::new();
    let server = HttpServer::bind_with(LOCALHOST, Some(pair.files()), limits())
        .await
        .unwrap();
    let mut changes = server.certificate_changes().unwrap();
    let server = Running::serve(server);

    let old = pair.trusted.clone();
    pair.renew();
    changes.wait_for(|c| *c == Reload::Loaded(1)).await.unwrap();
    connect(&server, &pair.trusted).await.unwrap();
    connect(&server, &old).await.unwrap_err();

    fs::write(pair.files().cert, "no certificate").unwrap();
    let kept = changes
        .wait_for(|change| matches!(change, Reload::Kept(1, _)))
        .await
        .unwrap()
        .clone();
    let Reload::Kept(_, error) = kept else {
        unreachable!()
    };
    assert!(error.message().contains("cert.pem"), "{error}");
    connect(&server, &pair.trusted).await.unwrap();

    // A key that belongs to another certificate.
    let other = Pair::new();
    fs::copy(other.files().cert, pair.files().cert).unwrap();
    changes.changed().await.unwrap();
    connect(&server, &pair.trusted).await.unwrap();

    pair.renew();
    changes.wait_for(|c| *c == Reload::Loaded(2)).await.unwrap();
    connect(&server, &pair.trusted).await.unwrap();
}

#[tokio::test]
async fn at_the_start_a_broken_pair_is_an_error() {
    let pair = Pair::new();
    let cases: [(&dyn Fn(), &str); 3] = [
        (
            &|| fs::write(pair.files().key, "x").unwrap(),
            "holds no private key",
        ),
        (
            &|| fs::write(pair.files().cert, "").unwrap(),
            "holds no certificate",
        ),
        (
            &|| fs::remove_file(pair.files().cert).unwrap(),
            "cannot be read",
        ),
    ];
    for (break_it, expected) in cases {
        break_it();
        let result = HttpServer::bind(LOCALHOST, Some(pair.files())).await;
        let error = result.err().unwrap();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert!(error.message().contains(expected), "{error}");
        assert!(error.remedy().contains("--tls-cert"));
    }
}
