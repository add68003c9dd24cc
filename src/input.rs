//! The bytes that one read returned, taken by the connection piece by piece.

/// The result of one read, passed to
/// [`Connection::receive`](crate::Connection::receive): bytes, or the end of the
/// stream.
///
/// Events borrow from the bytes, so that a message contained in them is delivered
/// without a copy. The bytes are unmasked in place. Those that have not been
/// consumed yet stay here: a driver can stop between two events and continue
/// later.
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
    /// Wraps the bytes that one read returned. An empty slice is the end of the
    /// stream, as with `std::io::Read`.
    ///
    /// ```
    /// use sansocket::{Connection, Input};
    ///
    /// /// Reads once and receives what was read.
    /// fn read(socket: &mut impl std::io::Read, ws: &mut Connection, out: &mut Vec<u8>) -> std::io::Result<()> {
    ///     let mut buf = [0; 4096];
    ///     let len = socket.read(&mut buf)?;
    ///     let mut input = Input::new(&mut buf[..len]);
    ///     while let Some(event) = ws.receive(&mut input, out) {
    ///         println!("{event:?}");
    ///     }
    ///     Ok(())
    /// }
    /// # let mut ws = Connection::server(&Default::default());
    /// # read(&mut &b""[..], &mut ws, &mut Vec::new()).unwrap();
    /// # assert!(ws.is_closed());
    /// ```
    #[inline]
    pub fn new(bytes: &'i mut [u8]) -> Self {
        let end_of_stream = bytes.is_empty();
        Self {
            rest: bytes,
            end_of_stream,
        }
    }

    /// No bytes, without being the end of the stream: for events that need no
    /// input, such as the failure after a deadline has passed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket::{Config, Connection, ConnectionError, DeadlineReason, Event, Input, IoState};
    ///
    /// let (mut ws, mut out) = (Connection::server(&Config::new()), Vec::new());
    /// for seconds in [0, 10, 11] {
    ///     ws.handle_timeout(Duration::from_secs(seconds), IoState::reading(), &mut out);
    /// }
    /// let event = ws.receive(&mut Input::none(), &mut out);
    /// let error = ConnectionError::Timeout(DeadlineReason::Handshake);
    /// assert_eq!(event, Some(Event::Failed(error)));
    /// ```
    #[inline]
    pub const fn none() -> Self {
        Self {
            rest: &mut [],
            end_of_stream: false,
        }
    }

    /// Returns the bytes that have not been consumed. After a plain HTTP request,
    /// these are the bytes after its head.
    pub fn remaining(&self) -> &[u8] {
        self.rest
    }

    /// Returns `true` if this is the end of the stream.
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
