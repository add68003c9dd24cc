//! The closing handshake (§7): who has sent a close frame, who may drop the
//! transport, and what remains to be told.
//!
//! Knows close codes, close frames and their order; knows nothing of messages,
//! deadlines or the bytes of a frame.
//!
//! ```text
//!             close() ┌──────┐ close frame received
//!          ┌──────────┤ Open ├──────────┐
//!          ▼          └──┬───┘          ▼ (answered at once)
//!     ┌────────┐         │         ┌────────┐
//!     │  Sent  ├─────────┼────────►│  Done  │
//!     └───┬────┘  close  │         └────────┘
//!         │       frame  │ failure, or end of stream
//!         │     received ▼
//!         │          ┌────────┐
//!         └─────────►│ Failed │
//!                    └────────┘
//! ```
//!
//! §7.1.1: the server closes the transport first, so that it, not the client,
//! holds the connection in TIME_WAIT. A server may therefore drop the transport
//! in `Done` and `Failed`; a client waits there for the end of the stream, at
//! most until its deadline.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{DeadlineReason, Error, HandshakeError, LimitError, ProtocolError, SendError};

/// Why a connection is closed, as a number in the close frame (§7.4).
///
/// An open set: applications and registries add codes of their own, and an
/// unknown code is kept as it is.
///
/// ```
/// use sansocket::CloseCode;
///
/// assert_eq!(CloseCode::from(1001), CloseCode::GOING_AWAY);
/// assert!(CloseCode::from(4000).may_be_sent());
/// assert!(!CloseCode::ABNORMAL.may_be_sent());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a page was left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: a rule of the protocol was broken.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data came that cannot be accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the close frame had no code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: there was no close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data does not fit its kind, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was violated; for want of a better code.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is too big.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server did not negotiate an extension that the client needs.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: something unexpected keeps the server from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Whether an endpoint may put this code into a close frame: 1000 to 1003
    /// and 1007 to 1014 (§7.4.1 and the registry of §11.7), 3000 to 4999
    /// (§7.4.2).
    pub const fn may_be_sent(self) -> bool {
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

/// What a close frame says (§5.5.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Close {
    /// Why; [`CloseCode::NO_STATUS`] if the frame was empty.
    pub code: CloseCode,
    /// The same in words, at most 123 bytes, often empty. Not meant for users'
    /// eyes.
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
        if !code.may_be_sent() {
            return Err(ProtocolError::InvalidCloseCode);
        }
        // RFC 6455 §8.1 holds for the reason as for text.
        let reason = core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Self {
            code,
            reason: reason.into(),
        })
    }

    /// The payload of a close frame that says this; empty without a code.
    pub(crate) fn payload(code: CloseCode, reason: &str) -> Vec<u8> {
        if code == CloseCode::NO_STATUS {
            return Vec::new();
        }
        let mut payload = code.0.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        payload
    }

    /// Checks what the caller wants to send.
    pub(crate) fn check(code: CloseCode, reason: &str) -> Result<(), SendError> {
        if !code.may_be_sent() {
            return Err(SendError::InvalidCloseCode);
        }
        // RFC 6455 §5.5: 125 bytes in a control frame, two of them the code.
        if reason.len() > 123 {
            return Err(SendError::ReasonTooLong);
        }
        Ok(())
    }
}

/// Which endpoint began the closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// This one.
    Local,
    /// The other one, or the network between.
    Peer,
}

/// How a connection ended. There is exactly one, and it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Whether both close frames passed (§7.1.4).
    pub clean: bool,
    /// The code of the peer's close frame (§7.1.5). Where that is all the RFC
    /// tells, this tells more: without such a frame, the code of the one that
    /// was sent; without either, [`CloseCode::ABNORMAL`].
    pub code: CloseCode,
    /// The reason that goes with the code (§7.1.6), at most 123 bytes.
    pub reason: String,
    /// Who began.
    pub initiator: Initiator,
    /// What went wrong, if something did.
    pub cause: Option<Error>,
}

impl Error {
    /// The code of the close frame that tells this fault to the peer, or
    /// `None` if no frame is sent for it: before the connection is open there
    /// are no frames, and behind the end of the stream nobody reads them.
    ///
    /// | fault | code |
    /// |---|---|
    /// | a rule of the protocol | 1002 |
    /// | text that is not UTF-8, compressed data that cannot be inflated | 1007 |
    /// | a message or frame too long, or inflated too far | 1009 |
    /// | too many fragments or control frames | 1008 |
    /// | no sign of life after a ping | 1011 |
    /// | idle for too long | 1001 |
    pub const fn close_code(self) -> Option<CloseCode> {
        Some(match self {
            Self::Protocol(ProtocolError::InvalidUtf8 | ProtocolError::InvalidDeflate) => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::Protocol(_) => CloseCode::PROTOCOL_ERROR,
            Self::Limit(
                LimitError::MessageTooLong | LimitError::FrameTooLong | LimitError::RatioTooHigh,
            ) => CloseCode::MESSAGE_TOO_BIG,
            Self::Limit(_) => CloseCode::POLICY_VIOLATION,
            Self::Timeout(DeadlineReason::Pong) => CloseCode::INTERNAL_ERROR,
            Self::Timeout(DeadlineReason::Idle) => CloseCode::GOING_AWAY,
            Self::Handshake(_) | Self::Timeout(_) | Self::UnexpectedEof | Self::NoEntropy => {
                return None;
            }
        })
    }
}

impl Error {
    /// Whose act a failure is.
    const fn initiator(self) -> Initiator {
        match self {
            Self::UnexpectedEof | Self::Handshake(HandshakeError::Refused(_)) => Initiator::Peer,
            _ => Initiator::Local,
        }
    }
}

