//! The request that a client sends (§4.1).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::expected::Expected;
#[cfg(feature = "deflate")]
use super::extensions;
use super::headers::{Headers, write_field};
use super::key::{self, Key};
use super::lists::{is_token, tokens};
use super::request_error::{RequestError, check_header};
use super::{Settings, Uri};

/// A client's request to open a connection (§4.1).
///
/// Passed to the `connect` functions of the adapters, which also accept a plain URI,
/// or to [`Connection::client`](crate::Connection::client). The header fields of the
/// handshake are added when the request is sent. A server receives a
/// [`Request`](crate::Request).
///
/// ```
/// use sansocket::ClientRequest;
///
/// let request = ClientRequest::to("ws://example.com/chat")?
///     .with_header("Authorization", "Bearer secret")?
///     .with_cookie("session", "42")?
///     .with_subprotocol("chat.v2")?;
/// assert_eq!(request.uri().resource_name(), "/chat");
/// # Ok::<(), sansocket::RequestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequest(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    uri: Uri,
    headers: Headers,
    /// The names of the fields that may be sent to another server.
    forwarded: Vec<Box<str>>,
}

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Building a request.
impl ClientRequest {
    /// Creates a request to a `ws://` or `wss://` URI (§3).
    ///
    /// # Errors
    ///
    /// [`RequestError::Uri`] if the URI is invalid.
    ///
    /// ```
    /// use sansocket::{ClientRequest, RequestError, UriError};
    ///
    /// assert!(ClientRequest::to("wss://example.com/chat?room=1").is_ok());
    /// let error = ClientRequest::to("https://example.com/").unwrap_err();
    /// assert_eq!(error, RequestError::Uri(UriError::UnknownScheme));
    /// ```
    pub fn to(uri: &str) -> Result<Self, RequestError> {
        Ok(Self(Box::new(Inner {
            uri: Uri::parse(uri)?,
            headers: Headers::default(),
            forwarded: Vec::new(),
        })))
    }

