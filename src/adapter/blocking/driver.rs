//! Moves bytes and time between the stream and the state machine.

use std::io::{self, IoSlice, Read, Write};
use std::time::Duration;
use std::vec::Vec;

use super::{Error, WebSocket};
use crate::adapter::check_writable;
use crate::adapter::read_buffer::ReadBuffer;
use crate::connection::{Connection, IoState};
use crate::deadline::{Deadline, DeadlineReason};
use crate::error::{ConnectionError, SendError};
use crate::frame::Role;
use crate::input::Input;
use crate::message::MessageRef;

/// Messages of this length are written from the caller's memory.
const MIN_ZERO_COPY_LEN: usize = 16 * 1024;

/// The length of a read buffer, and up to which it doubles when a read has filled it:
/// within a large frame and otherwise. A peer that only announces a large frame makes
/// nobody allocate for it.
const MIN_READ_LEN: usize = 4 * 1024;
const MAX_READ_LEN: usize = 128 * 1024;
const MAX_SMALL_READ_LEN: usize = 16 * 1024;

/// Reads once, into the consumed buffer. Of the frame that is arriving, `remaining_len`
/// bytes are missing.
pub(super) fn read(
    read_buffer: &mut ReadBuffer,
    mut stream: impl Read,
    remaining_len: u64,
) -> io::Result<()> {
    let was_filled = read_buffer.is_filled();
    let mut buf = read_buffer.take_buf().unwrap_or_default();
    let is_large = remaining_len > MAX_SMALL_READ_LEN as u64;
    let max_len = if is_large {
        MAX_READ_LEN
    } else {
        MAX_SMALL_READ_LEN
    };
    let len = if was_filled { buf.len() * 2 } else { 0 };
    let len = len.clamp(MIN_READ_LEN, max_len);
    if buf.len() < len {
        buf.resize(len, 0);
    }
    let read = match stream.read(&mut buf) {
        // TLS without `close_notify`: only the close frame matters.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read,
    };
    match read {
        Ok(len) => read_buffer.fill(buf, len),
        // Nothing arrives for the moment.
        Err(_) if buf.len() > MIN_READ_LEN => {}
        Err(_) => read_buffer.keep_empty(buf),
    }
    read.map(drop)
}

/// How often a blocked write returns within the write timeout, so that progress is
/// noticed.
const SLICES_PER_TIMEOUT: u32 = 8;
const MIN_SLICE: Duration = Duration::from_millis(20);

/// The latest time at which a blocked write returns.
pub(super) fn write_until(
    ws: &Connection,
    now: Duration,
    deadline: Option<Deadline>,
) -> Option<Duration> {
    let timeout = ws.config().settings().timeouts.write_stall.duration();
    let slice =
        timeout.map(|timeout| now.saturating_add((timeout / SLICES_PER_TIMEOUT).max(MIN_SLICE)));
    let deadline = deadline.map(|deadline| deadline.at);
    deadline.into_iter().chain(slice).min()
}

impl<S: Read + Write> WebSocket<S> {
    /// Writes unsent bytes, as far as the stream accepts them, and then reads once.
    pub(super) fn fill(&mut self) -> Result<(), Error> {
        if self.read_buffer.has_rest() {
            return Err(SendError::NotOpen.into());
        }
        loop {
            self.flush_before_read()?;
            let was_over = self.ws.outcome().is_some();
            let before = self.ws.sent_len();
            let (now, deadline) = self.tick(true);
            if self.ws.is_closed() || self.ws.outcome().is_some() != was_over {
                return Ok(());
            }
            if self.ws.sent_len() != before {
                // A keepalive ping was appended.
                continue;
            }
            let until = deadline.map(|deadline| deadline.at);
            self.reads.arm(&self.stream, now, until)?;
            let remaining_len = self.ws.remaining_payload_len();
            let read = read(&mut self.read_buffer, &mut self.stream, remaining_len);
            match self.reads.finish(read) {
                Ok(None) => {}
                Ok(Some(())) => return Ok(()),
                Err(error) => return self.end_with_error(error),
            }
        }
    }

    /// Writes all unsent bytes.
    pub(super) fn write_unsent(&mut self) -> Result<(), Error> {
        check_writable(&self.ws, self.write_error)?;
        while !self.write_queue.is_flushed() {
            let (now, deadline) = self.tick(false);
            check_writable(&self.ws, self.write_error)?;
            let until = write_until(&self.ws, now, deadline);
            self.writes.arm(&self.stream, now, until)?;
            let written = self.write_queue.write(&mut self.stream);
            self.writes.finish(written)?;
        }
        Ok(())
    }

