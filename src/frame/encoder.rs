//! The frame encoder: header and payload together, in one buffer.

use alloc::vec::Vec;

use super::header::{Header, Opcode, write_head};
use super::mask::{Mask, MaskingKey};

/// The first byte of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// The kind of the frame.
    pub(crate) opcode: Opcode,
    /// Whether it ends its message.
    pub(crate) fin: bool,
    /// Whether it begins a compressed message (RFC 7692 §6.1).
    pub(crate) rsv1: bool,
}

impl Start {
    /// The start of a frame without reserved bits.
    #[inline]
    pub(crate) const fn new(opcode: Opcode, fin: bool) -> Self {
        let rsv1 = false;
        Self { opcode, fin, rsv1 }
    }
}

/// Appends a frame and returns its length. With a key, the payload is copied and
/// masked in one pass.
#[inline]
pub(crate) fn write(
    start: Start,
    payload: &[u8],
    key: Option<MaskingKey>,
    out: &mut Vec<u8>,
) -> usize {
    let first = u8::from(start.fin) << 7 | u8::from(start.rsv1) << 6 | start.opcode as u8;
    let is_short = payload.len() <= Header::MAX_CONTROL_PAYLOAD_LEN;
    match key {
        None if is_short => {
            // Two appends, which check the capacity themselves.
            out.extend_from_slice(&[first, payload.len() as u8]);
            out.extend_from_slice(payload);
            payload.len() + 2
        }
        None => {
            out.reserve(Header::MAX_LEN + payload.len());
            let head_len = write_head(first, false, payload.len() as u64, out);
            out.extend_from_slice(payload);
            payload.len() + head_len
        }
        Some(key) => write_masked(first, payload, key, out),
    }
}

#[inline]
fn write_masked(first: u8, payload: &[u8], key: MaskingKey, out: &mut Vec<u8>) -> usize {
    let before = out.len();
    out.reserve(Header::MAX_LEN + payload.len());
    if payload.len() <= Header::MAX_CONTROL_PAYLOAD_LEN {
        // The header of a short frame in one piece.
        let [a, b, c, d] = key.to_bytes();
        out.extend_from_slice(&[first, 0x80 | payload.len() as u8, a, b, c, d]);
        Mask::new(key).append(payload, out);
    } else {
        write_head(first, true, payload.len() as u64, out);
        out.extend_from_slice(&key.to_bytes());
        Mask::new(key).append(payload, out);
    }
    out.len() - before
}
