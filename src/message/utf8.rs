//! UTF-8 in pieces (§8.1): each byte is checked once, and an invalid one is
//! found as soon as it arrives, even inside a character or a frame.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use crate::error::ProtocolError;

/// The first bytes of a character whose other bytes have not arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    partial: [u8; 3],
    len: u8,
}

/// Checks bytes that end where a character ends.
#[inline]
pub(crate) fn validate(bytes: &[u8]) -> Result<&str, ProtocolError> {
    // simdutf8 pays off from 64 bytes, its smallest step. For ASCII, the standard
    // library is faster up to 128 bytes: 5 ns against 8 at 125 bytes, where other
    // text takes 45 ns against 14 (bench `receive`).
    let is_short = bytes.len() < 64 || bytes.len() < 128 && looks_ascii(bytes);
    let text = if is_short {
        str::from_utf8(bytes).ok()
    } else {
        simdutf8::basic::from_utf8(bytes).ok()
    };
    text.ok_or(ProtocolError::InvalidUtf8)
}

/// Guesses whether the text is ASCII, by its first and last bytes.
#[inline]
fn looks_ascii(bytes: &[u8]) -> bool {
    let ends: [Option<&[u8; 8]>; 2] = [bytes.first_chunk(), bytes.last_chunk()];
    ends.into_iter()
        .flatten()
        .all(|end| u64::from_le_bytes(*end) & 0x8080_8080_8080_8080 == 0)
}

/// The bytes before the first invalid or incomplete sequence.
fn valid_prefix(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Text whose invalid sequences are replaced by U+FFFD.
pub(crate) fn replace_invalid(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl Utf8 {
    /// Checks the next piece. Returns the character that it completes, if one was
    /// incomplete, and the complete characters after it; an incomplete character
    /// at the end is kept.
    pub(crate) fn push<'b>(
        &mut self,
        bytes: &'b [u8],
    ) -> Result<(Option<char>, &'b str), ProtocolError> {
        let (completed, bytes) = self.complete(bytes)?;
        if bytes.is_empty() {
            return Ok((completed, ""));
        }
        let (whole, incomplete) = split_incomplete(bytes);
        let text = validate(whole)?;
        self.keep(incomplete)?;
        Ok((completed, text))
    }

    /// As `push`, with the completed character joined to the others. If there is
    /// a fault, the text before it is returned too.
    pub(crate) fn push_joined<'b>(
        &mut self,
        bytes: &'b [u8],
    ) -> (Cow<'b, str>, Option<ProtocolError>) {
        if self.len == 0 {
            let (text, fault) = self.push_whole(bytes);
            return (Cow::Borrowed(text), fault);
        }
        let joined = [self.partial(), bytes].concat();
        self.len = 0;
        let (text, fault) = self.push_whole(&joined);
        (Cow::Owned(text.into()), fault)
    }

    /// Checks a piece that begins at a character boundary.
    fn push_whole<'b>(&mut self, bytes: &'b [u8]) -> (&'b str, Option<ProtocolError>) {
        let (whole, incomplete) = split_incomplete(bytes);
        let text = validate(whole).and_then(|text| self.keep(incomplete).map(|()| text));
        match text {
            Ok(text) => (text, None),
            Err(fault) => (valid_prefix(bytes), Some(fault)),
        }
    }

    /// As `push`, with U+FFFD in place of invalid sequences, and of an incomplete
    /// character if the message `ends`.
    pub(crate) fn push_lossy(&mut self, bytes: &[u8], ends_message: bool) -> String {
        let mut joined = Vec::with_capacity(bytes.len() + 3);
        joined.extend_from_slice(self.partial());
        joined.extend_from_slice(bytes);
        self.len = 0;
        let (whole, incomplete) = split_incomplete(&joined);
        if ends_message || self.keep(incomplete).is_err() {
            return replace_invalid(&joined).into_owned();
        }
        replace_invalid(whole).into_owned()
    }

    /// Ends the message, which must not end inside a character.
    pub(crate) fn end(&mut self) -> Result<(), ProtocolError> {
        if core::mem::take(&mut self.len) == 0 {
            Ok(())
        } else {
            Err(ProtocolError::InvalidUtf8)
        }
    }

    /// How many bytes of an incomplete character are kept.
    pub(crate) const fn partial_len(&self) -> usize {
        self.len as usize
    }

    /// How many bytes of the incomplete character are missing.
    fn missing(&self) -> usize {
        self.partial()
            .first()
            .map_or(0, |lead| char_len(*lead) - usize::from(self.len))
    }

    fn partial(&self) -> &[u8] {
        self.partial
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }

    /// Adds bytes to the incomplete character until it is complete.
    fn complete<'b>(&mut self, bytes: &'b [u8]) -> Result<(Option<char>, &'b [u8]), ProtocolError> {
        let missing = self.missing();
        if missing == 0 {
            return Ok((None, bytes));
        }
        let (added, rest) = bytes.split_at(missing.min(bytes.len()));
        let mut joined = [0; 4];
        let have = self.partial().len();
        for (to, from) in joined.iter_mut().zip(self.partial().iter().chain(added)) {
            *to = *from;
        }
        let joined = joined.get(..have + added.len()).unwrap_or_default();
        if added.len() < missing {
            self.keep(joined)?;
            return Ok((None, rest));
        }
        self.len = 0;
        Ok((validate(joined)?.chars().next(), rest))
    }

    /// Keeps an incomplete character, if it can become valid.
    fn keep(&mut self, incomplete: &[u8]) -> Result<(), ProtocolError> {
        // RFC 6455 §8.1 lets an endpoint fail only when invalid bytes are
        // found, and they are found here: no continuation makes these valid.
        if str::from_utf8(incomplete).is_err_and(|error| error.error_len().is_some()) {
            return Err(ProtocolError::InvalidUtf8);
        }
        self.len = incomplete.len() as u8;
        for (to, from) in self.partial.iter_mut().zip(incomplete) {
            *to = *from;
        }
        Ok(())
    }
}

