//! Header fields, in one allocation for all names and values.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The header fields of an HTTP head, in order.
///
/// Names are case-insensitive (RFC 9110 §5.1). Values are bytes, without leading
/// and trailing whitespace.
///
/// ```
/// use sansocket::ClientRequest;
///
/// let request = ClientRequest::to("ws://example.com/")?.with_header("X-Trace", "42")?;
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
    /// Returns the value of the first field with this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self
            .fields
            .iter()
            .find(|field| self.is_named(field, name))?;
        Some(self.slice(*value))
    }

    /// Returns the value of the first field with this name as text. Returns `None`
    /// if there is none, or if the value contains anything but visible ASCII,
    /// spaces and tabs (RFC 9110 §5.5).
    ///
    /// ```
    /// use sansocket::ClientRequest;
    ///
    /// let request = ClientRequest::to("ws://example.com/")?
    ///     .with_header("X-Name", "Ada")?
    ///     .with_header("X-City", "Zürich")?;
    /// let headers = request.headers();
    /// assert_eq!(headers.get_str("x-name"), Some("Ada"));
    /// assert_eq!(headers.get_str("x-city"), None);
    /// assert_eq!(headers.get("x-city"), Some("Zürich".as_bytes()));
    /// # Ok::<(), sansocket::RequestError>(())
    /// ```
    pub fn get_str(&self, name: &str) -> Option<&str> {
        visible(self.get(name)?)
    }

    /// Returns the values of all fields with this name, in order.
    ///
    /// ```
    /// use sansocket::ClientRequest;
    ///
    /// let request = ClientRequest::to("ws://example.com/")?
    ///     .with_header("Forwarded", "for=192.0.2.1")?
    ///     .with_header("Forwarded", "for=192.0.2.2")?;
    /// let hops: Vec<_> = request.headers().get_all("forwarded").collect();
    /// assert_eq!(hops, [b"for=192.0.2.1", b"for=192.0.2.2"]);
    /// # Ok::<(), sansocket::RequestError>(())
    /// ```
    pub fn get_all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let named = move |field: &&(Span, Span)| self.is_named(field, name);
        self.fields
            .iter()
            .filter(named)
            .map(|(_, value)| self.slice(*value))
    }

    /// Heap bytes held.
    pub(super) const fn memory_usage(&self) -> usize {
        self.bytes.capacity() + self.fields.capacity() * size_of::<(Span, Span)>()
    }

    /// Iterates over all fields, as pairs of name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (self.text(*name), self.slice(*value)))
    }

    /// Returns the number of fields.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns `true` if there are no fields.
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

    /// Fields that another library read.
    #[cfg(feature = "std")]
    pub(super) fn of<'f>(pairs: impl Iterator<Item = (&'f str, &'f [u8])>) -> Self {
        let mut headers = Self::default();
        pairs.for_each(|(name, value)| headers.push(name, value));
        headers
    }

    /// Adds a field.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        let field = (self.append(name.as_bytes()), self.append(value));
        self.fields.push(field);
    }

    /// Replaces the value of the first field of this name, or adds one.
    pub(super) fn replace(&mut self, name: &str, value: &[u8]) {
        let mut fields = self.fields.iter();
        let Some(index) = fields.position(|field| self.is_named(field, name)) else {
            return self.push(name, value);
        };
        let span = self.append(value);
        if let Some((_, old)) = self.fields.get_mut(index) {
            *old = span;
        }
    }

    /// Appends an item to the list in the first field of this name, or adds the
    /// field.
    pub(super) fn push_item(&mut self, name: &str, separator: &str, item: &[u8]) {
        let field = self.fields.iter().find(|field| self.is_named(field, name));
        match field.map(|(_, value)| *value) {
            Some(value) if value.start < value.end => {
                self.extend(value, &[separator.as_bytes(), item].concat());
            }
            _ => self.replace(name, item),
        }
    }

    /// Appends to a value in place, so that no old copy of it remains.
    fn extend(&mut self, value: Span, bytes: &[u8]) {
        let (at, len) = (value.end, bytes.len() as u32);
        self.bytes
            .splice(at as usize..at as usize, bytes.iter().copied());
        for (name, value) in &mut self.fields {
            for span in [name, value].into_iter().filter(|span| span.end >= at) {
                span.end += len;
                span.start += if span.start >= at { len } else { 0 };
            }
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

    /// The place of bytes that were borrowed from here.
    #[cfg(feature = "std")]
    pub(super) fn span_of(&self, part: &[u8]) -> Span {
        Span::within(&self.bytes, part)
    }

    /// Keeps bytes that belong to no field.
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
    /// The same names, in the same case, with the same values, in the same order.
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
    /// The place of a part that was borrowed from the whole.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Self {
            start: start as u32,
            end: (start + part.len()) as u32,
        }
    }
}

/// The value as text, if it consists of visible ASCII, spaces and tabs.
pub(super) fn visible(value: &[u8]) -> Option<&str> {
    let is_visible = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let text = core::str::from_utf8(value).ok();
    text.filter(|_| value.iter().all(is_visible))
}

/// Appends one field.
pub(crate) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_in_place() {
        let mut headers = Headers::default();
        for (name, item) in [("A", "1"), ("B", "x"), ("a", "2"), ("C", ""), ("b", "y")] {
            headers.push_item(name, ", ", item.as_bytes());
        }
        headers.replace("C", b"");
        headers.push_item("A", ", ", b"3");
        headers.push_item("C", ", ", b"z");
        let fields: Vec<_> = headers.iter().collect();
        let expected: [(&str, &[u8]); 3] = [("A", b"1, 2, 3"), ("B", b"x, y"), ("C", b"z")];
        assert_eq!(fields, expected);
        assert_eq!(headers.bytes, b"A1, 2, 3Bx, yCz");
    }

    #[test]
    fn values_are_text_where_they_are_visible() {
        let table: [(&[u8], Option<&str>); 6] = [
            (b"a b\tc", Some("a b\tc")),
            (b"", Some("")),
            (b"~", Some("~")),
            (b"caf\xc3\xa9", None),
            (b"\xff", None),
            (b"\x1b[2J", None),
        ];
        for (value, expected) in table {
            let mut headers = Headers::default();
            headers.push("X", value);
            assert_eq!(headers.get_str("x"), expected);
        }
    }
}
