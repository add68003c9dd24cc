//! The loop of [`Connection`] as a set of polls, written once for all runtimes
//! and for both halves of a split.
//!
//! Moves bytes and time between a transport and the state machine. It contains no rule
//! of the protocol and does not depend on a runtime.

use std::boxed::Box;
use std::io;
use std::task::{Context, Poll};
use std::vec::Vec;

use super::buffers::{self, MAX_READ_LEN, READ_LEN};
use super::transport::Transport;
use super::turn::Turn;
use super::wakers::yield_now;
use super::write_queue::WriteQueue;
use crate::adapter::Error;
use crate::adapter::auto_replies::AutoReplies;
use crate::adapter::read_buffer::ReadBuffer;
use crate::connection::{Connection, IoState};
use crate::error::{ConnectionError, SendError};
use crate::event::Event;
use crate::handshake::Response;
use crate::message::Assembler;

/// A connection over a transport.
#[derive(Debug)]
pub(super) struct Driver<T> {
    pub(super) io: T,
    pub(super) ws: Connection,
    pub(super) read_buffer: ReadBuffer,
    pub(super) write_queue: WriteQueue,
    /// As a client: the response that opened the connection, until it is taken.
    pub(super) response: Option<Response>,
    auto_replies: AutoReplies,
    /// The position in the output after the last ping or pong that the application sent.
    pub(super) control_end: u64,
    /// The event that ended the connection, to be returned once the unsent bytes are
    /// written.
    pub(super) last_event: Option<Box<Event<'static>>>,
    /// The progress of shutting down the write direction.
    pub(super) shutdown: Shutdown,
    /// Counts reads, because the clock is not read with each of them.
    reads: u32,
    /// Set if writing failed, so that nothing more is sent.
    pub(super) write_error: Option<io::ErrorKind>,
    /// Whether reading and writing have ended.
    pub(super) is_finished: bool,
    /// The pieces of an incomplete message, if they are to be joined.
    pub(super) partial: Option<Box<Assembler>>,
    pub(super) turn: Turn,
}

/// A read of this many bytes can contain more control frames than are allowed in one
/// second.
const LONG_READ_LEN: usize = 1024;

/// The state of the write direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    NotYet,
    Pending,
    Done,
}

impl<T: Transport> Driver<T> {
    pub(super) fn new(io: T, ws: Connection, out: &[u8]) -> Self {
        let mut write_queue = WriteQueue::default();
        write_queue.out().extend_from_slice(out);
        Self {
            io,
            ws,
            read_buffer: ReadBuffer::default(),
            write_queue,
            response: None,
            auto_replies: AutoReplies::default(),
            control_end: 0,
            last_event: None,
            shutdown: Shutdown::NotYet,
            reads: 0,
            write_error: None,
            is_finished: false,
            partial: None,
            turn: Turn::default(),
        }
    }

    /// Heap bytes held, those of the transport left out.
    pub(super) fn memory_usage(&self) -> usize {
        self.ws.memory_usage()
            + self.read_buffer.memory_usage()
            + self.write_queue.memory_usage()
            + self.response.as_ref().map_or(0, Response::memory_usage)
            + self
                .partial
                .as_ref()
                .map_or(0, |partial| size_of::<Assembler>() + partial.memory_usage())
    }

    /// Ends the turn: pending, to be polled again after other tasks. What is unreceived
    /// waits until then, but not what is unsent, nor a deadline.
    pub(super) fn poll_yield<R>(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        self.turn = Turn::default();
        let _ = self.poll_write(cx);
        let _ = self.poll_deadline(cx, false);
        self.release();
        yield_now(cx)
    }

    /// Counts what was appended after position `before` as automatic replies.
    pub(super) fn count_auto_replies(&mut self, before: u64) {
        let after = self.ws.sent_len();
        self.auto_replies.count(before, after);
    }

    /// See [`AutoReplies::is_flood`].
    fn is_flooded(&mut self) -> bool {
        let (written_len, max) = (self.written_len(), self.max_unsent_len());
        self.auto_replies.is_flood(written_len, max)
    }

    /// The position in the output up to which it was sent.
    pub(super) fn written_len(&self) -> u64 {
        let appended = self.ws.sent_len();
        appended.saturating_sub(self.write_queue.len() as u64)
    }

    pub(super) fn max_unsent_len(&self) -> usize {
        self.ws.config().settings().max_unsent_len
    }

    /// The progress of the connection: when it changes, there can be a new deadline, or
    /// nothing more to wait for.
    pub(super) fn progress(&self) -> [bool; 4] {
        [
            self.ws.is_open(),
            self.ws.outcome().is_some(),
            self.ws.is_stalled(),
            self.is_finished,
        ]
    }

