//! The request: read by servers, made and written by clients.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::added::{RequestError, check_header};
use super::fields::Fields;
use super::head::{HeadBuffer, Headers, Span, check_line_ends, with_room, write_field};
use super::key::Key;
use super::negotiate::{is_token, tokens};
use super::response::Response;
use super::uri::Uri;
use super::{Settings, key};
use crate::error::HandshakeError;
use crate::input::Input;
#[cfg(feature = "deflate")]
use {super::extensions, crate::deflate};

/// A request to open a connection (§4.1).
///
/// A client makes one with [`to`](Self::to) and adds what it needs; the fields
/// of the handshake itself are written by the connection. A server receives
/// one with [`Event::Request`](crate::Event::Request) and answers it.
///
/// ```
/// use sansocket::Request;
///
/// let request = Request::to("ws://example.com/chat")?
///     .header("Authorization", "Bearer secret")?
///     .subprotocol("chat.v2")?;
/// assert_eq!(request.target(), "/chat");
/// # Ok::<(), sansocket::RequestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    headers: Headers,
    origin: RequestOrigin,
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestOrigin {
    /// It was received.
    Peer {
        method: Span,
        target: Span,
        asks_for: Option<Opening>,
        /// What to answer to its offers.
        #[cfg(feature = "deflate")]
        deflate: Option<deflate::Parameters>,
    },
    /// It was made here, to be sent.
    Local { uri: Uri },
}

/// In which way a request asks for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// With this key (RFC 6455 §4.1).
    Upgrade(Span),
    /// With an extended CONNECT (RFC 8441 §4).
    #[cfg(feature = "std")]
    Connect,
}

/// Made by a client.
impl Request {
    /// A request to a `ws://` or `wss://` URI (§3).
    ///
    /// # Errors
    ///
    /// [`RequestError::Uri`].
    pub fn to(uri: &str) -> Result<Self, RequestError> {
        let origin = RequestOrigin::Local {
            uri: Uri::parse(uri)?,
        };
        Ok(Self(Box::new(Inner {
            headers: Headers::default(),
            origin,
        })))
    }

    /// Adds a header field. Of one name there may be several, in this order.
    ///
    /// # Errors
    ///
    /// An invalid name or value, or a name that the handshake writes itself:
    /// `Host`, `Upgrade`, `Connection`, `Sec-WebSocket-*`, `Content-Length`,
    /// `Transfer-Encoding`. The error names the header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, RequestError> {
        check_header(name, value.as_ref())?;
        self.0.headers.push(name, value.as_ref());
        Ok(self)
    }

    /// Adds a cookie. All go into one `Cookie` field (RFC 6265 §5.4).
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidCookie`].
    pub fn cookie(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        // RFC 6265 §4.1.1: what a cookie value is made of.
        let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if !is_token(name.as_bytes()) || !value.bytes().all(is_value) {
            return Err(RequestError::InvalidCookie(name.into()));
        }
        self.extend_list("Cookie", "; ", &[name, "=", value]);
        Ok(self)
    }

    /// Offers a subprotocol, behind those that were offered before (§1.9).
    ///
    /// # Errors
    ///
    /// If the name is not a token or was offered before.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, RequestError> {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::InvalidSubprotocol(name.into()));
        }
        if self.subprotocols().any(|offered| offered == name) {
            return Err(RequestError::DuplicateSubprotocol(name.into()));
        }
        self.extend_list(SUBPROTOCOL, ", ", &[name]);
        Ok(self)
    }

    /// Names the page for which the connection is asked, as browsers do
    /// (RFC 6454 §7).
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidHeaderValue`].
    pub fn origin(mut self, origin: &str) -> Result<Self, RequestError> {
        check_header("Origin", origin.as_bytes())?;
        self.0.headers.replace("Origin", origin.as_bytes());
        Ok(self)
    }

    /// Where a request that was made here goes; `None` of one that was
    /// received.
    pub fn uri(&self) -> Option<&Uri> {
        match &self.0.origin {
            RequestOrigin::Local { uri } => Some(uri),
            RequestOrigin::Peer { .. } => None,
        }
    }

    /// Adds a field that was checked.
    pub(super) fn push_header(&mut self, name: &str, value: &[u8]) {
        self.0.headers.push(name, value);
    }

    /// Appends the head (§4.1).
    #[cfg_attr(not(feature = "deflate"), allow(unused_variables))]
    pub(super) fn write(&self, key: &Key, settings: &Settings, out: &mut Vec<u8>) {
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.target().as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        if let Some(uri) = self.uri() {
            write_field("Host", uri.authority().as_bytes(), out);
        }
        out.extend_from_slice(b"Upgrade: websocket\r\nConnection: Upgrade\r\n");
        write_field("Sec-WebSocket-Key", key, out);
        out.extend_from_slice(b"Sec-WebSocket-Version: 13\r\n");
        #[cfg(feature = "deflate")]
        if let Some(options) = &settings.deflate {
            write_field(EXTENSIONS, extensions::offer(options).as_bytes(), out);
        }
        self.0.headers.write(out);
        out.extend_from_slice(b"\r\n");
    }

    /// Adds an item to a field that holds a list.
    fn extend_list(&mut self, name: &str, separator: &str, item: &[&str]) {
        let mut list = self.0.headers.get(name).unwrap_or_default().to_vec();
        if !list.is_empty() {
            list.extend_from_slice(separator.as_bytes());
        }
        list.extend_from_slice(item.concat().as_bytes());
        self.0.headers.replace(name, &list);
    }
}

