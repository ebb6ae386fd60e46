//! Documents and files.

use crate::support::Running;

#[tokio::test]
async fn documents_are_fresh_and_open_to_every_origin() {
    let server = Running::start().await;
    for (path, body) in [
        ("/health", "{\"status\":\"ok\"}"),
        (
            "/.well-known/warren.json",
            "{\"http\":\"http://r.example:1\"}",
        ),
    ] {
        let reply = server
            .ask(&format!("GET {path} HTTP/1.1\nHost: r.example:1"))
            .await;
        assert_eq!((reply.status, reply.body.as_str()), (200, body));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));

        let reply = server
            .ask(&format!(
                "OPTIONS {path} HTTP/1.1\nHost: x\nOrigin: https://other"
            ))
            .await;
        assert_eq!(reply.status, 204);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));

        let reply = server.ask(&format!("POST {path} HTTP/1.1\nHost: x")).await;
        assert_eq!(reply.status, 405);
        assert_eq!(reply.header("allow"), Some("GET, HEAD, OPTIONS"));

        let reply = server
            .ask(&format!("HEAD {path} HTTP/1.1\nHost: r.example:1"))
            .await;
        let length = body.len().to_string();
        assert_eq!((reply.status, reply.body.as_str()), (200, ""));
        assert_eq!(reply.header("content-length"), Some(length.as_str()));
    }
}

#[tokio::test]
async fn the_page_is_guarded() {
    let server = Running::start().await;
    let reply = server.ask("GET / HTTP/1.1\nHost: x").await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("<html"), "{}", reply.body);
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(
        reply.header("cross-origin-opener-policy"),
        Some("same-origin")
    );
    assert!(reply.header("permissions-policy").is_some());
    assert_eq!(reply.header("strict-transport-security"), None);
    let policy = reply.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "media-src 'self' blob:",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
}

#[tokio::test]
async fn a_known_page_is_not_sent_twice() {
    let server = Running::start().await;
    let first = server.ask("GET / HTTP/1.1\nHost: x").await;
    let etag = first.header("etag").unwrap();
    let request = format!("GET /index.html HTTP/1.1\nHost: x\nIf-None-Match: {etag}");
    let second = server.ask(&request).await;
    assert_eq!((second.status, second.body.as_str()), (304, ""));
    assert_eq!(second.header("etag"), Some(etag));
}

#[tokio::test]
async fn head_tells_the_size_and_sends_nothing() {
    let server = Running::start().await;
    let get = server.ask("GET / HTTP/1.1\nHost: x").await;
    let head = server.ask("HEAD / HTTP/1.1\nHost: x").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_words() {
    let server = Running::start().await;
    for path in [
        "/nothing",
        "/assets/app.js",
        "/../Cargo.toml",
        "/assets/../",
        "/%2e%2e",
    ] {
        let reply = server.ask(&format!("GET {path} HTTP/1.1\nHost: x")).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert!(!reply.body.is_empty());
    }
    let reply = server.ask("DELETE / HTTP/1.1\nHost: x").await;
    assert_eq!(
        (reply.status, reply.header("allow")),
        (405, Some("GET, HEAD"))
    );
}
