//! The answer that a server gives to a request (§4.2.2).

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::headers::{Headers, write_field};
use super::key::Accept;
use super::lists::{is_token, tokens};
use super::request_error::{RequestError, check_header};
use super::status::reason_phrase;
use super::{Agreement, Response};
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::error::HandshakeError;

/// A server's answer to a [`Request`](crate::Request).
///
/// Created by [`Request::accept`](crate::Request::accept) or
/// [`Request::reject`](crate::Request::reject), or with [`new`](Self::new) for a
/// plain HTTP response such as a page, and sent with
/// [`Connection::respond`](crate::Connection::respond). A client receives a
/// [`Response`].
///
/// ```
/// use sansocket::Answer;
///
/// let page = Answer::new(200)
///     .with_header("Content-Type", "text/html; charset=utf-8")?
///     .with_body("<h1>Hello</h1>");
/// assert_eq!(page.status(), 200);
/// assert!(!page.is_upgrade());
/// # Ok::<(), sansocket::RequestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    opening: Option<Opening>,
    /// The subprotocols that may be chosen, as one list.
    offered: Box<[u8]>,
    agreement: Agreement,
}

/// How an answer opens the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// With the answer to a key (RFC 6455 §4.2.2).
    Upgrade(Accept),
    /// The answer to an extended CONNECT (RFC 8441 §5).
    #[cfg(feature = "std")]
    Connect,
}

