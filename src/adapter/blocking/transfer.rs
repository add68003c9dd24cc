//! How bytes and time pass between the stream and the state machine.

use std::io::{self, IoSlice, Read, Write};
use std::time::Duration;

use super::{Error, WebSocket};
use crate::adapter::incoming::Incoming;
use crate::connection::IoState;
use crate::error::{Deadline, DeadlineReason, Error as Failure, SendError};
use crate::input::Input;
use crate::message::Message;

/// Messages of this many bytes leave from the caller's memory.
const LARGE: usize = 16 * 1024;

const MIN_READ_LEN: usize = 16 * 1024;
const MAX_READ_LEN: usize = 128 * 1024;

/// Reads once, over what was taken. While a large frame is under way the buffer
/// grows, as `wanted` bytes of it are still to come.
pub(super) fn read(incoming: &mut Incoming, mut stream: impl Read, wanted: u64) -> io::Result<()> {
    let mut buf = incoming.take_buf().unwrap_or_default();
    let len = usize::try_from(wanted)
        .unwrap_or(usize::MAX)
        .clamp(MIN_READ_LEN, MAX_READ_LEN);
    if buf.len() < len {
        buf.resize(len, 0);
    }
    let read = stream.read(&mut buf);
    match read {
        Ok(len) => incoming.fill(buf, len),
        // It has nothing in it, but it is kept.
        Err(_) => incoming.keep(buf),
    }
    read.map(drop)
}

impl<S: Read + Write> WebSocket<S> {
    /// Reads once, after everything was written.
    pub(super) fn fill(&mut self) -> Result<(), Error> {
        if self.incoming.has_rest() {
            return Err(SendError::NotOpen.into());
        }
        loop {
            self.flush_before_read()?;
            let was_over = self.ws.outcome().is_some();
            let (now, deadline) = self.tick(true);
            if self.ws.is_closed() || self.ws.outcome().is_some() != was_over {
                return Ok(());
            }
            // Not empty if a ping was due.
            if self.out.is_empty() {
                self.reads.arm(&self.stream, now, deadline)?;
                let wanted = self.ws.remaining_payload_len();
                match read(&mut self.incoming, &mut self.stream, wanted) {
                    Ok(()) => return Ok(()),
                    Err(error) => match self.reads.check(error) {
                        Ok(()) => {}
                        Err(error) => return self.break_off(error),
                    },
                }
            }
        }
    }

    /// Writes all unsent bytes.
    pub(super) fn write_unsent(&mut self) -> Result<(), Error> {
        while !self.out.is_empty() {
            let (now, deadline) = self.tick(false);
            if self.ws.is_stalled() {
                return Err(Failure::Timeout(DeadlineReason::WriteStall).into());
            }
            self.writes.arm(&self.stream, now, deadline)?;
            match self.stream.write(&self.out) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(len) => drop(self.out.drain(..len)),
                Err(error) => self.writes.check(error)?,
            }
        }
        Ok(())
    }

    fn flush_before_read(&mut self) -> Result<(), Error> {
        match self.flush() {
            // The peer reads no more; what it had sent is still to be read.
            Err(Error::Io(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                self.out.clear();
                Ok(())
            }
            // Reported as an event, after those that came before it.
            Err(Error::Failed(_)) => Ok(()),
            flushed => flushed,
        }
    }

    /// An error of the stream: its end, unless it is only not ready.
    fn break_off(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::WouldBlock {
            self.tick(true);
            return Err(error.into());
        }
        let was_over = self.ws.outcome().is_some();
        // The outcome is that of a stream that ended; the error says why.
        self.ws.receive(&mut Input::new(&mut []), &mut self.out);
        self.is_finished = true;
        // Some servers reset the stream after the last close frame.
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// Whether nothing more is received: what is owed leaves, and that is all.
    pub(super) fn is_over(&self) -> bool {
        self.is_finished || self.ws.is_closed() || self.last.is_some() && !self.may_wait()
    }

    /// Whether the peer is waited for after a failure: a deadline must end it.
    fn may_wait(&self) -> bool {
        let timeouts = &self.ws.config().settings().timeouts;
        self.socket.is_some() && timeouts.close.duration().is_some()
    }

    /// Writes what is owed and ends the stream. After a failure the peer may be
    /// in the middle of sending: it is read until it ends the stream too.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if !self.is_finished {
            self.flush_rest()?;
            if let Some(socket) = self.socket {
                // An error of the stream ends it too.
                let _ = (socket.shutdown_write)(&self.stream);
            }
            while self.ws.is_lingering() && self.may_wait() {
                let (now, deadline) = self.tick(true);
                let _ = self.reads.arm(&self.stream, now, deadline);
                let filled = read(&mut self.incoming, &mut self.stream, 0);
                match filled.or_else(|error| self.reads.check(error)) {
                    Ok(()) => self.incoming.receive(&mut self.ws, &mut self.out),
                    Err(_) => break,
                };
            }
            self.is_finished = true;
        }
        Ok(())
    }

    /// Writes what a connection that is over still owes. An error of the stream
    /// ends it, unless it is only not ready.
    fn flush_rest(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(error.into()),
            _ => {
                self.out.clear();
                Ok(())
            }
        }
    }

    /// Flushes until there is room for a message of this length.
    pub(super) fn make_room(&mut self, len: usize) -> Result<(), Error> {
        let is_full = self.out.len().saturating_add(len) > self.max_unsent_len;
        if is_full && !self.out.is_empty() {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Frames a message, a large one of a server without copying it.
    pub(super) fn take(&mut self, message: &Message<'_>) -> Result<(), Error> {
        if message.len() < LARGE || !self.ws.sends_as_it_is(message.len()) {
            return Ok(self.ws.send(message, &mut self.out)?);
        }
        // Before the header: no ping may come between it and the payload.
        let (now, deadline) = self.tick(false);
        self.ws
            .send_header(message.kind(), message.len(), &mut self.out)?;
        self.writes
            .arm(&self.stream, now, self.before_stall(now, deadline))?;
        let mut payload = message.as_bytes();
        while !payload.is_empty() {
            let slices = [IoSlice::new(&self.out), IoSlice::new(payload)];
            let Ok(len @ 1..) = self.stream.write_vectored(&slices) else {
                break;
            };
            let head_len = len.min(self.out.len());
            self.out.drain(..head_len);
            payload = payload.get(len - head_len..).unwrap_or_default();
        }
        // What did not leave at once waits with the rest; `flush` returns why.
        self.out.extend_from_slice(payload);
        Ok(())
    }

    /// The deadline, or the write deadline of bytes that are unsent from now
    /// on, if that comes first.
    fn before_stall(&self, now: Duration, deadline: Option<Deadline>) -> Option<Deadline> {
        let timeout = self.ws.config().settings().timeouts.write_stall.duration();
        let stall = timeout.and_then(|timeout| now.checked_add(timeout));
        let stall = stall.map(|at| Deadline {
            at,
            reason: DeadlineReason::WriteStall,
        });
        let both = deadline.into_iter().chain(stall);
        both.min_by_key(|deadline| deadline.at)
    }

    /// Reports the time to the state machine, if deadlines can be kept.
    pub(super) fn tick(&mut self, is_reading: bool) -> (Duration, Option<Deadline>) {
        let now = self.origin.elapsed();
        if self.socket.is_none() {
            return (now, None);
        }
        let io = IoState {
            buffered_len: 0,
            is_reading,
        };
        (now, self.ws.handle_timeout(now, io, &mut self.out))
    }
}
