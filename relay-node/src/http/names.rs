//! `/names/NAME`: what a name leads to, with its proofs, for everything that speaks HTTP.
//!
//! Knows paths, statuses, caching, and how often somebody may ask. Does not know how names are found.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use libp2p::Multiaddr;
use serde_json::json;
use tokio::sync::Semaphore;
use warren_shared::error::{Code, Error, Result};
use warren_shared::limits::NAME_MISSING_TTL;
use warren_shared::net::address::quota_prefix;
use warren_shared::net::names::Rates;
use warren_shared::platform;
use warren_shared::proto::record::provider::Prefix;

pub(super) const PREFIX: &str = "/names/";

/// Whoever is told to come again later waits so many seconds.
const RETRY_AFTER: &str = "5";

/// A found name as JSON.
#[derive(Debug, Clone)]
pub struct Found {
    /// The text.
    pub json: String,
    /// For how long others may keep it.
    pub fresh: Duration,
}

/// Finds what a name leads to.
pub type Finder = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Found>> + Send + Sync>;

/// Bounds of these questions.
#[derive(Debug, Clone, Copy)]
pub struct NamesLimits {
    /// In a minute, from one address prefix. Private addresses hide proxies and have none.
    pub questions_per_prefix: u32,
    /// At one time, all together.
    pub under_way: usize,
    /// How long one may take: witnesses have five seconds each, in three steps at most.
    pub deadline: Duration,
}

impl Default for NamesLimits {
    fn default() -> Self {
        Self {
            questions_per_prefix: 600,
            under_way: 64,
            deadline: Duration::from_secs(15),
        }
    }
}

/// Answers questions about names.
#[derive(Clone)]
pub struct NamesPage(Arc<Inner>);

struct Inner {
    find: Finder,
    limits: NamesLimits,
    rates: Mutex<Rates<Prefix>>,
    places: Semaphore,
}

impl NamesPage {
    /// With the usual bounds.
    pub fn new(find: Finder) -> Self {
        Self::with(find, NamesLimits::default())
    }

    /// With bounds of the caller's.
    pub fn with(find: Finder, limits: NamesLimits) -> Self {
        Self(Arc::new(Inner {
            find,
            limits,
            rates: Mutex::new(Rates::new(limits.questions_per_prefix)),
            places: Semaphore::new(limits.under_way),
        }))
    }

    /// The answer to a GET of this path below [`PREFIX`].
    pub(super) async fn answer(&self, path: &str, from: IpAddr) -> Response {
        match self.find(path, from).await {
            Ok(found) => {
                let mut response = Response::new(Body::from(found.json));
                let cache = format!("public, max-age={}", found.fresh.as_secs());
                set(&mut response, header::CACHE_CONTROL, &cache);
                set(&mut response, header::CONTENT_TYPE, "application/json");
                response
            }
            Err(error) => refusal(&error),
        }
    }

    async fn find(&self, path: &str, from: IpAddr) -> Result<Found> {
        let inner = &self.0;
        let name = decoded(path).ok_or_else(|| {
            let what = "the path is not a name: it is not UTF-8 in percent encoding";
            Error::new(Code::NameInvalid, what)
        })?;
        if !inner.within_rates(from) {
            return Err(too_many("too many questions from this network"));
        }
        let Ok(_place) = inner.places.try_acquire() else {
            return Err(too_many("too many questions at once"));
        };
        let found = tokio::time::timeout(inner.limits.deadline, (inner.find)(name)).await;
        let late = |_| Error::new(Code::TimedOut, "the witnesses did not answer in time");
        found.map_err(late)?
    }
}

impl Inner {
    fn within_rates(&self, from: IpAddr) -> bool {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        match quota_prefix(&Multiaddr::from(from)) {
            Some(prefix) => rates.take(prefix, platform::now()),
            None => true,
        }
    }
}

fn too_many(what: &str) -> Error {
    Error::new(Code::Overloaded, what)
}

/// An error as JSON, as the command line gives it.
fn refusal(error: &Error) -> Response {
    let status = match error.code() {
        Code::NameNotFound => StatusCode::NOT_FOUND,
        Code::NameInvalid | Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::NameExpired => StatusCode::GONE,
        Code::Refused => StatusCode::FORBIDDEN,
        Code::Older => StatusCode::BAD_GATEWAY,
        Code::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        Code::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        Code::NoQuorum | Code::NoRelay | Code::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let cache = match error.code() {
        Code::NameNotFound => format!("public, max-age={}", NAME_MISSING_TTL / 1_000),
        _ => "no-store".to_owned(),
    };
    let body = json!({"error": error}).to_string();
    let mut response = (status, body).into_response();
    set(&mut response, header::CONTENT_TYPE, "application/json");
    set(&mut response, header::CACHE_CONTROL, &cache);
    if error.code().retryable() && error.code() != Code::NameNotFound {
        set(&mut response, header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Undoes percent encoding. Nothing when it is broken, or not UTF-8 without it.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        (rest, bytes) = match first {
            b'%' => {
                let (digits, after) = after.split_at_checked(2)?;
                let digits = str::from_utf8(digits).ok()?;
                // The parser would take a sign, too.
                let byte = u8::from_str_radix(digits, 16).ok()?;
                let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                bytes.push(hex.then_some(byte)?);
                (after, bytes)
            }
            byte => {
                bytes.push(*byte);
                (after, bytes)
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_network_has_its_share_and_loopback_is_nobodys() {
        let limits = NamesLimits {
            questions_per_prefix: 1,
            ..NamesLimits::default()
        };
        let find: Finder = Arc::new(|_| {
            let (json, fresh) = (String::new(), Duration::ZERO);
            Box::pin(async move { Ok(Found { json, fresh }) })
        });
        let page = NamesPage::with(find, limits);
        let status = async |from: &str| page.answer("a", from.parse().unwrap()).await.status();
        assert_eq!(status("203.0.113.1").await, StatusCode::OK);
        assert_eq!(status("203.0.113.2").await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(status("198.51.100.1").await, StatusCode::OK);
        for _ in 0..3 {
            assert_eq!(status("127.0.0.1").await, StatusCode::OK);
        }
    }

    #[test]
    fn paths_are_decoded() {
        for (path, expected) in [
            ("alice.p2p", Some("alice.p2p")),
            ("b%C3%BCcher.p2p", Some("bücher.p2p")),
            ("%61", Some("a")),
            ("%", None),
            ("%4", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(path).as_deref(), expected, "{path}");
        }
    }
}
