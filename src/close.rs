//! The closing handshake (§7): close codes, close frames, how a connection
//! ended, and when each endpoint may drop the transport.
//!
//! §7.1.1: the server closes the transport first, so that it, not the client,
//! holds the connection in TIME_WAIT. A TCP connection that is dropped with unread
//! bytes is reset, and the peer may lose the close frame and what was sent before it.
//! A server whose peer may still be sending therefore lingers: after a failure, while
//! pongs are awaited, and if the directions were closed separately.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::deadline::DeadlineReason;
use crate::error::{ConnectionError, HandshakeError, LimitError, ProtocolError, SendError};
use crate::frame::{Header, Role};

/// The status code of a close frame, which says why a connection is closed
/// (§7.4).
///
/// Any number can be represented: applications and registries define codes of
/// their own, and a received code that is unknown is kept unchanged.
///
/// ```
/// use sansocket::CloseCode;
///
/// assert_eq!(CloseCode::from(1001), CloseCode::GOING_AWAY);
/// assert!(CloseCode::from(4000).is_sendable());
/// assert!(!CloseCode::ABNORMAL.is_sendable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server is shutting down, or the user left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: a rule of the protocol was broken.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data was received that cannot be accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the close frame has no code. Never on the wire: closing with this
    /// code sends an empty close frame.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: there was no close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the data does not match its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was violated, and no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is too big.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server did not negotiate an extension that the client needs.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition prevents the server from continuing.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service is restarting (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway received an invalid response (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Returns `true` if this code is allowed in a close frame: 1000 to 1003 and
    /// 1007 to 1014 (§7.4.1 and the registry of §11.7), or 3000 to 4999 (§7.4.2).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The content of a close frame (§5.5.1).
///
/// ```
/// use sansocket::{Close, CloseCode, Event};
///
/// fn explain(close: &Close) -> &'static str {
///     match close.code {
///         CloseCode::NORMAL | CloseCode::NO_STATUS => "done",
///         CloseCode::GOING_AWAY | CloseCode::SERVICE_RESTART => "reconnect",
///         code if u16::from(code) >= 4000 => "defined by the application",
///         _ => "an error",
///     }
/// }
/// let close = Close { code: CloseCode::GOING_AWAY, reason: String::new() };
/// assert_eq!(explain(&close), "reconnect");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "section 5.5.1 has no more")]
pub struct Close {
    /// The status code, or [`CloseCode::NO_STATUS`] if the frame was empty.
    pub code: CloseCode,
    /// The reason: at most 123 bytes, often empty, and not meant to be shown to
    /// users.
    pub reason: String,
}

impl Close {
    /// Reads the payload of a close frame.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        let (code, reason) = match payload {
            [] => {
                return Ok(Self {
                    code: CloseCode::NO_STATUS,
                    reason: String::new(),
                });
            }
            [_] => return Err(ProtocolError::TruncatedCloseCode),
            [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
        };
        // RFC 6455 §7.4.1: codes that "MUST NOT be set as a status code in a
        // Close control frame", and §7.4.2: the ranges that are not defined.
        if !code.is_sendable() {
            return Err(ProtocolError::InvalidCloseCode);
        }
        // RFC 6455 §8.1 applies to the reason as it does to text.
        let reason = core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Self {
            code,
            reason: reason.into(),
        })
    }

    /// A close frame to send. The reason is cut to the 123 bytes that fit,
    /// between two characters.
    pub(crate) fn to_send(code: CloseCode, reason: &str) -> Result<Self, SendError> {
        let is_empty = code == CloseCode::NO_STATUS && reason.is_empty();
        if !is_empty && !code.is_sendable() {
            return Err(SendError::InvalidCloseCode);
        }
        let mut len = reason.len().min(MAX_REASON_LEN);
        while !reason.is_char_boundary(len) {
            len -= 1;
        }
        let reason = reason.get(..len).unwrap_or_default().into();
        Ok(Self { code, reason })
    }

    /// The answer to a close frame, RFC 6455 §5.5.1: "the endpoint typically
    /// echos the status code it received".
    pub(crate) const fn answer(&self) -> Self {
        Self::without_reason(self.code)
    }

    pub(crate) const fn without_reason(code: CloseCode) -> Self {
        let reason = String::new();
        Self { code, reason }
    }

    /// The payload of the frame, which is empty without a code.
    pub(crate) fn payload(&self) -> Vec<u8> {
        if self.code == CloseCode::NO_STATUS {
            return Vec::new();
        }
        let mut payload = self.code.0.to_be_bytes().to_vec();
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }
}