/// Building an answer.
impl Answer {
    /// Creates an answer with this HTTP status and no body. It does not open the
    /// connection. A status outside 200 to 599 becomes 500 (RFC 9110 §15).
    ///
    /// ```
    /// use sansocket::Answer;
    ///
    /// # fn main() -> Result<(), sansocket::RequestError> {
    /// let busy = Answer::new(503).with_header("Retry-After", "30")?;
    /// assert_eq!(busy.headers().get_str("retry-after"), Some("30"));
    /// assert_eq!(Answer::new(99).status(), 500);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(status: u16) -> Self {
        let status = if matches!(status, 200..=599) {
            status
        } else {
            500
        };
        Self::with_status(status)
    }

    /// Creates an answer that forwards a refusal, for gateways: it has the status,
    /// the body and the end-to-end header fields of the upstream server's
    /// response.
    ///
    /// Not forwarded are the fields that apply to a single connection (RFC 9110
    /// §7.6.1), which are `Connection` and every field that it names,
    /// `Keep-Alive`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade` and
    /// `Proxy-*`; and `Content-Length` and `Sec-WebSocket-*`, which are written
    /// anew.
    ///
    /// A response that opened a connection, or any other status outside 200 to
    /// 599, becomes 502 (Bad Gateway) without fields or body: to open the
    /// connection, answer with [`Request::accept`](crate::Request::accept)
    /// instead. A [truncated](Response::is_truncated) body is forwarded as it is.
    ///
    /// ```
    /// # #[cfg(feature = "std")]
    /// use sansocket::{Answer, Request, blocking};
    ///
    /// # #[cfg(feature = "std")]
    /// /// A gateway's answer, after it has tried to connect to its upstream server.
    /// fn answer(request: &Request, upstream: &Result<blocking::Client, sansocket::Error>) -> Answer {
    ///     match upstream {
    ///         Ok(_) => request.accept(),
    ///         Err(sansocket::Error::Refused(response)) => Answer::forwarding(response),
    ///         Err(_) => request.reject(502),
    ///     }
    /// }
    /// ```
    pub fn forwarding(response: &Response) -> Self {
        if !matches!(response.status(), 200..=599) {
            return Self::plain(502);
        }
        let mut answer = Self::with_status(response.status());
        let headers = response.headers();
        for (name, value) in headers
            .iter()
            .filter(|(name, _)| is_end_to_end(name, headers))
        {
            answer.headers.push(name, value);
        }
        answer.with_body(response.body())
    }

    /// Adds a header field. Fields of the same name are sent in the order in
    /// which they were added.
    ///
    /// # Errors
    ///
    /// As [`ClientRequest::with_header`](crate::ClientRequest::with_header).
    pub fn with_header(
        mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, RequestError> {
        check_header(name, value.as_ref())?;
        self.headers.push(name, value.as_ref());
        Ok(self)
    }

    /// Selects one of the subprotocols that the request offers (§4.2.2).
    ///
    /// # Errors
    ///
    /// [`RequestError::SubprotocolNotOffered`] if the request does not offer it, or
    /// if this answer does not open the connection.
    /// [`RequestError::InvalidSubprotocol`] if it is not a token.
    ///
    /// ```
    /// use sansocket::{Answer, Request};
    ///
    /// /// Accepts the first subprotocol of the client that this server supports.
    /// fn answer(request: &Request) -> Result<Answer, sansocket::RequestError> {
    ///     let mut offered = request.subprotocols();
    ///     match offered.find(|name| ["chat.v2", "chat.v1"].contains(name)) {
    ///         Some(name) => request.accept().with_subprotocol(name),
    ///         None => Ok(request.reject(400)),
    ///     }
    /// }
    /// ```
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, RequestError> {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::InvalidSubprotocol(name.into()));
        }
        if !tokens(&self.offered).any(|offered| offered == name) {
            return Err(RequestError::SubprotocolNotOffered(name.into()));
        }
        self.agreement = self.agreement.with_subprotocol(name);
        Ok(self)
    }

    /// Sets the body; `Content-Length` is added when the answer is sent. The answer
    /// to a HEAD request is sent without its body. Does nothing if the answer
    /// opens the connection or has status 204 or 304, which have no body (RFC
    /// 9110 §6.4.1).
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        if !self.is_upgrade() && !matches!(self.status, 204 | 304) {
            self.body = body.into();
        }
        self
    }

    /// Declines permessage-deflate for this connection, although
    /// [`Config::with_deflate`](crate::Config::with_deflate) enables it: for
    /// paths whose messages contain secrets or are compressed already. Without
    /// effect on an answer that does not open the connection.
    ///
    /// ```
    /// use sansocket::{Answer, Request};
    ///
    /// fn answer(request: &Request) -> Answer {
    ///     match request.path() {
    ///         "/images" => request.accept().without_deflate(),
    ///         _ => request.accept(),
    ///     }
    /// }
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn without_deflate(self) -> Self {
        self.with_deflate(None)
    }

    /// An answer that opens the connection, for a request that offers these
    /// subprotocols.
    pub(super) fn opening(opening: Opening, offered: Box<[u8]>) -> Self {
        let mut answer = Self::with_status(match opening {
            Opening::Upgrade(_) => 101,
            // RFC 8441 §5
            #[cfg(feature = "std")]
            Opening::Connect => 200,
        });
        answer.opening = Some(opening);
        answer.offered = offered;
        answer
    }

    /// Sets the answer to the offers of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(super) fn with_deflate(mut self, parameters: Option<deflate::Parameters>) -> Self {
        self.agreement = self.agreement.with_deflate_answer(parameters);
        self
    }

    /// An answer whose body is its status line.
    pub(super) fn plain(status: u16) -> Self {
        Self::with_explanation(status, "")
    }

    /// An answer whose body is its status line and this explanation.
    fn with_explanation(status: u16, explanation: &str) -> Self {
        let answer = Self::new(status);
        let status = answer.status();
        let phrase = reason_phrase(status);
        let mut answer = answer.with_body(format!("{status} {phrase}{explanation}\n"));
        let headers = &mut answer.headers;
        headers.push("Content-Type", b"text/plain; charset=utf-8");
        answer
    }

    /// The answer to an invalid request, whose body explains the fault.
    pub(crate) fn refusal(error: HandshakeError) -> Self {
        let mut answer = Self::with_explanation(error.status(), &format!(": {error}"));
        // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header".
        if answer.status() == 405 {
            answer.headers.push("Allow", b"GET");
        }
        answer
    }

    fn with_status(status: u16) -> Self {
        Self {
            status,
            headers: Headers::default(),
            body: Vec::new(),
            opening: None,
            offered: Box::default(),
            agreement: Agreement::default(),
        }
    }
}

/// Accessors.
impl Answer {
    /// Returns the HTTP status code: 101 for an answer that upgrades the
    /// connection, 200 for one that accepts an extended CONNECT.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header fields that were added.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the body.
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Returns `true` if this answer opens the connection.
    pub fn is_upgrade(&self) -> bool {
        self.opening.is_some()
    }