    /// Reads once, and writes unsent bytes meanwhile. The clock is read last, so that
    /// what arrived in time counts.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.read_buffer.has_rest() {
            return Poll::Ready(Err(SendError::NotOpen.into()));
        }
        loop {
            let _ = self.poll_write(cx);
            let is_reading = !self.is_flooded();
            if is_reading && let Poll::Ready(read) = self.poll_read(cx) {
                self.tick_between_reads(cx);
                return Poll::Ready(read.or_else(|error| self.end_with_error(error)));
            }
            let appended = self.ws.sent_len();
            let was_over = self.ws.outcome().is_some();
            let is_late = self.poll_deadline(cx, is_reading).is_ready();
            if self.ws.is_closed() || self.ws.outcome().is_some() != was_over {
                return Poll::Ready(Ok(()));
            }
            // A keepalive ping was appended.
            if !is_late && self.ws.sent_len() == appended {
                self.turn = Turn::default();
                self.release();
                return Poll::Pending;
            }
        }
    }

    /// Enforces deadlines even if there is always something to read.
    fn tick_between_reads(&mut self, cx: &mut Context<'_>) {
        self.reads = self.reads.wrapping_add(1);
        let is_long = self.read_buffer.rest_len() >= LONG_READ_LEN
            && !self.read_buffer.is_one_data_frame(&self.ws);
        if is_long || !self.write_queue.is_empty() || self.reads.is_multiple_of(16) {
            // What was read has not been received yet, so it does not count as silence.
            let _ = self.poll_deadline(cx, false);
        }
    }

    /// Writes as much as possible. If writing fails, the transport is still read, because
    /// the peer may have sent something before.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.write_error.is_some() {
            // The peer would take it for the rest of the frame that was cut off.
            self.write_queue.clear();
            return Poll::Ready(());
        }
        let flushed = self.poll_write_queue(cx);
        flushed.map(|flushed| {
            if let Err(error) = flushed {
                self.write_error = Some(error.kind());
                self.write_queue.clear();
            }
        })
    }

    pub(super) fn poll_write_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.write_queue.is_empty() {
            self.turn.count_io(0);
        }
        self.write_queue.poll_flush(cx, &mut self.io)
    }

    /// Reads once: into the message that is arriving if it is large, and else into a
    /// buffer of the thread.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(buf) = self.read_buffer.take_buf() {
            buffers::put_read(buf);
        }
        let into_message = self
            .ws
            .receive_into_message(MAX_READ_LEN, |memory| self.io.poll_read_buf(cx, memory));
        if let Some(read) = into_message.flatten() {
            return self.end_read(Vec::new(), read);
        }
        let mut buf = match self.ws.bulk_len() {
            ..=READ_LEN => buffers::take_read(),
            _ => buffers::take_long_read(),
        };
        let read = self.io.poll_read(cx, &mut buf);
        self.end_read(buf, read)
    }

    /// Counts what was read, which is in `buf` unless it is in the message.
    fn end_read(&mut self, buf: Vec<u8>, read: Poll<io::Result<usize>>) -> Poll<io::Result<()>> {
        let read = read.map(|read| match read {
            // TLS reports this for a truncated stream.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        });
        if let Poll::Ready(Ok(len)) = read {
            self.turn.count_io(len);
            self.read_buffer.fill(buf, len);
        } else {
            buffers::put_read(buf);
        }
        read.map_ok(|_| ())
    }

    /// Passes the time and the state of the transport to the state machine. Ready if a
    /// deadline has already come.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>, is_reading: bool) -> Poll<()> {
        let buffered_len = self.write_queue.buffered_len(&self.io)
            + usize::from(self.shutdown == Shutdown::Pending);
        let has_unsent = buffered_len > 0 || !self.write_queue.is_empty();
        if !has_unsent && !self.ws.needs_time() {
            return Poll::Pending;
        }
        let Some(now) = self.io.now() else {
            return Poll::Pending;
        };
        let io = IoState {
            buffered_len,
            is_reading,
        };
        let deadline = self.ws.handle_timeout(now, io, self.write_queue.out());
        if self.ws.is_stalled() {
            self.write_queue.clear();
            return Poll::Ready(());
        }
        match deadline {
            Some(deadline) => self.io.poll_deadline(cx, deadline.at),
            None => Poll::Pending,
        }
    }

    pub(super) fn failure(&self) -> Option<ConnectionError> {
        self.ws.outcome()?.cause
    }

    /// Releases the buffers that are empty.
    #[inline]
    pub(super) fn release(&mut self) {
        if let Some(buf) = self.read_buffer.take_buf() {
            buffers::put_read(buf);
        }
        self.write_queue.release();
    }
}
