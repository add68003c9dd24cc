//! Messages (§5.4, §6): their types, the order of their fragments, UTF-8, and the
//! limits on them.

#[cfg(feature = "std")]
use alloc::boxed::Box;

mod assembler;
mod borrowed;
mod fragmentation;
mod large;
mod owned;
mod prepared;
mod receiver;
pub(crate) mod utf8;

#[cfg(feature = "std")]
pub(crate) use assembler::Assembler;
pub(crate) use assembler::Piece;
pub use borrowed::MessageRef;
#[cfg(feature = "std")]
pub(crate) use large::release_large;
pub use owned::Message;
pub(crate) use prepared::Framed;
pub use prepared::Prepared;
pub(crate) use receiver::{Received, Receiver, Taken};

use crate::budget::Budget;
#[cfg(feature = "std")]
use crate::error::ConnectionError;
use crate::frame::Opcode;

/// How received messages are delivered, see
/// [`Config::with_delivery`](crate::Config::with_delivery).
///
/// ```
/// use sansocket::{Agreement, Config, Connection, Delivery, Event, Fragment, Input, Role};
///
/// let config = Config::new().with_delivery(Delivery::Fragments);
/// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
/// // The first two of four bytes.
/// let (mut half, mut out) = (*b"\x82\x04ab", Vec::new());
/// let event = ws.receive(&mut Input::new(&mut half), &mut out);
/// assert_eq!(event, Some(Event::Fragment(Fragment::more(b"ab"))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "complete or in pieces")]
pub enum Delivery {
    /// Complete, as [`Event::Message`](crate::Event::Message).
    #[default]
    Messages,
    /// Piece by piece as they arrive, as
    /// [`Event::Fragment`](crate::Event::Fragment). Nothing is kept in memory, so
    /// a message can have any length.
    Fragments,
}

/// How messages are received.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) delivery: Delivery,
    pub(crate) allow_invalid_utf8: bool,
    /// The maximum length of an unfragmented message, in bytes.
    pub(crate) max_borrowed_len: usize,
    /// The memory for incomplete messages, shared by all connections.
    pub(crate) budget: Budget,
}

/// The limits on one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of payload in a message; `usize::MAX` means no limit.
    pub(crate) max_message_len: usize,
    /// Bytes of payload in a frame.
    pub(crate) max_frame_len: usize,
    /// Frames in a message, including empty ones.
    pub(crate) max_fragments: u32,
}

impl Limits {
    /// How many bytes a compressed message of this many frames may have on the
    /// wire. This includes what deflate adds to data that it cannot compress, in
    /// blocks as short as any encoder makes them, and a flush in each frame.
    #[cfg(feature = "deflate")]
    fn max_compressed_len(&self, frames: u32) -> u64 {
        let len = self.max_message_len as u64;
        let flushes = u64::from(frames).saturating_mul(16);
        (len.saturating_add(len / 8)).saturating_add(flushes.saturating_add(1024))
    }
}

/// The type of a message: text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "section 5.6 has no more")]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A piece of a message, received with
/// [`Delivery::Fragments`](crate::Delivery::Fragments) or sent with
/// [`send_fragment`](crate::Connection::send_fragment).
///
/// A received piece is as much of a frame as one read returned, so its boundaries
/// can differ from those that the sender chose. Text is always split at a
/// character boundary.
///
/// ```
/// use sansocket::{Agreement, Config, Connection, Fragment, Role};
///
/// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &Config::new());
/// let mut out = Vec::new();
/// let mut lines = ["one\n", "two\n"].iter().peekable();
/// while let Some(line) = lines.next() {
///     let fin = lines.peek().is_none();
///     ws.send_fragment(Fragment { payload: (*line).into(), fin }, &mut out)?;
/// }
/// assert_eq!(out, b"\x01\x04one\n\x80\x04two\n");
/// # Ok::<(), sansocket::SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "applications make fragments")]
pub struct Fragment<'a> {
    /// The payload of the piece. All pieces of a message have the same type.
    pub payload: MessageRef<'a>,
    /// Whether this is the last piece of its message.
    pub fin: bool,
}

impl<'a> Fragment<'a> {
    /// Creates a piece that is followed by others.
    pub fn more(payload: impl Into<MessageRef<'a>>) -> Self {
        Self {
            payload: payload.into(),
            fin: false,
        }
    }

    /// Creates the last piece of a message.
    pub fn last(payload: impl Into<MessageRef<'a>>) -> Self {
        Self {
            payload: payload.into(),
            fin: true,
        }
    }
}

impl Fragment<'_> {
    /// Converts into a fragment that borrows nothing, copying the payload if it was
    /// borrowed.
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
    budget: &Budget,
) -> Result<Option<Message>, ConnectionError> {
    if fragment.fin && partial.is_none() {
        return Ok(Some(fragment.payload.into_owned()));
    }
    let kind = fragment.payload.kind();
    let assembler = partial.get_or_insert_with(|| Box::new(Assembler::new(kind)));
    assembler.join(&fragment.payload, budget)?;
    let whole = partial.take_if(|_| fragment.fin);
    Ok(whole.map(|whole| whole.into_message()).transpose()?)
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
