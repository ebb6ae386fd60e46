//! One TCP connection: TLS or not, then HTTP/1.1, then perhaps a WebSocket.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use warren_shared::net::admission::Permit;

use super::{HttpState, RequestOrigin, routes};

/// The first byte of a TLS handshake; no HTTP method starts with it.
const TLS_HANDSHAKE: u8 = 0x16;

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
    content-length: 29\r\nconnection: close\r\n\r\nToo many connections for now.";

/// What every connection of a server needs.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) state: HttpState,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) patience: Duration,
    pub(super) stopping: watch::Receiver<bool>,
    /// Dropped when the connection ends, which the server waits for.
    pub(super) _alive: mpsc::Sender<()>,
}

/// Says that there is no place. Closing at once would reset the connection, and a browser that has
/// sent its request already would see that instead of the answer.
pub(super) async fn turn_away(mut socket: TcpStream) {
    let farewell = async {
        socket.write_all(BUSY).await?;
        socket.shutdown().await?;
        let mut sink = [0; 1024];
        while socket.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that does not listen is not worth more.
    let _ = timeout(Duration::from_secs(1), farewell).await;
}

impl Connection {
    pub(super) async fn run(self, socket: TcpStream, remote: SocketAddr, permit: Permit) {
        if let Err(error) = self.try_run(socket, remote, permit).await {
            tracing::debug!(%remote, %error, "HTTP connection ended");
        }
    }

    async fn try_run(
        self,
        socket: TcpStream,
        remote: SocketAddr,
        permit: Permit,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let local = socket.local_addr()?;
        // Small answers and noise handshakes must not wait for more to come.
        socket.set_nodelay(true)?;
        let Some(acceptor) = self.tls.clone() else {
            let socket = Counted::new(socket, permit);
            return self.serve(socket, Scheme::Http, local, remote).await;
        };
        if timeout(self.patience, first_byte(&socket)).await?? == Some(TLS_HANDSHAKE) {
            let socket = timeout(self.patience, acceptor.accept(socket)).await??;
            let socket = Counted::new(socket, permit);
            self.serve(socket, Scheme::Https, local, remote).await
        } else {
            let socket = Counted::new(socket, permit);
            self.serve(socket, Scheme::HttpForTls, local, remote).await
        }
    }

    async fn serve<S>(
        mut self,
        socket: S,
        scheme: Scheme,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let state = self.state;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let origin = RequestOrigin::of(&request, local, remote, scheme == Scheme::Https);
            answer(state.clone(), scheme, origin, request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        tokio::select! {
            result = connection.as_mut() => return Ok(result?),
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
        }
        connection.as_mut().graceful_shutdown();
        Ok(connection.await?)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// Plain HTTP where TLS is expected.
    HttpForTls,
}

async fn answer(
    state: HttpState,
    scheme: Scheme,
    origin: RequestOrigin,
    request: Request,
) -> Result<Response, Infallible> {
    Ok(match scheme {
        Scheme::HttpForTls => routes::redirect_to_tls(&origin, &request),
        Scheme::Http | Scheme::Https => routes::answer(state, origin, request).await,
    })
}

async fn first_byte(socket: &TcpStream) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let count = socket.peek(&mut byte).await?;
    Ok(byte.first().copied().filter(|_| count > 0))
}

/// A socket that holds its place among the connections for as long as it lives, which for a
/// WebSocket is long after HTTP is done with it.
struct Counted<S> {
    socket: S,
    _permit: Permit,
}

impl<S> Counted<S> {
    fn new(socket: S, permit: Permit) -> Self {
        Self {
            socket,
            _permit: permit,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
