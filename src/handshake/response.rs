//! The response that a client received (§4.1).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::body::Body;
use super::expected::Expected;
use super::head::{HeadBuffer, check_line_ends, with_room};
use super::headers::Headers;
use super::rules::KnownFields;
use super::{Agreement, Limits, Settings};
use crate::error::HandshakeError;
use crate::input::Input;

/// A response that a client received.
///
/// Delivered by [`Event::Open`](crate::Event::Open) if it opened the connection, and
/// otherwise by [`Event::Refused`](crate::Event::Refused) or, in the adapters, as
/// `Error::Refused`. A server sends an [`Answer`](crate::Answer); a gateway forwards
/// a response with [`Answer::forwarding`](crate::Answer::forwarding).
///
/// ```
/// use sansocket::{ClientRequest, Config, Connection, Event, Input};
///
/// # if !cfg!(feature = "std") { return Ok(()); }
/// let mut out = Vec::new();
/// let request = ClientRequest::to("ws://example.com/")?;
/// let mut ws = Connection::client(&request, &Config::new(), &mut out)?;
/// let mut bytes = *b"HTTP/1.1 429 Too Many Requests\r\n\
///     Retry-After: 30\r\nContent-Length: 9\r\n\r\nslow down";
/// let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
/// let Some(Event::Refused(response)) = event else { panic!("{event:?}") };
/// assert_eq!((response.status(), response.body()), (429, &b"slow down"[..]));
/// assert_eq!(response.header("Retry-After"), Some("30"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    is_truncated: bool,
    agreement: Agreement,
}

/// A response without its body, which is still to be read.
type ParsedHead = (Response, Body);

impl Response {
    /// Returns the HTTP status code: 101 if the response opened the connection (200
    /// over HTTP/2).
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// Returns all header fields, as they were received.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// Returns the value of the first header field with this name as text. `None`
    /// if there is none, or if the value contains anything but visible ASCII,
    /// spaces and tabs: see [`headers`](Self::headers) for such values.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get_str(name)
    }

    /// Returns the body of a refusal, of at most
    /// [`max_body_len`](crate::Config::with_max_body_len) bytes.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// Returns `true` if the body is incomplete: it is longer than the limit or
    /// malformed, has contradictory lengths, or was interrupted by the end of the
    /// stream or the handshake timeout.
    pub fn is_truncated(&self) -> bool {
        self.0.is_truncated
    }

    /// Returns the subprotocol that the server selected (§1.9), if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.agreement.subprotocol()
    }

    /// Returns the negotiated subprotocol and extensions, which are empty if the
    /// response did not open the connection.
    pub fn agreement(&self) -> &Agreement {
        &self.0.agreement
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        size_of::<Inner>() + self.0.headers.memory_usage() + self.0.body.capacity()
    }

    /// A response that another library has read.
    #[cfg(any(feature = "h2", feature = "hyper"))]
    pub(crate) fn received<'f>(
        status: u16,
        pairs: impl Iterator<Item = (&'f str, &'f [u8])>,
        (body, is_truncated): (Vec<u8>, bool),
        agreement: Agreement,
    ) -> Self {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        Self(Box::new(Inner {
            status,
            headers,
            body,
            is_truncated,
            agreement,
        }))
    }

    /// Parses a head whose body is not read.
    #[cfg(feature = "std")]
    pub(crate) fn parse_head(head: &[u8], limits: &Limits) -> Result<Self, HandshakeError> {
        let parsed = Self::parse(head, limits)?.ok_or(HandshakeError::MalformedHead)?;
        let ((response, _), _) = parsed;
        Ok(response)
    }

    /// Parses a head, if the bytes contain a complete one. Returns its length too.
    fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<(ParsedHead, usize)>, HandshakeError> {
        let parsed = with_room(bytes, limits, |room| {
            let mut parsed = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let status = config.parse_response_with_uninit_headers(&mut parsed, bytes, room)?;
            let httparse::Status::Complete(len) = status else {
                return Ok(httparse::Status::Partial);
            };
            let head = bytes.get(..len).unwrap_or_default();
            let status = parsed.code.unwrap_or_default();
            let pairs = parsed.headers.iter().map(|field| (field.name, field.value));
            let body = Body::of(status, &KnownFields::of(pairs));
            // RFC 6455 §4.1 requires HTTP/1.1 only for an upgrade.
            let is_old = status == 101 && parsed.version != Some(1);
            let checked = if is_old {
                Err(HandshakeError::UnsupportedHttpVersion)
            } else {
                check_line_ends(head, parsed.headers)
            };
            let response = || Self::new(status, Headers::parsed(head, parsed.headers));
            let parsed = checked.map(|()| ((response(), body), len));
            Ok(httparse::Status::Complete(parsed))
        });
        parsed?.transpose()
    }

    fn new(status: u16, headers: Headers) -> Self {
        Self(Box::new(Inner {
            status,
            headers,
            body: Vec::new(),
            is_truncated: false,
            agreement: Agreement::default(),
        }))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("body", &String::from_utf8_lossy(self.body()))
            .field("is_truncated", &self.is_truncated())
            .field("agreement", self.agreement())
            .finish()
    }
}

