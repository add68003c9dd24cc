//! Messages (§5.4, §6): what applications send and receive.
//!
//! Knows the kinds of messages, the order of their fragments, UTF-8 and the
//! limits on them; knows nothing of connections, closing or time.

#[cfg(feature = "std")]
use alloc::boxed::Box;

mod assembler;
mod borrowed;
mod fragmentation;
mod owned;
mod prepared;
mod receiver;
pub(crate) mod utf8;

#[cfg(feature = "std")]
pub(crate) use assembler::Assembler;
pub(crate) use assembler::Piece;
pub use borrowed::MessageRef;
pub use owned::Message;
pub(crate) use prepared::Framed;
pub use prepared::Prepared;
pub(crate) use receiver::{Received, Receiver, Taken};

use crate::frame::Opcode;

/// How messages are delivered.
///
/// ```
/// use sansocket::{Agreement, Config, Connection, Delivery, Event, Fragment, Input, Role};
///
/// let config = Config::new().with_delivery(Delivery::Fragments);
/// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
/// let (mut half, mut out) = (*b"\x82\x04ab", Vec::new());
/// let event = ws.receive(&mut Input::new(&mut half), &mut out);
/// assert_eq!(event, Some(Event::Fragment(Fragment::more(b"ab"))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whole or in pieces")]
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
    pub(crate) max_borrowed_len: usize,
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

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "section 5.6 has no more")]
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "applications make fragments")]
pub struct Fragment<'a> {
    /// The piece. All pieces of a message are of the same kind.
    pub payload: MessageRef<'a>,
    /// Whether the message ends with this piece.
    pub fin: bool,
}

impl<'a> Fragment<'a> {
    /// A piece that others follow.
    pub fn more(payload: impl Into<MessageRef<'a>>) -> Self {
        Self {
            payload: payload.into(),
            fin: false,
        }
    }

    /// The last piece of a message.
    pub fn last(payload: impl Into<MessageRef<'a>>) -> Self {
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
            payload: self.payload.into_owned().into(),
            fin: self.fin,
        }
    }
}

/// Joins a fragment to those before it. Returns the message once it is complete.
#[cfg(feature = "std")]
pub(crate) fn join_fragments(
    partial: &mut Option<Box<Assembler>>,
    fragment: Fragment<'_>,
) -> Option<Message> {
    if fragment.fin && partial.is_none() {
        return Some(fragment.payload.into_owned());
    }
    let kind = fragment.payload.kind();
    let assembler = partial.get_or_insert_with(|| Box::new(Assembler::new(kind)));
    assembler.join(&fragment.payload);
    partial
        .take_if(|_| fragment.fin)
        .map(|assembler| assembler.into_message())
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
