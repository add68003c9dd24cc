//! Frames as a client sends them.

use sansocket::frame::{Header, MaskingKey, Opcode};

/// Appends a frame, masked.
pub(crate) fn append_frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8]) {
    let key = MaskingKey::from([0x37, 0xfa, 0x21, 0x3d]);
    let mut header = Header::new(opcode, payload.len() as u64);
    (header.fin, header.masking_key) = (fin, Some(key));
    header.write(out);
    let start = out.len();
    out.extend_from_slice(payload);
    key.apply(&mut out[start..]);
}
