//! What the operator of a relay may ask for on its machine: orders about the names it witnesses.
//!
//! A running relay takes them on a socket in its data directory, since it holds the lock on the
//! database; of a relay that does not run the database is opened here. Whoever may open the data
//! directory may do both. One line of JSON each way.

mod client;
mod server;

use std::path::{Path, PathBuf};

use multibase::Base;
use serde::{Deserialize, Serialize};
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::names::{Imported, Registry};
use warren_shared::platform;
use warren_shared::proto::Millis;
use warren_shared::proto::names::witness::row::Row;
use warren_shared::proto::names::{KnownSets, Label};

pub use self::client::Operator;
pub use self::server::ControlServer;

const SOCKET: &str = "control.sock";
/// Names in one answer: each has a certificate of at most 16 KiB.
const PAGE: usize = 64;
/// Longest line: an answer with a full page.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// What the operator wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "lowercase")]
enum Order {
    List { after: Option<String> },
    Refuse { name: String, reason: String },
    Allow { name: String },
    Import { name: String, certificate: String },
}

impl Order {
    /// The name that it changes something about.
    fn changes(&self) -> Option<Label> {
        match self {
            Order::List { .. } => None,
            Order::Refuse { name, .. } | Order::Allow { name } | Order::Import { name, .. } => {
                name.parse().ok()
            }
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Rows(Vec<Witnessed>),
    Done,
    Shown(Shown),
    Error(Failure),
}

/// An error that has travelled.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failure {
    code: String,
    message: String,
    remedy: String,
    cause: Option<String>,
}

/// What a witness has of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Witnessed {
    /// The name.
    pub name: String,
    /// Whether somebody has it.
    pub state: State,
    /// The newest owner's key as a name, `k51…`.
    pub owner: Option<String>,
    /// Which holder of the name that is; 0 for none.
    pub generation: u64,
    /// The end of that owner's term.
    pub expires: Option<Millis>,
    /// The latest end of all signatures that this witness gave.
    pub signed_until: Millis,
    /// Why, and since when, the operator refuses it.
    pub refused: Option<Refused>,
    /// The certificate in force, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// What became of a certificate that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// It is in force from now on.
    Adopted,
    /// It is in force already, or a later one is.
    Known,
    /// It is not believed; why, in a word.
    Refused(String),
}

/// Whether somebody has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Others are kept away from it.
    Held,
    /// Somebody is about to get it.
    Claiming,
    /// Anybody may claim it.
    Free,
}

/// The operator's refusal of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Millis,
}

impl Witnessed {
    fn of(name: &Label, row: &Row, now: Millis) -> Witnessed {
        let certificate = row.bound.as_ref().map(|bound| &bound.certificate);
        let claim = certificate.map(|certificate| &certificate.claim);
        let state = match () {
            () if row.held(now).is_some() => State::Held,
            () if row.reserved(now).is_some() || row.maybe_held(now).is_some() => State::Claiming,
            () => State::Free,
        };
        Witnessed {
            name: format!("{name}.p2p"),
            state,
            owner: claim.map(|claim| claim.owner().to_base36()),
            generation: row.top_generation(),
            expires: claim.map(|claim| claim.expires()),
            signed_until: row.latest,
            refused: row.denied.as_ref().map(|denial| Refused {
                reason: denial.reason.clone(),
                since: denial.since,
            }),
            certificate: certificate.map(|it| Base::Base64Url.encode(it.encode())),
        }
    }
}

/// The rows of a witness, and whose signatures it believes: nobody's before its first start.
#[derive(Clone)]
pub(crate) struct Rows {
    pub registry: Registry,
    pub sets: Option<KnownSets>,
}

/// Carries an order out.
async fn obey(rows: &Rows, order: Order) -> Result<Reply> {
    let (registry, now) = (&rows.registry, platform::now());
    match order {
        Order::List { after } => {
            let after = after.map(|name| name.parse()).transpose()?;
            let rows = registry.page(after, PAGE).await?;
            let rows = rows.iter().map(|(name, row)| Witnessed::of(name, row, now));
            Ok(Reply::Rows(rows.collect()))
        }
        Order::Refuse { name, reason } => {
            let name: Label = name.parse()?;
            registry.refuse(name.clone(), reason.clone(), now).await?;
            tracing::warn!(%name, %reason, "the operator refuses a name");
            Ok(Reply::Done)
        }
        Order::Allow { name } => {
            let name: Label = name.parse()?;
            registry.allow(name.clone()).await?;
            tracing::warn!(%name, "the operator refuses a name no longer");
            Ok(Reply::Done)
        }
        Order::Import { name, certificate } => {
            let shown = import(rows, &name, &certificate, now).await?;
            Ok(Reply::Shown(shown))
        }
    }
}

async fn import(rows: &Rows, name: &str, certificate: &str, now: Millis) -> Result<Shown> {
    let sets = rows.sets.as_ref().ok_or_else(|| {
        Error::new(Code::NoQuorum, "this relay does not know its witnesses yet")
            .with_remedy("Start the relay once, then import again.")
    })?;
    let unreadable = || Shown::Refused("malformed".to_owned());
    let Ok(name) = name.parse::<Label>() else {
        return Ok(unreadable());
    };
    let Ok(certificate) = Base::Base64Url.decode(certificate) else {
        return Ok(unreadable());
    };
    let imported = rows.registry.import(&name, &certificate, sets, now).await?;
    Ok(match imported {
        Imported::Adopted => Shown::Adopted,
        Imported::Known => Shown::Known,
        Imported::Refused(why) => {
            tracing::warn!(%name, why, "a certificate that the operator showed is not believed");
            Shown::Refused(why.to_owned())
        }
    })
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure {
            code: error.code().as_str().to_owned(),
            message: error.message().to_owned(),
            remedy: error.remedy().to_owned(),
            cause: error.cause().map(str::to_owned),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let code = Code::ALL.iter().find(|code| code.as_str() == failure.code);
        let error = Error::new(*code.unwrap_or(&Code::Internal), failure.message);
        let error = error.with_remedy(failure.remedy);
        failure.cause.into_iter().fold(error, Error::caused_by)
    }
}

fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}