/// Received by a server.
impl Request {
    /// The method; of an upgrade always `GET`.
    pub fn method(&self) -> &str {
        match self.0.origin {
            RequestOrigin::Peer { method, .. } => self.0.headers.text(method),
            RequestOrigin::Local { .. } => "GET",
        }
    }

    /// The path and query that are asked for.
    pub fn target(&self) -> &str {
        match &self.0.origin {
            RequestOrigin::Peer { target, .. } => self.0.headers.text(*target),
            RequestOrigin::Local { uri } => uri.resource_name(),
        }
    }

    /// The host and port that the request is addressed to.
    pub fn host(&self) -> Option<&str> {
        match &self.0.origin {
            RequestOrigin::Peer { .. } => core::str::from_utf8(self.headers().get("host")?).ok(),
            RequestOrigin::Local { uri } => Some(uri.authority()),
        }
    }

    /// The header fields: all of a request that was received; of one that was
    /// made here, those that were added.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The subprotocols that are offered, in order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.0.headers.get_all(SUBPROTOCOL).flat_map(tokens)
    }

    /// Whether this asks for a WebSocket and keeps every rule of §4.2.1. If
    /// not, it is plain HTTP: answer it with a page, or refuse it. The bytes
    /// behind its head stay in the [`Input`](crate::Input).
    pub fn is_upgrade(&self) -> bool {
        match self.0.origin {
            RequestOrigin::Peer { asks_for, .. } => asks_for.is_some(),
            RequestOrigin::Local { .. } => true,
        }
    }

    /// The response that opens the connection (§4.2.2). For a request that
    /// asks for no WebSocket, the refusal that says so: 426.
    pub fn accept(&self) -> Response {
        let accept = match self.0.origin {
            RequestOrigin::Peer {
                asks_for: Some(Opening::Upgrade(key)),
                ..
            } => Some(key::accept(self.0.headers.slice(key))),
            #[cfg(feature = "std")]
            RequestOrigin::Peer {
                asks_for: Some(Opening::Connect),
                ..
            } => None,
            _ => return Response::refusal(HandshakeError::NotAnUpgrade),
        };
        let offered = self.subprotocols().map(Into::into).collect();
        let response = Response::opening(accept, offered);
        #[cfg(feature = "deflate")]
        let response = response.with_deflate(self.deflate());
        response
    }

    #[cfg(feature = "deflate")]
    const fn deflate(&self) -> Option<deflate::Parameters> {
        match self.0.origin {
            RequestOrigin::Peer { deflate, .. } => deflate,
            RequestOrigin::Local { .. } => None,
        }
    }

    /// A response that refuses with this HTTP status and says so in a line of
    /// plain text.
    pub fn reject(&self, status: u16) -> Response {
        Response::plain(status)
    }

    /// Reads a head, if the bytes hold one whole, and tells its length.
    fn parse(bytes: &[u8], settings: &Settings) -> Result<Option<(Self, usize)>, HandshakeError> {
        with_room(bytes, &settings.limits, |room| {
            let mut parsed = httparse::Request::new(&mut []);
            let status = parsed.parse_with_uninit_headers(bytes, room)?;
            let httparse::Status::Complete(len) = status else {
                return Ok(httparse::Status::Partial);
            };
            let checked = Self::check(bytes, len, &parsed, settings);
            Ok(httparse::Status::Complete(
                checked.map(|request| (request, len)),
            ))
        })?
        .transpose()
    }

    fn check(
        bytes: &[u8],
        len: usize,
        parsed: &httparse::Request<'_, '_>,
        settings: &Settings,
    ) -> Result<Self, HandshakeError> {
        let head = bytes.get(..len).unwrap_or_default();
        check_line_ends(head, parsed.headers.len())?;
        // RFC 6455 §4.2.1: "An HTTP/1.1 or higher GET request".
        if parsed.version != Some(1) {
            return Err(HandshakeError::UnsupportedHttpVersion);
        }
        let (method, target) = (
            parsed.method.unwrap_or_default(),
            parsed.path.unwrap_or_default(),
        );
        let fields = Fields::of(parsed.headers.iter().map(|field| (field.name, field.value)));
        let key = fields.check_request(method, target, &settings.origin)?;
        let headers = Headers::parsed(head, parsed.headers);
        let origin = RequestOrigin::Peer {
            method: Span::within(head, method.as_bytes()),
            target: Span::within(head, target.as_bytes()),
            asks_for: key.map(|key| Opening::Upgrade(Span::within(head, key))),
            #[cfg(feature = "deflate")]
            deflate: settings
                .deflate
                .as_ref()
                .and_then(|options| extensions::answer(headers.get_all(EXTENSIONS), options)),
        };
        Ok(Self(Box::new(Inner { headers, origin })))
    }
}

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
#[cfg(feature = "deflate")]
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

