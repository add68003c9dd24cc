//! The response: made and written by servers, read by clients.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::added::{RequestError, check_header};
use super::body::Body;
use super::fields::Fields;
use super::head::{HeadBuffer, Headers, with_room, write_field};
use super::key::Accept;
use super::negotiate::is_token;
use super::request::Request;
use super::{Agreement, Limits, Settings, key};
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::error::HandshakeError;
use crate::input::Input;

/// The answer to a [`Request`].
///
/// A server gets one from [`Request::accept`] or [`Request::reject`], or makes
/// a page of its own with [`new`](Self::new). A client receives one with
/// [`Event::Open`](crate::Event::Open) or
/// [`Event::Refused`](crate::Event::Refused).
///
/// ```
/// use sansocket::Response;
///
/// let page = Response::new(200)
///     .header("Content-Type", "text/html; charset=utf-8")?
///     .body("<h1>Hello</h1>");
/// assert_eq!(page.status(), 200);
/// # Ok::<(), sansocket::RequestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    body_is_truncated: bool,
    /// Of a response that opens a connection by an upgrade.
    accept: Option<Accept>,
    /// The subprotocols that may be chosen.
    offered: Vec<Box<str>>,
    agreement: Agreement,
}

/// Made by a server.
impl Response {
    /// A response with this status and no body, that opens no connection. A
    /// status that is none of 200 to 599 becomes 500 (RFC 9110 §15).
    pub fn new(status: u16) -> Self {
        let status = if matches!(status, 200..=599) {
            status
        } else {
            500
        };
        Self::with_status(status)
    }

    /// Adds a header field. Of one name there may be several, in this order.
    ///
    /// # Errors
    ///
    /// As [`Request::header`].
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, RequestError> {
        check_header(name, value.as_ref())?;
        self.0.headers.push(name, value.as_ref());
        Ok(self)
    }

    /// Chooses one of the subprotocols that the request offers (§4.2.2).
    ///
    /// # Errors
    ///
    /// If the request does not offer it, or this response opens no connection.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, RequestError> {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::InvalidSubprotocol(name.into()));
        }
        if !self.0.offered.iter().any(|offered| **offered == *name) {
            return Err(RequestError::SubprotocolNotOffered(name.into()));
        }
        self.0.agreement = self.0.agreement.with_subprotocol(name);
        Ok(self)
    }

    /// Sets the body. Its length is written along. A response that opens a
    /// connection has none, nor has a 204 or 304 (RFC 9110 §6.4.1), and this
    /// does nothing to them.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        if !matches!(self.0.status, 101 | 204 | 304) {
            self.0.body = body.into();
        }
        self
    }

    /// A response that opens the connection: with the answer to a key, or to an
    /// extended CONNECT (RFC 8441 §5).
    pub(super) fn opening(accept: Option<Accept>, offered: Vec<Box<str>>) -> Self {
        let mut response = Self::with_status(if accept.is_some() { 101 } else { 200 });
        response.0.accept = accept;
        response.0.offered = offered;
        response
    }

    /// With this answer to the offers of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(super) fn with_deflate(mut self, parameters: Option<deflate::Parameters>) -> Self {
        self.0.agreement.deflate = parameters;
        self
    }

    /// A response whose body says what its status says.
    pub(super) fn plain(status: u16) -> Self {
        let response = Self::new(status);
        let status = response.status();
        let mut response = response.body(format!("{status} {}\n", reason_phrase(status)));
        response
            .0
            .headers
            .push("Content-Type", b"text/plain; charset=utf-8");
        response
    }

    /// The response to a request with a fault, with the fields that its status
    /// demands.
    pub(crate) fn refusal(error: HandshakeError) -> Self {
        let mut response = Self::plain(error.status());
        let headers = &mut response.0.headers;
        match response.0.status {
            // RFC 9110 §15.5.6
            405 => headers.push("Allow", b"GET"),
            426 => {
                // RFC 9110 §15.5.22 and RFC 6455 §4.4
                headers.push("Upgrade", b"websocket");
                headers.push("Sec-WebSocket-Version", b"13");
            }
            _ => {}
        }
        response
    }

    /// Appends the response.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // At once, for all that most heads hold.
        out.reserve(256 + self.0.body.len());
        match &self.0.accept {
            Some(accept) => self.write_opening(accept, out),
            None => self.write_plain(out),
        }
        self.0.headers.write(out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.0.body);
    }

    /// RFC 6455 §4.2.2, part 5.
    fn write_opening(&self, accept: &Accept, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\n\
            Upgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Accept: ",
        );
        out.extend_from_slice(accept);
        out.extend_from_slice(b"\r\n");
        if let Some(name) = self.0.agreement.subprotocol() {
            write_field("Sec-WebSocket-Protocol", name.as_bytes(), out);
        }
        #[cfg(feature = "deflate")]
        if let Some(parameters) = self.0.agreement.deflate() {
            let parameters = format!("{parameters}");
            write_field("Sec-WebSocket-Extensions", parameters.as_bytes(), out);
        }
    }

    fn write_plain(&self, out: &mut Vec<u8>) {
        let Inner { status, body, .. } = &*self.0;
        let reason = reason_phrase(*status);
        out.extend_from_slice(format!("HTTP/1.1 {status} {reason}\r\n").as_bytes());
        // RFC 9110 §7.8: who sends `Upgrade` names it in `Connection`.
        let connection: &[u8] = if *status == 426 {
            b"Upgrade, close"
        } else {
            b"close"
        };
        write_field("Connection", connection, out);
        // RFC 9110 §8.6: no length with a status that has no body.
        if *status != 204 {
            write_field("Content-Length", format!("{}", body.len()).as_bytes(), out);
        }
    }

    /// What was agreed on with this response: nothing, unless it opens the
    /// connection.
    pub fn agreement(&self) -> &Agreement {
        &self.0.agreement
    }

    fn with_status(status: u16) -> Self {
        Self(Box::new(Inner {
            status,
            headers: Headers::default(),
            body: Vec::new(),
            body_is_truncated: false,
            accept: None,
            offered: Vec::new(),
            agreement: Agreement::default(),
        }))
    }
}