/// A complete response.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It opens the connection.
    Open(Response),
    /// It does not.
    Refused(Response),
}

/// Reads the response from pieces of any length, and checks it against the
/// request.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    head: HeadBuffer,
    /// Bytes of interim responses that were skipped.
    skipped: usize,
    /// A refusal whose body is incomplete.
    refusal: Option<(Response, Body)>,
    expected: Expected,
}

impl ResponseReader {
    /// Reads the response to a request that expects this.
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            head: HeadBuffer::default(),
            skipped: 0,
            refusal: None,
            expected,
        }
    }

    /// Takes the response from the input, and nothing after it if it opens the
    /// connection. Returns `None` if more is needed.
    pub(crate) fn read(
        &mut self,
        input: &mut Input<'_>,
        settings: &Settings,
    ) -> Result<Option<Reply>, HandshakeError> {
        let limits = &settings.limits;
        while self.refusal.is_none() {
            let Some(((response, body), len)) = self.read_head(input, limits)? else {
                return Ok(None);
            };
            match response.status() {
                101 => return self.open(response, settings).map(Some),
                // RFC 9110 §15.2: "A client MUST be able to parse one or more
                // 1xx responses received prior to a final response".
                100..=199 => self.skipped += len,
                _ => self.refusal = Some((response, body)),
            }
        }
        let reply = self.read_body(input, limits.max_body_len);
        Ok(reply.map(Reply::Refused))
    }

    fn read_head(
        &mut self,
        input: &mut Input<'_>,
        limits: &Limits,
    ) -> Result<Option<(ParsedHead, usize)>, HandshakeError> {
        let max_len = limits.max_head_len - self.skipped;
        let parse = |bytes: &[u8]| Response::parse(bytes, limits);
        if let Some(head) = self.head.parse_in_place(input, max_len, parse) {
            return Ok(Some(head));
        }
        let Some(head) = self.head.collect(input, max_len)? else {
            return Ok(None);
        };
        // The head is complete, and ends with its last line.
        let parsed = Response::parse(&head, limits)?;
        parsed.ok_or(HandshakeError::MalformedHead).map(Some)
    }

    /// Returns the refusal whose body is incomplete, when its time is over: status
    /// and fields are known.
    pub(crate) fn take_truncated(&mut self) -> Option<Response> {
        if let Some((_, body)) = &mut self.refusal {
            body.truncate();
        }
        self.take_refusal()
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        let refusal = self.refusal.as_ref().map_or(0, |(response, body)| {
            response.memory_usage() + body.memory_usage()
        });
        self.head.memory_usage() + self.expected.memory_usage() + refusal
    }

    fn open(&self, mut response: Response, settings: &Settings) -> Result<Reply, HandshakeError> {
        let Self { expected, .. } = self;
        response.0.agreement = expected.check_headers(101, response.headers(), settings)?;
        Ok(Reply::Open(response))
    }

    fn read_body(&mut self, input: &mut Input<'_>, max_len: usize) -> Option<Response> {
        let (_, body) = self.refusal.as_mut()?;
        if !body.read(input, max_len) {
            return None;
        }
        self.take_refusal()
    }

    fn take_refusal(&mut self) -> Option<Response> {
        let (mut response, body) = self.refusal.take()?;
        (response.0.body, response.0.is_truncated) = body.finish();
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ClientRequest;
    use super::*;
    use crate::config::Config;

    /// Reads these bytes in pieces and then cuts the response off.
    fn cut_off(pieces: &[&[u8]]) -> Option<Response> {
        let config = Config::new();
        let settings = &config.settings().handshake;
        let request = ClientRequest::to("ws://h/").expect("a URI");
        let expected = request.write([0; 16], settings, &mut Vec::new());
        let mut reader = ResponseReader::new(expected);
        for piece in pieces {
            let mut piece = piece.to_vec();
            let read = reader.read(&mut Input::new(&mut piece), settings);
            assert!(matches!(read, Ok(None)), "{read:?}");
        }
        let response = reader.take_truncated();
        assert!(reader.take_truncated().is_none(), "once");
        response
    }

    #[test]
    fn refusal_without_an_end_is_cut_off() {
        let head: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n";
        let table: [(&[u8], &[u8]); 4] = [
            (b"\r\n", b"down"),
            (b"Content-Length: 9\r\n\r\n", b"down"),
            (b"Content-Length: 9\r\n\r\n", b""),
            (b"Transfer-Encoding: chunked\r\n\r\n4\r\n", b"down"),
        ];
        for (fields, body) in table {
            let pieces = [head, fields, body];
            let response = cut_off(pieces.get(..2 + usize::from(!body.is_empty())).unwrap());
            let response = response.expect("its head was read");
            assert_eq!(response.status(), 503);
            assert_eq!(response.header("retry-after"), Some("7"));
            assert_eq!(response.body(), body);
            assert!(response.is_truncated());
        }
        assert_eq!(cut_off(&[head]), None, "the head is incomplete");
    }
}
