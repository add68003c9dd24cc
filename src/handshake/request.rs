//! The request that a server received (§4.2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::answer::{Answer, Opening};
use super::headers::{Headers, Span, visible};
use super::key;
use super::lists::tokens;
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::error::HandshakeError;

/// A request that a server received: an upgrade to WebSocket, or plain HTTP.
///
/// Delivered by [`Event::Request`](crate::Event::Request), by the `accept_with`
/// functions of the adapters, and by [`upgrade::request`](crate::upgrade::request).
/// Answer it with [`accept`](Self::accept), [`reject`](Self::reject), or an
/// [`Answer`] of your own. A client sends a [`ClientRequest`](crate::ClientRequest).
///
/// ```
/// use sansocket::{Answer, Request};
///
/// fn answer(request: &Request) -> Answer {
///     match (request.is_upgrade(), request.path()) {
///         (true, "/chat") if request.cookie("session").is_some() => request.accept(),
///         (true, "/chat") => request.reject(401),
///         (false, "/health") => Answer::new(204),
///         _ => request.reject(404),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Request {
    /// The fields, and the parts in the order of [`Part`].
    headers: Headers,
    /// Whether it is an extended CONNECT (RFC 8441 §4) that opens a connection.
    is_connect: bool,
    offers_subprotocols: bool,
    #[cfg(feature = "deflate")]
    deflate: Option<deflate::Parameters>,
}

/// A part of the head that is no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Method,
    Target,
    Host,
    Key,
}

/// What was found in a request's head, as places in [`Headers`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) method: Span,
    pub(super) target: Span,
    pub(super) host: Option<Span>,
    /// The key of an upgrade (RFC 6455 §4.1).
    pub(super) key: Option<Span>,
    pub(super) is_connect: bool,
    pub(super) offers_subprotocols: bool,
    /// The answer to the offers of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<deflate::Parameters>,
}

pub(super) const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

impl Request {
    pub(super) fn new(mut headers: Headers, parts: Parts) -> Self {
        let [host, key] = [parts.host, parts.key].map(|part| part.unwrap_or(Span::NONE));
        headers.keep([parts.method, parts.target, host, key]);
        Self {
            headers,
            is_connect: parts.is_connect,
            offers_subprotocols: parts.offers_subprotocols,
            #[cfg(feature = "deflate")]
            deflate: parts.deflate,
        }
    }

    /// Returns the method: `GET` for an upgrade, `CONNECT` for an extended CONNECT.
    pub fn method(&self) -> &str {
        self.text(Part::Method).unwrap_or_default()
    }

    /// Returns the path and query. In a plain HTTP request, it can also be `*` or
    /// the authority of a CONNECT.
    ///
    /// For a target in absolute-form (`GET http://example.com/chat`), only the path
    /// and query are returned.
    pub fn target(&self) -> &str {
        self.text(Part::Target).unwrap_or_default()
    }

    /// Returns the path: the [`target`](Self::target) up to the `?`. It is not
    /// percent-decoded.
    pub fn path(&self) -> &str {
        self.split_target().0
    }

    /// Returns the query: the part of the [`target`](Self::target) after the `?`. It
    /// is not percent-decoded.
    pub fn query(&self) -> Option<&str> {
        self.split_target().1
    }

