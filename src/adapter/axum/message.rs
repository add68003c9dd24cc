//! Messages and control frames, as axum's handlers match on them.

use core::str;
use std::string::String;
use std::vec::Vec;

use axum_core::Error;
use bytes::Bytes;

use super::utf8_bytes::Utf8Bytes;
use crate::close::{Close, CloseCode as Code};

/// A status code of the closing handshake, see [`close_code`](super::close_code).
pub type CloseCode = u16;

/// What a close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "section 5.5.1 has no more")]
pub struct CloseFrame {
    /// Why.
    pub code: CloseCode,
    /// The reason as text, at most 123 bytes; what is sent is cut to that.
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
    /// A ping with at most 125 bytes. One that was received is already answered,
    /// unless [`with_auto_pong`](crate::Config::with_auto_pong) is off.
    Ping(Bytes),
    /// A pong with at most 125 bytes: the answer to a ping of the handler's or of
    /// [`with_ping_interval`](crate::Config::with_ping_interval).
    Pong(Bytes),
    /// A close frame; `None` if it is empty. One that was received is already
    /// answered, and is the last message. One that is sent begins the closing
    /// handshake: messages are received until the peer's comes.
    Close(Option<CloseFrame>),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload, without copying it; of a close frame, its reason.
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(frame) => frame.map(|frame| frame.reason.into()).unwrap_or_default(),
        }
    }

    /// The payload as text, without copying it; of a close frame, its reason.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn into_text(self) -> Result<Utf8Bytes, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Close(frame) => Ok(frame.map(|frame| frame.reason).unwrap_or_default()),
            bytes => bytes.into_data().try_into().map_err(Error::new),
        }
    }

    /// The payload as text; of a close frame, its reason.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
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
