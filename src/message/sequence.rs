//! The order of frames within messages (§5.4), and the limits on messages.
//!
//! | message so far | frame | then |
//! |---|---|---|
//! | none | text or binary, last | none: the message is whole |
//! | none | text or binary, not last | under way |
//! | none | continuation | [`ProtocolError::UnexpectedContinuation`] |
//! | under way | continuation, not last | under way |
//! | under way | continuation, last | none: the message is whole |
//! | under way | text or binary | [`ProtocolError::ExpectedContinuation`] |

use super::MessageKind;
use crate::error::{Error, LimitError, ProtocolError};
use crate::frame::{Header, Opcode};

/// How much a peer may put into one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of payload in a message.
    pub(crate) max_message_len: usize,
    /// Bytes of payload in a frame.
    pub(crate) max_frame_len: usize,
    /// Frames in a message, empty ones included.
    pub(crate) max_fragments: u32,
}

/// Where in a message the stream of frames is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    kind: Option<MessageKind>,
    /// Whether the payload of its frames is compressed.
    compressed: bool,
    fragments: u32,
    /// Bytes of payload: declared by headers, or inflated.
    len: u64,
}

impl Sequence {
    /// Takes note of a data frame, before any of its payload. Tells the kind
    /// of the message that it belongs to.
    pub(crate) fn begin_frame(
        &mut self,
        header: &Header,
        limits: &Limits,
    ) -> Result<MessageKind, Error> {
        let kind = match (self.kind, header.opcode) {
            (None, Opcode::Text) => MessageKind::Text,
            (None, Opcode::Binary) => MessageKind::Binary,
            (None, _) => return Err(ProtocolError::UnexpectedContinuation.into()),
            (Some(kind), Opcode::Continuation) => kind,
            (Some(_), _) => return Err(ProtocolError::ExpectedContinuation.into()),
        };
        if self.kind.is_none() {
            // RFC 7692 §6.2: the bit of the first frame tells of all.
            self.compressed = header.rsv1;
        }
        self.kind = Some(kind);
        self.count(header.payload_len, limits)?;
        Ok(kind)
    }

    /// The message is whole: the next frame begins another.
    pub(crate) fn end_message(&mut self) {
        *self = Self::default();
    }

    /// The kind of the message under way.
    pub(crate) const fn kind(&self) -> Option<MessageKind> {
        self.kind
    }

    /// Whether the message under way is compressed.
    #[cfg(feature = "deflate")]
    pub(crate) const fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// How many inflated bytes may still come.
    #[cfg(feature = "deflate")]
    pub(crate) fn room(&self, limits: &Limits) -> usize {
        limits.max_message_len.saturating_sub(self.len as usize)
    }

    /// Takes note of inflated bytes, no more than there is room for.
    #[cfg(feature = "deflate")]
    pub(crate) const fn add_inflated(&mut self, len: usize) {
        self.len += len as u64;
    }

    /// Sums cannot wrap: a frame has at most 2^63 - 1 bytes, and the message
    /// before it at most `max_message_len`, a `usize` that is checked first.
    fn count(&mut self, payload_len: u64, limits: &Limits) -> Result<(), LimitError> {
        self.fragments = self.fragments.saturating_add(1);
        if self.fragments > limits.max_fragments {
            return Err(LimitError::TooManyFragments);
        }
        if payload_len > limits.max_frame_len as u64 {
            return Err(LimitError::FrameTooLong);
        }
        // What a compressed message is long is found out by inflating it.
        if self.compressed {
            return Ok(());
        }
        self.len = self.len.saturating_add(payload_len);
        if self.len > limits.max_message_len as u64 {
            return Err(LimitError::MessageTooLong);
        }
        Ok(())
    }
}
