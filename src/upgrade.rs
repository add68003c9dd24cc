//! The opening handshake for use with other HTTP libraries, which read and write the
//! heads themselves: hyper, a web framework, an HTTP/2 or HTTP/3 library.
//! `tests/frameworks` contains a server with actix-web.
//!
//! Header fields are passed as pairs of name and value. The resulting
//! [`Agreement`] creates a connection with
//! [`Connection::upgraded`](crate::Connection::upgraded), on the stream of the other
//! library.
//!
//! A server, over HTTP/1.1:
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
//! let answer = request.accept();
//! assert_eq!(answer.status(), 101);
//! assert_eq!(
//!     answer.fields().get_str("Sec-WebSocket-Accept"),
//!     Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
//! );
//! let ws = Connection::upgraded(Role::Server, answer.agreement().clone(), &config);
//! assert!(ws.is_open());
//! # Ok::<(), sansocket::Rejection>(())
//! ```
//!
//! The same over HTTP/2 or HTTP/3 (RFC 8441, RFC 9220). Adapters exist for
//! HTTP/2 only; [a server and a client over HTTP/3][h3] with the `quiche` crate
//! are among the examples. The `h3` crate, as of 0.0.8, refuses requests whose
//! `:protocol` is `websocket` before the application sees them.
//!
//! [h3]: https://github.com/sansocket/sansocket/tree/main/examples/apps/h3
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
//! # Ok::<(), sansocket::Rejection>(())
//! ```

use crate::config::Config;
use crate::error::{HandshakeError, SendError};
use crate::handshake::{
    Agreement, ClientRequest, Expected, Headers, HttpVersion, Rejection, Request, RequestLine,
};

/// Checks an HTTP/1.1 request that a server received with another library (§4.2.1).
///
/// The request can be plain HTTP, for which [`is_upgrade`](Request::is_upgrade) is
/// `false`.
///
/// # Errors
///
/// A [`Rejection`] if the request breaks a rule: answer with [`Rejection::status`].
///
/// ```
/// use sansocket::{Config, upgrade};
///
/// let fields: [(&str, &[u8]); 2] = [("host", b"example.com"), ("accept", b"*/*")];
/// let request = upgrade::request("GET", "/index.html", fields, &Config::new())?;
/// assert!(!request.is_upgrade());
/// assert_eq!(request.accept().status(), 426);
/// # Ok::<(), sansocket::Rejection>(())
/// ```
pub fn request<'f>(
    method: &str,
    target: &str,
    fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    config: &Config,
) -> Result<Request, Rejection> {
    let line = RequestLine::new(HttpVersion::Http11, method, target);
    Request::received(line, fields.into_iter(), &config.settings().handshake)
}

/// The pseudo-header fields of an extended CONNECT (RFC 8441 §4). HTTP/2 requires exactly
/// one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "applications fill it in (RFC 8441 section 4)"
)]
pub struct ExtendedConnect<'h> {
    /// `:protocol`, which is `websocket`.
    pub protocol: &'h str,
    /// `:scheme`: `https` or `http`.
    pub scheme: &'h str,
    /// `:authority`: host and port.
    pub authority: &'h str,
    /// `:path`: path and query.
    pub path: &'h str,
}

/// Checks an extended CONNECT that a server received with another library (RFC 8441 §5,
/// RFC 9220 §3). [`Request::accept`] returns an answer with status 200.
///
/// # Errors
///
/// A [`Rejection`] if the request breaks a rule: answer with [`Rejection::status`]. Its
/// error is [`HandshakeError::NotAnUpgrade`] if `:protocol` is not `websocket`.
pub fn extended_connect<'f>(
    pseudo: ExtendedConnect<'_>,
    fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    config: &Config,
) -> Result<Request, Rejection> {
    let line = RequestLine::new(HttpVersion::Http2, "CONNECT", pseudo.path);
    let line = line.with_authority(Some(pseudo.authority));
    // RFC 8441 §5: scheme and path are those of a `ws` or `wss` URI.
    let is_target = matches!(pseudo.scheme, "http" | "https") && pseudo.path.starts_with('/');
    let pseudo = match pseudo.protocol {
        "websocket" if is_target => Ok(()),
        "websocket" => Err(HandshakeError::InvalidTarget),
        _ => Err(HandshakeError::NotAnUpgrade),
    };
    let settings = &config.settings().handshake;
    Request::connect(line, pseudo, fields.into_iter(), settings)
}

/// A client's request that another library sends. Checks the response to it.
///
/// ```
/// use sansocket::{ClientRequest, Config, HandshakeError, upgrade::Offer};
///
/// # if !cfg!(feature = "std") { return Ok(()); }
/// let request = ClientRequest::to("wss://example.com/chat")?.with_subprotocol("chat")?;
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
    fields: Headers,
    expected: Expected,
    config: Config,
}

impl Offer {
    /// Creates an HTTP/1.1 upgrade (§4.1).
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`] if no random nonce is available.
    ///
    /// ```
    /// use sansocket::{ClientRequest, Config, HandshakeError, HeaderField, upgrade::Offer};
    ///
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// let offer = Offer::upgrade(&ClientRequest::to("ws://example.com/")?, &Config::new())?;
    /// assert_eq!(offer.fields().get_str("Upgrade"), Some("websocket"));
    /// assert!(offer.fields().get("Sec-WebSocket-Key").is_some());
    /// // A server that does not understand WebSocket.
    /// let fields: [(&str, &[u8]); 2] = [("upgrade", b"websocket"), ("connection", b"upgrade")];
    /// let error = offer.check(101, fields).unwrap_err();
    /// assert_eq!(error, HandshakeError::Missing(HeaderField::Accept));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upgrade(request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        let mut nonce = [0; 16];
        let settings = config.settings();
        settings
            .entropy
            .fill(&mut nonce)
            .map_err(|_| SendError::NoEntropy)?;
        Ok(Self::new(request, Some(nonce), config))
    }

    /// Creates an extended CONNECT for HTTP/2 or HTTP/3 (RFC 8441 §5). The caller adds
    /// the pseudo-header fields, from the URI of the request.
    pub fn extended_connect(request: &ClientRequest, config: &Config) -> Self {
        Self::new(request, None, config)
    }

    fn new(request: &ClientRequest, nonce: Option<[u8; 16]>, config: &Config) -> Self {
        let (fields, expected) = request.fields(nonce, &config.settings().handshake);
        Self {
            fields,
            expected,
            config: config.clone(),
        }
    }

    /// Returns the header fields to send.
    pub const fn fields(&self) -> &Headers {
        &self.fields
    }

    /// Checks the response, and returns the negotiated subprotocol and extensions.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Refused`] if the status does not open the connection, and any
    /// other error if the response breaks a rule (§4.1). The stream must not be used.
    pub fn check<'f>(
        &self,
        status: u16,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Agreement, HandshakeError> {
        let settings = &self.config.settings().handshake;
        self.expected.check(status, fields.into_iter(), settings)
    }
}
