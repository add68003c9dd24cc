//! Receiving on an unsplit WebSocket.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::{Error, WebSocket};
use crate::adapter::is_last;
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::Event;
use crate::message::Message;

/// Receiving.
impl<S: Read + Write> WebSocket<S> {
    /// Returns the next message, or `None` once the connection is closed.
    ///
    /// Pings, pongs and the close frame are handled and skipped. If the handshake
    /// is not complete, a server accepts the request. With
    /// [`Delivery::Fragments`](crate::Delivery::Fragments), the pieces of a message
    /// are joined.
    ///
    /// [`outcome`](Self::outcome) returns how the connection ended.
    ///
    /// # Errors
    ///
    /// - [`Error::Failed`] if the connection failed: the peer broke a rule, a
    ///   limit or a deadline was exceeded, or the stream ended early.
    /// - [`Error::Io`] if the stream failed.
    /// - [`WouldBlock`](Error::is_would_block) if a non-blocking stream has nothing to
    ///   read; call this again when it is readable.
    ///
    /// A failure is returned once, after all messages received before it. Further calls
    /// return `None`.
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// while let Some(message) = ws.next()? {
    ///     println!("{message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Message>, Error> {
        while !self.ws.is_half_closed()
            && let Some(event) = self.next_event()?
        {
            match event {
                Event::Request(request) => self.respond(request.accept())?,
                Event::Open(response) => self.response = Some(response),
                Event::Refused(response) => return Err(Error::Refused(response)),
                Event::Message(message) => return Ok(Some(message.into_owned())),
                Event::Fragment(fragment) => {
                    let out = self.write_queue.out();
                    let message = self.ws.join(fragment, &mut self.partial, out);
                    if message.is_some() {
                        return Ok(message);
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Returns the next message like [`next`](Self::next), waiting at most this long.
    /// Needs a [`Socket`](super::Socket).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and:
    ///
    /// - [`WouldBlock`](Error::is_would_block) when the time is over. Nothing is lost.
    /// - [`Unsupported`](io::ErrorKind::Unsupported) without a `Socket`.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use sansocket::{Config, blocking};
    /// let mut ws = blocking::connect("ws://localhost:9001", &Config::new())?;
    /// match ws.next_timeout(Duration::from_millis(100)) {
    ///     Ok(Some(message)) => println!("{message:?}"),
    ///     Ok(None) => println!("closed"),
    ///     Err(error) if error.is_would_block() => println!("nothing yet"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Message>, Error> {
        if self.socket.is_none() {
            return Err(io::Error::from(io::ErrorKind::Unsupported).into());
        }
        let until = Instant::now().checked_add(timeout);
        self.reads.limit(until);
        self.writes.limit(until);
        let next = self.next();
        self.reads.limit(None);
        self.writes.limit(None);
        next
    }

    /// Returns the next event, or `None` once the connection is closed: for servers
    /// that answer requests themselves, and for applications that handle pings,
    /// close frames or fragments. A failure is returned as an error, not as an
    /// event.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`SendError::NotOpen`] if a request has not been
    /// answered with [`respond`](Self::respond).
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// use sansocket::Event;
    ///
    /// while let Some(event) = ws.next_event()? {
    ///     match event {
    ///         Event::Message(message) => println!("{message}"),
    ///         Event::Close(close) => println!("closed with {}", close.code),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        loop {
            if self.last_event.is_none() {
                let before = self.ws.sent_len();
                let event = self
                    .read_buffer
                    .receive(&mut self.ws, self.write_queue.out());
                let event = event.map(Event::into_owned);
                self.auto_replies.count(before, self.ws.sent_len());
                if matches!(event, Some(Event::Yield)) {
                    self.tick(false);
                    continue;
                }
                let is_last = is_last(&self.ws, event.as_ref());
                if !is_last && event.is_some() {
                    return Ok(event);
                }
                self.last_event = event;
            }
            if let Some(Event::Failed(_)) = self.last_event {
                // Discards what follows, up to the end of the stream.
                self.read_buffer
                    .receive(&mut self.ws, self.write_queue.out());
            }
            if self.is_over() {
                self.finish()?;
                return self.take_last_event();
            }
            self.fill()?;
        }
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

    /// Reads once and passes each event to `handle`, without copying messages.
    /// Returns `false` once the connection is closed.
    ///
    /// What `handle` sends is written together, before the next read. This is the
    /// fastest way to process many small messages.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and any error that `handle` returns.
    ///
    /// ```no_run
    /// # use sansocket::{Config, Event, blocking};
    /// # let stream = std::net::TcpStream::connect("127.0.0.1:9001")?;
    /// let mut ws = blocking::accept(stream, &Config::new())?;
    /// while ws.drive(|ws, event, out| match event {
    ///     Event::Message(message) => ws.send(message, out),
    ///     _ => Ok(()),
    /// })? {}
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    pub fn drive(
        &mut self,
        mut handle: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Result<bool, Error> {
        // Frames can arrive together with the head of the handshake.
        let mut is_stuck = self.read_buffer.has_rest();
        if !self.is_over() && !is_stuck && !self.ws.has_event() {
            self.fill()?;
        }
        let before = self.ws.sent_len();
        let out = self.write_queue.out();
        while let Some(event) = self.read_buffer.receive(&mut self.ws, out) {
            is_stuck = false;
            match event {
                // The system lets other threads run.
                Event::Yield => {}
                Event::Failed(_) => self.last_event = Some(event.into_owned()),
                event => handle(&mut self.ws, event, out)?,
            }
        }
        self.auto_replies.count(before, self.ws.sent_len());
        if is_stuck && self.read_buffer.has_rest() {
            return Err(SendError::NotOpen.into());
        }
        if self.is_over() {
            self.finish()?;
            self.take_last_event()?;
        }
        Ok(!self.is_finished)
    }
}
