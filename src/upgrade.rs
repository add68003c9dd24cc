//! Opening handshakes whose heads somebody else reads and writes: hyper, a web
//! framework, an HTTP/2 or HTTP/3 library.
//!
//! Knows the rules as pairs of name and value go in and out; knows no library.
//! What was agreed on starts a [`Connection`](crate::Connection::upgraded) on
//! the stream that the other library hands over.
//!
//! A server's side, by HTTP/1.1:
//!
//! ```
//! use sansocket::{Config, Connection, Role, upgrade};
//!
//! let config = Config::new();
//! let fields: [(&str, &[u8]); 5] = [
//!     ("host", b"example.com"),
//!     ("upgrade", b"websocket"),
//!     ("connection", b"Upgrade"),
//!     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
//!     ("sec-websocket-version", b"13"),
//! ];
//! let request = upgrade::request("GET", "/chat", fields, &config)?;
//! let response = request.accept();
//! assert_eq!(response.status(), 101);
//! assert_eq!(
//!     response.fields().get("Sec-WebSocket-Accept"),
//!     Some(&b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..]),
//! );
//! let ws = Connection::upgraded(Role::Server, response.agreement().clone(), &config);
//! assert!(ws.is_open());
//! # Ok::<(), sansocket::HandshakeError>(())
//! ```
//!
//! The same by HTTP/2 or HTTP/3 (RFC 8441, RFC 9220). For HTTP/3 there is no
//! adapter, as `h3` 0.0.8 knows no `:protocol` of `websocket`: it refuses such
//! requests before anybody sees them.
//!
//! ```
//! use sansocket::upgrade::{self, ExtendedConnect};
//! use sansocket::Config;
//!
//! let pseudo = ExtendedConnect {
//!     protocol: "websocket",
//!     scheme: "https",
//!     authority: "example.com",
//!     path: "/chat",
//! };
//! let fields: [(&str, &[u8]); 1] = [("sec-websocket-version", b"13")];
//! let request = upgrade::extended_connect(pseudo, fields, &Config::new())?;
//! assert_eq!(request.accept().status(), 200);
//! # Ok::<(), sansocket::HandshakeError>(())
//! ```

use crate::config::Config;
use crate::error::{HandshakeError, SendError};
use crate::handshake::{Agreement, Asked, Headers, Request};

/// A request that another library read (§4.2.1).
///
/// One that asks for no WebSocket is a [`Request`] too, with
/// [`is_upgrade`](Request::is_upgrade) false.
///
/// # Errors
///
/// What is wrong with an upgrade; [`HandshakeError::status`] is the answer.
pub fn request<'f>(
    method: &str,
    target: &str,
    fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    config: &Config,
) -> Result<Request, HandshakeError> {
    let settings = &config.settings().handshake;
    Request::received((method, target), None, fields.into_iter(), settings)
}

/// The pseudo-header fields of an extended CONNECT (RFC 8441 §4), each of which
/// stands there once, as HTTP/2 itself demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedConnect<'h> {
    /// `:protocol`, `websocket`.
    pub protocol: &'h str,
    /// `:scheme`, `https` or `http`.
    pub scheme: &'h str,
    /// `:authority`, host and port.
    pub authority: &'h str,
    /// `:path`, of the resource.
    pub path: &'h str,
}

/// An extended CONNECT that another library read (RFC 8441 §5, RFC 9220 §3).
/// [`Request::accept`] is a response with status 200.
///
/// # Errors
///
/// What is wrong with it; [`HandshakeError::status`] is the answer.
/// [`HandshakeError::NotAnUpgrade`] if `:protocol` is not `websocket`.
pub fn extended_connect<'f>(
    pseudo: ExtendedConnect<'_>,
    fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    config: &Config,
) -> Result<Request, HandshakeError> {
    if pseudo.protocol != "websocket" {
        return Err(HandshakeError::NotAnUpgrade);
    }
    // RFC 8441 §5: of a `ws` or `wss` URI.
    if !matches!(pseudo.scheme, "http" | "https") || !pseudo.path.starts_with('/') {
        return Err(HandshakeError::InvalidTarget);
    }
    let settings = &config.settings().handshake;
    Request::received(
        ("CONNECT", pseudo.path),
        Some(pseudo.authority),
        fields.into_iter(),
        settings,
    )
}

/// A client's request that another library sends, and what its answer is held
/// against.
///
/// ```
/// use sansocket::{Config, HandshakeError, Request, upgrade::Offer};
///
/// # if !cfg!(feature = "std") { return Ok(()); }
/// let request = Request::to("wss://example.com/chat")?.subprotocol("chat")?;
/// let offer = Offer::extended_connect(&request, &Config::new());
/// assert_eq!(offer.fields().get("sec-websocket-version"), Some(&b"13"[..]));
/// let answer: [(&str, &[u8]); 1] = [("sec-websocket-protocol", b"chat")];
/// let agreement = offer.check(200, answer)?;
/// assert_eq!(agreement.subprotocol(), Some("chat"));
/// assert_eq!(offer.check(404, []), Err(HandshakeError::Refused(404)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Offer {
    asked: Asked,
    config: Config,
}

impl Offer {
    /// By an upgrade of HTTP/1.1 (§4.1).
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`] if no nonce could be drawn.
    pub fn upgrade(request: &Request, config: &Config) -> Result<Self, SendError> {
        let mut nonce = [0; 16];
        let settings = config.settings();
        settings
            .entropy
            .fill(&mut nonce)
            .map_err(|_| SendError::NoEntropy)?;
        Ok(Self {
            asked: Asked::new(request, Some(nonce), &settings.handshake),
            config: config.clone(),
        })
    }

    /// By an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 §5), whose
    /// pseudo-header fields are made of the request's URI.
    pub fn extended_connect(request: &Request, config: &Config) -> Self {
        Self {
            asked: Asked::new(request, None, &config.settings().handshake),
            config: config.clone(),
        }
    }

    /// The fields to send.
    pub const fn fields(&self) -> &Headers {
        self.asked.fields()
    }

    /// What the answer settles.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Refused`] if its status opens no connection, and any
    /// other if it breaks a rule (§4.1): the stream must not be used.
    pub fn check<'f>(
        &self,
        status: u16,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Agreement, HandshakeError> {
        let settings = &self.config.settings().handshake;
        self.asked.check(status, fields.into_iter(), settings)
    }
}
