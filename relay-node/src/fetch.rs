//! One HTTP GET, for join documents and health checks: `http://` and `https://`, small answers only.

use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{Request, StatusCode, Uri, header};
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::MAX_JOIN_TEXT;
use warren_shared::net::discover::WELL_KNOWN;
use warren_shared::net::outside::Outside;

/// Fetches over the host's network.
#[derive(Default)]
pub struct Fetcher;

impl Outside for Fetcher {
    fn fetch(&self, url: String, patience: Duration) -> BoxFuture<'static, Result<String>> {
        async move {
            let late = |_| {
                Error::new(
                    Code::TimedOut,
                    format!("{url} did not answer within {patience:?}"),
                )
            };
            tokio::time::timeout(patience, get(&url))
                .await
                .map_err(late)?
        }
        .boxed()
    }
}

async fn get(url: &str) -> Result<String> {
    let uri: Uri = url.parse().map_err(|error| bad_url(url).caused_by(error))?;
    let host = uri.host().ok_or_else(|| bad_url(url))?.to_owned();
    let secure = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(bad_url(url)),
    };
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let address = (host.trim_matches(['[', ']']), port);
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| failed(url, error))?;
    if secure {
        let name = ServerName::try_from(address.0.to_owned())
            .map_err(|error| bad_url(url).caused_by(error))?;
        let stream = tls()?
            .connect(name, stream)
            .await
            .map_err(|error| no_tls(url, error))?;
        exchange(url, &uri, TokioIo::new(stream)).await
    } else {
        exchange(url, &uri, TokioIo::new(stream)).await
    }
}

async fn exchange<S>(url: &str, uri: &Uri, stream: TokioIo<S>) -> Result<String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(|error| failed(url, error))?;
    tokio::spawn(connection);
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(
            header::HOST,
            uri.authority().map_or("", |authority| authority.as_str()),
        )
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| bad_url(url).caused_by(error))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| failed(url, error))?;
    if !response.status().is_success() {
        return Err(no_document(url, response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_JOIN_TEXT)
        .collect()
        .await
        .map_err(|error| failed(url, error))?
        .to_bytes();
    String::from_utf8(body.to_vec()).map_err(|error| failed(url, error))
}

fn tls() -> Result<tokio_rustls::TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").caused_by(error))?
    .with_root_certificates(roots)
    .with_no_client_auth();
    Ok(Arc::new(config).into())
}

fn bad_url(url: &str) -> Error {
    // What was typed, without what was put behind it.
    let typed = url.strip_suffix(WELL_KNOWN).unwrap_or(url);
    Error::new(
        Code::InvalidAddress,
        format!("{typed:?} is not an http:// or https:// URL"),
    )
    .with_remedy(
        "give the address of the relay's page, like https://relay.example or http://127.0.0.1:8080",
    )
}

/// Most often the port speaks HTTP without TLS.
fn no_tls(url: &str, cause: std::io::Error) -> Error {
    failed(url, cause)
        .with_remedy("if the relay has no certificate, write http:// instead of https://")
}

fn no_document(url: &str, status: StatusCode) -> Error {
    let error = failed(url, status);
    match status {
        StatusCode::NOT_FOUND => {
            error.with_remedy("no Warren relay answers there: check the address and the port")
        }
        _ => error,
    }
}

fn failed(url: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(Code::JoinFailed, format!("{url} could not be fetched"))
        .caused_by(cause)
        .with_remedy("check that the relay runs and that its HTTP port is open")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_talk_about_what_was_typed_and_what_answers() {
        let error = bad_url("127.0.0.1:8080/.well-known/warren.json");
        assert!(!error.to_string().contains("well-known"), "{error}");
        let error = no_document("http://127.0.0.1:8080/", StatusCode::NOT_FOUND);
        assert!(
            error.remedy().contains("no Warren relay"),
            "{}",
            error.remedy()
        );
    }
}
