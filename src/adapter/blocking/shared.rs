//! What two halves share: the state machine and the unsent bytes, behind a lock
//! that is held for as long as a message takes to frame or parse, never while a
//! thread waits for the stream.

use std::io::{self, Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::socket::Waiting;
use super::{Error, Socket};
use crate::connection::{Connection, IoState};
use crate::error::{Deadline, DeadlineReason, Error as Failure};

#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) stream: S,
    pub(super) state: Mutex<State<S>>,
    /// Told when bytes left or a thread stopped writing.
    pub(super) written: Condvar,
    pub(super) socket: Option<Socket<S>>,
    pub(super) origin: Instant,
}

#[derive(Debug)]
pub(super) struct State<S> {
    pub(super) ws: Connection,
    pub(super) out: Vec<u8>,
    /// How many bytes left `out` since the split.
    pub(super) left: u64,
    /// Whether a thread is writing the front of `out`.
    pub(super) is_writing: bool,
    pub(super) writes: Waiting<S>,
    /// Writing failed: nothing more leaves.
    pub(super) broken: Option<io::ErrorKind>,
}

/// As much as is copied out of `out` for one write without the lock.
const WRITE_LEN: usize = 64 * 1024;

impl<S> Shared<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Waits until there is room for a message of this length.
    pub(super) fn room_for(&self, len: usize) -> Result<MutexGuard<'_, State<S>>, Error> {
        let state = self.lock();
        if state.out.is_empty() || state.out.len().saturating_add(len) <= state.max_unsent_len() {
            return Ok(state);
        }
        self.write(state)?;
        Ok(self.lock())
    }

    /// Sees to it that what the core appended leaves: by this thread, unless
    /// another is writing and the unsent bytes are below their bound.
    pub(super) fn settle(&self, state: MutexGuard<'_, State<S>>) -> Result<(), Error> {
        let leaves_anyway = state.is_writing && state.out.len() < state.max_unsent_len();
        if state.out.is_empty() || leaves_anyway {
            Ok(())
        } else {
            self.write(state)
        }
    }

    /// Returns when all that is unsent now has left, and either nothing else
    /// is unsent or another thread writes it.
    pub(super) fn write<'a>(&'a self, mut state: MutexGuard<'a, State<S>>) -> Result<(), Error> {
        let target = state.left + state.out.len() as u64;
        loop {
            if state.left >= target && (state.out.is_empty() || state.is_writing) {
                return Ok(());
            }
            if let Some(kind) = state.broken {
                return Err(io::Error::from(kind).into());
            }
            state = if state.is_writing {
                self.written
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.write_some(state)?
            };
        }
    }

    /// One write, without the lock.
    pub(super) fn write_some<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<S>>,
    ) -> Result<MutexGuard<'a, State<S>>, Error> {
        let (now, deadline) = self.tick(&mut state, false);
        if state.ws.is_stalled() {
            state.broken = Some(io::ErrorKind::TimedOut);
            self.written.notify_all();
            return Err(Failure::Timeout(DeadlineReason::WriteStall).into());
        }
        state.writes.arm(&self.stream, now, deadline)?;
        let len = state.out.len().min(WRITE_LEN);
        let chunk = state.out.get(..len).unwrap_or_default().to_vec();
        state.is_writing = true;
        drop(state);
        let result = (&self.stream).write(&chunk);
        let mut state = self.lock();
        state.is_writing = false;
        let result = match result {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => {
                // None is there after the write deadline has passed.
                let len = len.min(state.out.len());
                state.out.drain(..len);
                state.left += len as u64;
                Ok(())
            }
            Err(error) => state.writes.check(error),
        };
        state.broken = result.as_ref().err().map(io::Error::kind);
        self.written.notify_all();
        result?;
        Ok(state)
    }

    /// As that of [`WebSocket`].
    pub(super) fn may_wait(&self, state: &State<S>) -> bool {
        let timeouts = &state.ws.config().settings().timeouts;
        self.socket.is_some() && timeouts.close.duration().is_some()
    }

    pub(super) fn tick(
        &self,
        state: &mut State<S>,
        is_reading: bool,
    ) -> (Duration, Option<Deadline>) {
        let now = self.origin.elapsed();
        if self.socket.is_none() {
            return (now, None);
        }
        let io = IoState {
            buffered_len: 0,
            is_reading,
        };
        (now, state.ws.handle_timeout(now, io, &mut state.out))
    }
}

impl<S> Shared<S> {
    pub(super) fn lock(&self) -> MutexGuard<'_, State<S>> {
        // No method of the state machine panics, so none leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> State<S> {
    pub(super) fn max_unsent_len(&self) -> usize {
        self.ws.config().settings().max_unsent_len
    }
}
