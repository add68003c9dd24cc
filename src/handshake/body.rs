//! The body of a refusal (RFC 9112 §6): by length, in chunks, or until the end
//! of the stream; never more than the limit.

use alloc::vec::Vec;

use super::fields::{Fields, lists_token};
use crate::error::{HandshakeError, HeaderField};
use crate::input::Input;

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    bytes: Vec<u8>,
    is_truncated: bool,
}

/// What tells where the body ends, and where in it the stream is.
#[derive(Debug)]
enum Framing {
    /// So many bytes are to come.
    Length(u64),
    /// A line that tells the size of a chunk is arriving.
    ChunkSize(Vec<u8>),
    /// So many bytes of a chunk are to come, with the line end behind it.
    Chunk(u64),
    /// The stream's end.
    EndOfStream,
    /// It is over.
    Done,
}

/// The longest line with the size of a chunk: longer than any size, with room
/// for an extension that nobody sends.
const MAX_SIZE_LINE: usize = 256;

impl Body {
    /// The body that a response with this status has (RFC 9112 §6.3).
    pub(super) fn of(status: u16, fields: &Fields<'_>) -> Result<Self, HandshakeError> {
        let framing = match fields.first(HeaderField::TransferEncoding) {
            _ if status < 200 || status == 204 || status == 304 => Framing::Done,
            Some(coding) if lists_token(coding, "chunked") => Framing::ChunkSize(Vec::new()),
            Some(_) => Framing::EndOfStream,
            None => match fields.single(HeaderField::ContentLength)? {
                None => Framing::EndOfStream,
                Some(len) => Framing::Length(parse_len(len)?),
            },
        };
        Ok(Self {
            framing,
            bytes: Vec::new(),
            is_truncated: false,
        })
    }

    /// Takes what the input has of the body. Tells whether it is over.
    pub(super) fn read(&mut self, input: &mut Input<'_>, max_len: usize) -> bool {
        loop {
            match &mut self.framing {
                Framing::Done | Framing::Length(0) => return true,
                Framing::EndOfStream if input.is_end_of_stream() => return true,
                _ if input.is_end_of_stream() => return self.truncate(),
                _ if input.remaining().is_empty() => return false,
                _ if self.bytes.len() >= max_len => return self.truncate(),
                Framing::Length(left) | Framing::Chunk(left @ 3..) => {
                    // The last two bytes of a chunk are its line end.
                    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
                    let taken = input.take(wanted.min(max_len - self.bytes.len()));
                    *left -= taken.len() as u64;
                    self.bytes.extend_from_slice(taken);
                }
                Framing::EndOfStream => {
                    let taken = input.take(max_len - self.bytes.len());
                    self.bytes.extend_from_slice(taken);
                }
                Framing::Chunk(left) => {
                    input.take(1);
                    *left -= 1;
                    if *left == 0 {
                        self.framing = Framing::ChunkSize(Vec::new());
                    }
                }
                Framing::ChunkSize(line) => {
                    line.extend_from_slice(input.take(1));
                    if line.len() > MAX_SIZE_LINE {
                        return self.truncate();
                    }
                    match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Partial) => {}
                        // The last chunk; nobody looks at trailers.
                        Ok(httparse::Status::Complete((_, 0))) => self.framing = Framing::Done,
                        Ok(httparse::Status::Complete((_, len))) => {
                            self.framing = Framing::Chunk(len.saturating_add(2));
                        }
                        Err(_) => return self.truncate(),
                    }
                }
            }
        }
    }

    /// The body, and whether it is not whole.
    pub(super) fn finish(self) -> (Vec<u8>, bool) {
        (self.bytes, self.is_truncated)
    }

    /// Heap bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        let line = if let Framing::ChunkSize(line) = &self.framing {
            line.capacity()
        } else {
            0
        };
        self.bytes.capacity() + line
    }

    fn truncate(&mut self) -> bool {
        self.is_truncated = true;
        true
    }
}

fn parse_len(len: &[u8]) -> Result<u64, HandshakeError> {
    let digits = core::str::from_utf8(len)
        .ok()
        .filter(|len| len.bytes().all(|b| b.is_ascii_digit()));
    let len = digits.and_then(|digits| digits.parse().ok());
    len.ok_or(HandshakeError::Invalid(HeaderField::ContentLength))
}
