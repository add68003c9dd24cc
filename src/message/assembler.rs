//! The assembler, for messages that are not contained in one input.
//!
//! Memory grows with what was received, never with what was declared: it is at
//! most twice the bytes received, whatever the lengths in the headers say.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use bytestring::ByteString;

#[cfg(feature = "std")]
use super::MessageRef;
use super::utf8::Utf8;
use super::{Message, MessageKind, Settings, large};
use crate::budget::{Budget, Reservation};
use crate::error::{ConnectionError, LimitError, ProtocolError};
use crate::frame::Mask;

/// The pieces of one message, joined.
#[derive(Debug)]
pub(crate) struct Assembler {
    payload: Payload,
    /// What a long message draws from the budget.
    reservation: Option<Reservation>,
}

#[derive(Debug)]
enum Payload {
    /// Grows by validated pieces, so that no byte is checked twice.
    Text(String),
    /// Bytes, unchecked.
    Binary(Vec<u8>),
}

/// The least room that is worth a read of its own. Into a read buffer, what follows the
/// payload is read too.
const MIN_ROOM_LEN: usize = 32 * 1024;

/// A piece of payload on its way into the assembler.
#[derive(Debug)]
pub(crate) struct Piece<'p, 'i> {
    /// The bytes, still masked if there is a mask.
    pub(crate) bytes: &'i mut [u8],
    /// The mask, if any.
    pub(crate) mask: Option<&'p mut Mask>,
    /// An upper bound for the bytes of the message that follow.
    pub(crate) max_rest: usize,
    /// Whether it is the last piece of the message.
    pub(crate) ends_message: bool,
}

impl<'i> Piece<'_, 'i> {
    /// The bytes without their mask.
    #[inline]
    pub(super) fn unmask(&mut self) -> &'i [u8] {
        let bytes = core::mem::take(&mut self.bytes);
        if let Some(mask) = self.mask.take() {
            mask.apply(bytes);
        }
        bytes
    }
}

/// Appends a piece to those before it. Returns the message once it is complete.
/// Text is validated, or repaired if invalid text is allowed.
pub(super) fn assemble(
    assembler: &mut Option<Box<Assembler>>,
    kind: MessageKind,
    piece: Piece<'_, '_>,
    utf8: &mut Utf8,
    settings: &Settings,
) -> Result<Option<Message>, ConnectionError> {
    let ends_message = piece.ends_message;
    assembler
        .get_or_insert_with(|| Box::new(Assembler::new(kind)))
        .push(piece, utf8, settings)?;
    if !ends_message {
        return Ok(None);
    }
    finish(assembler, utf8)
}

/// Takes the complete message.
pub(super) fn finish(
    assembler: &mut Option<Box<Assembler>>,
    utf8: &mut Utf8,
) -> Result<Option<Message>, ConnectionError> {
    utf8.end()?;
    let whole = assembler.take().map(|whole| whole.into_message());
    Ok(whole.transpose()?)
}

impl Assembler {
    pub(super) const fn new(kind: MessageKind) -> Self {
        let payload = match kind {
            MessageKind::Text => Payload::Text(String::new()),
            MessageKind::Binary => Payload::Binary(Vec::new()),
        };
        Self {
            payload,
            reservation: None,
        }
    }

    #[inline]
    pub(super) fn push(
        &mut self,
        piece: Piece<'_, '_>,
        utf8: &mut Utf8,
        settings: &Settings,
    ) -> Result<(), ConnectionError> {
        let mut room = Room {
            reservation: &mut self.reservation,
            budget: &settings.budget,
            max_rest: piece.max_rest,
        };
        match &mut self.payload {
            Payload::Text(text) if settings.allow_invalid_utf8 => {
                push_lossy(text, piece, utf8, &mut room)
            }
            Payload::Text(text) => push_text(text, piece, utf8, &mut room),
            Payload::Binary(bytes) => push_binary(bytes, piece, &mut room),
        }
    }

    /// The payload, if there is room for all but the last of `rest_len` more bytes, or
    /// for many of them. `None` if it is text, which is checked before it is appended.
    pub(super) fn with_room(&mut self, rest_len: usize) -> Option<&mut Vec<u8>> {
        let min_len = rest_len.min(MIN_ROOM_LEN);
        match &mut self.payload {
            Payload::Binary(bytes) if bytes.capacity() - bytes.len() >= min_len => Some(bytes),
            _ => None,
        }
    }

