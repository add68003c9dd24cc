//! The receiving half of a split WebSocket.
//!
//! The halves share the state machine and the unsent bytes in a mutex, which is held
//! while a message is framed or parsed, never while a thread waits for the stream.
//! Automatic replies are sent by the writer if it is writing, and otherwise by the
//! reader. The reader does not wait for the peer to read them, unless the peer
//! provokes more replies than it reads.

use std::boxed::Box;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::driver::read;
use super::shared::{Guard, Shared, State};
use super::socket::SocketTimeout;
#[cfg(doc)]
use super::{WebSocket, Writer};
use crate::adapter::is_last;
use crate::adapter::read_buffer::ReadBuffer;
use crate::close::{CloseCode, Outcome};
use crate::event::Event;
use crate::handshake::Response;
use crate::input::Input;
use crate::message::{Assembler, Message};

/// The receiving half of a [`WebSocket`], for one thread: see
/// [`split`](WebSocket::split).
///
/// ```no_run
/// # fn receive(
/// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
/// # ) -> Result<(), sansocket::Error> {
/// let (mut reader, writer) = ws.split();
/// while let Some(message) = reader.next()? {
///     println!("{message}");
/// }
/// println!("{:?}", reader.outcome());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader<S> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) read_buffer: ReadBuffer,
    pub(super) reads: SocketTimeout<S>,
    /// As those of [`WebSocket`].
    pub(super) partial: Option<Box<Assembler>>,
    pub(super) last_event: Option<Event<'static>>,
    pub(super) is_finished: bool,
}

/// A reader wakes up this often, as the writer may have begun something that
/// has a deadline: those are then at most this late.
const MAX_READ_WAIT: Duration = Duration::from_secs(1);

/// The same while bytes are unsent, which may leave by now.
const MIN_READ_WAIT: Duration = Duration::from_millis(20);

