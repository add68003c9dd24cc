//! Reading requests: from the bytes of HTTP/1, or from the pairs of name and value
//! that another library has read.

use alloc::borrow::Cow;

use super::Settings;
#[cfg(feature = "deflate")]
use super::extensions;
use super::head::{HeadBuffer, check_line_ends, with_room};
use super::headers::{Headers, Span};
use super::rejection::Rejection;
use super::request::{Parts, Request};
use super::request_line::{HttpVersion, RequestLine, ends_in_http_version};
use super::rules::KnownFields;
use crate::error::{HandshakeError, HeaderField};
use crate::input::Input;

/// Reads a request from pieces of any length.
#[derive(Debug, Default)]
pub(crate) struct RequestReader {
    empty_line: EmptyLine,
    head: HeadBuffer,
}

/// The empty line that may precede a request.
///
/// RFC 9112 §2.2: a server "SHOULD ignore at least one empty line (CRLF)
/// received prior to the request-line". One is enough: old clients send it
/// after the body of a POST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EmptyLine {
    /// Nothing was received.
    #[default]
    Possible,
    /// Its CR was received.
    Started,
    /// It was received, or there was none.
    Done,
}

impl RequestReader {
    /// Takes the head from the input, and nothing after it. Returns `None` if more
    /// is needed.
    pub(crate) fn read(
        &mut self,
        input: &mut Input<'_>,
        settings: &Settings,
    ) -> Result<Option<Request>, Rejection> {
        let failed = |error| Rejection::new(None, error);
        let limits = &settings.limits;
        if self.empty_line != EmptyLine::Started {
            let parse = |bytes: &[u8]| parse(bytes, settings);
            let parsed = self.head.parse_in_place(input, limits.max_head_len, parse);
            if let Some((request, _)) = parsed {
                return Ok(Some(request));
            }
        }
        self.skip_empty_line(input).map_err(failed)?;
        let head = self.head.collect(input, limits.max_head_len);
        let Some(head) = head.map_err(failed)? else {
            return Ok(None);
        };
        // The head is complete, and ends with its last line.
        match parse(&head, settings)? {
            Some((request, _)) => Ok(Some(request)),
            None => Err(failed(HandshakeError::MalformedHead)),
        }
    }

    fn skip_empty_line(&mut self, input: &mut Input<'_>) -> Result<(), HandshakeError> {
        while self.empty_line != EmptyLine::Done {
            self.empty_line = match (self.empty_line, input.remaining()) {
                (_, []) => return Ok(()),
                (EmptyLine::Possible, [b'\r', ..]) => EmptyLine::Started,
                (EmptyLine::Started, [b'\n', ..]) => EmptyLine::Done,
                (EmptyLine::Started, _) => return Err(HandshakeError::MalformedHead),
                _ => {
                    self.empty_line = EmptyLine::Done;
                    return Ok(());
                }
            };
            input.take(1);
        }
        Ok(())
    }

    /// Heap bytes held.
    pub(crate) const fn memory_usage(&self) -> usize {
        self.head.memory_usage()
    }
}

/// Parses a head, if the bytes contain a complete one. Returns its length too.
fn parse(bytes: &[u8], settings: &Settings) -> Result<Option<(Request, usize)>, Rejection> {
    let parsed = with_room(bytes, &settings.limits, |room| {
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed.parse_with_uninit_headers(bytes, room)?;
        let httparse::Status::Complete(len) = status else {
            return Ok(httparse::Status::Partial);
        };
        let request = check(bytes.get(..len).unwrap_or_default(), &parsed, settings);
        Ok(httparse::Status::Complete(
            request.map(|request| (request, len)),
        ))
    });
    match parsed {
        Ok(parsed) => parsed.transpose(),
        // A space in the target looks like the space before the version.
        Err(HandshakeError::UnsupportedHttpVersion) if !ends_in_http_version(bytes) => {
            Err(Rejection::new(None, HandshakeError::MalformedHead))
        }
        Err(error) => Err(Rejection::new(None, error)),
    }
}