    /// Adds a header field. Fields of the same name are sent in the order in
    /// which they were added.
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidHeaderName`] or
    /// [`RequestError::InvalidHeaderValue`], or [`RequestError::ReservedHeader`]
    /// for a field that the handshake writes itself: `Host`, `Upgrade`,
    /// `Connection`, `Sec-WebSocket-*`, `Content-Length` and `Transfer-Encoding`.
    ///
    /// ```
    /// use sansocket::{ClientRequest, RequestError};
    ///
    /// let request = ClientRequest::to("ws://example.com/")?;
    /// // A line break would begin another header.
    /// let error = request.clone().with_header("X-User", "eve\r\nX-Admin: yes").unwrap_err();
    /// assert_eq!(error, RequestError::InvalidHeaderValue("X-User".into()));
    /// let error = request.with_header("Host", "other.example").unwrap_err();
    /// assert_eq!(error, RequestError::ReservedHeader("Host".into()));
    /// # Ok::<(), RequestError>(())
    /// ```
    pub fn with_header(
        mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, RequestError> {
        check_header(name, value.as_ref())?;
        self.0.headers.push(name, value.as_ref());
        Ok(self)
    }

    /// Adds a cookie. All cookies are sent in one `Cookie` field (RFC 6265 §5.4).
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidCookie`] if the name is not a token, or the value has
    /// a space, quote, comma, semicolon or backslash.
    ///
    /// ```
    /// use sansocket::ClientRequest;
    ///
    /// let request = ClientRequest::to("ws://example.com/")?
    ///     .with_cookie("session", "42")?
    ///     .with_cookie("theme", "dark")?;
    /// assert_eq!(request.headers().get_str("Cookie"), Some("session=42; theme=dark"));
    /// assert!(request.with_cookie("name", "two words").is_err());
    /// # Ok::<(), sansocket::RequestError>(())
    /// ```
    pub fn with_cookie(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        // RFC 6265 §4.1.1: the characters of a cookie value.
        let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if !is_token(name.as_bytes()) || !value.bytes().all(is_value) {
            return Err(RequestError::InvalidCookie(name.into()));
        }
        let cookie = [name, "=", value].concat();
        self.0.headers.push_item("Cookie", "; ", cookie.as_bytes());
        Ok(self)
    }

    /// Offers a subprotocol, after those that were offered before (§1.9). The
    /// order is the order of preference; the server selects at most one.
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidSubprotocol`] if the name is not a token, or
    /// [`RequestError::DuplicateSubprotocol`] if it was offered before.
    ///
    /// ```
    /// use sansocket::ClientRequest;
    ///
    /// let request = ClientRequest::to("ws://example.com/")?
    ///     .with_subprotocol("chat.v2")?
    ///     .with_subprotocol("chat.v1")?;
    /// assert!(request.subprotocols().eq(["chat.v2", "chat.v1"]));
    /// # Ok::<(), sansocket::RequestError>(())
    /// ```
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, RequestError> {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::InvalidSubprotocol(name.into()));
        }
        if self.subprotocols().any(|offered| offered == name) {
            return Err(RequestError::DuplicateSubprotocol(name.into()));
        }
        self.0.headers.push_item(SUBPROTOCOL, ", ", name.as_bytes());
        Ok(self)
    }

    /// Sets the field `Origin`, as browsers do (RFC 6454 §7): the origin of the page
    /// that opens the connection. Other clients usually send none.
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidHeaderValue`] if the value has a control character.
    pub fn with_origin(mut self, origin: &str) -> Result<Self, RequestError> {
        check_header("Origin", origin.as_bytes())?;
        self.0.headers.replace("Origin", origin.as_bytes());
        Ok(self)
    }

    /// Allows the header fields of this name to be sent to another server after a
    /// redirect. By default no fields are: see [`redirected`](Self::redirected).
    ///
    /// For subprotocols, the name is `Sec-WebSocket-Protocol`; for the origin,
    /// `Origin`.
    #[must_use]
    pub fn with_redirected_header(mut self, name: &str) -> Self {
        self.0.forwarded.push(name.into());
        self
    }

    /// The same request to another resource of the same server, or to another
    /// server, which receives only the fields that may be forwarded.
    pub(super) fn with_uri(&self, uri: Uri, is_same_server: bool) -> Self {
        let Inner {
            headers, forwarded, ..
        } = &*self.0;
        let may_go = |name: &str| {
            let mut forwarded = forwarded.iter();
            is_same_server || forwarded.any(|forwarded| forwarded.eq_ignore_ascii_case(name))
        };
        let mut kept = Headers::default();
        for (name, value) in headers.iter().filter(|(name, _)| may_go(name)) {
            kept.push(name, value);
        }
        Self(Box::new(Inner {
            uri,
            headers: kept,
            forwarded: forwarded.clone(),
        }))
    }
}

/// Accessors.
impl ClientRequest {
    /// Returns the URI.
    pub fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// Returns the header fields that were added, including cookies, subprotocols
    /// and origin.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// Returns the offered subprotocols, in order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        tokens(self.0.headers.get(SUBPROTOCOL).unwrap_or_default())
    }
}

/// Writing.
impl ClientRequest {
    /// Appends the head (§4.1) and returns what the response must match.
    pub(crate) fn write(
        &self,
        nonce: [u8; 16],
        settings: &Settings,
        out: &mut Vec<u8>,
    ) -> Expected {
        let key = key::key(nonce);
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.uri().resource_name().as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        self.visit_fields(Some(&key), settings, |name, value| {
            write_field(name, value, out);
        });
        out.extend_from_slice(b"\r\n");
        self.expected(Some(&key))
    }

    /// The fields of the head, for a library that writes it, and what the
    /// response must match. Without a nonce they are those of an extended
    /// CONNECT.
    #[cfg(feature = "std")]
    pub(crate) fn fields(
        &self,
        nonce: Option<[u8; 16]>,
        settings: &Settings,
    ) -> (Headers, Expected) {
        let key = nonce.map(key::key);
        let mut fields = Headers::default();
        self.visit_fields(key.as_ref(), settings, |name, value| {
            fields.push(name, value);
        });
        (fields, self.expected(key.as_ref()))
    }

    /// Passes each field of the head to `field`, in order.
    ///
    /// RFC 8441 §5: an extended CONNECT has no key, no `Upgrade` and no
    /// `Connection`, and has `:authority` instead of `Host`.
    #[cfg_attr(not(feature = "deflate"), allow(unused_variables))]
    fn visit_fields(
        &self,
        key: Option<&Key>,
        settings: &Settings,
        mut field: impl FnMut(&str, &[u8]),
    ) {
        if let Some(key) = key {
            field("Host", self.uri().authority().as_bytes());
            field("Upgrade", b"websocket");
            field("Connection", b"Upgrade");
            field("Sec-WebSocket-Key", key);
        }
        field("Sec-WebSocket-Version", b"13");
        #[cfg(feature = "deflate")]
        if let Some(options) = &settings.deflate {
            let offer = extensions::offer(options);
            field("Sec-WebSocket-Extensions", offer.as_bytes());
        }
        for (name, value) in self.0.headers.iter() {
            field(name, value);
        }
    }

    fn expected(&self, key: Option<&Key>) -> Expected {
        let subprotocols = self.headers().get_str(SUBPROTOCOL).unwrap_or_default();
        Expected::new(key.map(key::accept), subprotocols)
    }
}

impl From<&Self> for ClientRequest {
    fn from(request: &Self) -> Self {
        request.clone()
    }
}

impl TryFrom<&str> for ClientRequest {
    type Error = RequestError;

    fn try_from(uri: &str) -> Result<Self, RequestError> {
        Self::to(uri)
    }
}

impl TryFrom<&String> for ClientRequest {
    type Error = RequestError;

    fn try_from(uri: &String) -> Result<Self, RequestError> {
        Self::to(uri)
    }
}

impl TryFrom<String> for ClientRequest {
    type Error = RequestError;

    fn try_from(uri: String) -> Result<Self, RequestError> {
        Self::to(&uri)
    }
}
