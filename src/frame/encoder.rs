//! The frame encoder: header and payload together, in one buffer.

use alloc::vec::Vec;

use super::header::{Header, Opcode, write_head};
use super::mask::{Mask, MaskingKey};

/// Appends a frame without reserved bits. With a key, the payload is copied
/// and masked in one pass.
#[inline]
pub(crate) fn write(
    (opcode, fin): (Opcode, bool),
    payload: &[u8],
    key: Option<MaskingKey>,
    out: &mut Vec<u8>,
) {
    out.reserve(Header::MAX_LEN + payload.len());
    let first = u8::from(fin) << 7 | opcode as u8;
    match key {
        None => {
            write_head(first, false, payload.len() as u64, out);
            out.extend_from_slice(payload);
        }
        Some(key) if payload.len() <= Header::MAX_CONTROL_PAYLOAD_LEN => {
            // The header of a short frame in one piece.
            let [a, b, c, d] = key.to_bytes();
            out.extend_from_slice(&[first, 0x80 | payload.len() as u8, a, b, c, d]);
            Mask::new(key).append(payload, out);
        }
        Some(key) => {
            write_head(first, true, payload.len() as u64, out);
            out.extend_from_slice(&key.to_bytes());
            Mask::new(key).append(payload, out);
        }
    }
}
