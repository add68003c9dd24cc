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

/// A request that a server received: by [`Event::Request`](crate::Event::Request),
/// or from [`upgrade::request`](crate::upgrade::request).
///
/// Answer it with [`accept`](Self::accept), [`reject`](Self::reject), or an
/// [`Answer`] of your own. Clients send a [`ClientRequest`](crate::ClientRequest).
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
#[derive(Clone, PartialEq, Eq)]
pub struct Request(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    headers: Headers,
    parts: Parts,
}

/// What was found in the head of a request, as places in [`Headers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) method: Span,
    pub(super) target: Span,
    pub(super) host: Option<Span>,
    pub(super) upgrade_kind: Option<UpgradeKind>,
    pub(super) offers_subprotocols: bool,
    /// The answer to the offers of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<deflate::Parameters>,
}

/// In which way a request asks for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpgradeKind {
    /// By an upgrade with this key (RFC 6455 §4.1).
    Upgrade(Span),
    /// By an extended CONNECT (RFC 8441 §4).
    #[cfg(feature = "std")]
    Connect,
}

pub(super) const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

impl Request {
    pub(super) fn new(headers: Headers, parts: Parts) -> Self {
        Self(Box::new(Inner { headers, parts }))
    }

    /// The method; `GET` for every upgrade, `CONNECT` for an extended CONNECT.
    pub fn method(&self) -> &str {
        self.0.headers.text(self.0.parts.method)
    }

    /// The path and query, or, in a plain HTTP request, `*` or the authority of
    /// a CONNECT.
    ///
    /// Of a target in absolute-form (`GET http://example.com/chat`) it is the
    /// path and query alone.
    pub fn target(&self) -> &str {
        self.0.headers.text(self.0.parts.target)
    }

    /// The path: the [`target`](Self::target) up to the `?`. It is not decoded.
    pub fn path(&self) -> &str {
        self.split_target().0
    }

    /// The query: the part of the [`target`](Self::target) after the `?`. It is
    /// not decoded.
    pub fn query(&self) -> Option<&str> {
        self.split_target().1
    }

    fn split_target(&self) -> (&str, Option<&str>) {
        match self.target().split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target(), None),
        }
    }

    /// The host and port that the request is addressed to: the value of `Host`,
    /// or the authority of a target in absolute-form, which replaces it
    /// (RFC 9112 §3.2.2). A request of HTTP/1.0 may have none.
    pub fn host(&self) -> Option<&str> {
        self.0.parts.host.map(|host| self.0.headers.text(host))
    }

    /// All header fields, as they were received.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The value of the first header field of this name, if it is visible ASCII,
    /// spaces and tabs. See [`headers`](Self::headers) for any other.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get_str(name)
    }

    /// The value of the first cookie of this name (RFC 6265 §5.4), in any of the
    /// `Cookie` fields: HTTP/2 may split them (RFC 9113 §8.2.3).
    ///
    /// Names are case-sensitive. Quotes around a value are part of it.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let fields = self.0.headers.get_all("Cookie");
        let pairs = fields.flat_map(|field| field.split(|byte| *byte == b';'));
        let mut pairs = pairs.filter_map(|pair| visible(pair.trim_ascii())?.split_once('='));
        let (_, value) = pairs.find(|(found, _)| found.trim_ascii() == name)?;
        Some(value.trim_ascii())
    }

    /// The subprotocols that the client offers, in its order of preference
    /// (§1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.0.headers.get_all(SUBPROTOCOL).flat_map(tokens)
    }

    /// Whether this request asks for a WebSocket and follows every rule of
    /// §4.2.1. If not, it is plain HTTP: answer it with a page, or refuse it.
    /// The bytes after its head stay in the [`Input`](crate::Input).
    pub fn is_upgrade(&self) -> bool {
        self.0.parts.upgrade_kind.is_some()
    }

    /// The answer that opens the connection (§4.2.2). For a plain HTTP request
    /// it is a refusal with status 426 (Upgrade Required).
    pub fn accept(&self) -> Answer {
        let opening = match self.0.parts.upgrade_kind {
            Some(UpgradeKind::Upgrade(key)) => {
                Opening::Upgrade(key::accept(self.0.headers.slice(key)))
            }
            #[cfg(feature = "std")]
            Some(UpgradeKind::Connect) => Opening::Connect,
            None => return Answer::refusal(HandshakeError::NotAnUpgrade),
        };
        let answer = Answer::opening(opening, self.subprotocol_list());
        #[cfg(feature = "deflate")]
        let answer = answer.with_deflate(self.0.parts.deflate);
        answer
    }

    /// An answer that refuses with this HTTP status, and a line of plain text
    /// that says so.
    pub fn reject(&self, status: u16) -> Answer {
        Answer::plain(status)
    }

    /// RFC 9110 §9.3.2: a response to HEAD has no body.
    pub(crate) fn is_head(&self) -> bool {
        self.0.headers.slice(self.0.parts.method) == b"HEAD"
    }

    /// All fields that offer subprotocols, as one list.
    fn subprotocol_list(&self) -> Box<[u8]> {
        if !self.0.parts.offers_subprotocols {
            return Box::default();
        }
        let mut fields = self.0.headers.get_all(SUBPROTOCOL);
        let mut list = Vec::from(fields.next().unwrap_or_default());
        for field in fields {
            list.push(b',');
            list.extend_from_slice(field);
        }
        list.into()
    }
}

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
