//! Two owned halves for two threads.
//!
//! They share the state machine and the unsent bytes behind a mutex that is
//! held for as long as a message takes to frame or parse, never while a thread
//! waits for the stream. Whoever finds unsent bytes and nobody writing writes
//! them: an automatic reply leaves with the reader if the writer is idle, and
//! with the writer if it is at work.

use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::shared::{Shared, State};
use super::socket::Waiting;
use super::transfer::read;
use super::{Error, WebSocket};
use crate::adapter::incoming::Incoming;
use crate::close::{CloseCode, Outcome};
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::error::{Deadline, DeadlineReason};
use crate::event::Event;
use crate::input::Input;
use crate::message::{Message, Prepared};

/// The receiving half of a [`WebSocket`], for one thread.
#[derive(Debug)]
pub struct Reader<S> {
    shared: Arc<Shared<S>>,
    incoming: Incoming,
    reads: Waiting<S>,
    /// As those of [`WebSocket`].
    last: Option<Event<'static>>,
    is_finished: bool,
}

/// The sending half of a [`WebSocket`], for another thread. Clones send on the
/// same connection, each message in one piece. Dropping them closes nothing.
#[derive(Debug)]
pub struct Writer<S> {
    shared: Arc<Shared<S>>,
}

impl<S> Clone for Writer<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

/// A reader wakes up this often, as the writer may have begun something that
/// has a deadline: those are then at most this late.
const GLANCE: Duration = Duration::from_secs(1);

impl<S> WebSocket<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Splits into owned halves for two threads, over one stream that both may
    /// use, as `TcpStream` and `UnixStream` allow. The stream must block, and
    /// the opening handshake must be over.
    ///
    /// No lock is held while a half waits for the stream, and automatic
    /// replies leave whichever half is at work.
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        let Self {
            stream,
            ws,
            incoming,
            out,
            socket,
            reads,
            writes,
            origin,
            last,
            is_finished,
            ..
        } = self;
        let state = State {
            ws,
            out,
            left: 0,
            is_writing: false,
            writes,
            broken: None,
        };
        let (state, written) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared {
            stream,
            state,
            written,
            socket,
            origin,
        });
        (
            Reader {
                shared: shared.clone(),
                incoming,
                reads,
                last,
                is_finished,
            },
            Writer { shared },
        )
    }
}

impl<S> Reader<S>
where
    for<'a> &'a S: Read + Write,
{
    /// The next message, as [`WebSocket::next`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next`].
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Message<'static>>, Error> {
        let mut begun = None;
        while let Some(event) = self.next_event()? {
            if let Some(message) = event.into_message(&mut begun) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The next event, as [`WebSocket::next_event`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next_event`].
    pub fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        loop {
            if self.is_finished {
                return self.take_last();
            }
            if self.last.is_none() {
                let mut state = self.shared.lock();
                let State { ws, out, .. } = &mut *state;
                let event = self.incoming.receive(ws, out).map(Event::into_owned);
                let is_last = ws.is_closed() || matches!(event, Some(Event::Failed(_)));
                // A peer that is gone takes no answer; its messages still count.
                let _ = self.shared.settle(state);
                if !is_last && event.is_some() {
                    return Ok(event);
                }
                self.last = event;
            }
            let state = self.shared.lock();
            let waits = self.last.is_none() || self.shared.may_wait(&state);
            let is_over = state.ws.is_closed() || !waits;
            drop(state);
            if is_over {
                self.finish();
            } else {
                self.fill()?;
            }
        }
    }

    /// The last event; a failure is an error.
    fn take_last(&mut self) -> Result<Option<Event<'static>>, Error> {
        match self.last.take() {
            Some(Event::Failed(failure)) => Err(failure.into()),
            event => Ok(event),
        }
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// Reads once, without the lock.
    fn fill(&mut self) -> Result<(), Error> {
        let mut state = self.shared.lock();
        // What arrived while the application was busy is read first.
        let (now, deadline) = self.shared.tick(&mut state, false);
        let wanted = state.ws.remaining_payload_len();
        drop(state);
        let glance = Deadline {
            at: now + GLANCE,
            reason: DeadlineReason::Idle,
        };
        let deadline = deadline.filter(|next| next.at < glance.at).or(Some(glance));
        let deadline = deadline.filter(|_| self.shared.socket.is_some());
        self.reads.arm(&self.shared.stream, now, deadline)?;
        match read(&mut self.incoming, &self.shared.stream, wanted) {
            Ok(()) => Ok(()),
            Err(error) => match self.reads.check(error) {
                Ok(()) => self.pass_time(),
                Err(error) => self.break_off(error),
            },
        }
    }

    /// Nothing has arrived.
    fn pass_time(&self) -> Result<(), Error> {
        let mut state = self.shared.lock();
        self.shared.tick(&mut state, true);
        // A ping may be due.
        let _ = self.shared.settle(state);
        Ok(())
    }

    /// As that of [`WebSocket`], of a stream that blocks.
    fn break_off(&mut self, error: io::Error) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let State { ws, out, .. } = &mut *state;
        let was_over = ws.outcome().is_some();
        ws.receive(&mut Input::new(&mut []), out);
        self.is_finished = true;
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// As that of [`WebSocket`].
    fn finish(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        // A transport that is broken takes nothing.
        let _ = self.shared.write(self.shared.lock());
        let Some(socket) = self.shared.socket else {
            return;
        };
        // An error of the stream ends it too.
        let _ = (socket.shutdown_write)(&self.shared.stream);
        loop {
            let mut state = self.shared.lock();
            if !state.ws.is_lingering() || !self.shared.may_wait(&state) {
                break;
            }
            let (now, deadline) = self.shared.tick(&mut state, true);
            drop(state);
            let _ = self.reads.arm(&self.shared.stream, now, deadline);
            let filled = read(&mut self.incoming, &self.shared.stream, 0);
            if filled.or_else(|error| self.reads.check(error)).is_err() {
                break;
            }
            let mut state = self.shared.lock();
            let State { ws, out, .. } = &mut *state;
            self.incoming.receive(ws, out);
        }
    }
}

impl<S> Writer<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Sends a message: returns when the stream was flushed.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Queues a message, as [`WebSocket::feed`]; waits when the unsent bytes
    /// are at their bound.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub fn feed<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        let message = message.into();
        let mut state = self.shared.room_for(message.len())?;
        let State { ws, out, .. } = &mut *state;
        Ok(ws.send(message, out)?)
    }

    /// As [`send`](Self::send), with a say in whether the message is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    #[cfg(feature = "deflate")]
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        let mut state = self.shared.room_for(message.len())?;
        let State { ws, out, .. } = &mut *state;
        ws.send_with(message, choice, out)?;
        drop(state);
        self.flush()
    }

    /// Queues a prepared message, as [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        let mut state = self.shared.room_for(prepared.payload().len())?;
        let State { ws, out, .. } = &mut *state;
        Ok(ws.send_prepared(prepared, out)?)
    }

    /// Writes all unsent bytes and flushes the stream.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.shared.write(self.shared.lock())?;
        Ok((&self.shared.stream).flush()?)
    }

    /// Sends a ping with at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let State { ws, out, .. } = &mut *state;
        ws.ping(payload, out)?;
        drop(state);
        self.flush()
    }

    /// Begins the closing handshake, which the [`Reader`] sees through.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let State { ws, out, .. } = &mut *state;
        ws.close(code, reason, out)?;
        drop(state);
        self.flush()
    }

    /// How many bytes wait to leave.
    pub fn unsent(&self) -> usize {
        self.shared.lock().out.len()
    }
}
