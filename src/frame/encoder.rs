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
    write_head(first, key.is_some(), payload.len() as u64, out);
    match key {
        None => out.extend_from_slice(payload),
        Some(key) => {
            out.extend_from_slice(&key.to_bytes());
            Mask::new(key).append(payload, out);
        }
    }
}
