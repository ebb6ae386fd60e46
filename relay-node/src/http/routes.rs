//! Which request gets which answer.

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, ws::WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::{HttpState, NamesPage, Provider, RequestOrigin, assets, headers, names};
use crate::transport::ws;
use warren_shared::error::{Code, Error};

const HEALTH: &str = "/health";
const JOIN: &str = "/.well-known/warren.json";

/// Pages of any origin may read these, and ask beforehand whether they may.
const API_METHODS: &str = "GET, HEAD, OPTIONS";

pub(super) async fn answer(state: HttpState, origin: RequestOrigin, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if wants_websocket(&parts.headers) {
        return upgrade(state, origin, parts).await;
    }
    let mut response = match parts.uri.path() {
        HEALTH => document(&parts.method, &state.health, &origin),
        JOIN => document(&parts.method, &state.join, &origin),
        path => match (&state.names, path.strip_prefix(names::PREFIX)) {
            (Some(page), Some(name)) => named(&parts.method, page, name, &origin).await,
            _ => assets::serve(&parts.method, path, &parts.headers),
        },
    };
    headers::protect(response.headers_mut(), origin.tls);
    response
}

/// Plain HTTP on a port that speaks TLS: leads browsers to the right URL, and tells everyone else.
pub(super) fn redirect_to_tls(origin: &RequestOrigin, request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let target = origin
        .host
        .as_ref()
        .and_then(|host| HeaderValue::try_from(format!("https://{host}{path}")).ok());
    let text = "This port speaks TLS: use https:// (and wss://) instead of http:// (and ws://).\n";
    match target {
        Some(target) if !wants_websocket(request.headers()) => (
            StatusCode::PERMANENT_REDIRECT,
            [(header::LOCATION, target)],
            text,
        )
            .into_response(),
        _ => (StatusCode::BAD_REQUEST, text).into_response(),
    }
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Response {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, allowed)],
        format!("This can only be asked for with: {allowed}\n"),
    )
        .into_response()
}

/// Fresh JSON for everyone. The body of an answer to HEAD is left out by the server underneath.
fn document(method: &Method, provider: &Provider, origin: &RequestOrigin) -> Response {
    let mut response = match *method {
        Method::GET | Method::HEAD => match provider(origin) {
            Ok(text) => {
                let mut response = Response::new(Body::from(text));
                let mime = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, mime);
                response
            }
            Err(error) => refusal(&error).into_response(),
        },
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => method_not_allowed(API_METHODS),
    };
    let cache = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    open(response)
}

async fn named(method: &Method, page: &NamesPage, name: &str, origin: &RequestOrigin) -> Response {
    open(match *method {
        Method::GET | Method::HEAD => page.answer(name, origin.remote.ip()).await,
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => method_not_allowed(API_METHODS),
    })
}

/// Pages of all origins may read it.
fn open(mut response: Response) -> Response {
    let open: [(header::HeaderName, &'static str); 5] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, API_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        // A public page may ask a relay on the same machine or local network.
        (
            header::HeaderName::from_static("access-control-allow-private-network"),
            "true",
        ),
    ];
    for (name, value) in open {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(error: &Error) -> (StatusCode, String) {
    let status = match error.code() {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("{error}\n"))
}

fn wants_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn upgrade(state: HttpState, origin: RequestOrigin, mut parts: Parts) -> Response {
    let Some(acceptor) = state.websockets else {
        return (StatusCode::NOT_FOUND, "No WebSockets here.\n").into_response();
    };
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => ws::configure(upgrade).on_upgrade(move |socket| async move {
            acceptor
                .accept(socket, origin.local, origin.remote, origin.tls)
                .await;
        }),
        Err(rejection) => rejection.into_response(),
    }
}
