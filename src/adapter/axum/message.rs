//! Messages and control frames in the form that axum's handlers use.

use core::str;
use std::string::String;
use std::vec::Vec;

use axum_core::Error;
use bytes::Bytes;

use super::utf8_bytes::Utf8Bytes;
use crate::close::{Close, CloseCode as Code};

/// A status code of the closing handshake, see [`close_code`](super::close_code).
pub type CloseCode = u16;

/// The content of a close frame.
///
/// ```
/// use sansocket::axum::{CloseFrame, Message, close_code};
///
/// let frame = CloseFrame { code: close_code::AWAY, reason: "restart".into() };
/// assert_eq!(Message::Close(Some(frame)).to_text()?, "restart");
/// # Ok::<(), axum_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "section 5.5.1 has no more")]
pub struct CloseFrame {
    /// The status code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes. A longer one is truncated when it is sent.
    pub reason: Utf8Bytes,
}

/// A message or a control frame, received or to be sent.
///
/// Clones share the payload.
///
/// ```
/// use sansocket::axum::Message;
///
/// let message = Message::text("hello");
/// assert_eq!(message.to_text()?, "hello");
/// assert_eq!(sansocket::Message::try_from(message), Ok("hello".into()));
/// # Ok::<(), axum_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "section 5.5 and 5.6 have no more")]
pub enum Message {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping with at most 125 bytes. A received ping has already been answered, unless
    /// [`with_auto_pong`](crate::Config::with_auto_pong) is off.
    Ping(Bytes),
    /// A pong with at most 125 bytes: the answer to a ping of the handler or of the
    /// [keepalive](crate::Config::with_ping_interval).
    Pong(Bytes),
    /// A close frame, or `None` for an empty one. A received close frame has already been
    /// answered, and is the last message. Sending one starts the closing handshake:
    /// messages are received until the peer's close frame arrives.
    Close(Option<CloseFrame>),
}

impl Message {
    /// Creates a text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// Creates a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Converts into the payload without a copy, or into the reason of a close frame.
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(frame) => frame.map(|frame| frame.reason.into()).unwrap_or_default(),
        }
    }

    /// Converts into the payload as text without a copy, or into the reason of a close
    /// frame.
    ///
    /// # Errors
    ///
    /// If the payload is not UTF-8.
    ///
    /// ```
    /// use sansocket::axum::Message;
    ///
    /// assert_eq!(Message::binary(b"caf\xc3\xa9".to_vec()).into_text()?, "café");
    /// assert!(Message::binary(b"caf\xe9".to_vec()).into_text().is_err());
    /// # Ok::<(), axum_core::Error>(())
    /// ```
    pub fn into_text(self) -> Result<Utf8Bytes, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Close(frame) => Ok(frame.map(|frame| frame.reason).unwrap_or_default()),
            bytes => bytes.into_data().try_into().map_err(Error::new),
        }
    }

    /// Returns the payload as text, or the reason of a close frame.
    ///
    /// # Errors
    ///
    /// If the payload is not UTF-8.
    pub fn to_text(&self) -> Result<&str, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => {
                str::from_utf8(bytes).map_err(Error::new)
            }
            Self::Close(frame) => Ok(frame.as_ref().map_or("", |frame| &frame.reason)),
        }
    }
}

impl CloseFrame {
    /// What an endpoint received: `None` for an empty frame.
    pub(super) fn received(close: Close) -> Option<Self> {
        let frame = Self {
            code: close.code.into(),
            reason: close.reason.into(),
        };
        (close.code != Code::NO_STATUS).then_some(frame)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Message> for Vec<u8> {
    fn from(message: Message) -> Self {
        message.into_data().into()
    }
}

impl From<crate::Message> for Message {
    fn from(message: crate::Message) -> Self {
        match message {
            crate::Message::Text(text) => Self::text(text),
            crate::Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// A control frame is returned as it is.
impl TryFrom<Message> for crate::Message {
    type Error = Message;

    fn try_from(message: Message) -> Result<Self, Message> {
        match message {
            Message::Text(text) => Ok(Self::Text(text.into())),
            Message::Binary(bytes) => Ok(Self::Binary(bytes)),
            control => Err(control),
        }
    }
}
