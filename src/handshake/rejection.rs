//! A request that a server refused by itself.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::answer::Answer;
use super::request::Request;
use crate::error::HandshakeError;

/// A request that a server refused because it breaks a rule or exceeds a limit.
/// The answer is already written; this is for logs and metrics.
///
/// The [`Display`](fmt::Display) form is a single line, in which data from the
/// client is escaped:
///
/// ```
/// use sansocket::{Config, Connection, Event, Input};
///
/// let mut bytes = *b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\
///     Upgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
///     Origin: https://evil.example\r\n\r\n";
/// let (mut ws, mut out) = (Connection::server(&Config::new()), Vec::new());
/// let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
/// let Some(Event::Rejected(rejection)) = event else { panic!("{event:?}") };
/// assert!(out.starts_with(b"HTTP/1.1 403 Forbidden\r\n"));
/// assert_eq!(
///     rejection.to_string(),
///     "403 for GET /chat from https://evil.example: \
///     origin is not allowed (RFC 6455 section 10.2)",
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    request: Option<Request>,
    error: HandshakeError,
}

impl Rejection {
    pub(crate) fn new(request: Option<Request>, error: HandshakeError) -> Self {
        Self(Box::new(Inner { request, error }))
    }

    /// Returns what is wrong with the request.
    pub const fn error(&self) -> HandshakeError {
        self.0.error
    }

    /// Returns the HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        self.0.error.status()
    }

    /// Returns the request, or `None` if its head could not be parsed.
    pub const fn request(&self) -> Option<&Request> {
        self.0.request.as_ref()
    }

    /// Returns the method, as it was received.
    pub fn method(&self) -> Option<&str> {
        self.request().map(Request::method)
    }

    /// Returns the request target: [`Request::target`], or the bytes received if
    /// the target is invalid.
    pub fn target(&self) -> Option<&str> {
        self.request().map(Request::target)
    }

    /// Returns the `Origin` of the request (RFC 6454 §7), if any.
    pub fn origin(&self) -> Option<&str> {
        self.request()?.header("Origin")
    }

    /// Appends the answer in the format of HTTP/1.1.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let is_head = self.request().is_some_and(Request::is_head);
        Answer::refusal(self.0.error).write(is_head, out);
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("request", &self.0.request)
            .field("error", &self.0.error)
            .finish()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for ", self.status())?;
        match (self.method(), self.target()) {
            (Some(method), Some(target)) => {
                write!(f, "{} {}", method.escape_debug(), target.escape_debug())?;
            }
            _ => f.write_str("a request")?,
        }
        if let Some(origin) = self.origin() {
            write!(f, " from {}", origin.escape_debug())?;
        }
        write!(f, ": {}", self.0.error)
    }
}

impl core::error::Error for Rejection {}
