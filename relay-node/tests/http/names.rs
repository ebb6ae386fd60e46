//! `/names/NAME`: statuses, headers and bounds, with names of the test's own.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use warren_relay::http::{Found, NamesLimits, NamesPage};
use warren_shared::error::{Code, Error};

use crate::support::{Reply, Running};

/// Knows `here`; `never` gives no answer; any other name is the code of its failure.
async fn names(limits: NamesLimits) -> Running {
    let page = NamesPage::with(
        Arc::new(|name| {
            Box::pin(async move {
                let json = format!("{{\"name\":\"{name}\"}}");
                let fresh = Duration::from_millis(299_500);
                match name.as_str() {
                    "here" | "bücher" => Ok(Found { json, fresh }),
                    "never" => std::future::pending().await,
                    other => {
                        let code = Code::ALL.iter().find(|code| code.as_str() == other);
                        Err(Error::new(*code.expect("a code"), "no"))
                    }
                }
            })
        }),
        limits,
    );
    Running::with_names(page).await
}

async fn get(server: &Running, path: &str) -> Reply {
    server.ask(&format!("GET {path} HTTP/1.1\nHost: x")).await
}

#[tokio::test]
async fn a_name_is_json_for_every_origin() {
    let server = names(NamesLimits::default()).await;
    let reply = get(&server, "/names/here").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, "{\"name\":\"here\"}")
    );
    for (header, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=299"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.header(header), Some(value), "{header}");
    }
    let unicode = get(&server, "/names/b%C3%BCcher").await;
    assert!(unicode.body.contains("bücher"), "{}", unicode.body);
    let asked = server.ask("OPTIONS /names/here HTTP/1.1\nHost: x").await;
    assert_eq!((asked.status, asked.body.as_str()), (204, ""));
    assert_eq!(
        asked.header("access-control-allow-methods"),
        Some("GET, HEAD, OPTIONS")
    );
    let head = server.ask("HEAD /names/here HTTP/1.1\nHost: x").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(
        server
            .ask("POST /names/here HTTP/1.1\nHost: x")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn failures_are_json_with_a_fitting_status() {
    let server = names(NamesLimits::default()).await;
    for (code, status, cache, again) in [
        ("NAME_NOT_FOUND", 404, "public, max-age=30", None),
        ("NAME_INVALID", 400, "no-store", None),
        ("NAME_EXPIRED", 410, "no-store", Some("5")),
        ("REFUSED", 403, "no-store", None),
        ("NO_QUORUM", 503, "no-store", Some("5")),
        ("OLDER", 502, "no-store", None),
        ("OVERLOADED", 429, "no-store", Some("5")),
        ("INTERNAL", 500, "no-store", None),
    ] {
        let reply = get(&server, &format!("/names/{code}")).await;
        let body: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(
            (reply.status, &body["error"]["code"]),
            (status, &code.into())
        );
        assert_eq!(reply.header("cache-control"), Some(cache), "{code}");
        assert_eq!(reply.header("retry-after"), again, "{code}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
    let broken = get(&server, "/names/%ff").await;
    assert!(broken.status == 400 && broken.body.contains("NAME_INVALID"));
}

#[tokio::test]
async fn nobody_waits_beyond_the_deadline_or_without_a_place() {
    let patient = names(NamesLimits {
        deadline: Duration::from_millis(1),
        ..NamesLimits::default()
    });
    let late = get(&patient.await, "/names/never").await;
    assert!(
        late.status == 504 && late.body.contains("TIMED_OUT"),
        "{}",
        late.body
    );
    let full = names(NamesLimits {
        under_way: 0,
        ..NamesLimits::default()
    });
    let refused = get(&full.await, "/names/here").await;
    assert!(refused.status == 429 && refused.body.contains("OVERLOADED"));
}

#[tokio::test]
async fn a_relay_without_names_has_no_such_page() {
    let server = Running::start().await;
    assert_eq!(get(&server, "/names/here").await.status, 404);
}
