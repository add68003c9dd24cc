//! A message that borrows where that saves a copy.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Message, MessageKind};

/// A text or binary message (§5.6) whose payload is borrowed or owned.
///
/// A [`Connection`](crate::Connection) delivers messages as this type. The payload
/// is borrowed from the caller's input if the message arrived in one piece, and
/// owned if it had to be assembled. The `send` methods accept everything that
/// converts into it: `&str`, `&[u8]`, `&Message`, and owned payloads.
///
/// ```
/// use sansocket::{Message, MessageRef};
///
/// let message = MessageRef::from("hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// let kept: Message = message.into_owned();
/// assert_eq!(kept, Message::from("hello"));
/// ```
#[derive(Clone)]
pub struct MessageRef<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Message(&'a Message),
    OwnedText(ByteString),
    OwnedBinary(Bytes),
}

impl<'a> MessageRef<'a> {
    /// Returns whether the message is text or binary.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        match &self.0 {
            Repr::Text(_) | Repr::OwnedText(_) => MessageKind::Text,
            Repr::Binary(_) | Repr::OwnedBinary(_) => MessageKind::Binary,
            Repr::Message(message) => message.kind(),
        }
    }

    /// Returns the payload as bytes, which are UTF-8 for text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Text(text) => text.as_bytes(),
            Repr::Binary(bytes) => bytes,
            Repr::Message(message) => message.as_bytes(),
            Repr::OwnedText(text) => text.as_bytes(),
            Repr::OwnedBinary(bytes) => bytes,
        }
    }

    /// Returns the text, or `None` for a binary message.
    #[inline]
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Repr::Text(text) => Some(text),
            Repr::OwnedText(text) => Some(text),
            Repr::Binary(_) | Repr::OwnedBinary(_) => None,
            Repr::Message(message) => message.as_text(),
        }
    }

    /// Returns the length of the payload in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns `true` if the payload is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Converts into an owned message. Copies the payload, unless it is owned or
    /// borrowed from a [`Message`], which shares it.
    #[inline]
    pub fn into_owned(self) -> Message {
        match self.0 {
            Repr::Text(text) => text.into(),
            Repr::Binary(bytes) => bytes.into(),
            Repr::Message(message) => message.clone(),
            Repr::OwnedText(text) => text.into(),
            Repr::OwnedBinary(bytes) => bytes.into(),
        }
    }

    /// The payload in shareable form, or else the slice that it is borrowed from.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(crate) fn into_shared(self) -> Result<Bytes, &'a [u8]> {
        match self.0 {
            Repr::Text(text) => Err(text.as_bytes()),
            Repr::Binary(bytes) => Err(bytes),
            Repr::Message(message) => Ok(message.clone().into_bytes()),
            Repr::OwnedText(text) => Ok(text.into_bytes()),
            Repr::OwnedBinary(bytes) => Ok(bytes),
        }
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => f.debug_tuple("Text").field(&text).finish(),
            None => f.debug_tuple("Binary").field(&self.as_bytes()).finish(),
        }
    }
}

/// Displays the text of a text message, or the length of a binary message.
impl fmt::Display for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => f.pad(text),
            None => write!(f, "{} bytes", self.len()),
        }
    }
}

impl PartialEq for MessageRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for MessageRef<'_> {}

impl<'a> From<&'a str> for MessageRef<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self(Repr::Text(text))
    }
}

impl<'a> From<&'a String> for MessageRef<'a> {
    fn from(text: &'a String) -> Self {
        Self(Repr::Text(text))
    }
}

impl<'a> From<&'a ByteString> for MessageRef<'a> {
    fn from(text: &'a ByteString) -> Self {
        Self(Repr::Text(text))
    }
}

impl From<String> for MessageRef<'_> {
    fn from(text: String) -> Self {
        ByteString::from(text).into()
    }
}

impl From<ByteString> for MessageRef<'_> {
    #[inline]
    fn from(text: ByteString) -> Self {
        Self(Repr::OwnedText(text))
    }
}

impl<'a> From<Cow<'a, str>> for MessageRef<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl<'a> From<&'a [u8]> for MessageRef<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self(Repr::Binary(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for MessageRef<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Repr::Binary(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for MessageRef<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(Repr::Binary(bytes))
    }
}

impl<'a> From<&'a Bytes> for MessageRef<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self(Repr::Binary(bytes))
    }
}

impl From<Vec<u8>> for MessageRef<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<Bytes> for MessageRef<'_> {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self(Repr::OwnedBinary(bytes))
    }
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    #[inline]
    fn from(message: &'a Message) -> Self {
        Self(Repr::Message(message))
    }
}

impl From<Message> for MessageRef<'_> {
    #[inline]
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes.into(),
        }
    }
}

impl<'a> From<&'a MessageRef<'_>> for MessageRef<'a> {
    fn from(message: &'a MessageRef<'_>) -> Self {
        match &message.0 {
            Repr::Message(message) => Self(Repr::Message(message)),
            Repr::Text(text) => (*text).into(),
            Repr::OwnedText(text) => text.into(),
            Repr::Binary(bytes) => (*bytes).into(),
            Repr::OwnedBinary(bytes) => bytes.into(),
        }
    }
}
