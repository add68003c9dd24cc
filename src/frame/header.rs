//! The frame header (§5.2): parsing and writing.

use alloc::vec::Vec;

use super::mask::MaskingKey;
use crate::error::ProtocolError;

/// The type of a frame (§5.2, §11.8). Reserved opcodes cannot be represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "others are errors (section 5.2)")]
pub enum Opcode {
    /// A fragment of a message other than the first one (§5.4).
    Continuation = 0x0,
    /// A text message, or its first fragment (§5.6).
    Text = 0x1,
    /// A binary message, or its first fragment (§5.6).
    Binary = 0x2,
    /// A close frame (§5.5.1).
    Close = 0x8,
    /// A ping (§5.5.2).
    Ping = 0x9,
    /// A pong (§5.5.3).
    Pong = 0xA,
}

impl Opcode {
    /// Returns `true` for close, ping and pong (§5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    /// Whether the frame is the first of a text or binary message.
    pub(super) const fn begins_message(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }
}

/// The header of one frame (§5.2).
///
/// ```
/// use sansocket::frame::{Header, Opcode};
///
/// let (header, len) = Header::parse(b"\x81\x05Hello")?.expect("complete");
/// assert_eq!(header, Header::new(Opcode::Text, 5));
/// assert_eq!(len, 2);
/// # Ok::<(), sansocket::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "relays make headers")]
pub struct Header {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The first reserved bit: set on the first frame of a compressed message
    /// (RFC 7692 §6).
    pub rsv1: bool,
    /// The second reserved bit.
    pub rsv2: bool,
    /// The third reserved bit.
    pub rsv3: bool,
    /// The type of the frame.
    pub opcode: Opcode,
    /// The key that the payload is masked with, if it is masked.
    pub masking_key: Option<MaskingKey>,
    /// The length of the payload in bytes, at most 2^63 - 1.
    pub payload_len: u64,
}

impl Header {
    /// The maximum length of a header, in bytes.
    pub const MAX_LEN: usize = 14;

    /// The maximum length of the payload of a control frame, in bytes (§5.5).
    pub const MAX_CONTROL_PAYLOAD_LEN: usize = 125;

    /// Creates the header of an unfragmented, unmasked frame.
    ///
    /// ```
    /// use sansocket::frame::{Header, MaskingKey, Opcode};
    ///
    /// // A masked ping, as a client sends it.
    /// let key = MaskingKey::from([1, 2, 3, 4]);
    /// let header = Header { masking_key: Some(key), ..Header::new(Opcode::Ping, 2) };
    /// let (mut out, mut payload) = (Vec::new(), *b"42");
    /// header.write(&mut out);
    /// key.apply(&mut payload);
    /// out.extend_from_slice(&payload);
    /// assert_eq!(out, b"\x89\x82\x01\x02\x03\x0450");
    /// ```
    pub const fn new(opcode: Opcode, payload_len: u64) -> Self {
        Self {
            fin: true,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode,
            masking_key: None,
            payload_len,
        }
    }

    /// Parses the header at the start of `bytes`. Returns the header and its length in
    /// bytes, or `None` if more bytes are needed.
    ///
    /// Reserved bits and the presence of a mask are not checked, because the rules for
    /// them depend on extensions and on the role.
    ///
    /// # Errors
    ///
    /// - [`ProtocolError::ReservedOpcode`]
    /// - [`ProtocolError::FragmentedControlFrame`]
    /// - [`ProtocolError::ControlFrameTooLong`]
    /// - [`ProtocolError::NonMinimalLength`]
    /// - [`ProtocolError::LengthOverflow`]
    ///
    /// ```
    /// use sansocket::ProtocolError;
    /// use sansocket::frame::{Header, Opcode};
    ///
    /// assert_eq!(Header::parse(b"\x82\x7e\x01")?, None);
    /// let (header, len) = Header::parse(b"\x82\x7e\x01\x00...")?.expect("complete");
    /// assert_eq!((header.opcode, header.payload_len, len), (Opcode::Binary, 256, 4));
    /// assert_eq!(Header::parse(b"\x83\x00"), Err(ProtocolError::ReservedOpcode));
    /// # Ok::<(), ProtocolError>(())
    /// ```
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(ProtocolError::ReservedOpcode)?;
        let fin = first & 0x80 != 0;
        // RFC 6455 §5.5: control frames have at most 125 bytes and no fragments.
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControlFrame);
        }
        if opcode.is_control() && second & 0x7f > 125 {
            return Err(ProtocolError::ControlFrameTooLong);
        }
        let Some((payload_len, rest)) = parse_len(second & 0x7f, rest)? else {
            return Ok(None);
        };
        let (masking_key, rest) = match (second & 0x80 != 0, rest.split_first_chunk()) {
            (false, _) => (None, rest),
            (true, Some((key, rest))) => (Some(MaskingKey::from(*key)), rest),
            (true, None) => return Ok(None),
        };
        let header = Self {
            fin,
            rsv1: first & 0x40 != 0,
            rsv2: first & 0x20 != 0,
            rsv3: first & 0x10 != 0,
            opcode,
            masking_key,
            payload_len,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Appends the header to `out`, with the length in its shortest form.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let first = u8::from(self.fin) << 7
            | u8::from(self.rsv1) << 6
            | u8::from(self.rsv2) << 5
            | u8::from(self.rsv3) << 4
            | self.opcode as u8;
        write_head(first, self.masking_key.is_some(), self.payload_len, out);
        if let Some(key) = self.masking_key {
            out.extend_from_slice(&key.to_bytes());
        }
    }
}

/// Appends the first byte and the length in its shortest form. Returns the number of
/// bytes.
#[inline]
pub(super) fn write_head(first: u8, masked: bool, len: u64, out: &mut Vec<u8>) -> usize {
    let mask = if masked { 0x80 } else { 0 };
    if len <= 125 {
        out.extend_from_slice(&[first, mask | len as u8]);
        2
    } else if let Ok(len) = u16::try_from(len) {
        let [a, b] = len.to_be_bytes();
        out.extend_from_slice(&[first, mask | 126, a, b]);
        4
    } else {
        let [a, b, c, d, e, f, g, h] = len.to_be_bytes();
        out.extend_from_slice(&[first, mask | 127, a, b, c, d, e, f, g, h]);
        10
    }
}

/// The payload length and the bytes after it.
///
/// RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the
/// length".
fn parse_len(len7: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    let (len, rest, shortest) = match len7 {
        126 => {
            let Some((len, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(*len)), rest, 126)
        }
        127 => {
            let Some((len, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*len), rest, 0x1_0000)
        }
        len => (u64::from(len), rest, 0),
    };
    if len < shortest {
        return Err(ProtocolError::NonMinimalLength);
    }
    // RFC 6455 §5.2: "the most significant bit MUST be 0".
    if len > i64::MAX as u64 {
        return Err(ProtocolError::LengthOverflow);
    }
    Ok(Some((len, rest)))
}