/// RFC 6455 §5.5: 125 bytes in a control frame, two of which are the code.
const MAX_REASON_LEN: usize = Header::MAX_CONTROL_PAYLOAD_LEN - 2;

/// The endpoint that started to close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Initiator {
    /// This endpoint.
    Local,
    /// The other endpoint, or the network in between.
    Peer,
}

/// How a connection ended.
///
/// Each connection has exactly one outcome, which does not change.
///
/// ```
/// use sansocket::{Agreement, CloseCode, Config, Connection, ConnectionError, Initiator, Input, Role};
///
/// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &Config::new());
/// // The stream ends without a close frame.
/// ws.receive(&mut Input::new(&mut []), &mut Vec::new());
/// let outcome = ws.outcome().expect("the connection ended");
/// assert!(!outcome.clean);
/// assert_eq!(outcome.code, CloseCode::ABNORMAL);
/// assert_eq!(outcome.initiator, Initiator::Peer);
/// assert_eq!(outcome.cause, Some(ConnectionError::UnexpectedEof));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Outcome {
    /// Whether both close frames were exchanged (§7.1.4).
    pub clean: bool,
    /// The code of the peer's close frame (§7.1.5). If none was received, the code
    /// of the close frame that was sent (an extension of the RFC), or else
    /// [`CloseCode::ABNORMAL`].
    pub code: CloseCode,
    /// The reason that goes with the code (§7.1.6), at most 123 bytes.
    pub reason: String,
    /// The endpoint that started to close the connection.
    pub initiator: Initiator,
    /// The error, if the connection failed.
    pub cause: Option<ConnectionError>,
}

impl ConnectionError {
    /// Returns the code of the close frame that reports this fault to the peer,
    /// or `None` if no close frame is sent for it, because the connection was not
    /// open yet or the transport is unusable.
    ///
    /// | fault | code |
    /// |---|---|
    /// | a rule of the protocol | 1002 |
    /// | text that is not UTF-8, compressed data that cannot be inflated | 1007 |
    /// | a message or frame too long, or inflated too far | 1009 |
    /// | too many fragments or control frames | 1008 |
    /// | too much memory held by all connections | 1013 |
    /// | nothing received after a keepalive ping | 1011 |
    /// | idle for too long | 1001 |
    ///
    /// ```
    /// use sansocket::{CloseCode, ConnectionError, LimitError};
    ///
    /// let error = ConnectionError::from(LimitError::MessageTooLong);
    /// assert_eq!(error.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
    /// assert_eq!(ConnectionError::UnexpectedEof.close_code(), None);
    /// ```
    pub const fn close_code(self) -> Option<CloseCode> {
        Some(match self {
            Self::Protocol(ProtocolError::InvalidUtf8 | ProtocolError::InvalidDeflate) => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::Protocol(_) => CloseCode::PROTOCOL_ERROR,
            Self::Limit(
                LimitError::MessageTooLong | LimitError::FrameTooLong | LimitError::RatioTooHigh,
            ) => CloseCode::MESSAGE_TOO_BIG,
            Self::Limit(LimitError::TooMuchMemory) => CloseCode::TRY_AGAIN_LATER,
            Self::Limit(_) => CloseCode::POLICY_VIOLATION,
            Self::Timeout(DeadlineReason::Pong) => CloseCode::INTERNAL_ERROR,
            Self::Timeout(DeadlineReason::Idle) => CloseCode::GOING_AWAY,
            Self::Handshake(_) | Self::Timeout(_) | Self::UnexpectedEof | Self::NoEntropy => {
                return None;
            }
        })
    }
}

impl ConnectionError {
    /// The endpoint that caused the failure.
    const fn initiator(self) -> Initiator {
        match self {
            Self::UnexpectedEof | Self::Handshake(HandshakeError::Refused(_)) => Initiator::Peer,
            _ => Initiator::Local,
        }
    }
}

impl Outcome {
    /// Both close frames were exchanged; the peer's has the code.
    pub(crate) fn closed(peer: Close, initiator: Initiator) -> Self {
        let Close { code, reason } = peer;
        Self {
            clean: true,
            code,
            reason,
            initiator,
            cause: None,
        }
    }

    /// The connection failed before the peer's close frame was answered.
    pub(crate) fn unanswered(cause: ConnectionError, peer: Close) -> Self {
        Self {
            clean: false,
            cause: Some(cause),
            ..Self::closed(peer, Initiator::Peer)
        }
    }

