//! Masking (§5.3): in place, or fused with a copy.
//!
//! Short payloads are masked in words of 8 bytes, of which the last one overlaps the
//! one before. Long payloads are masked in blocks of 64 bytes, which the compiler
//! vectorizes, for the vectors of the CPU if there is `std` to detect them. At most
//! 3 bytes are masked one by one.

use alloc::vec::Vec;

/// The 4 bytes that the payload of a frame is masked with (§5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaskingKey(u32);

impl MaskingKey {
    /// Returns the bytes in the order of the wire.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// Masks or unmasks a complete payload in place.
    ///
    /// ```
    /// use sansocket::frame::MaskingKey;
    ///
    /// // RFC 6455 §5.7
    /// let key = MaskingKey::from([0x37, 0xfa, 0x21, 0x3d]);
    /// let mut payload = *b"\x7f\x9f\x4d\x51\x58";
    /// key.apply(&mut payload);
    /// assert_eq!(&payload, b"Hello");
    /// ```
    #[inline]
    pub fn apply(self, payload: &mut [u8]) {
        if payload.len() < BLOCK {
            apply_short(self.0, payload);
        } else {
            apply_long(self.0, payload);
        }
    }

    /// The key for the payload `len` bytes further on.
    #[inline]
    const fn advanced(self, len: usize) -> Self {
        Self(self.0.rotate_right(8 * (len % 4) as u32))
    }
}

impl From<[u8; 4]> for MaskingKey {
    #[inline]
    fn from(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }
}

/// Masks or unmasks a payload piece by piece: keeps track of the position in the key.
///
/// ```
/// use sansocket::frame::{Mask, MaskingKey};
///
/// let mut mask = Mask::new(MaskingKey::from([0x37, 0xfa, 0x21, 0x3d]));
/// let mut payload = *b"\x7f\x9f\x4d\x51\x58";
/// let (first, second) = payload.split_at_mut(3);
/// mask.apply(first);
/// mask.apply(second);
/// assert_eq!(&payload, b"Hello");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(MaskingKey);

impl Mask {
    /// Creates a mask at the first byte of a payload.
    pub const fn new(key: MaskingKey) -> Self {
        Self(key)
    }

    /// Masks or unmasks the next piece in place.
    #[inline]
    pub fn apply(&mut self, piece: &mut [u8]) {
        self.0.apply(piece);
        self.0 = self.0.advanced(piece.len());
    }

    /// Masks or unmasks the next piece while appending it to `out`, in one pass.
    #[inline]
    pub fn append(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        append(self.0, piece, out);
        self.0 = self.0.advanced(piece.len());
    }
}

/// Bytes in a block: four SSE2 vectors, one cache line.
const BLOCK: usize = 64;

/// Bytes in a step of the loop for long payloads. From 1 KiB up, 64 are 10 % slower
/// and 256 are not faster.
const STRIDE: usize = 128;

#[inline]
fn apply_short(key: u32, payload: &mut [u8]) {
    let len = payload.len();
    if let Some(tail) = payload.last_chunk().copied() {
        let key = wide(key);
        for word in payload.as_chunks_mut().0 {
            *word = xor8(*word, key);
        }
        // The tail was read before the words were masked, and is written after
        // them, so the bytes in both are masked once.
        let tail = xor8(tail, key.rotate_right(8 * (len % 4) as u32));
        if let Some(last) = payload.last_chunk_mut() {
            *last = tail;
        }
    } else {
        apply_tiny(key, payload);
    }
}

/// At most 7 bytes.
#[inline]
fn apply_tiny(key: u32, payload: &mut [u8]) {
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.to_le_bytes()) {
        *byte ^= key;
    }
}

