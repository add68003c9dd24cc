//! An HTTP head: collected in linear time from pieces of any length, then parsed
//! once by httparse.

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use super::Limits;
use crate::error::HandshakeError;
use crate::input::Input;

/// Collects a head that arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct HeadBuffer {
    bytes: Vec<u8>,
}

impl HeadBuffer {
    /// Parses and takes the head at the start of the input, without copying it.
    /// Returns `None` and leaves the input untouched if the head is incomplete or
    /// anything about it is wrong: then `collect` decides.
    pub(super) fn parse_in_place<T, E>(
        &self,
        input: &mut Input<'_>,
        max_len: usize,
        parse: impl FnOnce(&[u8]) -> Result<Option<(T, usize)>, E>,
    ) -> Option<(T, usize)> {
        if !self.bytes.is_empty() {
            return None;
        }
        let (head, len) = parse(input.remaining()).ok()??;
        if len > max_len {
            return None;
        }
        input.take(len);
        Some((head, len))
    }

    /// Takes bytes up to the end of the head and no further. Returns `None` if more
    /// are needed; those that were received are kept.
    ///
    /// Each byte is looked at once, however small the pieces are.
    pub(crate) fn collect(
        &mut self,
        input: &mut Input<'_>,
        max_len: usize,
    ) -> Result<Option<Vec<u8>>, HandshakeError> {
        let mut taken = 0;
        for byte in input.remaining() {
            if self.bytes.len() == max_len {
                return Err(HandshakeError::HeadTooLong);
            }
            check_byte(self.bytes.last().copied(), *byte)?;
            self.bytes.push(*byte);
            taken += 1;
            if self.bytes.ends_with(b"\r\n\r\n") {
                input.take(taken);
                return Ok(Some(core::mem::take(&mut self.bytes)));
            }
        }
        input.take(taken);
        Ok(None)
    }

    /// Heap bytes held.
    pub(super) const fn memory_usage(&self) -> usize {
        self.bytes.capacity()
    }
}

/// RFC 9112 §2.2: a recipient may treat a bare LF as a line end and a bare CR as a
/// space. If two recipients differ in this, requests can be smuggled past one of
/// them, so both are refused here. An empty line before the head is refused too;
/// the one that is allowed before a request is handled elsewhere.
///
/// Other control characters are refused as soon as they arrive, so that a client
/// that speaks TLS to this port fails at once and not at a deadline.
fn check_byte(before: Option<u8>, byte: u8) -> Result<(), HandshakeError> {
    let is_fine = match (before, byte) {
        (Some(b'\r'), b'\n') => true,
        (Some(b'\r'), _) | (None, b'\r') => false,
        (_, b'\r' | b'\t') => true,
        _ => !byte.is_ascii_control(),
    };
    is_fine.then_some(()).ok_or(HandshakeError::MalformedHead)
}

/// The same check for a head that httparse split into these fields. httparse accepts
/// a bare LF as a line end but never a bare CR, so there must be a CR LF before each
/// field, and two at the end. It also skips empty lines before the head.
pub(super) fn check_line_ends(
    head: &[u8],
    fields: &[httparse::Header<'_>],
) -> Result<(), HandshakeError> {
    let follows_line_end = |field: &httparse::Header<'_>| {
        let start = field.name.as_ptr() as usize - head.as_ptr() as usize;
        head.get(start.wrapping_sub(2)..start) == Some(b"\r\n")
    };
    let starts_well = !matches!(head.first(), Some(b'\r' | b'\n'));
    let is_fine = starts_well && head.ends_with(b"\r\n\r\n") && fields.iter().all(follows_line_end);
    is_fine.then_some(()).ok_or(HandshakeError::MalformedHead)
}

/// A limit on the number of fields that httparse is given room for.
const fn room_for_headers(limits: &Limits, room: usize) -> usize {
    if limits.max_headers < room {
        limits.max_headers
    } else {
        room
    }
}

/// Provides room for the header fields that httparse finds: on the stack for a
/// common number of fields, on the heap for more, up to the limit.
pub(super) fn with_room<'h, T>(
    head: &'h [u8],
    limits: &Limits,
    mut parse: impl FnMut(&mut [MaybeUninit<httparse::Header<'h>>]) -> httparse::Result<T>,
) -> Result<Option<T>, HandshakeError> {
    const COMMON: usize = 24;
    let mut few = [const { MaybeUninit::uninit() }; COMMON];
    let few = few
        .get_mut(..room_for_headers(limits, COMMON))
        .unwrap_or_default();
    let parsed = match parse(few) {
        Err(httparse::Error::TooManyHeaders) if limits.max_headers > COMMON => {
            let mut many = Vec::new();
            // No field is shorter than `a:` and a line end, so a high limit
            // costs nothing.
            many.resize_with(limits.max_headers.min(head.len() / 4), MaybeUninit::uninit);
            parse(&mut many)
        }
        parsed => parsed,
    };
    match parsed {
        Ok(httparse::Status::Complete(value)) => Ok(Some(value)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::TooManyHeaders),
        Err(httparse::Error::Version) => Err(HandshakeError::UnsupportedHttpVersion),
        Err(_) => Err(HandshakeError::MalformedHead),
    }
}
