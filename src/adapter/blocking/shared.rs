//! What the halves of a split WebSocket share: the state machine and the unsent bytes,
//! in a mutex that is held while a message is framed or parsed, never while a thread waits
//! for the stream.

use std::io::{self, Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::driver::write_until;
use super::socket::SocketTimeout;
use super::write_queue::WriteQueue;
use super::{Error, Socket};
use crate::adapter::auto_replies::AutoReplies;
use crate::adapter::check_writable;
use crate::connection::{Connection, IoState};
use crate::deadline::Deadline;
use crate::handshake::Response;

#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) stream: S,
    state: Mutex<State<S>>,
    /// Notified when bytes were written or a thread has stopped writing.
    written: Condvar,
    pub(super) socket: Option<Socket<S>>,
    pub(super) epoch: Instant,
}

#[derive(Debug)]
pub(super) struct State<S> {
    pub(super) ws: Connection,
    pub(super) write_queue: WriteQueue,
    pub(super) auto_replies: AutoReplies,
    /// Whether a thread is writing, and how many wait until it stops.
    pub(super) is_writing: bool,
    waiting_writers: u32,
    /// Whether the reader waits for the stream.
    pub(super) is_reading: bool,
    pub(super) writes: SocketTimeout<S>,
    /// Set if writing failed, so that nothing more is sent.
    pub(super) write_error: Option<io::ErrorKind>,
    /// As that of [`WebSocket`](super::WebSocket).
    pub(super) response: Option<Response>,
}

pub(super) type Guard<'a, S> = MutexGuard<'a, State<S>>;

/// How long a reader tries to write before it reads again.
const BRIEF_WAIT: Duration = Duration::from_millis(1);

/// A blocked write returns this often, as another thread may have begun something that
/// has a deadline.
const MAX_WRITE_WAIT: Duration = Duration::from_secs(1);

impl<S> Shared<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Waits until there is room for a message of this length.
    pub(super) fn room_for(&self, len: usize) -> Result<Guard<'_, S>, Error> {
        let state = self.lock();
        state.check()?;
        if state.has_room(len) {
            return Ok(state);
        }
        self.write(state)?;
        Ok(self.lock())
    }

    /// Returns when all bytes that are unsent now were written, and either nothing else is
    /// unsent or another thread is writing it.
    pub(super) fn write<'a>(&'a self, mut state: Guard<'a, S>) -> Result<(), Error> {
        let target = state.ws.sent_len();
        let mut is_extra = false;
        loop {
            state.check()?;
            let is_done = state.written_len() >= target && state.write_queue.buffered_len() == 0;
            let is_relieved = state.waiting_writers > 0 || is_extra && self.socket.is_some();
            let another_writes = state.is_writing && state.written_len() >= target;
            if another_writes || is_done && (state.write_queue.is_flushed() || is_relieved) {
                self.written.notify_all();
                return Ok(());
            }
            state = if state.is_writing {
                self.wait(state, None)
            } else {
                is_extra |= is_done;
                self.write_some(state, None)?
            };
        }
    }

    /// Writes what the stream accepts at once, unless another thread is writing. A reader
    /// must not wait until the peer reads, because the peer may be waiting for it to read.
    /// Without timeouts, this cannot be avoided.
    pub(super) fn try_write<'a>(&'a self, state: Guard<'a, S>) -> Guard<'a, S> {
        if state.is_writing || state.write_queue.is_flushed() || state.write_error.is_some() {
            return state;
        }
        // If the peer is gone, its messages must still be delivered.
        let max_wait = self.socket.map(|_| BRIEF_WAIT);
        self.write_some(state, max_wait)
            .unwrap_or_else(|_| self.lock())
    }

    /// Waits until the writing thread has made progress.
    pub(super) fn wait<'a>(
        &'a self,
        mut state: Guard<'a, S>,
        timeout: Option<Duration>,
    ) -> Guard<'a, S> {
        state.waiting_writers += 1;
        let mut state = match timeout {
            None => self
                .written
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.written.wait_timeout(state, timeout);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.waiting_writers -= 1;
        state
    }

    /// One write, without the lock.
    pub(super) fn write_some<'a>(
        &'a self,
        mut state: Guard<'a, S>,
        max_wait: Option<Duration>,
    ) -> Result<Guard<'a, S>, Error> {
        let (now, deadline) = self.tick(&mut state, false);
        if let Err(error) = state.check() {
            self.written.notify_all();
            return Err(error);
        }
        let wake_at = now.saturating_add(max_wait.unwrap_or(MAX_WRITE_WAIT));
        let until = match write_until(&state.ws, now, deadline) {
            Some(until) if max_wait.is_none() => until.min(wake_at),
            _ => wake_at,
        };
        state.writes.arm(&self.stream, now, Some(until))?;
        let mut front = state.write_queue.take_front();
        state.is_writing = true;
        drop(state);
        let written = front.write(&self.stream);
        let mut state = self.lock();
        state.is_writing = false;
        state.write_queue.put_front(front, &written);
        if let Err(error) = written
            && let Err(error) = state.writes.check(error)
        {
            state.write_error = Some(error.kind());
        }
        if state.write_error.is_some() || state.ws.is_stalled() {
            state.write_queue.clear();
        }
        self.written.notify_all();
        state.check()?;
        Ok(state)
    }

    /// As that of [`WebSocket`](super::WebSocket).
    pub(super) const fn can_linger(&self) -> bool {
        self.socket.is_some()
    }

    /// Shuts down the write direction.
    pub(super) fn shutdown(&self) {
        if let Some(socket) = self.socket {
            // If this fails, the stream has ended too.
            let _ = (socket.shutdown_write)(&self.stream);
        }
    }

    pub(super) fn tick(
        &self,
        state: &mut State<S>,
        is_reading: bool,
    ) -> (Duration, Option<Deadline>) {
        let now = self.epoch.elapsed();
        let Some(socket) = self.socket else {
            return (now, None);
        };
        let in_stream = (socket.buffered_len)(&self.stream);
        let io = IoState {
            buffered_len: state.write_queue.buffered_len().saturating_add(in_stream),
            // Silence counts while the other thread reads.
            is_reading: is_reading || state.is_reading,
        };
        let deadline = state.ws.handle_timeout(now, io, state.write_queue.out());
        if state.ws.is_stalled() {
            state.write_queue.clear();
        }
        (now, deadline)
    }
}

