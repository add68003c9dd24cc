//! What can go wrong, as types to match on.
//!
//! A fault of the peer is a [`ConnectionError`] and is reported as an event. A
//! mistake of the caller is a [`SendError`] (or, while a request or an answer is
//! built, a [`RequestError`](crate::RequestError)) and is returned by the call.
//! The close code for each fault is in `close.rs`.

use thiserror::Error;

use crate::deadline::DeadlineReason;

/// Why a connection failed: a fault of the peer, a limit, a deadline or the end
/// of the stream.
///
/// Reported as [`Event::Failed`](crate::Event::Failed), the last event of a
/// connection, and kept in [`Outcome::cause`](crate::Outcome). The close frame or
/// HTTP response that reports the fault to the peer is then already in `out`. A
/// value takes at most 16 bytes.
///
/// ```
/// use sansocket::{Agreement, Config, Connection, ConnectionError, Event, Input, ProtocolError, Role};
///
/// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &Config::new());
/// let (mut unmasked, mut out) = (*b"\x81\x02hi", Vec::new());
/// let event = ws.receive(&mut Input::new(&mut unmasked), &mut out);
/// let error = ConnectionError::Protocol(ProtocolError::MissingMask);
/// assert_eq!(event, Some(Event::Failed(error)));
/// assert_eq!(out, b"\x88\x02\x03\xea"); // a close frame with 1002
/// ```
///
/// Failures that are part of normal operation can be distinguished from attacks:
///
/// ```
/// use sansocket::{ConnectionError, DeadlineReason, ProtocolError};
///
/// fn log_level(error: ConnectionError) -> &'static str {
///     match error {
///         ConnectionError::UnexpectedEof => "debug", // the peer is gone
///         ConnectionError::Timeout(DeadlineReason::Pong) => "debug",
///         ConnectionError::Handshake(_) => "info",
///         ConnectionError::Protocol(_) | ConnectionError::Limit(_) => "warn",
///         _ => "error",
///     }
/// }
/// assert_eq!(log_level(ProtocolError::InvalidUtf8.into()), "warn");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The opening handshake broke a rule or was refused (§4).
    #[error("opening handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The peer broke a rule of framing or closing (§5 to §8).
    #[error("protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// The peer exceeded a limit of [`Config`](crate::Config) (§10.4).
    #[error("limit exceeded: {0}")]
    Limit(#[from] LimitError),
    /// A deadline passed, see
    /// [`handle_timeout`](crate::Connection::handle_timeout).
    #[error("deadline passed: {0}")]
    Timeout(DeadlineReason),
    /// The stream ended without a closing handshake (§7.1.5: close code 1006).
    #[error("the stream ended without a closing handshake")]
    UnexpectedEof,
    /// No random masking key was available for an automatic reply (§5.3).
    #[error("no randomness for a masking key")]
    NoEntropy,
}

/// A fault in the opening handshake (§4.1, §4.2).
///
/// ```
/// # #[cfg(feature = "std")] {
/// use sansocket::{Config, HandshakeError, HeaderField, upgrade};
///
/// let fields: [(&str, &[u8]); 4] = [
///     ("host", b"example.com"),
///     ("upgrade", b"websocket"),
///     ("connection", b"Upgrade"),
///     ("sec-websocket-version", b"13"),
/// ];
/// let rejection = upgrade::request("GET", "/", fields, &Config::new()).unwrap_err();
/// assert_eq!(rejection.error(), HandshakeError::Missing(HeaderField::Key));
/// assert_eq!(rejection.error().to_string(), "Sec-WebSocket-Key is missing");
/// assert_eq!(rejection.status(), 400);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Not a well-formed HTTP head: a bare CR or LF, a folded line, a space
    /// before a colon, a bad byte (RFC 9112 §2.2, §5.1). Answer: 400.
    #[error("malformed HTTP head (RFC 9112)")]
    MalformedHead,
    /// The head is longer than `max_head_len`. Answer: 431.
    #[error("HTTP head longer than the limit")]
    HeadTooLong,
    /// The head has more fields than `max_headers`. Answer: 431.
    #[error("more HTTP header fields than the limit")]
    TooManyHeaders,
    /// The HTTP version is not 1.1, nor 1.0 for a plain HTTP request (§4.1).
    /// Answer: 505.
    #[error("unsupported HTTP version (RFC 6455 section 4.1)")]
    UnsupportedHttpVersion,
    /// The method of an upgrade is not GET (§4.1). Answer: 405.
    #[error("method of an upgrade is not GET (RFC 6455 section 4.1)")]
    MethodNotAllowed,
    /// The request target is neither a path nor an absolute URI (§4.2.1), or it
    /// has a fragment, user information or an invalid host (RFC 9112 §3.2).
    /// Answer: 400.
    #[error("invalid request target (RFC 9112 section 3.2)")]
    InvalidTarget,
    /// A plain HTTP request where an upgrade was required. Answer: 426.
    #[error("not a WebSocket upgrade request")]
    NotAnUpgrade,
    /// `Sec-WebSocket-Version` is not 13 (§4.4). Answer: 426 with the version.
    #[error("unsupported Sec-WebSocket-Version (RFC 6455 section 4.4)")]
    UnsupportedVersion,
    /// The origin policy does not allow the request's `Origin` (§10.2).
    /// Answer: 403.
    #[error("origin is not allowed (RFC 6455 section 10.2)")]
    OriginNotAllowed,
    /// The request is for a host that [`Config::with_hosts`](crate::Config::with_hosts)
    /// does not list. Answer: 421.
    #[error("host is not allowed (RFC 9110 section 15.5.20)")]
    HostNotAllowed,
    /// A required field is missing.
    #[error("{0} is missing")]
    Missing(HeaderField),
    /// A field that must be unique is repeated.
    #[error("{0} occurs more than once")]
    Duplicate(HeaderField),
    /// A field has an invalid value.
    #[error("{0} has an invalid value")]
    Invalid(HeaderField),
    /// A field that is not allowed, such as `Content-Length` in an upgrade.
    #[error("{0} is not allowed here")]
    Unexpected(HeaderField),
    /// The response selects a subprotocol that the request did not offer (§4.1).
    #[error("subprotocol was not offered (RFC 6455 section 4.1)")]
    SubprotocolNotOffered,
    /// The response selects an extension that the request did not offer (§4.1).
    #[error("extension was not offered (RFC 6455 section 4.1)")]
    ExtensionNotOffered,
    /// The response did not open the connection. Contains the status that a client
    /// received or a server sent.
    #[error("refused with HTTP status {0}")]
    Refused(u16),
}

