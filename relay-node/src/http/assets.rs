//! The embedded page: finding a file, and saying it in the encoding and freshness a browser wants.
//!
//! The table is made by `build.rs`. Files below `/assets/` carry a hash in their name and never
//! change; everything else is asked for again each time.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};

use super::{
    negotiate::{Encoding, choose},
    routes::method_not_allowed,
};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";
const NOT_FOUND_PAGE: &str = "/404.html";
const NOT_FOUND_TEXT: &[u8] = b"Nothing here. The page is at /\n";

/// One embedded file.
struct Asset {
    path: &'static str,
    mime: &'static str,
    hash: &'static str,
    immutable: bool,
    identity: &'static [u8],
    br: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

pub(super) fn serve(method: &Method, path: &str, request: &HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return method_not_allowed("GET, HEAD");
    }
    let path = if path == "/" { "/index.html" } else { path };
    match find(path) {
        Some(asset) => asset.answer(request),
        None => not_found(request),
    }
}

fn find(path: &str) -> Option<&'static Asset> {
    let index = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    ASSETS.get(index)
}

fn not_found(request: &HeaderMap) -> Response {
    let mut response = match find(NOT_FOUND_PAGE) {
        Some(page) => page.content(page.encoding_for(request)),
        None => {
            let mut plain = Response::new(Body::from(NOT_FOUND_TEXT));
            insert(
                &mut plain,
                header::CONTENT_TYPE,
                "text/plain; charset=utf-8",
            );
            plain
        }
    };
    insert(&mut response, header::CACHE_CONTROL, REVALIDATE);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

impl Asset {
    fn answer(&self, request: &HeaderMap) -> Response {
        let encoding = self.encoding_for(request);
        let etag = self.etag(encoding);
        let mut response = if knows(request, &etag) {
            let mut unchanged = Response::new(Body::empty());
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        } else {
            self.content(encoding)
        };
        let freshness = if self.immutable {
            IMMUTABLE
        } else {
            REVALIDATE
        };
        insert(&mut response, header::CACHE_CONTROL, freshness);
        insert(&mut response, header::ETAG, &etag);
        if self.available().len() > 1 {
            insert(&mut response, header::VARY, "accept-encoding");
        }
        response
    }

    fn content(&self, encoding: Encoding) -> Response {
        let bytes = self.bytes(encoding).unwrap_or(self.identity);
        let mut response = Response::new(Body::from(Bytes::from_static(bytes)));
        insert(&mut response, header::CONTENT_TYPE, self.mime);
        if encoding != Encoding::Identity {
            insert(&mut response, header::CONTENT_ENCODING, encoding.token());
        }
        response
    }

    fn encoding_for(&self, request: &HeaderMap) -> Encoding {
        choose(&joined(request, header::ACCEPT_ENCODING), &self.available())
    }

    fn available(&self) -> Vec<Encoding> {
        [Encoding::Identity, Encoding::Gzip, Encoding::Brotli]
            .into_iter()
            .filter(|&encoding| self.bytes(encoding).is_some())
            .collect()
    }

    fn bytes(&self, encoding: Encoding) -> Option<&'static [u8]> {
        match encoding {
            Encoding::Identity => Some(self.identity),
            Encoding::Gzip => self.gzip,
            Encoding::Brotli => self.br,
        }
    }

    /// Bytes in another encoding are other bytes, so they have a tag of their own.
    fn etag(&self, encoding: Encoding) -> String {
        match encoding {
            Encoding::Identity => format!("\"{}\"", self.hash),
            other => format!("\"{}-{}\"", self.hash, other.token()),
        }
    }
}

fn knows(request: &HeaderMap, etag: &str) -> bool {
    joined(request, header::IF_NONE_MATCH)
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// A header that may come in several lines, as one list.
fn joined(headers: &HeaderMap, name: header::HeaderName) -> String {
    let lines = headers.get_all(name);
    let texts: Vec<_> = lines.iter().filter_map(|line| line.to_str().ok()).collect();
    texts.join(",")
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("made of our own ASCII");
    response.headers_mut().insert(name, value);
}

#[cfg(test)]
mod tests;
