//! Messages (§5.4, §6): what applications send and receive.
//!
//! Knows the kinds of messages, the order of their fragments, UTF-8 and the
//! limits on them; knows nothing of connections, closing or time.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

mod assembler;
mod fragmentation;
mod prepared;
mod receiver;
pub(crate) mod utf8;

pub(crate) use assembler::Piece;
pub(crate) use prepared::Framed;
pub use prepared::Prepared;
pub(crate) use receiver::{Received, Receiver, Taken};

use crate::frame::Opcode;

/// How messages are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Whole, as [`Event::Message`](crate::Event::Message).
    #[default]
    Messages,
    /// Piece by piece as they arrive, as
    /// [`Event::Fragment`](crate::Event::Fragment). Nothing is kept, so a
    /// message of any length passes through the memory of one read.
    Fragments,
}

/// How messages are received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) delivery: Delivery,
    pub(crate) allow_invalid_utf8: bool,
    /// The longest message that one frame may hold, in bytes.
    pub(crate) max_lent_len: usize,
}

/// How much a peer may put into one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of payload in a message; `usize::MAX` is no limit.
    pub(crate) max_message_len: usize,
    /// Bytes of payload in a frame.
    pub(crate) max_frame_len: usize,
    /// Frames in a message, empty ones included.
    pub(crate) max_fragments: u32,
}

impl Limits {
    /// How many bytes a compressed message of so many frames may have on the
    /// wire: room for what deflate adds to data that it cannot compress, in
    /// blocks as short as any encoder makes them, and for a flush in each frame.
    #[cfg(feature = "deflate")]
    fn max_compressed_len(&self, frames: u32) -> u64 {
        let len = self.max_message_len as u64;
        let flushes = u64::from(frames).saturating_mul(16);
        (len.saturating_add(len / 8)).saturating_add(flushes.saturating_add(1024))
    }
}

/// A text or binary message (§5.6), the same type received and sent.
///
/// A received message borrows from the input where it lay whole in it, and is
/// owned where it had to be assembled.
///
/// ```
/// use sansocket::Message;
///
/// let message = Message::from("hello");
/// assert_eq!(message, Message::Text("hello".into()));
/// assert_eq!(message.as_bytes(), b"hello");
/// let kept: Message<'static> = message.into_owned();
/// # let _ = kept;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
}

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A piece of a message, received under
/// [`Delivery::Fragments`](crate::Delivery::Fragments) or sent with
/// [`send_fragment`](crate::Connection::send_fragment).
///
/// A received piece is what one read brought of a frame: its borders need not
/// be those that the sender chose. Text is cut between characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fragment<'a> {
    /// The piece. All pieces of a message are of the same kind.
    pub payload: Message<'a>,
    /// Whether the message ends with this piece.
    pub fin: bool,
}

impl<'a> Fragment<'a> {
    /// A piece that others follow.
    pub fn more(payload: impl Into<Message<'a>>) -> Self {
        Self {
            payload: payload.into(),
            fin: false,
        }
    }

    /// The last piece of a message.
    pub fn last(payload: impl Into<Message<'a>>) -> Self {
        Self {
            payload: payload.into(),
            fin: true,
        }
    }
}

impl Fragment<'_> {
    /// A fragment that borrows nothing. Copies what was borrowed.
    pub fn into_owned(self) -> Fragment<'static> {
        Fragment {
            payload: self.payload.into_owned(),
            fin: self.fin,
        }
    }
}

impl Message<'_> {
    /// A message that borrows nothing. Copies what was borrowed, into exactly
    /// as many bytes.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
        }
    }

    /// The payload in bytes: of text, its UTF-8.
    #[inline]
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_owned().into_bytes(),
            Self::Binary(bytes) => bytes.into_owned(),
        }
    }

    /// The payload in bytes: of text, its UTF-8.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if this is a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Whether this is text or binary.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

/// Joins a fragment to those before it. Gives back the message once it is
/// whole.
#[cfg(feature = "std")]
pub(crate) fn join_fragments(
    begun: &mut Option<Message<'static>>,
    fragment: Fragment<'_>,
) -> Option<Message<'static>> {
    let joined = match (begun.take(), fragment.payload) {
        (Some(Message::Text(text)), Message::Text(next)) => {
            let mut text = text.into_owned();
            text.push_str(&next);
            text.into()
        }
        (Some(Message::Binary(bytes)), Message::Binary(next)) => {
            let mut bytes = bytes.into_owned();
            bytes.extend_from_slice(&next);
            bytes.into()
        }
        (_, next) => next.into_owned(),
    };
    if fragment.fin {
        return Some(joined);
    }
    *begun = Some(joined);
    None
}

impl MessageKind {
    /// The opcode of the message's first frame.
    #[inline]
    pub(crate) const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

impl<'a> From<&'a str> for Message<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Message<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Message<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Message<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Message<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(Cow::Owned(bytes))
    }
}

impl<'a> From<&'a Message<'_>> for Message<'a> {
    fn from(message: &'a Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(Cow::Borrowed(text)),
            Message::Binary(bytes) => Self::Binary(Cow::Borrowed(bytes)),
        }
    }
}
