//! The bytes that one read returned, borrowed by the core and taken piece by piece.
//!
//! Knows which bytes are left and whether the stream ended; knows nothing of
//! what they mean.

/// What one read returned: bytes for a [`Connection`](crate::Connection) to take,
/// from which its events borrow, or the end of the stream.
///
/// An event borrows from the input, not from the connection, so a message that
/// is contained in it is delivered without a copy. Bytes that have not been taken
/// yet stay here: a driver may stop between events and go on later.
///
/// ```
/// use sansocket::Input;
///
/// let mut buf = *b"\x81\x02hi";
/// let input = Input::new(&mut buf);
/// assert_eq!(input.remaining(), b"\x81\x02hi");
/// assert!(Input::new(&mut []).is_end_of_stream());
/// assert!(!Input::none().is_end_of_stream());
/// ```
#[derive(Debug)]
pub struct Input<'i> {
    rest: &'i mut [u8],
    end_of_stream: bool,
}

impl<'i> Input<'i> {
    /// The bytes of one read. An empty slice is the end of the stream, as it
    /// is for `std::io::Read`.
    #[inline]
    pub fn new(bytes: &'i mut [u8]) -> Self {
        let end_of_stream = bytes.is_empty();
        Self {
            rest: bytes,
            end_of_stream,
        }
    }

    /// No bytes, and not the end of the stream: for events that need no input,
    /// such as a deadline that has passed.
    #[inline]
    pub const fn none() -> Self {
        Self {
            rest: &mut [],
            end_of_stream: false,
        }
    }

    /// The bytes that were not taken yet.
    ///
    /// After a plain HTTP request these are the bytes after its head, until it
    /// is answered.
    pub fn remaining(&self) -> &[u8] {
        self.rest
    }

    /// Whether this is the end of the stream.
    pub fn is_end_of_stream(&self) -> bool {
        self.end_of_stream
    }

    /// Takes the first `len` bytes, or all there are.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> &'i mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let (taken, rest) = rest.split_at_mut(len.min(rest.len()));
        self.rest = rest;
        taken
    }
}