impl HandshakeError {
    /// Returns the HTTP status code with which a server refuses a request that has
    /// this fault (RFC 9110 §15).
    pub const fn status(self) -> u16 {
        match self {
            Self::OriginNotAllowed => 403,
            Self::MethodNotAllowed => 405,
            Self::HostNotAllowed => 421,
            Self::NotAnUpgrade | Self::UnsupportedVersion => 426,
            Self::HeadTooLong | Self::TooManyHeaders => 431,
            Self::UnsupportedHttpVersion => 505,
            Self::Refused(status) => status,
            _ => 400,
        }
    }
}

/// The header fields that are checked in the opening handshake (§11.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum HeaderField {
    /// `Host` (RFC 9110 §7.2).
    #[error("Host")]
    Host,
    /// `Upgrade` (RFC 9110 §7.8).
    #[error("Upgrade")]
    Upgrade,
    /// `Connection` (RFC 9110 §7.6.1).
    #[error("Connection")]
    Connection,
    /// `Sec-WebSocket-Key` (§11.3.1).
    #[error("Sec-WebSocket-Key")]
    Key,
    /// `Sec-WebSocket-Extensions` (§11.3.2).
    #[error("Sec-WebSocket-Extensions")]
    Extensions,
    /// `Sec-WebSocket-Accept` (§11.3.3).
    #[error("Sec-WebSocket-Accept")]
    Accept,
    /// `Sec-WebSocket-Protocol` (§11.3.4).
    #[error("Sec-WebSocket-Protocol")]
    Subprotocol,
    /// `Sec-WebSocket-Version` (§11.3.5).
    #[error("Sec-WebSocket-Version")]
    Version,
    /// `Origin` (RFC 6454 §7).
    #[error("Origin")]
    Origin,
    /// `Content-Length` (RFC 9110 §8.6).
    #[error("Content-Length")]
    ContentLength,
    /// `Transfer-Encoding` (RFC 9112 §6.1).
    #[error("Transfer-Encoding")]
    TransferEncoding,
}

