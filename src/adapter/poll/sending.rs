//! Sending: waits for room, and queues messages.

use std::task::{Context, Poll, ready};
use std::vec::Vec;

use super::driver::Driver;
use super::transport::Transport;
use super::write_queue::MAX_WRITTEN_LEN;
use crate::adapter::{Error, check_writable};
use crate::close::CloseCode;
use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::error::{ConnectionError, SendError};
use crate::frame::{Mask, MaskingKey, Role};
use crate::message::{MessageRef, Prepared};

/// A payload of this length is not copied, if the transport can write header and payload
/// at once.
const MIN_ZERO_COPY_LEN: usize = 16 * 1024;

/// How much of a large message a client masks at once, so that it is still in the cache
/// when it is written.
const MASKED_LEN: usize = 64 * 1024;

/// A prepared message of this length is shared. Copying a shorter one is faster.
const MIN_SHARED_LEN: usize = 2 * 1024;

impl<T: Transport> Driver<T> {
    /// Writes all unsent bytes and flushes the transport.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            // Whichever half found out.
            check_writable(&self.ws, self.write_error)?;
            if let Poll::Ready(flushed) = self.poll_write_queue(cx) {
                return Poll::Ready(flushed.map_err(Error::from));
            }
            let late = self.poll_deadline(cx, false);
            if let Some(ConnectionError::Timeout(reason)) = self.failure() {
                return Poll::Ready(Err(ConnectionError::Timeout(reason).into()));
            }
            ready!(late);
        }
    }

    /// Sends a close frame, unless one was sent.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
        reason: &str,
    ) -> Poll<Result<(), Error>> {
        self.ws.close(code, reason, self.write_queue.out())?;
        self.poll_flush(cx)
    }

    /// Ready when there is room for a message of this length.
    pub(super) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        len: usize,
    ) -> Poll<Result<(), Error>> {
        if !self.has_room(len) {
            return self.poll_flush(cx);
        }
        // A loop that never flushes is told here. Otherwise `take` has the error.
        Poll::Ready(match self.ws.is_open() {
            true => check_writable(&self.ws, self.write_error),
            false => Ok(()),
        })
    }

    /// Whether a message of this length can be queued now. One that is longer than the
    /// limit can be queued if nothing else is.
    pub(super) fn has_room(&self, len: usize) -> bool {
        let unsent_len = self.write_queue.len();
        unsent_len == 0 || unsent_len.saturating_add(len) <= self.max_unsent_len()
    }

    /// Queues a ping or pong of the application once the previous one was sent, so that
    /// they do not pile up if futures are dropped and repeated.
    pub(super) fn poll_control(
        &mut self,
        cx: &mut Context<'_>,
        send: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Poll<Result<(), Error>> {
        if self.written_len() < self.control_end {
            let flushed = self.poll_flush(cx);
            if self.written_len() < self.control_end {
                ready!(flushed)?;
            }
        }
        send(&mut self.ws, self.write_queue.out())?;
        self.control_end = self.ws.sent_len();
        Poll::Ready(Ok(()))
    }

    /// Queues a message once there is room for it, and writes all unsent bytes.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<MessageRef<'_>>,
    ) -> Poll<Result<(), Error>> {
        if message.is_some() {
            ready!(self.poll_take(cx, message))?;
        }
        self.poll_flush(cx)
    }

    /// Queues a message once there is room for it.
    pub(super) fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<MessageRef<'_>>,
    ) -> Poll<Result<(), Error>> {
        let len = message.as_ref().map_or(0, MessageRef::len);
        ready!(self.poll_room(cx, len))?;
        Poll::Ready(
            message
                .take()
                .map_or(Ok(()), |message| self.take(Some(cx), message)),
        )
    }

    /// As [`poll_take`](Self::poll_take), choosing whether it is compressed.
    #[cfg(feature = "deflate")]
    pub(super) fn poll_take_with(
        &mut self,
        cx: &mut Context<'_>,
        message: &MessageRef<'_>,
        choice: Compress,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx, message.len()))?;
        let out = self.write_queue.out();
        Poll::Ready(Ok(self.ws.send_with(message, choice, out)?))
    }

    /// Queues a prepared message once there is room for it.
    pub(super) fn poll_take_prepared(
        &mut self,
        cx: &mut Context<'_>,
        prepared: &Prepared,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx, prepared.payload().len()))?;
        Poll::Ready(self.take_prepared(prepared))
    }

    /// Queues a message. A large message of a server is not copied: if it is owned, it is
    /// shared, and otherwise as much as possible is written at once. Of a client it is
    /// masked in pieces, which are written as far as possible.
    pub(super) fn take(
        &mut self,
        cx: Option<&mut Context<'_>>,
        message: MessageRef<'_>,
    ) -> Result<(), Error> {
        if !self.writes_directly(message.len()) {
            return Ok(self.ws.send(message, self.write_queue.out())?);
        }
        let (kind, len) = (message.kind(), message.len());
        if let Some(key) = self.ws.send_header(kind, len, self.write_queue.out())? {
            self.mask_through(cx, key, message.as_bytes());
            return Ok(());
        }
        match message.into_shared() {
            Ok(payload) => self.write_queue.share(payload),
            Err(payload) => {
                let left = cx.map_or(0, |cx| self.write_through(cx, payload));
                let rest = payload.get(left..).unwrap_or_default();
                self.write_queue.out().extend_from_slice(rest);
            }
        }
        Ok(())
    }

    /// Whether the payload of a message of this length is written without copying all of
    /// it.
    fn writes_directly(&self, len: usize) -> bool {
        let is_large = match self.ws.role() {
            Role::Server => len >= MIN_ZERO_COPY_LEN && self.io.is_vectored(),
            Role::Client => len >= 2 * MASKED_LEN,
        };
        is_large && self.ws.sends_whole(len)
    }

    /// Masks a payload in pieces and writes each. When the transport accepts no more, or
    /// enough was written in this poll, the rest is queued; `poll_flush` reports an error.
    fn mask_through(&mut self, mut cx: Option<&mut Context<'_>>, key: MaskingKey, payload: &[u8]) {
        let (mut mask, mut rest) = (Mask::new(key), payload);
        while let Some(cx) = &mut cx
            && payload.len() - rest.len() < MAX_WRITTEN_LEN
            && let Some((piece, after)) = rest.split_at_checked(MASKED_LEN)
        {
            mask.append(piece, self.write_queue.out());
            rest = after;
            while !self.write_queue.is_empty() {
                match self.write_queue.poll_write(cx, &mut self.io, &[]) {
                    Poll::Ready(Ok(_)) => {}
                    _ => return mask.append(rest, self.write_queue.out()),
                }
            }
        }
        mask.append(rest, self.write_queue.out());
    }

    /// Writes the unsent bytes and then a payload, as far as possible at once. Returns how
    /// much of the payload was written; `poll_flush` reports an error.
    fn write_through(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> usize {
        let mut left = 0;
        while let Some(rest @ [_, ..]) = payload.get(left..)
            && let Poll::Ready(Ok(len)) = self.write_queue.poll_write(cx, &mut self.io, rest)
        {
            left += len;
        }
        left
    }

    /// Queues a prepared message. A long one is shared.
    fn take_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        if prepared.payload().len() < MIN_SHARED_LEN {
            return Ok(self.ws.send_prepared(prepared, self.write_queue.out())?);
        }
        let frame = self.ws.share_prepared(prepared)?;
        self.write_queue.share(frame);
        Ok(())
    }
}
