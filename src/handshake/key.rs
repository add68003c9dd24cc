//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (§4.1, §4.2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::byte_set::ByteSet;

/// A key as it is sent: 16 bytes in base64.
pub(super) type Key = [u8; 24];

/// The answer to a key: a SHA-1 hash in base64.
pub(super) type Accept = [u8; 28];

/// RFC 6455 §1.3.
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key for a nonce.
pub(super) fn key(nonce: [u8; 16]) -> Key {
    let mut key = Key::default();
    // The lengths match, so there is room.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    key
}

/// Whether this is the base64 of 16 bytes.
///
/// §4.2.1 requires a value "that, when decoded, is 16 bytes in length", and says
/// nothing about the 4 bits of the last digit that carry no data.
pub(super) fn is_key(value: &[u8]) -> bool {
    static DIGITS: ByteSet = ByteSet::alphanumeric_and(b"+/");
    let digits = value.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(|byte| DIGITS.contains(*byte))
}

/// The answer to a key.
pub(super) fn accept(key: &Key) -> Accept {
    let mut text = [0; size_of::<Key>() + GUID.len()];
    let (start, end) = text.split_at_mut(size_of::<Key>());
    start.copy_from_slice(key);
    end.copy_from_slice(GUID);
    let hash = Sha1::digest(text);
    let mut accept = [0; 28];
    // The lengths match, so there is room.
    let _ = STANDARD.encode_slice(hash, &mut accept);
    accept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys() {
        // The example of RFC 6455 §1.3, and one from a browser.
        assert_eq!(
            &accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(
            &accept(b"wDqumtseNBJdhkihL6PW7w=="),
            b"0FFP+2nmNIf/h+4BP36k9uzrYGk="
        );
        assert_eq!(&key(*b"the sample nonce"), b"dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn keys_are_sixteen_bytes_in_base64() {
        let table: [(&[u8], bool); 9] = [
            (b"dGhlIHNhbXBsZSBub25jZQ==", true),
            (b"dGhlIHNhbXBsZSBub25jZR==", true), // bits that carry no data
            (b"dGhlIHNhbXBsZSBub25jZQ=", false),
            (b"dGhlIHNhbXBsZSBub25jZQ", false),
            (b"dGhlIHNhbXBsZSBub25jZQAA", false), // 18 bytes
            (b"dGhlIHNhbXBsZSBub25jZQA=", false), // 17 bytes
            (b"dGhlIHNhbXBsZSBub25*ZQ==", false),
            (b"", false),
            (b"dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==", false),
        ];
        for (value, expected) in table {
            assert_eq!(is_key(value), expected, "{value:?}");
        }
    }
}