impl TryFrom<&str> for Request {
    type Error = RequestError;

    fn try_from(uri: &str) -> Result<Self, RequestError> {
        Self::to(uri)
    }
}

impl TryFrom<&String> for Request {
    type Error = RequestError;

    fn try_from(uri: &String) -> Result<Self, RequestError> {
        Self::to(uri)
    }
}

impl TryFrom<String> for Request {
    type Error = RequestError;

    fn try_from(uri: String) -> Result<Self, RequestError> {
        Self::to(&uri)
    }
}

/// Read and written by somebody else.
#[cfg(feature = "std")]
impl Request {
    /// A request whose head somebody else read. Without an authority it is one
    /// of HTTP/1.1; with one, an extended CONNECT (RFC 8441 §4).
    pub(crate) fn received<'f>(
        (method, target): (&str, &str),
        authority: Option<&str>,
        pairs: impl Iterator<Item = (&'f str, &'f [u8])>,
        settings: &Settings,
    ) -> Result<Self, HandshakeError> {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        let fields = Fields::of(headers.iter());
        let key = match authority {
            None => fields.check_request(method, target, &settings.origin)?,
            Some(authority) => {
                fields.check_connect(authority.as_bytes(), &settings.origin)?;
                None
            }
        };
        let key = key.map(<[u8]>::to_vec);
        if let Some(authority) = authority {
            headers.replace("host", authority.as_bytes());
        }
        let asks_for = match (key, authority) {
            (_, Some(_)) => Some(Opening::Connect),
            (Some(key), None) => Some(Opening::Upgrade(headers.append(&key))),
            (None, None) => None,
        };
        let origin = RequestOrigin::Peer {
            method: headers.append(method.as_bytes()),
            target: headers.append(target.as_bytes()),
            asks_for,
            #[cfg(feature = "deflate")]
            deflate: settings
                .deflate
                .as_ref()
                .and_then(|options| extensions::answer(headers.get_all(EXTENSIONS), options)),
        };
        Ok(Self(Box::new(Inner { headers, origin })))
    }

    /// All fields of the head that would be written.
    pub(super) fn fields(&self, key: &Key, settings: &Settings) -> Headers {
        let mut head = Vec::new();
        self.write(key, settings, &mut head);
        let mut room = alloc::vec![httparse::EMPTY_HEADER; self.0.headers.len() + 8];
        let mut parsed = httparse::Request::new(&mut room);
        match parsed.parse(&head) {
            Ok(_) => Headers::parsed(&head, parsed.headers),
            // What was checked when it was added can be read.
            Err(_) => Headers::default(),
        }
    }
}

/// Reads a request in any pieces.
#[derive(Debug, Default)]
pub(crate) struct RequestReader {
    head: HeadBuffer,
}

impl RequestReader {
    /// Takes the head out of the input and not one byte more. `None`: more is
    /// needed.
    pub(crate) fn read(
        &mut self,
        input: &mut Input<'_>,
        settings: &Settings,
    ) -> Result<Option<Request>, HandshakeError> {
        let limits = &settings.limits;
        let lent = self
            .head
            .lend(input, limits, |bytes| Request::parse(bytes, settings));
        if lent.is_some() {
            return Ok(lent);
        }
        let Some(head) = self.head.collect(input, limits.max_head_len)? else {
            return Ok(None);
        };
        let parsed = Request::parse(&head, settings)?;
        // The head is complete, so it ends where its last line does.
        parsed
            .map(|(request, _)| Some(request))
            .ok_or(HandshakeError::MalformedHead)
    }

    /// Heap bytes held.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.head.held_bytes()
    }
}
