//! The frame decoder: bytes in any pieces to headers and payload chunks.

use super::header::Header;
use crate::error::ProtocolError;
use crate::input::Input;

/// Splits a stream into frame headers and chunks of payload, whatever pieces
/// it comes in.
///
/// Payload is borrowed from the caller's input as it came, still masked: see
/// [`Mask`](super::Mask). Holds the bytes of an incomplete header (at most 13)
/// and nothing else. After an error it must not be used again.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    partial: [u8; Header::MAX_LEN],
    partial_len: u8,
    remaining: u64,
}

/// A part of a frame.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a frame has no more parts")]
pub enum Part<'i> {
    /// A frame begins. Chunks that are `payload_len` bytes together follow.
    Header(Header),
    /// The next bytes of the frame's payload, never empty.
    Payload(&'i mut [u8]),
}

impl Decoder {
    /// At the start of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next part of a frame, or `None` when the input is used up.
    ///
    /// # Errors
    ///
    /// Those of [`Header::parse`]. The stream cannot be followed any further.
    pub fn decode<'i>(&mut self, input: &mut Input<'i>) -> Result<Option<Part<'i>>, ProtocolError> {
        self.decode_at_most(input, usize::MAX)
    }

    /// As `decode`, with chunks of at most `max_len` bytes.
    pub(crate) fn decode_at_most<'i>(
        &mut self,
        input: &mut Input<'i>,
        max_len: usize,
    ) -> Result<Option<Part<'i>>, ProtocolError> {
        if input.remaining().is_empty() {
            return Ok(None);
        }
        if self.remaining == 0 {
            let header = self.decode_header(input)?;
            self.remaining = header.map_or(0, |header| header.payload_len);
            return Ok(header.map(Part::Header));
        }
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let chunk = input.take(wanted.min(max_len));
        self.remaining -= chunk.len() as u64;
        Ok(Some(Part::Payload(chunk)))
    }

    /// How many bytes of the present frame's payload are still to come. Zero
    /// between frames and inside a header.
    pub const fn remaining_payload_len(&self) -> u64 {
        self.remaining
    }

    /// Whether the next byte begins a frame.
    pub const fn is_between_frames(&self) -> bool {
        self.remaining == 0 && self.partial_len == 0
    }

    fn decode_header(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, ProtocolError> {
        if self.partial_len == 0
            && let Some((header, len)) = Header::parse(input.remaining())?
        {
            input.take(len);
            return Ok(Some(header));
        }
        let have = usize::from(self.partial_len);
        let free = self.partial.get_mut(have..).unwrap_or_default();
        let copied = input.remaining().len().min(free.len());
        for (to, from) in free.iter_mut().zip(input.remaining()) {
            *to = *from;
        }
        let bytes = self.partial.get(..have + copied).unwrap_or_default();
        let Some((header, len)) = Header::parse(bytes)? else {
            input.take(copied);
            // At most 13: fourteen bytes are a whole header.
            self.partial_len = (have + copied) as u8;
            return Ok(None);
        };
        input.take(len - have);
        self.partial_len = 0;
        Ok(Some(header))
    }
}
