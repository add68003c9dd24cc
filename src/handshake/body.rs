//! The body of a refusal (RFC 9112 §6): delimited by its length, by chunks, or by
//! the end of the stream, and kept up to a limit.

use alloc::vec::Vec;

use super::content_length::ContentLength;
use super::rules::{KnownFields, lists_token};
use crate::error::HeaderField;
use crate::input::Input;

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    bytes: Vec<u8>,
    is_truncated: bool,
}

/// How the end of the body is found, and the position in it.
#[derive(Debug)]
enum Framing {
    /// This many bytes remain.
    Length(u64),
    /// The line with the size of a chunk, as far as it was received.
    ChunkSize(Vec<u8>),
    /// This many bytes of a chunk remain.
    Chunk(u64),
    /// This many bytes of the line end after a chunk remain.
    ChunkEnd(usize),
    /// The body ends with the stream.
    EndOfStream,
    /// The body is complete.
    Done,
}

/// The maximum length of the line with the size of a chunk: longer than any size,
/// with room for an extension.
const MAX_SIZE_LINE: usize = 256;

impl Body {
    /// The body that a response with this status has (RFC 9112 §6.3).
    ///
    /// A body with an invalid length is truncated at once, because its end is
    /// unknown, and the status is what matters.
    pub(super) fn of(status: u16, fields: &KnownFields<'_>) -> Self {
        let mut is_truncated = false;
        let framing = match fields.first(HeaderField::TransferEncoding) {
            _ if status < 200 || status == 204 || status == 304 => Framing::Done,
            Some(coding) if lists_token(coding, "chunked") => Framing::ChunkSize(Vec::new()),
            Some(_) => Framing::EndOfStream,
            None => match fields.content_length() {
                ContentLength::Absent => Framing::EndOfStream,
                ContentLength::Bytes(len) => Framing::Length(len),
                ContentLength::Invalid => {
                    is_truncated = true;
                    Framing::Done
                }
            },
        };
        Self {
            framing,
            bytes: Vec::new(),
            is_truncated,
        }
    }

    /// Takes the bytes of the body from the input. Returns whether it is complete.
    pub(super) fn read(&mut self, input: &mut Input<'_>, max_len: usize) -> bool {
        loop {
            match &mut self.framing {
                Framing::Done | Framing::Length(0) => return true,
                Framing::EndOfStream if input.is_end_of_stream() => return true,
                _ if input.is_end_of_stream() => return self.truncate(),
                _ if input.remaining().is_empty() => return false,
                Framing::Length(_) | Framing::Chunk(1..) | Framing::EndOfStream
                    if self.bytes.len() >= max_len =>
                {
                    return self.truncate();
                }
                Framing::Chunk(0) => self.framing = Framing::ChunkEnd(2),
                Framing::ChunkEnd(0) => self.framing = Framing::ChunkSize(Vec::new()),
                Framing::ChunkEnd(left) => *left -= input.take(*left).len(),
                Framing::Length(left) | Framing::Chunk(left) => {
                    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
                    let taken = input.take(wanted.min(max_len - self.bytes.len()));
                    *left -= taken.len() as u64;
                    self.bytes.extend_from_slice(taken);
                }
                Framing::EndOfStream => {
                    let taken = input.take(max_len - self.bytes.len());
                    self.bytes.extend_from_slice(taken);
                }
                Framing::ChunkSize(line) => {
                    line.extend_from_slice(input.take(1));
                    if line.len() > MAX_SIZE_LINE {
                        return self.truncate();
                    }
                    match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Partial) => {}
                        // The last chunk; trailers are not read.
                        Ok(httparse::Status::Complete((_, 0))) => self.framing = Framing::Done,
                        Ok(httparse::Status::Complete((_, len))) => {
                            self.framing = Framing::Chunk(len);
                        }
                        Err(_) => return self.truncate(),
                    }
                }
            }
        }
    }

    /// The body, and whether it is truncated.
    pub(super) fn finish(self) -> (Vec<u8>, bool) {
        (self.bytes, self.is_truncated)
    }

    /// Heap bytes held.
    pub(super) fn memory_usage(&self) -> usize {
        let line = if let Framing::ChunkSize(line) = &self.framing {
            line.capacity()
        } else {
            0
        };
        self.bytes.capacity() + line
    }

    /// Gives up on the rest.
    pub(super) fn truncate(&mut self) -> bool {
        self.is_truncated = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const CHUNKED: (&str, &[u8]) = ("Transfer-Encoding", b"chunked");
    const MAX: usize = 8;

    /// Reads a body in these pieces and then, if it is incomplete, the end of the
    /// stream. Returns the body and whether it is truncated.
    fn read(field: Option<(&str, &[u8])>, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut body = Body::of(200, &KnownFields::of(field.into_iter()));
        let mut pieces = pieces
            .iter()
            .map(|piece| piece.to_vec())
            .filter(|piece| !piece.is_empty());
        while !body.read(&mut Input::new(&mut pieces.next().unwrap_or_default()), MAX) {}
        body.finish()
    }

    #[test]
    fn bodies_end_where_they_should_at_every_cut() {
        type Row<'r> = (Option<(&'r str, &'r [u8])>, &'r [u8], &'r [u8], bool);
        let table: [Row<'_>; 13] = [
            (Some(("Content-Length", b"3")), b"abc", b"abc", false),
            (Some(("Content-Length", b"3")), b"abcde", b"abc", false),
            (Some(("Content-Length", b"0")), b"abc", b"", false),
            (Some(("Content-Length", b"3")), b"ab", b"ab", true),
            (
                Some(("Content-Length", b"8")),
                b"12345678",
                b"12345678",
                false,
            ),
            (
                Some(("Content-Length", b"9")),
                b"123456789",
                b"12345678",
                true,
            ),
            (
                Some(CHUNKED),
                b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                b"abcde",
                false,
            ),
            (
                Some(CHUNKED),
                b"8\r\n12345678\r\n0\r\n\r\n",
                b"12345678",
                false,
            ),
            (
                Some(CHUNKED),
                b"9\r\n123456789\r\n0\r\n\r\n",
                b"12345678",
                true,
            ),
            (Some(CHUNKED), b"3\r\nab", b"ab", true),
            (Some(CHUNKED), b"zz\r\nab", b"", true),
            (None, b"abc", b"abc", false),
            (None, b"123456789", b"12345678", true),
        ];
        for (field, bytes, expected, is_truncated) in table {
            for cut in 0..=bytes.len() {
                let (first, second) = bytes.split_at(cut);
                let what = format!("{} cut at {cut}", bytes.escape_ascii());
                let body = read(field, &[first, second]);
                assert_eq!(body, (expected.to_vec(), is_truncated), "{what}");
            }
        }
    }

    #[test]
    fn body_of_invalid_length_is_given_up() {
        for len in ["-1", "+1", "", "1 1", "0x1", "1, 2", "99999999999999999999"] {
            let body = read(Some(("Content-Length", len.as_bytes())), &[b"abc"]);
            assert_eq!(body, (Vec::new(), true), "{len}");
        }
    }
}
