//! The assembler, for messages that are not contained in one input.
//!
//! Memory grows with what was received, never with what was declared: it is at
//! most twice the bytes received, whatever the lengths in the headers say.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "std")]
use super::MessageRef;
use super::utf8::Utf8;
use super::{Message, MessageKind};
use crate::error::ProtocolError;
use crate::frame::Mask;

/// The pieces of one message, joined.
#[derive(Debug)]
pub(crate) enum Assembler {
    /// Grows by validated pieces, so that no byte is checked twice.
    Text(String),
    /// Bytes, unchecked.
    Binary(Vec<u8>),
}

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
/// Text is validated, or repaired if `lossy`.
pub(super) fn assemble(
    assembler: &mut Option<Box<Assembler>>,
    kind: MessageKind,
    piece: Piece<'_, '_>,
    utf8: &mut Utf8,
    lossy: bool,
) -> Result<Option<Message>, ProtocolError> {
    let ends_message = piece.ends_message;
    assembler
        .get_or_insert_with(|| Box::new(Assembler::new(kind)))
        .push(piece, utf8, lossy)?;
    if !ends_message {
        return Ok(None);
    }
    let whole = assembler.take().map(|whole| whole.finish(utf8));
    whole.transpose()
}

impl Assembler {
    pub(super) const fn new(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text(String::new()),
            MessageKind::Binary => Self::Binary(Vec::new()),
        }
    }

    fn push(
        &mut self,
        piece: Piece<'_, '_>,
        utf8: &mut Utf8,
        lossy: bool,
    ) -> Result<(), ProtocolError> {
        match self {
            Self::Text(text) => push_text(text, piece, utf8, lossy),
            Self::Binary(bytes) => {
                push_binary(bytes, piece);
                Ok(())
            }
        }
    }

    /// The complete message: text must not end inside a character.
    fn finish(self, utf8: &mut Utf8) -> Result<Message, ProtocolError> {
        utf8.end()?;
        Ok(self.into_message())
    }

    /// Appends a piece that has been checked already.
    #[cfg(feature = "std")]
    pub(super) fn join(&mut self, piece: &MessageRef<'_>) {
        match self {
            Self::Text(text) => text.push_str(piece.as_text().unwrap_or_default()),
            Self::Binary(bytes) => bytes.extend_from_slice(piece.as_bytes()),
        }
    }

    pub(super) fn into_message(self) -> Message {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes.into(),
        }
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        }
    }
}

fn push_text(
    text: &mut String,
    piece: Piece<'_, '_>,
    utf8: &mut Utf8,
    lossy: bool,
) -> Result<(), ProtocolError> {
    if let Some(mask) = piece.mask {
        mask.apply(piece.bytes);
    }
    if lossy {
        text.push_str(&utf8.push_lossy(piece.bytes, piece.ends_message));
        return Ok(());
    }
    text.reserve_exact(growth(
        text.len(),
        text.capacity(),
        piece.bytes.len() + 1,
        piece.max_rest,
    ));
    let (completed, rest) = utf8.push(piece.bytes)?;
    text.extend(completed);
    text.push_str(rest);
    Ok(())
}

fn push_binary(bytes: &mut Vec<u8>, piece: Piece<'_, '_>) {
    bytes.reserve_exact(growth(
        bytes.len(),
        bytes.capacity(),
        piece.bytes.len(),
        piece.max_rest,
    ));
    match piece.mask {
        Some(mask) => mask.append(piece.bytes, bytes),
        None => bytes.extend_from_slice(piece.bytes),
    }
}

/// How much room to reserve after `len` bytes, for `added` more.
///
/// Doubling keeps reallocations few. If the end of the message is known, the room
/// does not exceed it; and a length that is only declared counts for no more than
/// what was received.
fn growth(len: usize, capacity: usize, added: usize, max_rest: usize) -> usize {
    let needed = len + added;
    if needed <= capacity {
        return added;
    }
    let wanted = needed
        .saturating_mul(2)
        .min(needed.saturating_add(max_rest));
    wanted - len
}