    fn split_target(&self) -> (&str, Option<&str>) {
        let target = self.target();
        match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        }
    }

    /// Returns the host and port that the request is addressed to: the value of
    /// `Host`, or the authority of a target in absolute-form, which replaces it
    /// (RFC 9112 §3.2.2). An HTTP/1.0 request may have none.
    pub fn host(&self) -> Option<&str> {
        self.text(Part::Host)
    }

    /// Returns all header fields, as they were received.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the value of the first header field with this name as text. `None`
    /// if there is none, or if the value contains anything but visible ASCII,
    /// spaces and tabs: see [`headers`](Self::headers) for such values.
    ///
    /// ```
    /// use sansocket::{Answer, Request};
    ///
    /// fn answer(request: &Request) -> Answer {
    ///     match request.header("Authorization") {
    ///         Some("Bearer secret") => request.accept(),
    ///         _ => request.reject(401),
    ///     }
    /// }
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get_str(name)
    }

    /// Returns the value of the first cookie with this name (RFC 6265 §5.4). All
    /// `Cookie` fields are searched, because HTTP/2 may split the cookies
    /// (RFC 9113 §8.2.3).
    ///
    /// Names are case-sensitive. Quotes around a value are part of the value.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Event, Input};
    ///
    /// let (mut ws, mut out) = (Connection::server(&Config::new()), Vec::new());
    /// let mut bytes = *b"GET / HTTP/1.1\r\nHost: example.com\r\nCookie: a=1; session=42\r\n\r\n";
    /// let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
    /// let Some(Event::Request(request)) = event else { panic!("{event:?}") };
    /// assert_eq!(request.cookie("session"), Some("42"));
    /// assert_eq!(request.cookie("SESSION"), None);
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let fields = self.headers.get_all("Cookie");
        let pairs = fields.flat_map(|field| field.split(|byte| *byte == b';'));
        let mut pairs = pairs.filter_map(|pair| visible(pair.trim_ascii())?.split_once('='));
        let (_, value) = pairs.find(|(found, _)| found.trim_ascii() == name)?;
        Some(value.trim_ascii())
    }

    /// Returns the subprotocols that the client offers, in its order of preference
    /// (§1.9). Select one with [`Answer::with_subprotocol`].
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.headers.get_all(SUBPROTOCOL).flat_map(tokens)
    }

    /// Returns `true` if this request asks for a WebSocket and follows every rule of
    /// §4.2.1. Otherwise it is plain HTTP: answer it with a page, or refuse it. The
    /// bytes after its head stay in the [`Input`](crate::Input).
    pub fn is_upgrade(&self) -> bool {
        self.is_connect || self.part(Part::Key).is_some()
    }

    /// Returns the answer that opens the connection (§4.2.2). For a plain HTTP
    /// request, it is a refusal with status 426 (Upgrade Required).
    pub fn accept(&self) -> Answer {
        let key = self.part(Part::Key).and_then(<[u8]>::first_chunk);
        let opening = match key {
            Some(key) => Opening::Upgrade(key::accept(key)),
            #[cfg(feature = "std")]
            None if self.is_connect => Opening::Connect,
            None => return Answer::refusal(HandshakeError::NotAnUpgrade),
        };
        let answer = Answer::opening(opening, self.subprotocol_list());
        #[cfg(feature = "deflate")]
        let answer = answer.with_deflate(self.deflate);
        answer
    }

    /// Returns an answer that refuses the request with this HTTP status. Its body is
    /// a line of plain text with the status.
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// use sansocket::{Config, upgrade};
    ///
    /// let request = upgrade::request("GET", "/admin", [("host", &b"example.com"[..])], &Config::new())?;
    /// let answer = request.reject(404);
    /// assert_eq!(answer.content(), b"404 Not Found\n");
    /// # }
    /// # Ok::<(), sansocket::Rejection>(())
    /// ```
    pub fn reject(&self, status: u16) -> Answer {
        Answer::plain(status)
    }

    /// RFC 9110 §9.3.2: a response to HEAD has no body.
    pub(crate) fn is_head(&self) -> bool {
        self.part(Part::Method) == Some(b"HEAD")
    }

    fn part(&self, part: Part) -> Option<&[u8]> {
        self.headers.part(part as usize)
    }

    fn text(&self, part: Part) -> Option<&str> {
        core::str::from_utf8(self.part(part)?).ok()
    }

    /// All fields that offer subprotocols, as one list.
    fn subprotocol_list(&self) -> Box<[u8]> {
        if !self.offers_subprotocols {
            return Box::default();
        }
        let mut fields = self.headers.get_all(SUBPROTOCOL);
        let mut list = Vec::from(fields.next().unwrap_or_default());
        for field in fields {
            list.push(b',');
            list.extend_from_slice(field);
        }
        list.into()
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        #[cfg(feature = "deflate")]
        if self.deflate != other.deflate {
            return false;
        }
        let parts = [Part::Method, Part::Target, Part::Host, Part::Key];
        parts
            .iter()
            .all(|part| self.part(*part) == other.part(*part))
            && self.headers == other.headers
            && self.is_connect == other.is_connect
    }
}

impl Eq for Request {}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("target", &self.target())
            .field("host", &self.host())
            .field("headers", self.headers())
            .field("is_upgrade", &self.is_upgrade())
            .finish()
    }
}
