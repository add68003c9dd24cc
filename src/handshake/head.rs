//! An HTTP head: found in any pieces in linear time, split once by httparse.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;

use super::Limits;
use super::fields::room_for_headers;
use crate::error::HandshakeError;
use crate::input::Input;

/// The header fields of a head, in their order.
///
/// Names are compared without case (RFC 9110 §5.1). Values are bytes, without
/// the space around them.
///
/// ```
/// use sansocket::Request;
///
/// let request = Request::to("ws://example.com/")?.header("X-Trace", "42")?;
/// assert_eq!(request.headers().get("x-trace"), Some(&b"42"[..]));
/// # Ok::<(), sansocket::RequestError>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<(Span, Span)>,
}

/// A place in the bytes of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Headers {
    /// The value of the first field of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self
            .fields
            .iter()
            .find(|field| self.is_named(field, name))?;
        Some(self.slice(*value))
    }

    /// The values of all fields of this name.
    pub fn get_all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let named = move |field: &&(Span, Span)| self.is_named(field, name);
        self.fields
            .iter()
            .filter(named)
            .map(|(_, value)| self.slice(*value))
    }

    /// All fields, as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (self.text(*name), self.slice(*value)))
    }

    /// How many fields there are.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields that httparse found in a head, and the head itself.
    pub(super) fn parsed(head: &[u8], fields: &[httparse::Header<'_>]) -> Self {
        let spans = |field: &httparse::Header<'_>| {
            (
                Span::within(head, field.name.as_bytes()),
                Span::within(head, field.value),
            )
        };
        Self {
            bytes: head.to_vec(),
            fields: fields.iter().map(spans).collect(),
        }
    }

    /// Adds a field.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        let field = (self.append(name.as_bytes()), self.append(value));
        self.fields.push(field);
    }

    /// Replaces the value of the first field of this name, or adds one.
    pub(super) fn replace(&mut self, name: &str, value: &[u8]) {
        let span = self.append(value);
        let index = self
            .fields
            .iter()
            .position(|field| self.is_named(field, name));
        match index.and_then(|index| self.fields.get_mut(index)) {
            Some((_, old)) => *old = span,
            None => self.push(name, value),
        }
    }

    /// Keeps the fields whose names are wanted.
    #[cfg(feature = "std")]
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let mut kept = Self::default();
        for (name, value) in self.iter().filter(|(name, _)| is_wanted(name)) {
            kept.push(name, value);
        }
        *self = kept;
    }

    /// Appends all fields as they stand in a head.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            write_field(name, value, out);
        }
    }

    /// The bytes at a place, which must be text.
    pub(super) fn text(&self, span: Span) -> &str {
        core::str::from_utf8(self.slice(span)).unwrap_or_default()
    }

    fn is_named(&self, (span, _): &(Span, Span), name: &str) -> bool {
        self.slice(*span).eq_ignore_ascii_case(name.as_bytes())
    }

    /// The bytes at a place.
    pub(super) fn slice(&self, span: Span) -> &[u8] {
        self.bytes
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Keeps bytes that stand in no field.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: self.bytes.len() as u32,
        }
    }
}

impl PartialEq for Headers {
    /// The same names, spelled the same, with the same values in one order.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (name, String::from_utf8_lossy(value))),
            )
            .finish()
    }
}

impl Span {
    /// Where a part that httparse lent stands in the whole.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Self {
            start: start as u32,
            end: (start + part.len()) as u32,
        }
    }
}

/// Appends one field.
pub(super) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Collects a head that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct HeadBuffer {
    bytes: Vec<u8>,
}

impl HeadBuffer {
    /// The head of `len` bytes that the input begins with and `parse` made
    /// something of, without a copy. `None`, and the input untouched, if the
    /// head may go on or anything about it is wrong: `collect` then decides.
    pub(super) fn lend<T>(
        &self,
        input: &mut Input<'_>,
        limits: &Limits,
        parse: impl FnOnce(&[u8]) -> Result<Option<(T, usize)>, HandshakeError>,
    ) -> Option<T> {
        if !self.bytes.is_empty() {
            return None;
        }
        let (head, len) = parse(input.remaining()).ok()??;
        if len > limits.max_head_len {
            return None;
        }
        input.take(len);
        Some(head)
    }

    /// Takes bytes up to the end of the head and not one more. `None`: more
    /// are needed, and all there were are kept.
    ///
    /// Each byte is looked at once, however small the pieces.
    pub(super) fn collect(
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
    pub(super) const fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// RFC 9112 §2.2: a recipient may take a bare LF for a line end and a bare CR
/// for a space, and two that differ in this can be played off against each
/// other. Here both are refused, and so is an empty line before the head.
///
/// Other control characters are refused when they come, not with the whole
/// head: who speaks TLS to this port need not wait for a deadline.
fn check_byte(before: Option<u8>, byte: u8) -> Result<(), HandshakeError> {
    let is_fine = match (before, byte) {
        (Some(b'\r'), b'\n') => true,
        (Some(b'\r'), _) | (None, b'\r') => false,
        (_, b'\r' | b'\t') => true,
        _ => !byte.is_ascii_control(),
    };
    is_fine.then_some(()).ok_or(HandshakeError::MalformedHead)
}

/// The same for a head that httparse split into this many fields: it takes a
/// bare LF for a line end but never a bare CR, so there must be a CR for the
/// first line, for each field, and for the empty line. It also skips empty
/// lines before the head.
pub(super) fn check_line_ends(head: &[u8], fields: usize) -> Result<(), HandshakeError> {
    // In runs whose count fits a byte, which the compiler turns into vector
    // code.
    let count =
        |run: &[u8]| usize::from(run.iter().map(|byte| u8::from(*byte == b'\r')).sum::<u8>());
    let lines: usize = head.chunks(255).map(count).sum();
    if lines == fields + 2 && !matches!(head.first(), Some(b'\r' | b'\n')) {
        Ok(())
    } else {
        Err(HandshakeError::MalformedHead)
    }
}

/// Gives httparse room for header fields: on the stack for those that are
/// common, on the heap up to the limit.
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
            // No field is shorter than `a:` and a line end, so a limit that is
            // far away costs nothing.
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
