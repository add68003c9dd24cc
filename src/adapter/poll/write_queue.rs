//! The unsent bytes, in order.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use bytes::{Buf, Bytes};

use super::buffers;
use super::transport::Transport;
use super::wakers::yield_now;

/// Unsent bytes: some shared by reference, then those that the state machine
/// appended. Holds no buffer while there are none.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    shared: VecDeque<Bytes>,
    shared_len: usize,
    out: Vec<u8>,
    /// How many bytes the transport has accepted and may not have flushed.
    unflushed_len: usize,
}

/// Up to this many bytes are moved to the front after a partial write. Longer ones are
/// not, so that a long message is written in linear time.
const MAX_MOVED_LEN: usize = 16 * 1024;

/// A poll writes this many queued bytes, and then yields to other tasks and to the other
/// half. A large message that a server borrows is not divided: as the future can be
/// dropped, all that is left of it would have to be copied before the yield.
pub(super) const MAX_WRITTEN_LEN: usize = 1024 * 1024;

/// A transport that buffers is flushed after this many bytes, because what it holds must
/// be sent within the write deadline.
const MAX_UNFLUSHED_LEN: usize = 64 * 1024;

/// How many slices are written at once.
const MAX_SLICES: usize = 16;

impl WriteQueue {
    /// The buffer that the state machine appends to.
    #[inline]
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = buffers::take_write();
        }
        &mut self.out
    }

    /// The same, for what appends something only to a connection that fails.
    #[inline]
    pub(super) const fn kept_out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes are unsent besides those of `out`. Includes those that the transport
    /// holds: as many as it reports, or all that were not flushed.
    pub(super) fn buffered_len(&self, io: &impl Transport) -> usize {
        let held_len = match io.buffered_len() {
            0 => self.unflushed_len,
            held_len => held_len,
        };
        self.shared_len.saturating_add(held_len)
    }

    /// How many bytes are unsent.
    pub(super) const fn len(&self) -> usize {
        self.shared_len + self.out.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all has left.
    pub(super) const fn is_flushed(&self) -> bool {
        self.is_empty() && self.unflushed_len == 0
    }

    /// Adds bytes without copying them.
    pub(super) fn share(&mut self, bytes: Bytes) {
        if !self.out.is_empty() {
            let before = Bytes::from(mem::take(&mut self.out));
            self.shared_len += before.len();
            self.shared.push_back(before);
        }
        self.shared_len += bytes.len();
        self.shared.push_back(bytes);
    }

    /// The unsent bytes.
    pub(super) fn into_unsent(self) -> Vec<u8> {
        let mut unsent = Vec::with_capacity(self.len());
        for bytes in &self.shared {
            unsent.extend_from_slice(bytes);
        }
        unsent.extend_from_slice(&self.out);
        unsent
    }

    /// Discards all unsent bytes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Writes all unsent bytes and flushes the stream.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        if self.is_flushed() {
            self.release();
            return Poll::Ready(Ok(()));
        }
        let unsent_len = self.len();
        while !self.is_empty() {
            if unsent_len - self.len() >= MAX_WRITTEN_LEN {
                return yield_now(cx);
            }
            ready!(self.poll_write(cx, io, &[]))?;
        }
        ready!(self.poll_flush_io(cx, io))?;
        self.release();
        Poll::Ready(Ok(()))
    }

    fn poll_flush_io(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        if self.unflushed_len > 0 {
            ready!(io.poll_flush(cx))?;
            self.unflushed_len = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the unsent bytes and `then` once. Returns how much of `then` was written.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut impl Transport,
        then: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unflushed_len >= MAX_UNFLUSHED_LEN {
            ready!(self.poll_flush_io(cx, io))?;
        }
        let written = if self.shared.is_empty() && then.is_empty() {
            io.poll_write(cx, &[IoSlice::new(&self.out)])
        } else {
            io.poll_write(cx, self.slices(then, &mut [IoSlice::new(&[]); MAX_SLICES]))
        };
        if written.is_pending() && self.unflushed_len > 0 {
            // A transport that does not buffer has sent what it accepted. One that is
            // flushed can forget who waits to write, such as the streams of async-net.
            ready!(self.poll_flush_io(cx, io))?;
            return self.poll_write(cx, io, then);
        }
        let len = ready!(written)?;
        if len == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed_len = self.unflushed_len.saturating_add(len);
        let own = len.min(self.len());
        self.advance(own);
        Poll::Ready(Ok(len - own))
    }

    /// Releases the buffers if they are empty.
    #[inline]
    pub(super) fn release(&mut self) {
        if !self.is_empty() {
            return;
        }
        if self.out.capacity() > 0 {
            buffers::put_write(mem::take(&mut self.out));
        }
        if self.shared.capacity() > 0 {
            self.shared = VecDeque::new();
        }
    }

    /// Heap bytes held by this alone.
    pub(super) fn memory_usage(&self) -> usize {
        self.out.capacity() + self.shared.capacity() * size_of::<Bytes>()
    }

    fn slices<'s>(
        &'s self,
        then: &'s [u8],
        room: &'s mut [IoSlice<'s>; MAX_SLICES],
    ) -> &'s [IoSlice<'s>] {
        let out = Some(&*self.out).filter(|out| !out.is_empty());
        let then = Some(then).filter(|then| !then.is_empty());
        let pieces = self.shared.iter().map(|bytes| &**bytes);
        let mut count = 0;
        for (slice, piece) in room.iter_mut().zip(pieces.chain(out).chain(then)) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        room.get(..count).unwrap_or_default()
    }

    fn advance(&mut self, mut len: usize) {
        while let Some(first) = self.shared.front_mut() {
            let taken = len.min(first.len());
            first.advance(taken);
            self.shared_len -= taken;
            len -= taken;
            if !first.is_empty() {
                return;
            }
            let buf = self.shared.pop_front().map(Bytes::try_into_mut);
            if let Some(Ok(buf)) = buf {
                // It has no other owner, so it can be reused.
                buffers::put_write(buf.into());
            }
        }
        if self.out.len() == len {
            self.out.clear();
        } else if self.out.len() - len < MAX_MOVED_LEN {
            self.out.drain(..len);
        } else {
            let mut rest = Bytes::from(mem::take(&mut self.out));
            rest.advance(len);
            self.shared_len = rest.len();
            self.shared.push_back(rest);
        }
    }
}
