//! A message that borrows nothing.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::{MessageKind, MessageRef};

/// A text or binary message (§5.6) that owns its payload.
///
/// The adapters return messages as this type. Clones share the payload, and where
/// the transport and the connection allow it, a large message is sent without
/// being copied.
///
/// ```
/// use sansocket::Message;
///
/// let message = Message::from("hello");
/// assert_eq!(message, Message::Text("hello".into()));
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(message.as_bytes(), b"hello");
///
/// match message {
///     Message::Text(text) => assert!(text.starts_with('h')),
///     Message::Binary(bytes) => panic!("{} bytes", bytes.len()),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "section 5.6 has no more")]
pub enum Message {
    /// UTF-8 text.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Returns whether the message is text or binary.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Returns the payload as bytes, which are UTF-8 for text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the text, or `None` for a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Converts into the payload as bytes, which are UTF-8 for text, without a
    /// copy.
    ///
    /// ```
    /// use sansocket::Message;
    ///
    /// let payload = vec![1, 2, 3];
    /// let address = payload.as_ptr();
    /// let bytes = Message::from(payload).into_bytes();
    /// assert_eq!(bytes, [1, 2, 3][..]);
    /// assert_eq!(bytes.as_ptr(), address); // not copied
    /// ```
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns `true` if the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

/// Displays the text of a text message, or the length of a binary message.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MessageRef::from(self).fmt(f)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&ByteString> for Message {
    /// Shares the text.
    fn from(text: &ByteString) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Cow<'_, str>> for Message {
    fn from(text: Cow<'_, str>) -> Self {
        Self::Text(text.into_owned().into())
    }
}

impl From<ByteString> for Message {
    fn from(text: ByteString) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&Vec<u8>> for Message {
    fn from(bytes: &Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&Bytes> for Message {
    /// Shares the bytes.
    fn from(bytes: &Bytes) -> Self {
        Self::Binary(bytes.clone())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<MessageRef<'_>> for Message {
    fn from(message: MessageRef<'_>) -> Self {
        message.into_owned()
    }
}
