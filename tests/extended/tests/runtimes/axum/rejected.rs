//! Requests that are refused: each with its reason, in the error and in the
//! response.

use axum::body::to_bytes;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Builder;
use axum::http::{HeaderValue, Request, Version};
use axum::response::{IntoResponse, Response};
use hyper::ext::Protocol;
use sansocket::axum::WebSocketUpgrade;
use sansocket::axum::rejection::WebSocketUpgradeRejection as Reason;
use sansocket::{HandshakeError, HeaderField, Rejection};

fn upgrade() -> Builder {
    Request::get("/chat")
        .header("host", "example.com")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13")
        .extension(hyper::upgrade::on(Request::new(())))
}

fn http2(method: &str) -> Builder {
    Request::builder()
        .method(method)
        .version(Version::HTTP_2)
        .uri("https://example.com/chat")
        .header("sec-websocket-version", "13")
        .extension(hyper::upgrade::on(Request::new(())))
}

fn with(mut request: Builder, name: &'static str, value: &'static str) -> Builder {
    let headers = request.headers_mut().unwrap();
    headers.insert(name, HeaderValue::from_static(value));
    request
}

async fn extract(request: Builder) -> Result<WebSocketUpgrade, Reason> {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    <WebSocketUpgrade as FromRequestParts<()>>::from_request_parts(&mut parts, &()).await
}

async fn body(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1000).await.unwrap();
    String::from_utf8(bytes.into()).unwrap()
}

#[tokio::test]
async fn every_fault_has_its_reason() {
    use HandshakeError::{Duplicate, Invalid, Missing, Unexpected};
    let protocol = |name| http2("CONNECT").extension(Protocol::from_static(name));
    let rows = [
        (
            upgrade().method("POST"),
            HandshakeError::MethodNotAllowed,
            405,
        ),
        (
            with(upgrade(), "upgrade", "h2c"),
            HandshakeError::NotAnUpgrade,
            426,
        ),
        (
            with(upgrade(), "connection", "close"),
            Invalid(HeaderField::Connection),
            400,
        ),
        (
            with(upgrade(), "sec-websocket-key", "short"),
            Invalid(HeaderField::Key),
            400,
        ),
        (
            upgrade().header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            Duplicate(HeaderField::Key),
            400,
        ),
        (
            with(upgrade(), "sec-websocket-version", "8"),
            HandshakeError::UnsupportedVersion,
            426,
        ),
        (
            with(upgrade(), "sec-websocket-protocol", "a b"),
            Invalid(HeaderField::Subprotocol),
            400,
        ),
        (
            with(upgrade(), "content-length", "3"),
            Unexpected(HeaderField::ContentLength),
            400,
        ),
        (
            with(upgrade(), "origin", "https://evil.example"),
            HandshakeError::OriginNotAllowed,
            403,
        ),
        (
            with(upgrade(), "host", "a b"),
            Invalid(HeaderField::Host),
            400,
        ),
        (http2("GET"), HandshakeError::NotAnUpgrade, 426),
        (protocol("webtransport"), HandshakeError::NotAnUpgrade, 426),
        (
            with(protocol("websocket"), "sec-websocket-version", "8"),
            HandshakeError::UnsupportedVersion,
            426,
        ),
        (http2("CONNECT"), HandshakeError::InvalidTarget, 400),
    ];
    for (request, error, status) in rows {
        let is_http2 = request.version_ref() == Some(&Version::HTTP_2);
        let reason = extract(request).await.unwrap_err();
        assert_eq!(reason.error(), Some(error));
        assert_eq!(reason.status(), status, "{reason}");
        assert!(reason.body_text().contains(&error.to_string()), "{reason}");
        assert!(
            reason.to_string().starts_with(&format!("{status} for ")),
            "{reason}"
        );
        let text = reason.body_text();
        let response = reason.into_response();
        assert_eq!(response.status(), status);
        let headers = response.headers();
        assert_eq!(
            headers.contains_key("upgrade"),
            status == 426 && !is_http2,
            "{text}"
        );
        assert_eq!(
            headers.contains_key("connection"),
            status == 426 && !is_http2
        );
        assert_eq!(headers.contains_key("allow"), status == 405);
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.error(), error);
        assert_eq!(body(response).await, text);
    }
    let mut request = upgrade();
    request
        .headers_mut()
        .unwrap()
        .remove("sec-websocket-version");
    let reason = extract(request).await.unwrap_err();
    assert_eq!(reason.error(), Some(Missing(HeaderField::Version)));
    assert_eq!(reason.status(), 400);
}

#[tokio::test]
async fn request_without_a_stream_is_told_so() {
    let mut request = upgrade();
    request.extensions_mut().unwrap().clear();
    let reason = extract(request).await.unwrap_err();
    assert!(matches!(reason, Reason::ConnectionNotUpgradable(_)));
    assert_eq!((reason.error(), reason.status().as_u16()), (None, 426));
    let text = reason.body_text();
    let response = reason.into_response();
    assert_eq!(response.headers()["connection"], "Upgrade");
    assert_eq!(body(response).await, text);
}

#[tokio::test]
async fn option_is_none_for_plain_http_alone() {
    async fn option(request: Builder) -> Result<Option<WebSocketUpgrade>, Reason> {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        <WebSocketUpgrade as OptionalFromRequestParts<()>>::from_request_parts(&mut parts, &())
            .await
    }
    assert!(option(upgrade()).await.unwrap().is_some());
    let plain = Request::get("/").header("host", "example.com");
    assert!(option(plain).await.unwrap().is_none());
    assert!(option(http2("GET")).await.unwrap().is_none());
    option(with(upgrade(), "connection", "close"))
        .await
        .unwrap_err();
    option(with(upgrade(), "sec-websocket-version", "8"))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn subprotocol_that_is_not_offered_is_not_chosen() {
    let request = with(upgrade(), "sec-websocket-protocol", "b, a");
    let mut upgrade = extract(request).await.unwrap();
    let requested: Vec<_> = upgrade.requested_protocols().collect();
    assert_eq!(requested, ["b", "a"], "in the client's order");
    upgrade.set_selected_protocol(HeaderValue::from_static("c"));
    assert_eq!(upgrade.selected_protocol(), None);
    upgrade.set_selected_protocol(HeaderValue::from_static("a"));
    let response = upgrade.on_upgrade(|_| async {});
    assert_eq!(response.headers()["sec-websocket-protocol"], "a");
}
