//! A running server, and a client that shows every byte.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use warren_relay::{
    config::TlsFiles,
    http::{HttpLimits, HttpServer, HttpState, NamesPage},
    transport::ws::{self, WsTransport},
};

pub const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub struct Running {
    pub address: SocketAddr,
    pub transport: WsTransport,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start() -> Self {
        Self::start_with(None, limits()).await
    }

    pub async fn start_with(tls: Option<TlsFiles>, limits: HttpLimits) -> Self {
        let server = HttpServer::bind_with(LOCALHOST, tls, limits).await.unwrap();
        Self::serve(server)
    }

    pub async fn with_names(names: NamesPage) -> Self {
        let server = HttpServer::bind_with(LOCALHOST, None, limits()).await;
        Self::serve_names(server.unwrap(), Some(names))
    }

    pub fn serve(server: HttpServer) -> Self {
        Self::serve_names(server, None)
    }

    fn serve_names(server: HttpServer, names: Option<NamesPage>) -> Self {
        let (acceptor, transport) = ws::channel(ws::Limits::default());
        let address = server.local_addr();
        let state = HttpState {
            join: Arc::new(|origin| Ok(format!("{{\"http\":\"{}\"}}", origin.http_url()))),
            health: Arc::new(|_| Ok("{\"status\":\"ok\"}".to_owned())),
            names,
            websockets: Some(acceptor),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(state, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            transport,
            stop,
            task,
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, head: &str) -> Reply {
        ask(self.connect().await, head).await
    }

    pub async fn shut_down(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap();
    }
}

/// Patient enough for a busy machine.
pub fn limits() -> HttpLimits {
    HttpLimits {
        patience: Duration::from_secs(60),
        drain: Duration::from_secs(60),
        reload: Duration::from_millis(10),
        ..HttpLimits::default()
    }
}

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).unwrap_or("").parse();
        Self {
            status: status.unwrap_or_else(|_| panic!("no HTTP: {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

/// Sends a request (a line and headers, separated by \n) and reads until the server closes.
pub async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> Reply {
    let head = head.replace('\n', "\r\n");
    let request = format!("{head}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    Reply::parse(&String::from_utf8_lossy(&reply))
}
