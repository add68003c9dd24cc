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
    /// The text, then an index of it: two entries for each field, its name and its
    /// value, and then the parts of the head that belong to no field.
    bytes: Vec<u8>,
    text_len: u32,
    /// The number of fields.
    len: u32,
}

/// A place in the text of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// A span as the index has it.
type Entry = [[u8; 4]; 2];

impl Headers {
    /// Returns the value of the first field with this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let index = self.position(name)?;
        self.fields()
            .get(index)
            .map(|[_, value]| self.slice(*value))
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
        let named = move |[known, _]: &&[Entry; 2]| self.is_named(*known, name);
        let fields = self.fields().iter().filter(named);
        fields.map(|[_, value]| self.slice(*value))
    }

    /// Heap bytes held.
    pub(super) const fn memory_usage(&self) -> usize {
        self.bytes.capacity()
    }

    /// Iterates over all fields, as pairs of name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let fields = self.fields().iter();
        fields.map(|[name, value]| (self.text(*name), self.slice(*value)))
    }

    /// Returns the number of fields.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Returns `true` if there are no fields.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fields that httparse found in a head, and the head itself.
    pub(super) fn parsed(head: &[u8], fields: &[httparse::Header<'_>]) -> Self {
        let index_len = size_of::<[Entry; 2]>() * fields.len();
        // With room for the four parts of a request.
        let mut bytes = Vec::with_capacity(head.len() + index_len + 4 * size_of::<Entry>());
        bytes.extend_from_slice(head);
        bytes.resize(head.len() + index_len, 0);
        let mut headers = Self {
            bytes,
            text_len: head.len() as u32,
            len: fields.len() as u32,
        };
        let (index, _) = headers.index_mut().as_chunks_mut();
        for ([name, value], field) in index.iter_mut().zip(fields) {
            *name = Span::within(head, field.name.as_bytes()).entry();
            *value = Span::within(head, field.value).entry();
        }
        headers
    }

    /// Fields that another library read.
    #[cfg(feature = "std")]
    pub(super) fn of<'f>(pairs: impl Iterator<Item = (&'f str, &'f [u8])>) -> Self {
        let (mut bytes, mut index) = (Vec::new(), Vec::new());
        for part in pairs.flat_map(|(name, value)| [name.as_bytes(), value]) {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(part);
            let end = bytes.len() as u32;
            index.push(Span { start, end }.entry());
        }
        let (text_len, len) = (bytes.len() as u32, index.len() as u32 / 2);
        bytes.extend_from_slice(index.as_flattened().as_flattened());
        Self {
            bytes,
            text_len,
            len,
        }
    }

    /// Adds a field.
    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        let field = [self.append(name.as_bytes()), self.append(value)];
        self.len += 1;
        self.keep(field);
    }

    /// Replaces the value of the first field of this name, or adds one.
    pub(super) fn replace(&mut self, name: &str, value: &[u8]) {
        let Some(index) = self.position(name) else {
            return self.push(name, value);
        };
        let span = self.append(value);
        if let Some(old) = self.index_mut().get_mut(2 * index + 1) {
            *old = span.entry();
        }
    }

    /// Appends an item to the list in the first field of this name, or adds the
    /// field.
    pub(super) fn push_item(&mut self, name: &str, separator: &str, item: &[u8]) {
        let field = self
            .position(name)
            .and_then(|index| self.fields().get(index));
        match field.map(|[_, value]| Span::of(*value)) {
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
        self.text_len += len;
        for entry in self.index_mut() {
            let mut span = Span::of(*entry);
            if span.end >= at {
                span.end += len;
                span.start += if span.start >= at { len } else { 0 };
            }
            *entry = span.entry();
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let mut fields = self.fields().iter();
        fields.position(|[known, _]| self.is_named(*known, name))
    }

    fn is_named(&self, known: Entry, name: &str) -> bool {
        self.slice(known).eq_ignore_ascii_case(name.as_bytes())
    }

    fn fields(&self) -> &[[Entry; 2]] {
        let (fields, _) = self.index().as_chunks();
        fields.get(..self.len()).unwrap_or_default()
    }

    fn index(&self) -> &[Entry] {
        let index = self.bytes.get(self.text_len as usize..);
        index.unwrap_or_default().as_chunks().0.as_chunks().0
    }

    fn index_mut(&mut self) -> &mut [Entry] {
        let index = self.bytes.get_mut(self.text_len as usize..);
        let (numbers, _) = index.unwrap_or_default().as_chunks_mut();
        numbers.as_chunks_mut().0
    }

    /// The bytes at a place, which must be text.
    fn text(&self, entry: Entry) -> &str {
        core::str::from_utf8(self.slice(entry)).unwrap_or_default()
    }

    fn slice(&self, entry: Entry) -> &[u8] {
        self.get_span(entry).unwrap_or_default()
    }

    fn get_span(&self, entry: Entry) -> Option<&[u8]> {
        let Span { start, end } = Span::of(entry);
        self.bytes.get(start as usize..end as usize)
    }
}

/// The parts of a head that belong to no field.
impl Headers {
    /// The place of bytes that were borrowed from here.
    #[cfg(feature = "std")]
    pub(super) fn span_of(&self, part: &[u8]) -> Span {
        Span::within(&self.bytes, part)
    }

    /// Appends text that belongs to no field.
    pub(super) fn append(&mut self, text: &[u8]) -> Span {
        let start = self.text_len;
        self.bytes.extend_from_slice(text);
        if let Some(index) = self.bytes.get_mut(start as usize..) {
            index.rotate_right(text.len());
        }
        self.text_len += text.len() as u32;
        Span {
            start,
            end: self.text_len,
        }
    }

    /// Adds places to the index: those of a field, or the parts that `part` returns, in
    /// this order. No field may be added after parts.
    pub(super) fn keep<const N: usize>(&mut self, parts: [Span; N]) {
        let entries = parts.map(Span::entry);
        let bytes = entries.as_flattened().as_flattened();
        self.bytes.extend_from_slice(bytes);
    }

    /// The part that was kept as the `index`th.
    pub(super) fn part(&self, index: usize) -> Option<&[u8]> {
        let entry = self.index().get(2 * self.len() + index)?;
        self.get_span(*entry)
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
    /// The place of a part that is missing.
    pub(super) const NONE: Self = Self { start: 1, end: 0 };

    /// The place of a part that was borrowed from the whole.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Self {
            start: start as u32,
            end: (start + part.len()) as u32,
        }
    }

    const fn of([start, end]: Entry) -> Self {
        Self {
            start: u32::from_ne_bytes(start),
            end: u32::from_ne_bytes(end),
        }
    }

    const fn entry(self) -> Entry {
        [self.start.to_ne_bytes(), self.end.to_ne_bytes()]
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
        assert!(headers.bytes.starts_with(b"A1, 2, 3Bx, yCz"));
        assert_eq!(headers.text_len, 15);
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