    /// The connection failed, after the close frame `sent` if there was one.
    pub(crate) fn failed(cause: ConnectionError, sent: Option<Close>) -> Self {
        let (close, initiator) = match sent {
            Some(close) => (close, Initiator::Local),
            None => {
                let code = cause.close_code().unwrap_or(CloseCode::ABNORMAL);
                (Close::without_reason(code), cause.initiator())
            }
        };
        let Close { code, reason } = close;
        Self {
            clean: false,
            code,
            reason,
            initiator,
            cause: Some(cause),
        }
    }

    /// The server answered the request with a status other than 101.
    pub(crate) fn refused(status: u16) -> Self {
        let cause = HandshakeError::Refused(status).into();
        Self {
            initiator: Initiator::Local,
            ..Self::failed(cause, None)
        }
    }
}

/// How many bytes may be received, and are discarded, after the last one that counts:
/// after the end of the connection, or after the peer's close frame.
///
/// As much as a blocking write hands over to Linux by default (`tcp_wmem`), before the
/// peer can notice the close frame. A peer that reads it sends no more than that.
pub(crate) const MAX_DISCARDED_LEN: u64 = 4 * 1024 * 1024;

/// What is left to do with the transport once the outcome is known (§7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A client waits for the server to end the stream.
    AwaitEnd,
    /// The transport may be dropped, but it is better to shut down the outgoing
    /// direction and to read until the peer has shut down the other one.
    Linger,
    /// The transport may be dropped.
    Drop,
}

impl Ending {
    /// The ending after an outcome with this cause.
    pub(crate) const fn after(role: Role, cause: Option<ConnectionError>) -> Self {
        match (role, cause) {
            // The peer no longer reads or sends, or has sent enough.
            (
                _,
                Some(
                    ConnectionError::Protocol(ProtocolError::DataAfterClose)
                    | ConnectionError::UnexpectedEof
                    | ConnectionError::Timeout(_)
                    | ConnectionError::NoEntropy,
                ),
            ) => Self::Drop,
            (Role::Client, Some(ConnectionError::Handshake(_))) => Self::Drop,
            (Role::Client, _) => Self::AwaitEnd,
            (Role::Server, None) => Self::Drop,
            (Role::Server, Some(_)) => Self::Linger,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let close = || Close::to_send(CloseCode::from(4001), "bye").unwrap();
        let parts = |outcome: Outcome| {
            let Outcome { clean, code, .. } = outcome;
            (clean, code.0, outcome.reason, outcome.initiator)
        };
        let table = [
            (
                Outcome::closed(close(), Initiator::Peer),
                (true, 4001, "bye", Initiator::Peer),
            ),
            (
                Outcome::failed(ProtocolError::MissingMask.into(), None),
                (false, 1002, "", Initiator::Local),
            ),
            (
                Outcome::failed(ConnectionError::UnexpectedEof, None),
                (false, 1006, "", Initiator::Peer),
            ),
            (
                Outcome::failed(ConnectionError::UnexpectedEof, Some(close())),
                (false, 4001, "bye", Initiator::Local),
            ),
            (Outcome::refused(404), (false, 1006, "", Initiator::Local)),
        ];
        for (outcome, (clean, code, reason, initiator)) in table {
            assert_eq!(parts(outcome), (clean, code, reason.into(), initiator));
        }
    }

    #[test]
    fn reason_is_cut_between_characters() {
        for (reason, expected) in [
            ("a".repeat(123), "a".repeat(123)),
            ("a".repeat(124), "a".repeat(123)),
            ("\u{e9}".repeat(62), "\u{e9}".repeat(61)),
            ("\u{1f980}".repeat(100), "\u{1f980}".repeat(30)),
        ] {
            let close = Close::to_send(CloseCode::NORMAL, &reason).unwrap();
            assert_eq!(close.reason, expected);
            assert!(close.payload().len() <= 125);
        }
    }

    #[test]
    fn close_frame_without_a_code_has_no_reason() {
        let empty = Close::to_send(CloseCode::NO_STATUS, "").unwrap();
        assert!(empty.payload().is_empty());
        let with_reason = Close::to_send(CloseCode::NO_STATUS, "why");
        assert_eq!(with_reason, Err(SendError::InvalidCloseCode));
    }

    #[test]
    fn code_is_displayed_as_its_number() {
        assert_eq!(alloc::format!("{:>5}", CloseCode::NORMAL), " 1000");
    }

    #[test]
    fn sendable_codes() {
        let allowed = [1000..=1003, 1007..=1014, 3000..=4999];
        for code in 0..=u16::MAX {
            let expected = allowed.iter().any(|range| range.contains(&code));
            assert_eq!(CloseCode(code).is_sendable(), expected, "{code}");
        }
    }
}
