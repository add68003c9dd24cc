//! Requests and responses of the `http` crate: to and from those of the
//! handshake, for web frameworks that read and write the heads.
//!
//! Knows how the types of both crates correspond; the rules stand in the core.

use std::string::String;
use std::vec::Vec;

use ::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ::http::uri::Authority;
use ::http::{Method, Version};

use crate::config::Config;
use crate::error::{HandshakeError, SendError};
use crate::handshake::{Agreement, Headers, Request, Response, Uri};
use crate::upgrade::{self, ExtendedConnect, Offer};

/// The request of a client, by HTTP/1.1.
///
/// # Errors
///
/// What is wrong with an upgrade; [`Response`]s to it are made by
/// [`refusal`].
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
pub fn request<B>(
    request: &::http::Request<B>,
    config: &Config,
) -> Result<Request, HandshakeError> {
    if request.version() < Version::HTTP_11 {
        return Err(HandshakeError::UnsupportedHttpVersion);
    }
    // RFC 9110 §9.3.6: it names a host, not a resource of this one.
    if request.method() == Method::CONNECT {
        return Err(HandshakeError::InvalidTarget);
    }
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // RFC 9113 §8.3.1: HTTP/2 has `:authority` in the place of `Host`.
    let authority = uri.authority().map(Authority::as_str);
    let is_named = request.headers().contains_key(header::HOST);
    let host = authority.filter(|_| !is_named);
    let host = host.map(|host| ("host", host.as_bytes()));
    let fields = pairs(request.headers()).chain(host);
    upgrade::request(request.method().as_str(), target, fields, config)
}

/// An extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 §5), with the value of
/// `:protocol`, which the libraries keep each in a type of its own.
///
/// # Errors
///
/// As [`upgrade::extended_connect`].
pub fn extended_connect<B>(
    request: &::http::Request<B>,
    protocol: &str,
    config: &Config,
) -> Result<Request, HandshakeError> {
    if request.method() != Method::CONNECT {
        return Err(HandshakeError::MethodNotAllowed);
    }
    let uri = request.uri();
    let pseudo = ExtendedConnect {
        protocol,
        scheme: uri.scheme_str().unwrap_or_default(),
        authority: uri.authority().map_or("", Authority::as_str),
        path: uri.path_and_query().map_or("", |path| path.as_str()),
    };
    upgrade::extended_connect(pseudo, pairs(request.headers()), config)
}

/// A response as the framework sends it, with all fields of the handshake and
/// those that were added.
pub fn response<B: From<Vec<u8>>>(response: &Response) -> ::http::Response<B> {
    let mut made = ::http::Response::new(B::from(response.content().to_vec()));
    // A response has no other status than one that there is.
    *made.status_mut() = ::http::StatusCode::from_u16(response.status()).unwrap_or_default();
    *made.headers_mut() = map(&response.fields());
    made
}

/// As [`response`], for HTTP/2 and HTTP/3, where no field may speak of the
/// connection (RFC 9113 §8.2.2).
pub fn multiplexed_response<B: From<Vec<u8>>>(response: &Response) -> ::http::Response<B> {
    let mut made = self::response(response);
    for name in [header::CONNECTION, header::UPGRADE] {
        made.headers_mut().remove(name);
    }
    made
}

/// The response to a request that breaks a rule, with the fields that its
/// status demands.
pub fn refusal<B: From<Vec<u8>>>(error: HandshakeError) -> ::http::Response<B> {
    response(&Response::refusal(error))
}

/// A client's request by HTTP/1.1, to be sent by another library, and what its
/// answer is held against with [`check`].
///
/// # Errors
///
/// [`SendError::NoEntropy`].
///
/// ```
/// use sansocket::{Config, Request, adapter::http};
///
/// # fn send(_: ::http::Request<()>) -> ::http::Response<()> { ::http::Response::new(()) }
/// # fn ask() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new();
/// let (request, offer) = http::offer(&Request::to("ws://example.com/chat")?, &config)?;
/// let response = send(request);
/// let agreement = http::check(&offer, &response)?;
/// # Ok(())
/// # }
/// ```
pub fn offer(
    request: &Request,
    config: &Config,
) -> Result<(::http::Request<()>, Offer), SendError> {
    let offer = Offer::upgrade(request, config)?;
    let mut made = ::http::Request::new(());
    // A resource name that was checked is a URI.
    *made.uri_mut() = request.target().parse().unwrap_or_default();
    *made.headers_mut() = map(offer.fields());
    Ok((made, offer))
}

/// As [`offer`], by an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 §5). The
/// caller adds `:protocol`, `websocket`, in the type of the library that sends
/// it: `Protocol`, an extension of the request in all of them.
pub fn offer_extended_connect(request: &Request, config: &Config) -> (::http::Request<()>, Offer) {
    let offer = Offer::extended_connect(request, config);
    let mut made = ::http::Request::new(());
    *made.method_mut() = Method::CONNECT;
    // What was checked as a URI of its own scheme is one of HTTP's.
    *made.uri_mut() = request.uri().and_then(as_http).unwrap_or_default();
    *made.headers_mut() = map(offer.fields());
    (made, offer)
}

fn as_http(uri: &Uri) -> Option<::http::Uri> {
    let scheme = if uri.is_secure() { "https" } else { "http" };
    let builder = ::http::Uri::builder().scheme(scheme);
    let builder = builder.authority(uri.authority());
    builder.path_and_query(uri.resource_name()).build().ok()
}

/// What the answer to an offer settles.
///
/// # Errors
///
/// As [`Offer::check`].
pub fn check<B>(
    offer: &Offer,
    response: &::http::Response<B>,
) -> Result<Agreement, HandshakeError> {
    offer.check(response.status().as_u16(), pairs(response.headers()))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn map(headers: &Headers) -> HeaderMap {
    let field = |(name, value): (&str, &[u8])| {
        // What was checked when it was added is valid there too.
        let name = HeaderName::try_from(String::from(name)).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().filter_map(field) {
        map.append(name, value);
    }
    map
}
