//! The frame decoder: splits bytes into headers and payload chunks.

use super::header::Header;
use crate::error::ProtocolError;
use crate::input::Input;

/// Splits a byte stream, received in pieces of any length, into frame headers and chunks
/// of payload.
///
/// Payload is borrowed from the caller's input and is still masked: see
/// [`Mask`](super::Mask). The decoder holds only the bytes of an incomplete header, at
/// most 13. After an error, it must not be used again.
///
/// ```
/// use sansocket::Input;
/// use sansocket::frame::{Decoder, Mask, Part};
///
/// // Reads a masked "Hello" that arrives in two pieces.
/// let mut wire = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// let (mut decoder, mut mask, mut text) = (Decoder::new(), None, Vec::new());
/// for piece in wire.chunks_mut(8) {
///     let mut input = Input::new(piece);
///     while let Some(part) = decoder.decode(&mut input)? {
///         match part {
///             Part::Header(header) => mask = header.masking_key.map(Mask::new),
///             Part::Payload(chunk) => {
///                 mask.as_mut().expect("a masked frame").append(chunk, &mut text);
///             }
///         }
///     }
/// }
/// assert_eq!(text, b"Hello");
/// # Ok::<(), sansocket::ProtocolError>(())
/// ```
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
    /// The header of the next frame. Chunks with a total of `payload_len` bytes follow.
    Header(Header),
    /// The next bytes of the frame's payload, which are never empty.
    Payload(&'i mut [u8]),
}

impl Decoder {
    /// Creates a decoder at the start of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the next part of a frame, or `None` when all of the input is consumed.
    ///
    /// # Errors
    ///
    /// As [`Header::parse`]. The rest of the stream cannot be decoded.
    ///
    /// ```
    /// use sansocket::{Input, ProtocolError};
    /// use sansocket::frame::Decoder;
    ///
    /// // A ping in two fragments, which §5.5 forbids.
    /// let mut wire = *b"\x09\x00";
    /// let result = Decoder::new().decode(&mut Input::new(&mut wire));
    /// assert_eq!(result, Err(ProtocolError::FragmentedControlFrame));
    /// ```
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

    /// Skips payload that was received in another way: at most as much as remains.
    pub(crate) const fn skip_payload(&mut self, len: usize) {
        self.remaining = self.remaining.saturating_sub(len as u64);
    }

    /// Returns how many payload bytes of the current frame have not been received yet: 0
    /// between frames and inside a header.
    pub const fn remaining_payload_len(&self) -> u64 {
        self.remaining
    }

    /// Returns `true` if the next byte is the first one of a frame.
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
            // At most 13, because 14 bytes are a complete header.
            self.partial_len = (have + copied) as u8;
            return Ok(None);
        };
        input.take(len - have);
        self.partial_len = 0;
        Ok(Some(header))
    }
}