fn check(
    head: &[u8],
    parsed: &httparse::Request<'_, '_>,
    settings: &Settings,
) -> Result<Request, Rejection> {
    check_line_ends(head, parsed.headers).map_err(|error| Rejection::new(None, error))?;
    let version = match parsed.version {
        Some(1) => HttpVersion::Http11,
        _ => HttpVersion::Http10,
    };
    let method = parsed.method.unwrap_or_default();
    let line = RequestLine::new(version, method, parsed.path.unwrap_or_default());
    let mut fields = KnownFields::default();
    for field in &*parsed.headers {
        fields.visit(field.name, field.value);
    }
    let checked = fields.check_request(&line, settings);
    let within = |part: &[u8]| Span::within(head, part);
    let mut headers = Headers::parsed(head, parsed.headers);
    let parts = Parts {
        method: within(method.as_bytes()),
        target: match line.target() {
            Cow::Borrowed(target) => within(target.as_bytes()),
            Cow::Owned(target) => headers.append(target.as_bytes()),
        },
        host: fields.host(&line).map(within),
        key: key_of(checked).map(within),
        is_connect: false,
        offers_subprotocols: fields.first(HeaderField::Subprotocol).is_some(),
        #[cfg(feature = "deflate")]
        deflate: answer_extensions(&headers, settings),
    };
    finish(Request::new(headers, parts), checked)
}

fn key_of(checked: Result<Option<&[u8]>, HandshakeError>) -> Option<&[u8]> {
    checked.ok().flatten()
}

fn finish<T>(request: Request, checked: Result<T, HandshakeError>) -> Result<Request, Rejection> {
    match checked {
        Ok(_) => Ok(request),
        Err(error) => Err(Rejection::new(Some(request), error)),
    }
}

#[cfg(feature = "deflate")]
fn answer_extensions(headers: &Headers, settings: &Settings) -> Option<crate::deflate::Parameters> {
    let lists = headers.get_all("Sec-WebSocket-Extensions");
    let options = settings.deflate.as_ref()?;
    extensions::answer(lists, options)
}

/// Requests that another library has read.
#[cfg(feature = "std")]
impl Request {
    /// A request over HTTP/1.0 or HTTP/1.1, or a plain request over HTTP/2.
    pub(crate) fn received<'f>(
        line: RequestLine<'_>,
        pairs: impl Iterator<Item = (&'f str, &'f [u8])>,
        settings: &Settings,
    ) -> Result<Self, Rejection> {
        let headers = Headers::of(pairs);
        let fields = KnownFields::of(headers.iter());
        let checked = fields.check_request(&line, settings);
        let key = key_of(checked).map(|key| headers.span_of(key));
        let checked = checked.map(|_| ());
        finish(from_pairs(line, headers, (key, false), settings), checked)
    }

    /// An extended CONNECT (RFC 8441 §4). `:authority` is in the line; `pseudo` is
    /// the result of checking the other pseudo-header fields.
    pub(crate) fn connect<'f>(
        line: RequestLine<'_>,
        pseudo: Result<(), HandshakeError>,
        pairs: impl Iterator<Item = (&'f str, &'f [u8])>,
        settings: &Settings,
    ) -> Result<Self, Rejection> {
        let headers = Headers::of(pairs);
        let checked =
            pseudo.and_then(|()| KnownFields::of(headers.iter()).check_connect(&line, settings));
        let kind = (None, checked.is_ok());
        finish(from_pairs(line, headers, kind, settings), checked)
    }
}

#[cfg(feature = "std")]
#[cfg_attr(not(feature = "deflate"), allow(unused_variables))]
fn from_pairs(
    line: RequestLine<'_>,
    mut headers: Headers,
    (key, is_connect): (Option<Span>, bool),
    settings: &Settings,
) -> Request {
    let host = match line.authority {
        Some(authority) => Some(headers.append(authority.as_bytes())),
        None => headers.get("host").map(|host| headers.span_of(host)),
    };
    let parts = Parts {
        method: headers.append(line.method.as_bytes()),
        target: headers.append(line.target().as_bytes()),
        host,
        key,
        is_connect,
        offers_subprotocols: true,
        #[cfg(feature = "deflate")]
        deflate: answer_extensions(&headers, settings),
    };
    Request::new(headers, parts)
}
