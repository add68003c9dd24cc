//! The assembler: a message that did not lie whole in the input.
//!
//! Memory grows with what arrived, never with what was declared: it is at most
//! twice the bytes received, whatever the lengths in the headers say.

use alloc::string::String;
use alloc::vec::Vec;

use super::utf8::Utf8;
use super::{Message, MessageKind};
use crate::error::ProtocolError;
use crate::frame::Mask;

/// The pieces of one message, joined.
#[derive(Debug)]
pub(crate) enum Assembler {
    /// Grows by checked pieces, so that no byte is checked twice.
    Text(String),
    /// Bytes as they come.
    Binary(Vec<u8>),
}

/// A piece of payload on its way into the assembler.
#[derive(Debug)]
pub(crate) struct Piece<'p, 'i> {
    /// The bytes, still masked if there is a mask.
    pub(crate) bytes: &'i mut [u8],
    /// What they are masked with.
    pub(crate) mask: Option<&'p mut Mask>,
    /// How many bytes of the message are known to follow, when this is its
    /// last frame.
    pub(crate) expected: usize,
}

impl Assembler {
    /// Of a message that begins.
    pub(crate) const fn new(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text(String::new()),
            MessageKind::Binary => Self::Binary(Vec::new()),
        }
    }

    /// Adds a piece. Text is checked, or repaired when `lossy`.
    pub(crate) fn push(
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

    /// The message, whole. Text must end with a whole character, or gets
    /// U+FFFD for the one that was begun when `lossy`.
    pub(crate) fn finish(
        self,
        utf8: &mut Utf8,
        lossy: bool,
    ) -> Result<Message<'static>, ProtocolError> {
        match (self, utf8.end()) {
            (Self::Binary(bytes), _) => Ok(bytes.into()),
            (Self::Text(text), Ok(())) => Ok(text.into()),
            (Self::Text(mut text), Err(_)) if lossy => {
                text.push(char::REPLACEMENT_CHARACTER);
                Ok(text.into())
            }
            (Self::Text(_), Err(error)) => Err(error),
        }
    }

    /// Heap bytes held.
    pub(crate) fn held_bytes(&self) -> usize {
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
        text.push_str(&utf8.push_lossy(piece.bytes));
        return Ok(());
    }
    text.reserve_exact(growth(
        text.len(),
        text.capacity(),
        piece.bytes.len() + 1,
        piece.expected,
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
        piece.expected,
    ));
    match piece.mask {
        Some(mask) => mask.append(piece.bytes, bytes),
        None => bytes.extend_from_slice(piece.bytes),
    }
}

/// How much room to ask for behind `len` bytes, for `added` more.
///
/// Doubling keeps the moves few. The end of the message is not exceeded where
/// it is known, and what was only declared counts for no more than what came.
fn growth(len: usize, capacity: usize, added: usize, expected: usize) -> usize {
    let needed = len + added;
    if needed <= capacity {
        return added;
    }
    let doubled = needed.saturating_mul(2);
    let wanted = if expected == 0 {
        doubled
    } else {
        doubled.min(needed.saturating_add(expected))
    };
    wanted - len
}
