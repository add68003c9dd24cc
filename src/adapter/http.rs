//! Conversions between the requests and responses of the `http` crate and those of this
//! crate, for web frameworks that read and write the heads.

// Only the correspondence of the types is here; the rules are in the core.

use std::string::String;
use std::vec::Vec;

use ::http::header::{HeaderMap, HeaderName, HeaderValue};
use ::http::uri::Authority;
use ::http::{Method, Version};

use crate::config::Config;
use crate::error::{HandshakeError, SendError};
#[cfg(any(feature = "h2", feature = "hyper"))]
use crate::handshake::Response;
use crate::handshake::{
    Agreement, Answer, ClientRequest, Headers, HttpVersion, Rejection, Request, RequestLine, Uri,
};
use crate::upgrade::{self, ExtendedConnect, Offer};

/// Converts and checks a request that a server received: an HTTP/1.1 upgrade, or plain
/// HTTP of any version.
///
/// # Errors
///
/// A [`Rejection`] if the request breaks a rule. [`refusal`] creates the answer to it.
///
/// ```
/// use sansocket::{Config, adapter::http};
///
/// let request = ::http::Request::get("/chat")
///     .header("host", "example.com")
///     .header("upgrade", "websocket")
///     .header("connection", "Upgrade")
///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .header("sec-websocket-version", "13")
///     .body(())?;
/// let request = http::request(&request, &Config::new())?;
/// let response: ::http::Response<Vec<u8>> = http::response(&request.accept());
/// assert_eq!(response.status(), 101);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn request<B>(request: &::http::Request<B>, config: &Config) -> Result<Request, Rejection> {
    // RFC 9110 §9.3.6: its target is a host, not a resource of this server.
    if request.method() == Method::CONNECT {
        return Err(Rejection::new(None, HandshakeError::InvalidTarget));
    }
    let version = match request.version() {
        Version::HTTP_09 | Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => HttpVersion::Http2,
    };
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let line = RequestLine::new(version, request.method().as_str(), target);
    let line = line.with_authority(uri.authority().map(Authority::as_str));
    let settings = &config.settings().handshake;
    Request::received(line, field_pairs(request.headers()), settings)
}

/// Converts and checks an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 §5) that a
/// server received. `protocol` is the value of `:protocol`, for which each library has
/// a type of its own.
///
/// # Errors
///
/// As [`upgrade::extended_connect`].
///
/// ```
/// use sansocket::{Config, adapter::http};
///
/// let request = ::http::Request::connect("https://example.com/chat")
///     .header("sec-websocket-version", "13")
///     .body(())?;
/// let request = http::extended_connect(&request, "websocket", &Config::new())?;
/// assert_eq!(request.path(), "/chat");
/// let response: ::http::Response<Vec<u8>> = http::multiplexed_response(&request.accept());
/// assert_eq!(response.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn extended_connect<B>(
    request: &::http::Request<B>,
    protocol: &str,
    config: &Config,
) -> Result<Request, Rejection> {
    if request.method() != Method::CONNECT {
        return Err(Rejection::new(None, HandshakeError::MethodNotAllowed));
    }
    let uri = request.uri();
    let pseudo = ExtendedConnect {
        protocol,
        scheme: uri.scheme_str().unwrap_or_default(),
        authority: uri.authority().map_or("", Authority::as_str),
        path: uri.path_and_query().map_or("", |path| path.as_str()),
    };
    upgrade::extended_connect(pseudo, field_pairs(request.headers()), config)
}

/// Converts an answer into a response for HTTP/1.1, with the header fields of the
/// handshake and those that were added.
///
/// ```
/// use sansocket::{Answer, adapter::http};
///
/// let page = Answer::new(200).with_header("Content-Type", "text/plain")?.with_body("hello");
/// let response: ::http::Response<Vec<u8>> = http::response(&page);
/// assert_eq!(response.headers()["content-type"], "text/plain");
/// assert_eq!(response.body(), b"hello");
/// # Ok::<(), sansocket::RequestError>(())
/// ```
pub fn response<B: From<Vec<u8>>>(answer: &Answer) -> ::http::Response<B> {
    with_fields(answer, &answer.fields())
}

/// Converts an answer into a response for HTTP/2 and HTTP/3, which forbid `Connection`
/// and `Upgrade` (RFC 9113 §8.2.2).
pub fn multiplexed_response<B: From<Vec<u8>>>(answer: &Answer) -> ::http::Response<B> {
    with_fields(answer, &answer.multiplexed_fields())
}

fn with_fields<B: From<Vec<u8>>>(answer: &Answer, fields: &Headers) -> ::http::Response<B> {
    let mut made = ::http::Response::new(B::from(answer.content().to_vec()));
    // The status of an answer is always valid.
    *made.status_mut() = ::http::StatusCode::from_u16(answer.status()).unwrap_or_default();
    *made.headers_mut() = header_map(fields);
    made
}

