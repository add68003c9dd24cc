//! Receiving on a whole connection.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::{Error, WebSocket};
use crate::adapter::is_last;
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::Event;
use crate::message::Message;

/// Receive.
impl<S: Read + Write> WebSocket<S> {
    /// The next message, or `None` once the connection is closed. Pings,
    /// pongs and the close frame are skipped, an upgrade request is accepted,
    /// and under [`Delivery::Fragments`](crate::Delivery::Fragments) the pieces
    /// of a message are joined.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the connection failed and [`Error::Io`] if the
    /// stream did, once; then `None`. A stream that does not block
    /// has been sent all that is owed when `None` comes.
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
                event => {
                    if let Some(message) = event.into_message(&mut self.partial) {
                        return Ok(Some(message));
                    }
                }
            }
        }
        Ok(None)
    }

    /// As [`next`](Self::next), waiting for at most this long. When the time is
    /// over it returns `WouldBlock`, for which
    /// [`is_would_block`](Error::is_would_block) asks; nothing is lost, and the
    /// next call goes on. Needs a [`Socket`](super::Socket).
    ///
    /// # Errors
    ///
    /// As `next`, `WouldBlock`, and [`Unsupported`](io::ErrorKind::Unsupported)
    /// without a `Socket`.
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

    /// The next event, owned, or `None` once the connection is closed. A
    /// failure is an error, not an event.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`SendError::NotOpen`] while a request
    /// waits for its answer.
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
                let before = self.ws.counters().sent.bytes;
                let event = self
                    .read_buffer
                    .receive(&mut self.ws, self.write_queue.out());
                let event = event.map(Event::into_owned);
                self.auto_replies
                    .count(before, self.ws.counters().sent.bytes);
                let is_last = is_last(&self.ws, event.as_ref());
                if !is_last && event.is_some() {
                    return Ok(event);
                }
                self.last_event = event;
            }
            if self.is_over() {
                self.finish()?;
                return self.take_last_event();
            }
            self.fill()?;
        }
    }

    /// The last event; a failure is an error.
    fn take_last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        match self.last_event.take() {
            Some(Event::Failed(failure)) => Err(failure.into()),
            event => Ok(event),
        }
    }

    /// Reads once and passes each event to `handle`, borrowed: no message is
    /// copied.
    /// `false` once the connection is closed. What `handle` sends leaves
    /// together before the next read.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and what `handle` returns.
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
        // Frames may have come together with the head of the handshake.
        let mut is_stuck = self.read_buffer.has_rest();
        if !self.is_over() && !is_stuck {
            self.fill()?;
        }
        let before = self.ws.counters().sent.bytes;
        let out = self.write_queue.out();
        while let Some(event) = self.read_buffer.receive(&mut self.ws, out) {
            is_stuck = false;
            match event {
                Event::Failed(_) => self.last_event = Some(event.into_owned()),
                event => handle(&mut self.ws, event, out)?,
            }
        }
        self.auto_replies
            .count(before, self.ws.counters().sent.bytes);
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