/// Splits off an incomplete character at the end, of at most 3 bytes.
fn split_incomplete(bytes: &[u8]) -> (&[u8], &[u8]) {
    for back in 1..=bytes.len().min(3) {
        let cut = bytes.len() - back;
        match bytes.get(cut) {
            Some(byte) if byte & 0xC0 == 0x80 => {}
            Some(lead) if char_len(*lead) > back => return bytes.split_at(cut),
            _ => break,
        }
    }
    (bytes, &[])
}

/// The length of a character that begins with this byte, or 1 if none does.
const fn char_len(lead: u8) -> usize {
    match lead {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    /// Returns the text, and after how many bytes it failed.
    fn run(pieces: &[&[u8]]) -> (String, Option<usize>) {
        let (mut utf8, mut text, mut seen) = (Utf8::default(), String::new(), 0);
        for piece in pieces {
            seen += piece.len();
            match utf8.push(piece) {
                Ok((completed, rest)) => {
                    text.extend(completed);
                    text.push_str(rest);
                }
                Err(_) => return (text, Some(seen)),
            }
        }
        let end = utf8.end();
        (text, end.err().map(|_| seen))
    }

    fn bytewise(bytes: &[u8]) -> (String, Option<usize>) {
        run(&bytes.chunks(1).collect::<Vec<_>>())
    }

    #[test]
    fn text_survives_every_cut() {
        let text = "aß\u{7ff}\u{800}語\u{ffff}\u{10000}🦀\u{10ffff}z";
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            assert_eq!(run(&[first, second]), (text.into(), None), "cut at {cut}");
        }
        assert_eq!(bytewise(text.as_bytes()), (text.into(), None));
    }

    #[test]
    fn wrong_byte_is_found_when_it_arrives() {
        // (bytes, how many must have arrived when they are refused)
        let table: [(&[u8], usize); 14] = [
            (b"\x80", 1),             // a continuation with nothing before it
            (b"a\xC0\x80", 2),        // overlong NUL
            (b"\xC1\xBF", 1),         // overlong DEL
            (b"\xC3a", 2),            // an incomplete character, broken off
            (b"\xE0\x9F\xBF", 2),     // overlong U+07FF
            (b"\xED\xA0\x80", 2),     // a surrogate
            (b"\xED\xBF\xBF", 2),     // the last surrogate
            (b"\xE2\x82a", 3),        // broken off after two bytes
            (b"\xF0\x8F\xBF\xBF", 2), // overlong U+FFFF
            (b"\xF4\x90\x80\x80", 2), // U+110000
            (b"\xF5\x80\x80\x80", 1), // no such lead byte
            (b"\xFE", 1),             // never in UTF-8
            (b"\xFF", 1),             // never in UTF-8
            (b"ok\xF0\x9F\xA6a", 6),  // broken off after three bytes
        ];
        for (bytes, at) in table {
            assert_eq!(bytewise(bytes).1, Some(at), "{bytes:02x?}");
            assert_eq!(run(&[bytes]).1, Some(bytes.len()), "{bytes:02x?}");
        }
    }

    #[test]
    fn text_must_not_end_inside_a_character() {
        for bytes in [&b"\xC3"[..], b"\xE2\x82", b"abc\xF0\x9F\xA6"] {
            assert_eq!(run(&[bytes]).1, Some(bytes.len()), "{bytes:02x?}");
        }
    }

    #[test]
    fn lossy_text_is_that_of_the_standard_library() {
        for bytes in [
            &b"a\x80b"[..],
            b"\xE2\x82",
            b"\xF0\x9F\xA6\x80",
            b"\xED\xA0\x80x",
            b"\xC3a",
        ] {
            for cut in 0..=bytes.len() {
                let (mut utf8, mut text) = (Utf8::default(), String::new());
                text.push_str(&utf8.push_lossy(&bytes[..cut], false));
                text.push_str(&utf8.push_lossy(&bytes[cut..], true));
                assert_eq!(
                    text,
                    String::from_utf8_lossy(bytes),
                    "{bytes:02x?} cut at {cut}"
                );
            }
        }
    }
}