/// The state of the closing handshake, see the head of this file.
#[derive(Debug, Default)]
pub(crate) enum Closing {
    /// No close frame has passed.
    #[default]
    Open,
    /// This endpoint sent one.
    Sent(Box<Close>),
    /// Both have passed.
    Done(Box<Outcome>),
    /// The connection failed, or was refused before it was open.
    Failed(Box<Outcome>),
}

impl Closing {
    /// A close frame goes out, the first of the two.
    pub(crate) fn send(&mut self, code: CloseCode, reason: &str) {
        *self = Self::Sent(Box::new(Close {
            code,
            reason: reason.into(),
        }));
    }

    /// A close frame came in. Tells whether it must be answered.
    pub(crate) fn receive(&mut self, close: &Close) -> bool {
        let initiator = match self {
            Self::Open => Initiator::Peer,
            Self::Sent(_) => Initiator::Local,
            Self::Done(_) | Self::Failed(_) => return false,
        };
        let Close { code, reason } = close.clone();
        let outcome = Outcome {
            clean: true,
            code,
            reason,
            initiator,
            cause: None,
        };
        *self = Self::Done(Box::new(outcome));
        initiator == Initiator::Peer
    }

    /// The connection fails. Tells the code of the close frame that is due.
    pub(crate) fn fail(&mut self, cause: Error) -> Option<CloseCode> {
        let due = cause.close_code();
        let (code, reason, initiator, due) = match core::mem::take(self) {
            Self::Open => (due, String::new(), cause.initiator(), due),
            Self::Sent(close) => (Some(close.code), close.reason, Initiator::Local, None),
            // One terminal outcome: it stands.
            ended @ (Self::Done(_) | Self::Failed(_)) => {
                *self = ended;
                return None;
            }
        };
        let code = code.unwrap_or(CloseCode::ABNORMAL);
        let outcome = Outcome {
            clean: false,
            code,
            reason,
            initiator,
            cause: Some(cause),
        };
        *self = Self::Failed(Box::new(outcome));
        due
    }

    /// A server answers the request with something else than 101.
    pub(crate) fn refuse(&mut self, status: u16) {
        let cause = Some(HandshakeError::Refused(status).into());
        let (code, reason) = (CloseCode::ABNORMAL, String::new());
        let initiator = Initiator::Local;
        *self = Self::Failed(Box::new(Outcome {
            clean: false,
            code,
            reason,
            initiator,
            cause,
        }));
    }

    /// How it ended, if it has.
    pub(crate) const fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Done(outcome) | Self::Failed(outcome) => Some(outcome),
            Self::Open | Self::Sent(_) => None,
        }
    }

    /// Heap bytes held.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Open => 0,
            Self::Sent(close) => size_of::<Close>() + close.reason.capacity(),
            Self::Done(outcome) | Self::Failed(outcome) => {
                size_of::<Outcome>() + outcome.reason.capacity()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close() -> Close {
        Close {
            code: CloseCode::from(4001),
            reason: "bye".into(),
        }
    }

    #[test]
    fn every_row_of_the_diagram() {
        let mut peer_first = Closing::default();
        assert!(peer_first.receive(&close()), "answered");
        let outcome = peer_first.outcome().unwrap().clone();
        assert_eq!((outcome.clean, outcome.initiator), (true, Initiator::Peer));
        assert_eq!((outcome.code.0, &*outcome.reason), (4001, "bye"));

        let mut local_first = Closing::default();
        local_first.send(CloseCode::NORMAL, "done");
        assert!(local_first.outcome().is_none());
        assert!(!local_first.receive(&close()), "not answered again");
        let outcome = local_first.outcome().unwrap();
        assert_eq!((outcome.clean, outcome.initiator), (true, Initiator::Local));

        let mut failed = Closing::default();
        assert_eq!(
            failed.fail(ProtocolError::MissingMask.into()),
            Some(CloseCode::PROTOCOL_ERROR)
        );
        let outcome = failed.outcome().unwrap();
        assert_eq!(
            (outcome.clean, outcome.initiator),
            (false, Initiator::Local)
        );
        assert_eq!(outcome.code, CloseCode::PROTOCOL_ERROR);

        let mut broken_off = Closing::default();
        broken_off.send(CloseCode::NORMAL, "done");
        assert_eq!(broken_off.fail(Error::UnexpectedEof), None);
        let outcome = broken_off.outcome().unwrap();
        assert_eq!((outcome.clean, outcome.code), (false, CloseCode::NORMAL));

        let mut lost = Closing::default();
        assert_eq!(lost.fail(Error::UnexpectedEof), None);
        let outcome = lost.outcome().unwrap();
        assert_eq!(
            (outcome.code, outcome.initiator),
            (CloseCode::ABNORMAL, Initiator::Peer)
        );
    }

    #[test]
    fn outcome_never_changes() {
        let mut closing = Closing::default();
        closing.receive(&close());
        let before = closing.outcome().cloned();
        assert!(!closing.receive(&Close {
            code: CloseCode::NORMAL,
            reason: String::new()
        }));
        assert_eq!(closing.fail(Error::UnexpectedEof), None);
        assert_eq!(closing.outcome().cloned(), before);
    }

    #[test]
    fn codes_that_may_be_sent() {
        let allowed = [1000..=1003, 1007..=1014, 3000..=4999];
        for code in 0..=u16::MAX {
            let expected = allowed.iter().any(|range| range.contains(&code));
            assert_eq!(CloseCode(code).may_be_sent(), expected, "{code}");
        }
    }
}