    fn flush_before_read(&mut self) -> Result<(), Error> {
        match self.flush() {
            // The peer may wait for this endpoint to read first.
            Err(error) if error.is_would_block() && !self.is_flooded() => Ok(()),
            // The peer no longer reads, but what it has sent can be read.
            Err(Error::Io(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                self.write_error = Some(error.kind());
                self.write_queue.clear();
                Ok(())
            }
            // Reported as an event, after those received before it.
            Err(Error::Failed(_)) => Ok(()),
            flushed => flushed,
        }
    }

    fn is_flooded(&mut self) -> bool {
        let sent = self.ws.sent_len();
        let written_len = sent.saturating_sub(self.write_queue.len() as u64);
        self.auto_replies.is_flood(written_len, self.max_unsent_len)
    }

    /// Handles an error of the stream as its end, unless it is `WouldBlock`.
    fn end_with_error(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::WouldBlock {
            self.tick(true);
            return Err(error.into());
        }
        let was_over = self.ws.outcome().is_some();
        // The outcome is the end of the stream; the error has the cause.
        self.ws
            .receive(&mut Input::new(&mut []), self.write_queue.out());
        self.is_finished = true;
        // Some servers reset the stream after the last close frame.
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// Whether nothing more is received, so that only unsent bytes are left to write.
    pub(super) fn is_over(&self) -> bool {
        self.is_finished || self.ws.is_closed() || self.last_event.is_some() && !self.can_linger()
    }

    /// Whether to wait for the peer after a failure. Without deadlines, nothing would end
    /// the wait.
    const fn can_linger(&self) -> bool {
        self.socket.is_some()
    }

    /// Writes the unsent bytes and shuts down the stream. After a failure, the peer may
    /// still be sending: it is read until it closes the stream too. If the stream was not
    /// ready, the next call continues.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if self.is_finished {
            return Ok(());
        }
        self.flush_rest()?;
        if let Some(socket) = self.socket.filter(|_| !self.is_shut_down) {
            // An error of the stream ends it too.
            let _ = (socket.shutdown_write)(&self.stream);
            self.is_shut_down = true;
        }
        while self.ws.is_lingering() && self.can_linger() {
            match self.read_to_discard() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(error.into());
                }
                Err(_) => break,
                Ok(()) => {}
            }
        }
        self.is_finished = true;
        Ok(())
    }

    /// Reads once what nobody needs any more, before the next deadline.
    fn read_to_discard(&mut self) -> io::Result<()> {
        let (now, deadline) = self.tick(true);
        if !self.ws.is_lingering() {
            return Ok(());
        }
        let until = deadline.map(|deadline| deadline.at);
        self.reads.arm(&self.stream, now, until)?;
        let read = read(&mut self.read_buffer, &mut self.stream, 0);
        self.reads.finish(read)?;
        self.read_buffer
            .receive(&mut self.ws, self.write_queue.out());
        Ok(())
    }

    /// Writes the unsent bytes of a connection that has ended. An error of the stream is
    /// its end, unless it is `WouldBlock`.
    fn flush_rest(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(error.into()),
            _ => {
                self.write_queue.clear();
                Ok(())
            }
        }
    }

    /// Flushes until there is room for a message of this length.
    pub(super) fn make_room(&mut self, len: usize) -> Result<(), Error> {
        let is_full = self.write_queue.len().saturating_add(len) > self.max_unsent_len;
        if is_full && self.write_queue.len() > 0 {
            return self.flush();
        }
        // A loop that never flushes is told here. Otherwise framing has the error.
        match self.ws.is_open() {
            true => check_writable(&self.ws, self.write_error),
            false => Ok(()),
        }
    }

    /// Frames a message. A server does not copy a large one.
    pub(super) fn take(&mut self, message: &MessageRef<'_>) -> Result<(), Error> {
        let is_large = message.len() >= MIN_ZERO_COPY_LEN;
        let is_verbatim = self.ws.role() == Role::Server && self.ws.sends_whole(message.len());
        if !is_large || !is_verbatim {
            return Ok(self.ws.send(message, self.write_queue.out())?);
        }
        self.ws
            .send_header(message.kind(), message.len(), self.write_queue.out())?;
        self.write_through(message.as_bytes())
    }

    /// Writes the unsent bytes and then a payload. What cannot be written at once stays
    /// unsent, and `flush` returns the error.
    fn write_through(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        // A ping must not be written between a header and its payload.
        let mut after = Vec::new();
        while !payload.is_empty() {
            let unsent_len = self.write_queue.len() + payload.len();
            let (now, deadline) = self.tick_with(unsent_len, &mut after);
            if self.ws.is_stalled() {
                self.write_queue.clear();
                return Err(ConnectionError::Timeout(DeadlineReason::WriteStall).into());
            }
            let until = write_until(&self.ws, now, deadline);
            if self.writes.arm(&self.stream, now, until).is_err() {
                break;
            }
            let [front, out] = self.write_queue.unsent_slices().map(IoSlice::new);
            let slices = [front, out, IoSlice::new(payload)];
            let written = self.stream.write_vectored(&slices);
            match self.writes.finish(written) {
                Ok(None) => {}
                Ok(Some(0)) | Err(_) => break,
                Ok(Some(len)) => {
                    let len = self.write_queue.advance(len);
                    payload = payload.get(len..).unwrap_or_default();
                }
            }
        }
        self.write_queue.out().extend_from_slice(payload);
        self.write_queue.out().append(&mut after);
        Ok(())
    }

    /// Passes the time to the state machine, which appends to `out`. `unsent_len` bytes
    /// before that are unsent.
    fn tick_with(&mut self, unsent_len: usize, out: &mut Vec<u8>) -> (Duration, Option<Deadline>) {
        let now = self.epoch.elapsed();
        let Some(socket) = self.socket else {
            return (now, None);
        };
        let in_stream = (socket.buffered_len)(&self.stream);
        let io = IoState::paused().with_buffered_len(unsent_len.saturating_add(in_stream));
        (now, self.ws.handle_timeout(now, io, out))
    }

    /// Passes the time to the state machine, if deadlines can be enforced.
    pub(super) fn tick(&mut self, is_reading: bool) -> (Duration, Option<Deadline>) {
        let now = self.epoch.elapsed();
        let Some(socket) = self.socket else {
            return (now, None);
        };
        let in_stream = (socket.buffered_len)(&self.stream);
        let io = IoState {
            buffered_len: self.write_queue.buffered_len().saturating_add(in_stream),
            is_reading,
        };
        let deadline = self.ws.handle_timeout(now, io, self.write_queue.out());
        if self.ws.is_stalled() {
            self.write_queue.clear();
        }
        (now, deadline)
    }
}
