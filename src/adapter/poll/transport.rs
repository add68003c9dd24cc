//! What an async runtime brings: a stream and a clock.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

/// A stream and a clock. Knows how one runtime polls them; knows nothing of
/// what passes.
pub trait Transport {
    /// Reads into the buffer. No bytes are the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of these bytes, at least of the first that are not empty.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Whether one write takes more than the first slice.
    fn is_vectored(&self) -> bool;

    /// What was written is on its way.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// How many of the bytes that were written it still holds, if it knows:
    /// fewer from call to call while they leave, and none once they were
    /// flushed.
    fn buffered_len(&self) -> usize {
        0
    }

    /// Nothing more will be written.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The time since any origin, if there is a clock.
    fn now(&self) -> Option<Duration>;

    /// Ready once it is that late.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()>;
}