    /// Appends a piece that has been checked already.
    #[cfg(feature = "std")]
    pub(super) fn join(
        &mut self,
        piece: &MessageRef<'_>,
        budget: &Budget,
    ) -> Result<(), LimitError> {
        self.check_memory(budget)?;
        let mut room = Room {
            reservation: &mut self.reservation,
            budget,
            max_rest: usize::MAX,
        };
        match &mut self.payload {
            Payload::Text(text) => {
                text.reserve_exact(room.growth(text.len(), text.capacity(), piece.len())?);
                text.push_str(piece.as_text().unwrap_or_default());
            }
            Payload::Binary(bytes) => {
                bytes.reserve_exact(room.growth(bytes.len(), bytes.capacity(), piece.len())?);
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
        Ok(())
    }

    /// The message. A large text is validated again, in one go: a `ByteString` of a
    /// `String` needs no check, but nothing would run when its last clone is dropped, to
    /// shrink the buffer and return the reservation.
    pub(super) fn into_message(mut self) -> Result<Message, ProtocolError> {
        let is_large = large::is_large(self.len());
        match self.payload.take() {
            Payload::Text(text) if is_large => {
                let bytes = large::into_bytes(text.into_bytes(), self.reservation.take());
                let text = ByteString::try_from(bytes).map_err(|_| ProtocolError::InvalidUtf8);
                text.map(Message::Text)
            }
            Payload::Binary(bytes) if is_large => {
                let bytes = large::into_bytes(bytes, self.reservation.take());
                Ok(Message::Binary(bytes))
            }
            Payload::Text(text) => Ok(text.into()),
            Payload::Binary(bytes) => Ok(bytes.into()),
        }
    }

    /// Whether the message is too large for the budget by now.
    pub(super) fn check_memory(&self, budget: &Budget) -> Result<(), LimitError> {
        budget.check(self.reservation.as_ref())
    }

    const fn len(&self) -> usize {
        match &self.payload {
            Payload::Text(text) => text.len(),
            Payload::Binary(bytes) => bytes.len(),
        }
    }

    /// Heap bytes held.
    pub(crate) const fn memory_usage(&self) -> usize {
        match &self.payload {
            Payload::Text(text) => text.capacity(),
            Payload::Binary(bytes) => bytes.capacity(),
        }
    }
}

impl Drop for Assembler {
    #[inline]
    fn drop(&mut self) {
        if large::is_large(self.memory_usage()) {
            match self.payload.take() {
                Payload::Text(text) => large::release_large(text.into_bytes()),
                Payload::Binary(bytes) => large::release_large(bytes),
            }
        }
    }
}

impl Payload {
    fn take(&mut self) -> Self {
        mem::replace(self, Self::Binary(Vec::new()))
    }
}

/// Where a growing payload gets its memory from.
struct Room<'r> {
    reservation: &'r mut Option<Reservation>,
    budget: &'r Budget,
    /// An upper bound for the bytes of the message that follow.
    max_rest: usize,
}

impl Room<'_> {
    /// How much to reserve after `len` bytes, for `added` more. It is drawn from the
    /// budget first.
    #[inline]
    fn growth(&mut self, len: usize, capacity: usize, added: usize) -> Result<usize, LimitError> {
        if len + added <= capacity {
            return Ok(added);
        }
        let growth = growth(len, added, self.max_rest);
        self.budget.reserve(self.reservation, len + growth)?;
        Ok(growth)
    }
}

fn push_lossy(
    text: &mut String,
    mut piece: Piece<'_, '_>,
    utf8: &mut Utf8,
    room: &mut Room<'_>,
) -> Result<(), ConnectionError> {
    let repaired = utf8.push_lossy(piece.unmask(), piece.ends_message);
    text.reserve_exact(room.growth(text.len(), text.capacity(), repaired.len())?);
    text.push_str(&repaired);
    Ok(())
}

fn push_text(
    text: &mut String,
    mut piece: Piece<'_, '_>,
    utf8: &mut Utf8,
    room: &mut Room<'_>,
) -> Result<(), ConnectionError> {
    let bytes = piece.unmask();
    let added = utf8.partial_len() + bytes.len();
    text.reserve_exact(room.growth(text.len(), text.capacity(), added)?);
    let (completed, rest) = utf8.push(bytes)?;
    text.extend(completed);
    text.push_str(rest);
    Ok(())
}

#[inline]
fn push_binary(
    bytes: &mut Vec<u8>,
    piece: Piece<'_, '_>,
    room: &mut Room<'_>,
) -> Result<(), ConnectionError> {
    bytes.reserve_exact(room.growth(bytes.len(), bytes.capacity(), piece.bytes.len())?);
    match piece.mask {
        Some(mask) => mask.append(piece.bytes, bytes),
        None => bytes.extend_from_slice(piece.bytes),
    }
    Ok(())
}

/// How much room to reserve after `len` bytes, for `added` more that do not fit.
///
/// Doubling keeps reallocations few. If the end of the message is known, the room
/// does not exceed it; and a length that is only declared counts for no more than
/// what was received.
fn growth(len: usize, added: usize, max_rest: usize) -> usize {
    let needed = len + added;
    let wanted = needed
        .saturating_mul(2)
        .min(needed.saturating_add(max_rest));
    wanted - len
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first bytes of a character are appended with its last one.
    #[test]
    fn split_character_takes_no_more_than_the_message() {
        let text = "\u{1f980}".repeat(64 * 1024);
        let len = text.len();
        let settings = crate::Config::new().settings().message.clone();
        let (mut assembler, mut utf8) = (Assembler::new(MessageKind::Text), Utf8::default());
        let mut pieces = text.into_bytes();
        let mut start = 0;
        for end in [len / 2 - 9, len - 5, len] {
            let piece = Piece {
                bytes: &mut pieces[start..end],
                mask: None,
                max_rest: len - end,
                ends_message: false,
            };
            assembler.push(piece, &mut utf8, &settings).unwrap();
            start = end;
        }
        assert_eq!(assembler.len(), len);
        assert_eq!(assembler.memory_usage(), len);
    }
}