/// The rule of framing, messages or closing that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set and no extension gives it a meaning (§5.2).
    #[error("reserved bit set (RFC 6455 section 5.2)")]
    ReservedBits,
    /// A reserved opcode (§5.2).
    #[error("reserved opcode (RFC 6455 section 5.2)")]
    ReservedOpcode,
    /// A payload length that has a shorter encoding (§5.2).
    #[error("payload length not in its shortest form (RFC 6455 section 5.2)")]
    NonMinimalLength,
    /// A 64-bit payload length with its top bit set (§5.2).
    #[error("payload length above 2^63 - 1 (RFC 6455 section 5.2)")]
    LengthOverflow,
    /// An unmasked frame from a client (§5.1).
    #[error("unmasked frame from a client (RFC 6455 section 5.1)")]
    MissingMask,
    /// A masked frame from a server (§5.1).
    #[error("masked frame from a server (RFC 6455 section 5.1)")]
    UnexpectedMask,
    /// A continuation frame outside a fragmented message (§5.4).
    #[error("continuation frame outside a fragmented message (RFC 6455 section 5.4)")]
    UnexpectedContinuation,
    /// A text or binary frame inside a fragmented message (§5.4).
    #[error("new message inside a fragmented one (RFC 6455 section 5.4)")]
    ExpectedContinuation,
    /// A control frame with more than 125 bytes of payload (§5.5).
    #[error("control frame longer than 125 bytes (RFC 6455 section 5.5)")]
    ControlFrameTooLong,
    /// A control frame that is fragmented (§5.5).
    #[error("fragmented control frame (RFC 6455 section 5.5)")]
    FragmentedControlFrame,
    /// A close frame with a payload of one byte (§5.5.1).
    #[error("close frame of one byte (RFC 6455 section 5.5.1)")]
    TruncatedCloseCode,
    /// More than 4 MiB after the peer's close frame, with
    /// [`auto_close(false)`](crate::Connection::auto_close) (§5.5.1).
    #[error("data after a close frame (RFC 6455 section 5.5.1)")]
    DataAfterClose,
    /// A close code that must not be sent (§7.4).
    #[error("invalid close code (RFC 6455 section 7.4)")]
    InvalidCloseCode,
    /// Text, or the reason of a close frame, that is not UTF-8 (§8.1).
    #[error("text is not UTF-8 (RFC 6455 section 8.1)")]
    InvalidUtf8,
    /// A compressed message that cannot be decompressed, or ends within a block
    /// (RFC 7692 §7.2.2).
    #[error("invalid compressed data (RFC 7692 section 7.2.2)")]
    InvalidDeflate,
}

/// The limit of [`Config`](crate::Config) that the peer exceeded.
///
/// ```
/// use sansocket::{ConnectionError, LimitError};
///
/// fn is_too_large(error: ConnectionError) -> bool {
///     use LimitError::{FrameTooLong, MessageTooLong};
///     matches!(error, ConnectionError::Limit(MessageTooLong | FrameTooLong))
/// }
/// assert!(is_too_large(LimitError::MessageTooLong.into()));
/// assert!(!is_too_large(LimitError::TooManyControlFrames.into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A message longer than `max_message_len` (bytes).
    #[error("message too long")]
    MessageTooLong,
    /// A frame longer than `max_frame_len` (bytes).
    #[error("frame too long")]
    FrameTooLong,
    /// A message of more than `max_fragments` frames, empty ones included.
    #[error("too many fragments in one message")]
    TooManyFragments,
    /// More than `max_control_frames` control frames in one second.
    #[error("too many control frames in one second")]
    TooManyControlFrames,
    /// A message whose compression ratio exceeds
    /// `deflate::Options::with_max_ratio`.
    #[error("compression ratio too high")]
    RatioTooHigh,
    /// A message for which `max_total_memory` left no room: all connections
    /// together hold too much, and this is one of the largest.
    #[error("too much memory held by all connections")]
    TooMuchMemory,
}

/// A mistake of the caller, returned by the methods that send.
///
/// Nothing was appended to `out`, and the connection is unchanged.
///
/// ```
/// use sansocket::{Config, Connection, SendError};
///
/// let mut ws = Connection::server(&Config::new());
/// let mut out = Vec::new();
/// assert_eq!(ws.send("too early", &mut out), Err(SendError::NotOpen));
/// assert!(out.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The opening handshake is not complete.
    #[error("the opening handshake is not complete")]
    NotOpen,
    /// A close frame was sent, or the connection has ended. No data may follow a
    /// close frame (§5.5.1).
    #[error("the connection is closing or closed")]
    Closed,
    /// `respond` was called without a request to answer.
    #[error("there is no request to answer")]
    NoRequest,
    /// A new message, or a fragment of the other type, within a message that
    /// was started with `send_fragment` (§5.4).
    #[error("a fragmented message is unfinished")]
    UnfinishedMessage,
    /// The payload of a ping or pong is longer than 125 bytes (§5.5).
    #[error("control payload longer than 125 bytes")]
    ControlFrameTooLong,
    /// A close code that must not be sent: below 1000, 1004 to 1006, 1015 to
    /// 2999, or above 4999 (§7.4). 1005, for an empty close frame, is allowed only
    /// without a reason.
    #[error("this close code must not be sent")]
    InvalidCloseCode,
    /// No random masking key was available: the source of entropy failed, or
    /// there is none (§5.3).
    #[error("no randomness for a masking key")]
    NoEntropy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<ConnectionError>() <= 16);
        assert!(size_of::<SendError>() <= 16);
    }
}
