//! The order of frames within messages (§5.4), and the limits on messages.
//!
//! | message so far | frame | then |
//! |---|---|---|
//! | none | text or binary, last | none: the message is complete |
//! | none | text or binary, not last | incomplete |
//! | none | continuation | [`ProtocolError::UnexpectedContinuation`] |
//! | incomplete | continuation, not last | incomplete |
//! | incomplete | continuation, last | none: the message is complete |
//! | incomplete | text or binary | [`ProtocolError::ExpectedContinuation`] |

use super::{Limits, MessageKind};
use crate::error::{ConnectionError, LimitError, ProtocolError};
use crate::frame::{Header, Opcode};

/// The position within a message in the stream of frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fragmentation {
    kind: Option<MessageKind>,
    /// Whether the payload of its frames is compressed.
    is_compressed: bool,
    frames: u32,
    /// Bytes of payload: declared by headers, or inflated.
    len: u64,
}

impl Fragmentation {
    /// Counts a data frame, before any of its payload.
    #[inline]
    pub(super) fn begin_frame(
        &mut self,
        header: &Header,
        limits: &Limits,
    ) -> Result<(), ConnectionError> {
        let kind = match (self.kind, header.opcode) {
            (None, Opcode::Text) => MessageKind::Text,
            (None, Opcode::Binary) => MessageKind::Binary,
            (None, _) => return Err(ProtocolError::UnexpectedContinuation.into()),
            (Some(kind), Opcode::Continuation) => kind,
            (Some(_), _) => return Err(ProtocolError::ExpectedContinuation.into()),
        };
        if self.kind.is_none() {
            // RFC 7692 §6.2: the bit of the first frame applies to the message.
            self.is_compressed = header.rsv1;
        }
        self.kind = Some(kind);
        Ok(self.count(header.payload_len, limits)?)
    }

    /// Counts the first fragment of a message that is not compressed.
    #[inline]
    pub(super) fn begin_message(&mut self, kind: MessageKind) {
        *self = Self::default();
        self.kind = Some(kind);
    }

    /// The message is complete: the next frame begins another.
    #[inline]
    pub(super) fn end_message(&mut self) {
        *self = Self::default();
    }

    /// The kind of the incomplete message.
    #[inline]
    pub(super) const fn kind(&self) -> Option<MessageKind> {
        self.kind
    }

    /// Whether the incomplete message is compressed.
    #[inline]
    pub(super) const fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// How many frames the incomplete message has so far.
    #[cfg(feature = "deflate")]
    pub(super) const fn frames(&self) -> u32 {
        self.frames
    }

    /// How many inflated bytes the message may still have.
    #[cfg(feature = "deflate")]
    pub(super) fn room(&self, limits: &Limits) -> usize {
        match limits.max_message_len {
            usize::MAX => usize::MAX,
            max => max.saturating_sub(self.len as usize),
        }
    }

    /// Counts inflated bytes, no more than there is room for.
    #[cfg(feature = "deflate")]
    pub(super) const fn add_inflated(&mut self, len: usize) {
        self.len = self.len.saturating_add(len as u64);
    }

    /// Counts a frame and its declared payload.
    #[inline]
    pub(super) fn count(&mut self, payload_len: u64, limits: &Limits) -> Result<(), LimitError> {
        self.frames = self.frames.saturating_add(1);
        if self.frames > limits.max_fragments {
            return Err(LimitError::TooManyFragments);
        }
        if payload_len > limits.max_frame_len as u64 {
            return Err(LimitError::FrameTooLong);
        }
        // The length of a compressed message is known once it is inflated.
        if self.is_compressed {
            return Ok(());
        }
        self.len = self.len.saturating_add(payload_len);
        if self.len > limits.max_message_len as u64 && limits.max_message_len < usize::MAX {
            return Err(LimitError::MessageTooLong);
        }
        Ok(())
    }
}