    /// Returns the negotiated subprotocol and extensions, which are empty if this
    /// answer does not open the connection.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    pub(crate) fn into_agreement(self) -> Agreement {
        self.agreement
    }

    /// Returns all header fields to send over HTTP/1.1: those of the handshake and
    /// those that were added. `Content-Length` is not included: the library that
    /// writes the [`content`](Self::content) adds it.
    pub fn fields(&self) -> Headers {
        let mut fields = Headers::default();
        if let Some(Opening::Upgrade(accept)) = &self.opening {
            fields.push("Upgrade", b"websocket");
            fields.push("Sec-WebSocket-Accept", accept);
        }
        // RFC 9110 §7.8: a sender of `Upgrade` names it in `Connection`.
        if matches!(self.status(), 101 | 426) {
            fields.push("Connection", b"Upgrade");
        }
        self.visit_common(|name, value| fields.push(name, value));
        fields
    }

    /// Returns all header fields to send over HTTP/2 or HTTP/3: as
    /// [`fields`](Self::fields), without `Connection`, `Upgrade`, `Keep-Alive` and
    /// `Proxy-Connection`, which they forbid (RFC 9113 §8.2.2).
    pub fn multiplexed_fields(&self) -> Headers {
        let mut fields = Headers::default();
        const FORBIDDEN: [&str; 3] = ["Upgrade", "Keep-Alive", "Proxy-Connection"];
        self.visit_common(|name, value| {
            let mut forbidden = FORBIDDEN.iter();
            if !forbidden.any(|forbidden| name.eq_ignore_ascii_case(forbidden)) {
                fields.push(name, value);
            }
        });
        fields
    }

    /// Passes each field to `field`, except for `Connection`, `Content-Length`, and
    /// those that only a 101 has.
    fn visit_common(&self, mut field: impl FnMut(&str, &[u8])) {
        if let Some(name) = self.agreement.subprotocol() {
            field("Sec-WebSocket-Protocol", name.as_bytes());
        }
        #[cfg(feature = "deflate")]
        if let Some(parameters) = self.agreement.deflate() {
            let parameters = format!("{parameters}");
            field("Sec-WebSocket-Extensions", parameters.as_bytes());
        }
        if self.status() == 426 {
            // RFC 9110 §15.5.22 and RFC 6455 §4.4
            field("Upgrade", b"websocket");
            field("Sec-WebSocket-Version", b"13");
        }
        for (name, value) in self.headers.iter() {
            field(name, value);
        }
    }
}

/// Writing.
impl Answer {
    /// Appends the answer in the format of HTTP/1.1.
    pub(crate) fn write(&self, is_to_head: bool, out: &mut Vec<u8>) {
        // Enough for most heads.
        out.reserve(256 + self.body.len());
        match &self.opening {
            Some(Opening::Upgrade(accept)) => write_upgrade(accept, out),
            _ => self.write_plain(out),
        }
        self.visit_common(|name, value| write_field(name, value, out));
        out.extend_from_slice(b"\r\n");
        // RFC 9110 §9.3.2: "the server MUST NOT send content in the response".
        if !is_to_head {
            out.extend_from_slice(&self.body);
        }
    }

    fn write_plain(&self, out: &mut Vec<u8>) {
        let Self { status, body, .. } = self;
        let reason = reason_phrase(*status);
        out.extend_from_slice(format!("HTTP/1.1 {status} {reason}\r\n").as_bytes());
        // RFC 9110 §7.8: a sender of `Upgrade` names it in `Connection`.
        let connection: &[u8] = if *status == 426 {
            b"Upgrade, close"
        } else {
            b"close"
        };
        write_field("Connection", connection, out);
        // RFC 9110 §8.6: a 204 has none; in a 304 it would be the length of the
        // body of a 200.
        if !matches!(status, 204 | 304) {
            write_field("Content-Length", format!("{}", body.len()).as_bytes(), out);
        }
    }
}

/// RFC 6455 §4.2.2, part 5.
fn write_upgrade(accept: &Accept, out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept);
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 §7.6.1: whether a gateway forwards a field.
fn is_end_to_end(name: &str, headers: &Headers) -> bool {
    const HOP_BY_HOP: [&str; 7] = [
        "Connection",
        "Content-Length",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ];
    let starts_with = |prefix: &str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let mut named = headers.get_all("Connection").flat_map(tokens);
    !HOP_BY_HOP.iter().any(|own| name.eq_ignore_ascii_case(own))
        && !starts_with("Proxy-")
        && !starts_with("Sec-WebSocket-")
        && !named.any(|named| name.eq_ignore_ascii_case(named))
}
