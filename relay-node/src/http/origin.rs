//! How a client reached this server, for documents that name the server's own address.

use std::net::SocketAddr;

use axum::http::{Request, header, uri::Authority};

/// How one request came in. The host is whatever the client claims: fit for an answer to that
/// client, for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOrigin {
    /// Whether the connection to this server is encrypted.
    pub tls: bool,
    /// Host, and port unless it is the default one, as the client wrote them.
    pub host: Option<String>,
    /// This server's end of the connection.
    pub local: SocketAddr,
    /// The client's end, or that of the proxy before it.
    pub remote: SocketAddr,
}

impl RequestOrigin {
    pub(super) fn of<B>(
        request: &Request<B>,
        local: SocketAddr,
        remote: SocketAddr,
        tls: bool,
    ) -> Self {
        let header = request.headers().get(header::HOST);
        let host = header
            .and_then(|host| host.to_str().ok())
            .and_then(|host| host.parse::<Authority>().ok())
            .filter(|authority| !authority.as_str().contains('@'))
            .map(|authority| authority.to_string());
        Self {
            tls,
            host,
            local,
            remote,
        }
    }

    /// The URL at which this client reaches the server.
    pub fn http_url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match &self.host {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{}", self.local),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: Option<&str>, tls: bool) -> String {
        let mut request = Request::builder();
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        let request = request.body(()).unwrap();
        let local = "127.0.0.1:8080".parse().unwrap();
        RequestOrigin::of(&request, local, local, tls).http_url()
    }

    #[test]
    fn a_client_gets_the_url_it_came_by() {
        assert_eq!(url(Some("relay.example"), true), "https://relay.example");
        assert_eq!(url(Some("[::1]:8080"), false), "http://[::1]:8080");
    }

    #[test]
    fn nonsense_is_not_repeated() {
        for host in [None, Some("a b"), Some("user@host"), Some("a/b"), Some("")] {
            assert_eq!(url(host, false), "http://127.0.0.1:8080", "{host:?}");
        }
    }
}