/// Received by a client.
impl Response {
    /// The HTTP status code; 101 if the connection is open.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The header fields: all of a response that was received; of one that was
    /// made here, those that were added.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The body: of a refusal that was received, at most
    /// [`max_body_len`](crate::Config::max_body_len) bytes.
    pub fn content(&self) -> &[u8] {
        &self.0.body
    }

    /// Whether the body that was received is not whole: it was longer than the
    /// limit, malformed, or the stream ended within it.
    pub fn is_truncated(&self) -> bool {
        self.0.body_is_truncated
    }

    /// The subprotocol that was chosen.
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.0.agreement.subprotocol()
    }
}

/// RFC 9110 §15, for the statuses that refusals have.
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        // RFC 9112 §4 lets the phrase be empty.
        _ => "",
    }
}

/// How a request was answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The connection is open.
    Open(Response),
    /// It is not.
    Refused(Response),
}

/// Reads the response in any pieces, and checks it against the request.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    head: HeadBuffer,
    /// Bytes of interim responses that were skipped.
    skipped: usize,
    /// A refusal whose body is not whole.
    refusal: Option<(Response, Body)>,
    accept: Accept,
    offered: Vec<Box<str>>,
}

impl ResponseReader {
    /// Appends the request; its answer is to be read.
    pub(crate) fn start(
        request: &Request,
        nonce: [u8; 16],
        settings: &Settings,
        out: &mut Vec<u8>,
    ) -> Self {
        let key = key::key(nonce);
        request.write(&key, settings, out);
        Self {
            head: HeadBuffer::default(),
            skipped: 0,
            refusal: None,
            accept: key::accept(&key),
            offered: request.subprotocols().map(Into::into).collect(),
        }
    }

    /// Takes the response out of the input and, of an open connection, not one
    /// byte more. `None`: more is needed.
    pub(crate) fn read(
        &mut self,
        input: &mut Input<'_>,
        settings: &Settings,
    ) -> Result<Option<Answer>, HandshakeError> {
        let limits = &settings.limits;
        while self.refusal.is_none() {
            let Some(head) = self
                .head
                .collect(input, limits.max_head_len - self.skipped)?
            else {
                return Ok(None);
            };
            let (response, body) = Response::parse(&head, limits)?;
            match response.status() {
                101 => return self.open(response, settings).map(Some),
                // RFC 9110 §15.2: "A client MUST be able to parse one or more
                // 1xx responses received prior to a final response".
                100..=199 => self.skipped += head.len(),
                _ => self.refusal = Some((response, body)),
            }
        }
        Ok(self
            .read_body(input, limits.max_body_len)
            .map(Answer::Refused))
    }

