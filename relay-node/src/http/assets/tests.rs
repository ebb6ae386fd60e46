//! Freshness and encodings, on files made up here: which page is embedded does not matter.

use super::*;

const SCRIPT: Asset = Asset {
    path: "/assets/warren.abc.js",
    mime: "text/javascript; charset=utf-8",
    hash: "abc",
    immutable: true,
    identity: b"identity",
    br: Some(b"br"),
    gzip: Some(b"gzip"),
};

const PAGE: Asset = Asset {
    path: "/index.html",
    mime: "text/html; charset=utf-8",
    hash: "def",
    immutable: false,
    identity: b"page",
    br: None,
    gzip: None,
};

fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, HeaderValue::from_static(value));
    }
    map
}

fn get(response: &Response, name: header::HeaderName) -> Option<&str> {
    Some(response.headers().get(name)?.to_str().unwrap())
}

#[test]
fn the_table_is_sorted_and_has_a_page() {
    assert!(ASSETS.is_sorted_by_key(|asset| asset.path));
    assert!(find("/index.html").is_some());
}

#[tokio::test]
async fn a_hashed_file_is_immutable_and_compressed() {
    let response = SCRIPT.answer(&headers(&[(header::ACCEPT_ENCODING, "gzip, br")]));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(get(&response, header::CONTENT_ENCODING), Some("br"));
    assert_eq!(get(&response, header::CACHE_CONTROL), Some(IMMUTABLE));
    assert_eq!(get(&response, header::VARY), Some("accept-encoding"));
    assert_eq!(get(&response, header::ETAG), Some("\"abc-br\""));
    assert_eq!(get(&response, header::CONTENT_TYPE), Some(SCRIPT.mime));
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    assert_eq!(body.unwrap(), "br");
}

#[tokio::test]
async fn a_page_is_asked_for_again_and_not_varied_without_need() {
    let response = PAGE.answer(&headers(&[(header::ACCEPT_ENCODING, "gzip, br")]));
    assert_eq!(get(&response, header::CONTENT_ENCODING), None);
    assert_eq!(get(&response, header::CACHE_CONTROL), Some(REVALIDATE));
    assert_eq!(get(&response, header::VARY), None);
    assert_eq!(get(&response, header::ETAG), Some("\"def\""));
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    for tag in ["\"abc-br\"", "W/\"abc-br\"", "\"x\", \"abc-br\"", "*"] {
        let request = [
            (header::ACCEPT_ENCODING, "br"),
            (header::IF_NONE_MATCH, tag),
        ];
        let response = SCRIPT.answer(&headers(&request));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{tag}");
        assert_eq!(get(&response, header::ETAG), Some("\"abc-br\""));
        assert_eq!(get(&response, header::CACHE_CONTROL), Some(IMMUTABLE));
        let body = axum::body::to_bytes(response.into_body(), 100).await;
        assert!(body.unwrap().is_empty());
    }
}

#[test]
fn a_tag_of_another_encoding_is_another_version() {
    let request = [
        (header::ACCEPT_ENCODING, "gzip"),
        (header::IF_NONE_MATCH, "\"abc-br\""),
    ];
    assert_eq!(SCRIPT.answer(&headers(&request)).status(), StatusCode::OK);
}
