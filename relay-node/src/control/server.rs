//! The relay's end of the socket.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::names::Agent;
use warren_shared::proto::names::name::Root;

use super::{Order, Reply, Rows, obey, socket};

/// Longest order: a certificate of 16 KiB in base64url, and some words.
const MAX_ORDER: u64 = 32 * 1024;
/// Orders are given by one operator, and perhaps a script.
const CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that nobody is answered on yet.
pub struct ControlServer(UnixListener);

impl ControlServer {
    /// In a data directory that this process has locked, so that a socket left there is nobody's.
    /// Nothing when the path is longer than sockets may have: then orders wait for the relay to stop.
    pub fn bind(data_dir: &Path) -> Result<Option<ControlServer>> {
        let path = socket(data_dir);
        let failed = |error: io::Error| {
            let what = format!("cannot listen on {}", path.display());
            Error::new(Code::StorageFailed, what).caused_by(error)
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        match UnixListener::bind(&path) {
            Ok(listener) => {
                let private = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(&path, private).map_err(failed)?;
                Ok(Some(ControlServer(listener)))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                tracing::warn!(path = %path.display(), "too long a path for a socket: `warren witness` needs this relay to stop");
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Carries orders out for as long as the future is polled.
    pub(crate) async fn serve(self, rows: Rows, agent: Agent) {
        let mut tasks = JoinSet::new();
        loop {
            while tasks.try_join_next().is_some() {}
            let Ok((stream, _)) = self.0.accept().await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            if tasks.len() < CONNECTIONS {
                let (rows, agent) = (rows.clone(), agent.clone());
                tasks.spawn(async move {
                    let _ = converse(stream, &rows, &agent).await;
                });
            }
        }
    }
}

async fn converse(stream: UnixStream, rows: &Rows, agent: &Agent) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let mut bounded = (&mut stream).take(MAX_ORDER);
        let read = tokio::time::timeout(PATIENCE, bounded.read_line(&mut line)).await??;
        if read == 0 {
            return Ok(());
        }
        let reply = answer(&line, rows, agent).await;
        let mut bytes = serde_json::to_vec(&reply)?;
        bytes.push(b'\n');
        tokio::time::timeout(PATIENCE, stream.get_mut().write_all(&bytes)).await??;
    }
}

async fn answer(line: &str, rows: &Rows, agent: &Agent) -> Reply {
    let order: Order = match serde_json::from_str(line) {
        Ok(order) => order,
        Err(error) => {
            let error = Error::new(Code::ProtocolViolation, "not an order").caused_by(error);
            return Reply::Error((&error).into());
        }
    };
    let about = order.changes();
    match obey(rows, order).await {
        Ok(reply) => {
            // What this relay answers over HTTP and DNS follows at once.
            if let Some(name) = about {
                let _ = agent.forget(Root::Human(name)).await;
            }
            reply
        }
        Err(error) => Reply::Error((&error).into()),
    }
}
