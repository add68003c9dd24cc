//! How bytes and time pass between the stream and the state machine.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use super::{Error, WebSocket};
use crate::adapter::incoming::Incoming;
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
            let (now, deadline) = self.tick();
            if self.ws.is_closed() {
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
            self.ws.note_unread();
            let (now, deadline) = self.tick();
            if let Some(timeout) = self.passed_deadline() {
                return Err(timeout);
            }
            self.writes.arm(&self.stream, now, deadline)?;
            match self.stream.write(&self.out) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(len) => {
                    self.out.drain(..len);
                    self.ws.note_written();
                }
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
            // Told as an event, behind those that came before it.
            Err(Error::Failed(_)) => Ok(()),
            flushed => flushed,
        }
    }

    /// An error of the stream: its end, unless it is only not ready.
    fn break_off(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return Err(error.into());
        }
        let was_over = self.ws.outcome().is_some();
        // The outcome is that of a stream that ended; the error tells why.
        self.ws.receive(&mut Input::new(&mut []), &mut self.out);
        self.is_finished = true;
        // There are servers that reset the stream behind the last close frame.
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// The connection is closed: sends what is owed and, if it failed, waits
    /// until the peer has read it. To drop a stream with unread bytes would
    /// reset it, and the close frame might be lost on the way.
    pub(super) fn finish(&mut self) {
        if core::mem::replace(&mut self.is_finished, true) {
            return;
        }
        let cause = self.outcome().and_then(|outcome| outcome.cause);
        let is_stalled = cause == Some(Failure::Timeout(DeadlineReason::WriteStall));
        let out = core::mem::take(&mut self.out);
        let _ = match (self.socket, self.ws.config().settings().timeouts.close) {
            _ if is_stalled => Ok(()),
            (Some(socket), Some(timeout)) => {
                let until = Instant::now() + timeout;
                socket
                    .write_until(&mut self.stream, &out, until)
                    .and_then(|()| match cause {
                        None | Some(Failure::UnexpectedEof) => Ok(()),
                        Some(_) => socket.linger_until(&mut self.stream, |stream| stream, until),
                    })
            }
            _ => {
                self.out = out;
                self.flush_rest().map_or(Ok(()), Err)
            }
        };
    }

    /// Writes what a connection that is over still owes. Tells if the stream
    /// is not ready for all of it; any other error ends it.
    pub(super) fn flush_rest(&mut self) -> Option<io::Error> {
        match self.flush() {
            Ok(()) => None,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Some(error),
            Err(_) => {
                self.out.clear();
                None
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
        self.arm_write()?;
        self.ws
            .send_header(message.kind(), message.len(), &mut self.out)?;
        let mut payload = message.as_bytes();
        while !payload.is_empty() {
            let slices = [IoSlice::new(&self.out), IoSlice::new(payload)];
            let Ok(len @ 1..) = self.stream.write_vectored(&slices) else {
                break;
            };
            self.ws.note_written();
            let head_len = len.min(self.out.len());
            self.out.drain(..head_len);
            payload = payload.get(len - head_len..).unwrap_or_default();
        }
        // What did not leave at once waits with the rest; `flush` tells why.
        self.out.extend_from_slice(payload);
        Ok(())
    }

    /// Makes the next write return when a deadline comes, or when the stream
    /// takes nothing for as long as it may.
    fn arm_write(&mut self) -> io::Result<()> {
        self.ws.note_unread();
        let (now, deadline) = self.tick();
        let stall = self
            .ws
            .config()
            .settings()
            .timeouts
            .write_stall
            .map(|timeout| Deadline {
                at: now + timeout,
                reason: DeadlineReason::WriteStall,
            });
        let first = deadline
            .into_iter()
            .chain(stall)
            .min_by_key(|deadline| deadline.at);
        self.writes.arm(&self.stream, now, first)
    }

    /// Tells the core the time, if deadlines can be kept.
    pub(super) fn tick(&mut self) -> (Duration, Option<Deadline>) {
        let now = self.origin.elapsed();
        if self.socket.is_none() {
            return (now, None);
        }
        (now, self.ws.handle_timeout(now, &mut self.out))
    }

    /// The deadline that ended the connection.
    pub(super) fn passed_deadline(&self) -> Option<Error> {
        match self.ws.outcome()?.cause? {
            cause @ Failure::Timeout(_) => Some(cause.into()),
            _ => None,
        }
    }
}