impl<S> Reader<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Returns the next message, or `None` once the connection is closed: see
    /// [`WebSocket::next`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next`].
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Message>, Error> {
        while !self.is_half_closed()
            && let Some(event) = self.next_event()?
        {
            match event {
                Event::Message(message) => return Ok(Some(message.into_owned())),
                Event::Fragment(fragment) => {
                    let partial = &mut self.partial;
                    let mut state = self.shared.lock();
                    let message = state.with(|ws, out| ws.join(fragment, partial, out));
                    if message.is_some() {
                        return Ok(message);
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Returns the next message like [`next`](Self::next), waiting at most this long:
    /// see [`WebSocket::next_timeout`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next_timeout`].
    ///
    /// ```no_run
    /// # fn run(
    /// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// # use std::time::Duration;
    /// let (mut reader, mut writer) = ws.split();
    /// loop {
    ///     match reader.next_timeout(Duration::from_secs(1)) {
    ///         Ok(Some(message)) => println!("{message}"),
    ///         Ok(None) => break,
    ///         Err(error) if error.is_would_block() => writer.send("anybody there?")?,
    ///         Err(error) => return Err(error),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        if self.shared.socket.is_none() {
            return Err(io::Error::from(io::ErrorKind::Unsupported).into());
        }
        self.reads.limit(Instant::now().checked_add(timeout));
        let next = self.next();
        self.reads.limit(None);
        next
    }

    /// Returns the next event, or `None` once the connection is closed: see
    /// [`WebSocket::next_event`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next_event`].
    pub fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        loop {
            if self.is_finished {
                return self.take_last_event();
            }
            if self.last_event.is_none() {
                let (event, is_last) = self.receive();
                if matches!(event, Some(Event::Yield)) {
                    self.shared.tick(&mut self.shared.lock(), false);
                    continue;
                }
                if !is_last && event.is_some() {
                    return Ok(event);
                }
                self.last_event = event;
            }
            if let Some(Event::Failed(_)) = self.last_event {
                // Discards what follows, up to the end of the stream.
                self.receive();
            }
            let state = self.shared.lock();
            let waits = self.last_event.is_none() || self.shared.can_linger();
            let is_over = state.ws.is_closed() || !waits;
            drop(state);
            if is_over {
                self.finish();
            } else {
                self.fill()?;
            }
        }
    }

    /// Closes the connection, and returns when the closing handshake is complete: see
    /// [`WebSocket::close_and_drain`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close_and_drain`].
    pub fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        let mut state = self.shared.lock();
        state.with(|ws, out| ws.close(code, reason, out))?;
        drop(state);
        while self.next()?.is_some() {}
        Ok(())
    }

    /// The next event in what was read, and whether it is the last.
    fn receive(&mut self) -> (Option<Event<'static>>, bool) {
        let mut state = self.shared.lock();
        let before = state.ws.sent_len();
        let event = state.with(|ws, out| {
            let event = self.read_buffer.receive(ws, out);
            event.map(Event::into_owned)
        });
        let after = state.ws.sent_len();
        let is_last = is_last(&state.ws, event.as_ref());
        state.auto_replies.count(before, after);
        if state.write_error.is_some() {
            state.write_queue.clear();
        } else if after > before {
            drop(self.shared.try_write(state));
        }
        (event, is_last)
    }

    /// The last event. A failure is returned as an error. No message will be complete
    /// any more.
    fn take_last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        self.partial = None;
        match self.last_event.take() {
            Some(Event::Failed(failure)) => Err(failure.into()),
            event => Ok(event),
        }
    }

    /// Reads once, without the lock.
    fn fill(&mut self) -> Result<(), Error> {
        loop {
            let mut state = self.shared.try_write(self.shared.lock());
            let is_flooded = state.is_flooded();
            let was_over = state.ws.outcome().is_some();
            let before = state.ws.sent_len();
            let (now, deadline) = self.shared.tick(&mut state, !is_flooded);
            if state.ws.is_closed() || state.ws.outcome().is_some() != was_over {
                return Ok(());
            }
            if is_flooded {
                self.wait_for_peer(state);
                continue;
            }
            if state.ws.sent_len() != before {
                // A keepalive ping was appended.
                continue;
            }
            let remaining_len = state.ws.remaining_payload_len();
            let wake_at = now + self.read_wait(&state);
            let until = deadline.map_or(wake_at, |deadline| deadline.at.min(wake_at));
            self.reads.arm(&self.shared.stream, now, Some(until))?;
            state.is_reading = true;
            drop(state);
            let read = read(&mut self.read_buffer, &self.shared.stream, remaining_len);
            self.shared.lock().is_reading = false;
            match self.reads.finish(read) {
                Ok(None) => {}
                Ok(Some(())) => return Ok(()),
                Err(error) => return self.end_with_error(error),
            }
        }
    }

    /// After how long the reader looks at what the writer did.
    fn read_wait(&self, state: &State<S>) -> Duration {
        if !state.write_queue.is_flushed() {
            return MIN_READ_WAIT;
        }
        let close = state.ws.config().settings().timeouts.close.duration();
        close.map_or(MAX_READ_WAIT, |close| {
            close.clamp(MIN_READ_WAIT, MAX_READ_WAIT)
        })
    }

    /// Until the peer has taken more of the replies that it provoked.
    fn wait_for_peer(&self, state: Guard<'_, S>) {
        if state.is_writing {
            drop(self.shared.wait(state, Some(MAX_READ_WAIT)));
        } else {
            // An error is found by the next read.
            drop(self.shared.write_some(state, None));
        }
    }

    /// As that of [`WebSocket`], of a stream that blocks.
    fn end_with_error(&mut self, error: io::Error) -> Result<(), Error> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return Err(error.into());
        }
        let mut state = self.shared.lock();
        let was_over = state.ws.outcome().is_some();
        state.with(|ws, out| drop(ws.receive(&mut Input::new(&mut []), out)));
        self.is_finished = true;
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// Writes what is owed and ends the stream. A peer that may still be
    /// sending is read meanwhile, and until it ends the stream too.
    fn finish(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        while self.write_rest() {}
        self.shared.shutdown();
        while self.linger(MAX_READ_WAIT) {}
    }

    /// Writes something of what is owed. Returns whether there is more.
    fn write_rest(&mut self) -> bool {
        let mut state = self.shared.lock();
        self.shared.tick(&mut state, true);
        if state.write_queue.is_flushed() || state.write_error.is_some() {
            return false;
        }
        if state.ws.is_lingering() && self.shared.can_linger() {
            drop(self.shared.try_write(state));
            self.linger(MIN_READ_WAIT);
        } else if state.is_writing {
            drop(self.shared.wait(state, Some(MAX_READ_WAIT)));
        } else {
            // The peer sends nothing more: it is waited for.
            let max_wait = self.shared.socket.map(|_| MAX_READ_WAIT);
            return self.shared.write_some(state, max_wait).is_ok();
        }
        true
    }

    /// Reads once what nobody needs any more. Returns whether more may come.
    fn linger(&mut self, max_wait: Duration) -> bool {
        let mut state = self.shared.lock();
        let (now, deadline) = self.shared.tick(&mut state, true);
        if !state.ws.is_lingering() || !self.shared.can_linger() {
            return false;
        }
        drop(state);
        let wake_at = now + max_wait;
        let until = deadline.map_or(wake_at, |deadline| deadline.at.min(wake_at));
        let _ = self.reads.arm(&self.shared.stream, now, Some(until));
        let filled = read(&mut self.read_buffer, &self.shared.stream, 0);
        if let Err(error) = filled {
            return self.reads.check(error).is_ok();
        }
        let mut state = self.shared.lock();
        state.with(|ws, out| drop(self.read_buffer.receive(ws, out)));
        true
    }
}

impl<S> Reader<S> {
    fn is_half_closed(&self) -> bool {
        self.shared.lock().ws.is_half_closed()
    }

    /// Returns how the connection ended, or `None` while it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// Returns the negotiated subprotocol, if any.
    pub fn subprotocol(&self) -> Option<std::string::String> {
        self.shared.lock().ws.subprotocol().map(Into::into)
    }

    /// Takes the response with which the server opened the connection, see
    /// [`WebSocket::take_response`].
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// Returns the stream.
    pub fn get_ref(&self) -> &S {
        &self.shared.stream
    }
}
