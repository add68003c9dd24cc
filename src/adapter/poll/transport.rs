//! The interface to an async runtime: a stream and a clock.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BufMut;

/// A stream and a clock of an async runtime.
///
/// Implemented for the streams of tokio and futures-io. Implement it to use the
/// WebSockets of this module with another runtime.
pub trait Transport {
    /// Reads into the buffer. Returns 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Reads once like [`poll_read`](Self::poll_read), and appends what was read to memory
    /// that need not be initialized. Returns `None` if the stream cannot: then `poll_read`
    /// is called instead.
    fn poll_read_buf(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut dyn BufMut,
    ) -> Option<Poll<io::Result<usize>>> {
        let _ = (cx, buf);
        None
    }

    /// Writes some bytes, at least of the first slice that is not empty.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Returns `true` if one write can take more than the first slice.
    fn is_vectored(&self) -> bool;

    /// Sends everything that was written.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns how many of the written bytes the transport has not sent yet, or 0 if
    /// it does not know. The number falls as they are sent, and is 0 after a flush.
    fn buffered_len(&self) -> usize {
        0
    }

    /// Shuts down the write direction: nothing more will be written.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns the time since an arbitrary origin, or `None` if there is no clock.
    fn now(&self) -> Option<Duration>;

    /// Waits until this time.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()>;
}
