//! The HTTP port: page, `/health`, `/.well-known/warren.json`, `/names/NAME`, and WebSockets for libp2p.
//!
//! Knows sockets, TLS and routes. Does not know what a relay would say in its documents: it asks,
//! for each request, those who do.

mod assets;
mod connection;
mod headers;
mod names;
mod negotiate;
mod origin;
mod routes;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, watch},
};
use tokio_rustls::TlsAcceptor;
use warren_shared::{
    error::{Code, Error, Result},
    net::admission::Admission,
};

use self::connection::Connection;
use crate::{
    config::TlsFiles,
    tls::{RELOAD_EVERY, Reload, TlsIdentity},
    transport::ws::WsAcceptor,
};

pub use self::names::{Finder, Found, NamesLimits, NamesPage};
pub use self::origin::RequestOrigin;

/// Clients that are told at one time that there is no place; during a flood the rest is just closed.
const FAREWELLS: usize = 32;

/// Makes the text of a document for one request, or says why there is none.
pub type Provider = Arc<dyn Fn(&RequestOrigin) -> Result<String> + Send + Sync>;

/// What the server answers with.
#[derive(Clone)]
pub struct HttpState {
    /// `/.well-known/warren.json`
    pub join: Provider,
    /// `/health`
    pub health: Provider,
    /// `/names/…`; without it there are no such pages.
    pub names: Option<NamesPage>,
    /// Takes upgraded WebSockets; without it they are refused.
    pub websockets: Option<WsAcceptor>,
}

/// Bounds of the HTTP port.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// Open connections, WebSockets included: each costs a file descriptor and some 50 KiB.
    pub connections: usize,
    /// Of these, from one public IPv4 address or IPv6 /64: a busy office behind one NAT fits, one
    /// machine cannot take the whole server.
    pub connections_per_prefix: usize,
    /// For the TLS handshake, and for the whole head of each request, idle time before it included.
    pub patience: Duration,
    /// How long answers under way may still take after a shutdown.
    pub drain: Duration,
    /// Between two looks at the certificate's files.
    pub reload: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_prefix: 256,
            patience: Duration::from_secs(15),
            drain: Duration::from_secs(3),
            reload: RELOAD_EVERY,
        }
    }
}

/// A bound port, not yet answering.
pub struct HttpServer {
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<(TlsIdentity, TlsAcceptor)>,
    limits: HttpLimits,
}

impl HttpServer {
    /// Takes the port, with the usual bounds. Errors say which port and why.
    pub async fn bind(address: SocketAddr, tls: Option<TlsFiles>) -> Result<Self> {
        Self::bind_with(address, tls, HttpLimits::default()).await
    }

    /// As [`HttpServer::bind`], with bounds of the caller's.
    pub async fn bind_with(
        address: SocketAddr,
        tls: Option<TlsFiles>,
        limits: HttpLimits,
    ) -> Result<Self> {
        let tls = tls.map(prepare_tls).transpose()?;
        let explain = |error| cannot_listen(address, &error);
        let listener = TcpListener::bind(address).await.map_err(explain)?;
        let local = listener.local_addr().map_err(explain)?;
        Ok(Self {
            listener,
            local,
            tls,
            limits,
        })
    }

    /// The address with the port that the system chose, if it was asked to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether the port speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Tells what became of each change of the certificate; `None` without TLS.
    pub fn certificate_changes(&self) -> Option<watch::Receiver<Reload>> {
        self.tls.as_ref().map(|(identity, _)| identity.outcomes())
    }

    /// Answers until `shutdown` completes, then lets answers under way finish. WebSockets are not
    /// waited for: they belong to the swarm.
    pub async fn serve(self, state: HttpState, shutdown: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let (alive, mut drained) = mpsc::channel::<()>(1);
        let (watcher, acceptor) = match self.tls {
            Some((identity, acceptor)) => {
                let watcher = tokio::spawn(identity.watch(self.limits.reload));
                (Some(watcher), Some(acceptor))
            }
            None => (None, None),
        };
        let template = Connection {
            state,
            tls: acceptor,
            patience: self.limits.patience,
            stopping,
            _alive: alive,
        };
        tokio::select! {
            () = accept_all(self.listener, self.limits, &template) => {}
            () = shutdown => {}
        }
        drop(template);
        stop.send_replace(true);
        // Ends when the last connection has dropped its sender.
        let _ = tokio::time::timeout(self.limits.drain, drained.recv()).await;
        if let Some(watcher) = watcher {
            watcher.abort();
        }
    }
}

async fn accept_all(listener: TcpListener, limits: HttpLimits, template: &Connection) {
    let admission = Admission::new(limits.connections, limits.connections_per_prefix);
    let farewells = Arc::new(Semaphore::new(FAREWELLS));
    loop {
        match listener.accept().await {
            Ok((socket, remote)) => match admission.admit(remote.ip()) {
                Some(permit) => {
                    tokio::spawn(template.clone().run(socket, remote, permit));
                }
                None => {
                    tracing::debug!(%remote, "HTTP connection refused: too many");
                    turn_away(socket, template.tls.is_some(), &farewells);
                }
            },
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors, most likely: give the others time to close some.
                tracing::warn!(%error, "cannot accept HTTP connections");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// A refusal in TLS would cost a handshake; there, closing says enough.
fn turn_away(socket: TcpStream, tls: bool, farewells: &Arc<Semaphore>) {
    if !tls && let Ok(permit) = farewells.clone().try_acquire_owned() {
        tokio::spawn(async move {
            connection::turn_away(socket).await;
            drop(permit);
        });
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn prepare_tls(files: TlsFiles) -> Result<(TlsIdentity, TlsAcceptor)> {
    let identity = TlsIdentity::load(files)?;
    let acceptor = TlsAcceptor::from(identity.server_config()?);
    Ok((identity, acceptor))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Error {
    let (code, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            Code::PortInUse,
            "Stop the other program, or choose another port with --http (0 takes any free one).",
        ),
        io::ErrorKind::PermissionDenied => (
            Code::PermissionDenied,
            "Choose a port from 1024 up with --http, or allow this program to use lower ones.",
        ),
        io::ErrorKind::AddrNotAvailable => (
            Code::ConfigInvalid,
            "This machine does not have that address: use one of its own, or 0.0.0.0, with --http.",
        ),
        _ => (Code::ConfigInvalid, "Choose another address with --http."),
    };
    Error::new(code, format!("cannot listen for HTTP on {address}"))
        .caused_by(error)
        .with_remedy(remedy)
}