impl<S> Shared<S> {
    pub(super) const fn new(
        stream: S,
        state: State<S>,
        socket: Option<Socket<S>>,
        epoch: Instant,
    ) -> Self {
        Self {
            stream,
            state: Mutex::new(state),
            written: Condvar::new(),
            socket,
            epoch,
        }
    }

    pub(super) fn lock(&self) -> Guard<'_, S> {
        // No method of the state machine panics, so it is never inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream and the state, which are not shared any more.
    pub(super) fn into_parts(self) -> (S, State<S>) {
        let state = self.state.into_inner();
        (self.stream, state.unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> State<S> {
    pub(super) const fn new(
        ws: Connection,
        write_queue: WriteQueue,
        auto_replies: AutoReplies,
        writes: SocketTimeout<S>,
    ) -> Self {
        Self {
            ws,
            write_queue,
            auto_replies,
            is_writing: false,
            waiting_writers: 0,
            is_reading: false,
            writes,
            write_error: None,
            response: None,
        }
    }

    /// Calls `act` with the state machine and the output to append to.
    pub(super) fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        act(&mut self.ws, self.write_queue.out())
    }

    /// The position in the output up to which it was sent.
    pub(super) fn written_len(&self) -> u64 {
        let sent = self.ws.sent_len();
        sent.saturating_sub(self.write_queue.len() as u64)
    }

    /// Whether a message of this length can be queued now.
    pub(super) fn has_room(&self, len: usize) -> bool {
        let unsent_len = self.write_queue.len();
        unsent_len == 0 || unsent_len.saturating_add(len) <= self.max_unsent_len()
    }

    /// See [`AutoReplies::is_flood`].
    pub(super) fn is_flooded(&mut self) -> bool {
        let (written_len, max) = (self.written_len(), self.max_unsent_len());
        self.auto_replies.is_flood(written_len, max)
    }

    fn max_unsent_len(&self) -> usize {
        self.ws.config().settings().max_unsent_len
    }

    /// The error that prevents further writes, if any.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_writable(&self.ws, self.write_error)
    }
}