#[cfg_attr(feature = "std", multiversion::multiversion(targets("x86_64+avx2")))]
#[inline(never)]
fn apply_long(key: u32, payload: &mut [u8]) {
    let len = payload.len();
    let Some(mut tail) = payload.last_chunk::<BLOCK>().copied() else {
        return;
    };
    mask_block(wide(key).rotate_right(8 * (len % 4) as u32), &mut tail);
    let (strides, rest) = payload.as_chunks_mut::<STRIDE>();
    for stride in strides {
        mask_block(wide(key), stride);
    }
    for block in rest.as_chunks_mut::<BLOCK>().0 {
        mask_block(wide(key), block);
    }
    if let Some(last) = payload.last_chunk_mut() {
        *last = tail;
    }
}

#[inline]
fn append(key: MaskingKey, payload: &[u8], out: &mut Vec<u8>) {
    let rest = if payload.len() < BLOCK {
        payload
    } else {
        append_blocks(key, payload, out)
    };
    // Copies of a constant size become moves, which cost less than a call of
    // `memcpy` for a few bytes (bench `send`, client, 16 bytes).
    let (words, tail) = if rest.len() <= 32 {
        rest.as_chunks()
    } else {
        (&[][..], rest)
    };
    for word in words {
        out.extend_from_slice(&xor8(*word, wide(key.0)));
    }
    if tail.is_empty() {
        return;
    }
    let start = out.len();
    out.extend_from_slice(tail);
    if let Some(copied) = out.get_mut(start..) {
        apply_short(key.0, copied);
    }
}

/// Appends all complete blocks, and returns the rest.
#[cfg_attr(feature = "std", multiversion::multiversion(targets("x86_64+avx2")))]
#[inline(never)]
fn append_blocks<'p>(key: MaskingKey, payload: &'p [u8], out: &mut Vec<u8>) -> &'p [u8] {
    out.reserve(payload.len());
    let (strides, rest) = payload.as_chunks::<STRIDE>();
    for stride in strides {
        let mut stride = *stride;
        mask_block(wide(key.0), &mut stride);
        out.extend_from_slice(&stride);
    }
    let (blocks, rest) = rest.as_chunks::<BLOCK>();
    for block in blocks {
        let mut block = *block;
        mask_block(wide(key.0), &mut block);
        out.extend_from_slice(&block);
    }
    rest
}

#[inline(always)]
fn mask_block<const LEN: usize>(key: u64, block: &mut [u8; LEN]) {
    for word in block.as_chunks_mut().0 {
        *word = xor8(*word, key);
    }
}

#[inline(always)]
const fn xor8(word: [u8; 8], key: u64) -> [u8; 8] {
    (u64::from_le_bytes(word) ^ key).to_le_bytes()
}

const fn wide(key: u32) -> u64 {
    (key as u64) << 32 | key as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// RFC 6455 §5.3, word for word.
    fn reference(payload: &[u8], offset: usize) -> Vec<u8> {
        (offset..)
            .zip(payload)
            .map(|(i, byte)| byte ^ KEY[i % 4])
            .collect()
    }

    fn sample(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    #[test]
    fn masks_every_length_as_the_definition() {
        for len in (0..300).chain([4095, 4096, 4097, 65_537]) {
            let mut payload = sample(len);
            MaskingKey::from(KEY).apply(&mut payload);
            assert_eq!(payload, reference(&sample(len), 0), "{len} bytes");
        }
    }

    #[test]
    fn masks_pieces_as_the_whole() {
        let payload = sample(400);
        for cut in 0..payload.len() {
            let (first, second) = payload.split_at(cut);
            let mut mask = Mask::new(MaskingKey::from(KEY));
            let mut out = Vec::new();
            mask.append(first, &mut out);
            let mut second = second.to_vec();
            mask.apply(&mut second);
            out.extend(second);
            assert_eq!(out, reference(&payload, 0), "cut at {cut}");
        }
    }

    #[test]
    fn appends_every_length_as_the_definition() {
        for len in 0..300 {
            let mut out = b"before".to_vec();
            Mask::new(MaskingKey::from(KEY)).append(&sample(len), &mut out);
            assert_eq!(&out[..6], b"before");
            assert_eq!(out[6..], reference(&sample(len), 0), "{len} bytes");
        }
    }
}