    /// The refusal whose body was being read, with what came of it.
    pub(crate) fn cut_off(&mut self) -> Option<Response> {
        let (mut response, body) = self.refusal.take()?;
        (response.0.body, _) = body.finish();
        response.0.body_is_truncated = true;
        Some(response)
    }

    /// Heap bytes held.
    pub(crate) fn held_bytes(&self) -> usize {
        let offered: usize = self
            .offered
            .iter()
            .map(|name| name.len() + size_of_val(name))
            .sum();
        let body = self
            .refusal
            .as_ref()
            .map_or(0, |(_, body)| body.held_bytes());
        self.head.held_bytes() + offered + body
    }

    fn open(&self, mut response: Response, settings: &Settings) -> Result<Answer, HandshakeError> {
        let fields = Fields::of(response.headers().iter());
        response.0.agreement = fields.check_response(&self.accept, &self.offered, settings)?;
        Ok(Answer::Open(response))
    }

    fn read_body(&mut self, input: &mut Input<'_>, max_len: usize) -> Option<Response> {
        let (_, body) = self.refusal.as_mut()?;
        if !body.read(input, max_len) {
            return None;
        }
        let (mut response, body) = self.refusal.take()?;
        (response.0.body, response.0.body_is_truncated) = body.finish();
        Some(response)
    }
}

/// What somebody else reads and writes.
#[cfg(feature = "std")]
impl Response {
    /// All header fields that belong to this response: those that were added,
    /// and those of the handshake. The length of the [`content`](Self::content)
    /// is left to who writes it.
    pub fn fields(&self) -> Headers {
        let mut fields = Headers::default();
        if let Some(accept) = &self.0.accept {
            fields.push("Upgrade", b"websocket");
            fields.push("Connection", b"Upgrade");
            fields.push("Sec-WebSocket-Accept", accept);
        }
        if self.0.status == 426 {
            fields.push("Connection", b"Upgrade");
        }
        if let Some(name) = self.0.agreement.subprotocol() {
            fields.push("Sec-WebSocket-Protocol", name.as_bytes());
        }
        #[cfg(feature = "deflate")]
        if let Some(parameters) = self.0.agreement.deflate() {
            fields.push(
                "Sec-WebSocket-Extensions",
                format!("{parameters}").as_bytes(),
            );
        }
        for (name, value) in self.0.headers.iter() {
            fields.push(name, value);
        }
        fields
    }
}

impl Response {
    /// A head whose body nobody reads.
    #[cfg(feature = "std")]
    pub(super) fn parse_head(head: &[u8], limits: &Limits) -> Result<Self, HandshakeError> {
        Self::parse(head, limits).map(|(response, _)| response)
    }

    fn parse(head: &[u8], limits: &Limits) -> Result<(Self, Body), HandshakeError> {
        let parsed = with_room(head, limits, |room| {
            let mut parsed = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let status = config.parse_response_with_uninit_headers(&mut parsed, head, room)?;
            if status.is_partial() {
                return Ok(httparse::Status::Partial);
            }
            let status = parsed.code.unwrap_or_default();
            let pairs = parsed.headers.iter().map(|field| (field.name, field.value));
            let body = Body::of(status, &Fields::of(pairs));
            // RFC 6455 §4.1 needs HTTP/1.1 for the upgrade only.
            let is_old = status == 101 && parsed.version != Some(1);
            let mut response = Self::with_status(status);
            response.0.headers = Headers::parsed(head, parsed.headers);
            Ok(httparse::Status::Complete((response, body, is_old)))
        })?;
        match parsed.ok_or(HandshakeError::MalformedHead)? {
            (_, _, true) => Err(HandshakeError::UnsupportedHttpVersion),
            (response, body, false) => Ok((response, body?)),
        }
    }
}
