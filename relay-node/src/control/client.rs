//! The operator's end: the running relay if there is one, its database if there is none.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::names::Registry;
use warren_shared::store::StoreLimits;

use super::{MAX_LINE, Order, PAGE, Reply, Rows, Shown, Witnessed, obey, socket};
use crate::identity::DataDir;
use crate::relay::kept_sets;
use crate::store::{RedbNames, RedbStore};

/// The way to the rows of one witness.
pub struct Operator(Way);

enum Way {
    Running(BufReader<UnixStream>),
    Stopped {
        rows: Rows,
        store: Arc<RedbStore>,
        _data: DataDir,
    },
}

impl Operator {
    /// Of the relay with this data directory.
    pub async fn of(data_dir: &Path) -> Result<Operator> {
        let path = socket(data_dir);
        match UnixStream::connect(&path).await {
            Ok(stream) => Ok(Operator(Way::Running(BufReader::new(stream)))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let what = format!("{} belongs to another user", path.display());
                Err(Error::new(Code::PermissionDenied, what)
                    .caused_by(error)
                    .with_remedy("Run this as the user that the relay runs as."))
            }
            // Not there, left behind by a crash, or too long a path: nobody listens.
            Err(_) => Self::of_stopped(data_dir),
        }
    }

    fn of_stopped(data_dir: &Path) -> Result<Operator> {
        if !RedbStore::exists(data_dir) {
            let what = format!(
                "{} is not the data directory of a relay",
                data_dir.display()
            );
            return Err(Error::new(Code::NotFound, what)
                .with_remedy("Name it with --data-dir or WARREN_DATA_DIR."));
        }
        let data = DataDir::open(data_dir)?;
        let sets = kept_sets(&data)?;
        let store = Arc::new(RedbStore::open(data.path(), StoreLimits::default())?);
        let registry = Registry::new(Arc::new(RedbNames::new(store.clone())));
        Ok(Operator(Way::Stopped {
            rows: Rows { registry, sets },
            store,
            _data: data,
        }))
    }

    /// Whether a running relay is asked.
    pub fn is_running(&self) -> bool {
        matches!(self.0, Way::Running(_))
    }

    /// Gives all names that the witness has rows of, in their order, page by page.
    pub async fn list(&mut self, mut give: impl FnMut(Witnessed) -> Result<()>) -> Result<()> {
        let mut after = None;
        loop {
            let Reply::Rows(rows) = self.order(Order::List { after }).await? else {
                return Err(misunderstood("no rows"));
            };
            after = rows.last().map(|row| row.name.clone());
            let last = rows.len() < PAGE;
            rows.into_iter().try_for_each(&mut give)?;
            if last {
                return Ok(());
            }
        }
    }

    /// Has a name neither claimed nor resolved here from now on.
    pub async fn refuse(&mut self, name: &str, reason: &str) -> Result<()> {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        self.order(Order::Refuse { name, reason }).await.map(drop)
    }

    /// Ends that.
    pub async fn allow(&mut self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.order(Order::Allow { name }).await.map(drop)
    }

    /// Shows it the certificate of a name, base64url, as [`Witnessed`] has it.
    pub async fn import(&mut self, name: &str, certificate: &str) -> Result<Shown> {
        let (name, certificate) = (name.to_owned(), certificate.to_owned());
        match self.order(Order::Import { name, certificate }).await? {
            Reply::Shown(shown) => Ok(shown),
            _ => Err(misunderstood("not what became of it")),
        }
    }

    /// Gives the database free.
    pub async fn close(self) {
        if let Way::Stopped { store, .. } = self.0 {
            let _ = tokio::task::spawn_blocking(move || store.close()).await;
        }
    }

    async fn order(&mut self, order: Order) -> Result<Reply> {
        match &mut self.0 {
            Way::Stopped { rows, .. } => obey(rows, order).await,
            Way::Running(stream) => match ask(stream, &order).await {
                Ok(Reply::Error(failure)) => Err(failure.into()),
                Ok(reply) => Ok(reply),
                Err(error) => {
                    let what = "the relay ended while it was asked";
                    Err(Error::new(Code::Closed, what)
                        .caused_by(error)
                        .with_remedy("Try again."))
                }
            },
        }
    }
}

async fn ask(stream: &mut BufReader<UnixStream>, order: &Order) -> io::Result<Reply> {
    let mut bytes = serde_json::to_vec(order)?;
    bytes.push(b'\n');
    stream.get_mut().write_all(&bytes).await?;
    let mut line = String::new();
    stream.take(MAX_LINE).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

fn misunderstood(what: &str) -> Error {
    Error::new(Code::ProtocolViolation, "the relay answered something else").caused_by(what)
}