/// Creates the answer to a request that breaks a rule, for [`response`] or
/// [`multiplexed_response`].
///
/// ```
/// use sansocket::{Config, adapter::http};
///
/// let request = ::http::Request::get("/chat").header("upgrade", "websocket").body(())?;
/// let rejection = http::request(&request, &Config::new()).unwrap_err();
/// let response: ::http::Response<Vec<u8>> = http::response(&http::refusal(&rejection));
/// assert_eq!(response.status(), 400);
/// assert_eq!(response.body(), b"400 Bad Request: Host is missing\n");
/// # Ok::<(), ::http::Error>(())
/// ```
pub fn refusal(rejection: &Rejection) -> Answer {
    Answer::refusal(rejection.error())
}

/// Creates a client's HTTP/1.1 request for another library to send, and the [`Offer`]
/// with which to [`check`] the response.
///
/// # Errors
///
/// [`SendError::NoEntropy`] if no random nonce is available.
///
/// ```
/// use sansocket::{ClientRequest, Config, adapter::http};
///
/// # fn send(_: ::http::Request<()>) -> ::http::Response<()> { ::http::Response::new(()) }
/// # fn ask() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new();
/// let (request, offer) = http::offer(&ClientRequest::to("ws://example.com/chat")?, &config)?;
/// let response = send(request);
/// let agreement = http::check(&offer, &response)?;
/// # Ok(())
/// # }
/// ```
pub fn offer(
    request: &ClientRequest,
    config: &Config,
) -> Result<(::http::Request<()>, Offer), SendError> {
    let offer = Offer::upgrade(request, config)?;
    let mut made = ::http::Request::new(());
    // Every resource name of `Uri` is valid in the `http` crate.
    *made.uri_mut() = request.uri().resource_name().parse().unwrap_or_default();
    *made.headers_mut() = header_map(offer.fields());
    Ok((made, offer))
}

/// Creates a client's extended CONNECT for HTTP/2 or HTTP/3 (RFC 8441 §5), like
/// [`offer`].
///
/// The caller adds the pseudo-header field `:protocol` with the value `websocket`. In
/// all libraries it is an extension of the request with a type `Protocol`.
pub fn offer_extended_connect(
    request: &ClientRequest,
    config: &Config,
) -> (::http::Request<()>, Offer) {
    let offer = Offer::extended_connect(request, config);
    let mut made = ::http::Request::new(());
    *made.method_mut() = Method::CONNECT;
    // Every URI is valid in the `http` crate, except for the scheme.
    *made.uri_mut() = http_uri(request.uri()).unwrap_or_default();
    *made.headers_mut() = header_map(offer.fields());
    (made, offer)
}

fn http_uri(uri: &Uri) -> Option<::http::Uri> {
    let scheme = if uri.is_secure() { "https" } else { "http" };
    let builder = ::http::Uri::builder().scheme(scheme);
    let builder = builder.authority(uri.authority());
    builder.path_and_query(uri.resource_name()).build().ok()
}

/// Checks the response to an offer, and returns the negotiated subprotocol and
/// extensions.
///
/// # Errors
///
/// As [`Offer::check`].
pub fn check<B>(
    offer: &Offer,
    response: &::http::Response<B>,
) -> Result<Agreement, HandshakeError> {
    offer.check(response.status().as_u16(), field_pairs(response.headers()))
}

/// The error for a response that does not open a WebSocket, with its body and whether
/// that is truncated.
#[cfg(any(feature = "h2", feature = "hyper"))]
pub(super) fn refused(
    error: HandshakeError,
    head: &::http::response::Parts,
    body: (Vec<u8>, bool),
) -> super::Error {
    match error {
        HandshakeError::Refused(status) => {
            let (fields, agreement) = (field_pairs(&head.headers), Agreement::default());
            super::Error::Refused(Response::received(status, fields, body, agreement))
        }
        error => crate::ConnectionError::from(error).into(),
    }
}

/// Appends data to the body of a refusal, up to the limit. Returns whether all of it
/// was appended.
#[cfg(any(feature = "h2", feature = "hyper"))]
pub(super) fn append_body(data: &[u8], config: &Config, body: &mut Vec<u8>) -> bool {
    let max_len = config.settings().handshake.limits.max_body_len;
    let room = data.len().min(max_len - body.len());
    body.extend_from_slice(data.get(..room).unwrap_or_default());
    room == data.len()
}

/// The response that opened a WebSocket.
#[cfg(any(feature = "h2", feature = "hyper"))]
pub(super) fn opening_response<B>(
    response: &::http::Response<B>,
    agreement: &Agreement,
) -> Response {
    let (status, body) = (response.status().as_u16(), (Vec::new(), false));
    Response::received(
        status,
        field_pairs(response.headers()),
        body,
        agreement.clone(),
    )
}

fn field_pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn header_map(headers: &Headers) -> HeaderMap {
    let field = |(name, value): (&str, &[u8])| {
        // Checked when it was added, so it is valid here too.
        let name = HeaderName::try_from(String::from(name)).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().filter_map(field) {
        map.append(name, value);
    }
    map
}
