//! WebSockets over `std::io::{Read, Write}`: one thread for a connection, or
//! two with [`split`](WebSocket::split).
//!
//! Knows how to move bytes and time; knows no rule of the protocol.
//!
//! ```no_run
//! use std::net::TcpListener;
//! use sansocket::{Config, blocking};
//!
//! let config = Config::new();
//! for stream in TcpListener::bind("127.0.0.1:9001")?.incoming() {
//!     let mut ws = blocking::accept(stream?, &config)?;
//!     while let Some(message) = ws.next()? {
//!         ws.send(message)?;
//!     }
//! }
//! # Ok::<(), sansocket::adapter::Error>(())
//! ```

mod connect;
mod shared;
mod socket;
mod split;
mod stream;
mod transfer;

use std::io::{Read, Write};
use std::time::Instant;
use std::vec::Vec;

pub use connect::{accept, accept_with, connect, connect_with};
pub use socket::Socket;
pub use split::{Reader, Writer};
pub use stream::Stream;

pub use super::Error;
use super::incoming::Incoming;
use crate::close::{CloseCode, Outcome};
use crate::config::Config;
use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::error::SendError;
use crate::event::Event;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest};
use crate::message::{Message, Prepared};
use socket::Waiting;

/// A WebSocket over a stream.
///
/// [`next`](Self::next) receives and [`send`](Self::send) sends. With a
/// blocking stream both wait; with a non-blocking one they return
/// [`WouldBlock`](Error::is_would_block) and can be called again at any time,
/// in the middle of the handshake too: all state is kept here.
///
/// Pongs, close frames and refusals leave before the next read.
///
/// Deadlines need a stream whose reads and writes can time out: [`accept`] and
/// [`connect`] see to that for TCP, [`with_socket`](Self::with_socket) for
/// others.
///
/// Holds a read buffer of 16 KiB, of up to 128 KiB once large frames came, and
/// unsent bytes up to [`max_unsent_len`](Config::max_unsent_len) and one
/// message.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    ws: Connection,
    incoming: Incoming,
    out: Vec<u8>,
    max_unsent_len: usize,
    socket: Option<Socket<S>>,
    reads: Waiting<S>,
    writes: Waiting<S>,
    origin: Instant,
    /// The pieces of a message that came so far, where they are to be joined.
    begun: Option<Message<'static>>,
    /// The event that ended the connection, to be returned once what is owed
    /// has left.
    last: Option<Event<'static>>,
    /// Nothing is read or written any more.
    is_finished: bool,
}

/// Start.
impl<S: Read + Write> WebSocket<S> {
    /// A server on a stream, before the handshake: [`next_event`](Self::next_event)
    /// brings the request, which [`respond`](Self::respond) answers.
    pub fn server(stream: S, config: &Config) -> Self {
        Self::new(stream, Connection::server(config), Vec::new())
    }

    /// A client on a stream that is connected, by TLS or a proxy for example.
    /// The request leaves with the first call of any method that moves bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`].
    pub fn client(stream: S, request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        let mut out = Vec::new();
        let ws = Connection::client(request, config, &mut out)?;
        Ok(Self::new(stream, ws, out))
    }

    /// A stream on which somebody else did the handshake. `read_ahead` are the
    /// bytes that were read behind the head.
    pub fn upgraded(
        stream: S,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        let mut this = Self::new(
            stream,
            Connection::upgraded(role, agreement, config),
            Vec::new(),
        );
        this.incoming = Incoming::read_ahead(read_ahead);
        this
    }

    /// Lets deadlines work on this stream, through its timeouts.
    #[must_use]
    pub fn with_socket(mut self, socket: Socket<S>) -> Self {
        self.socket = Some(socket);
        self.reads = Waiting::to_read(self.socket);
        self.writes = Waiting::to_write(self.socket);
        self
    }

    fn new(stream: S, ws: Connection, out: Vec<u8>) -> Self {
        Self {
            stream,
            incoming: Incoming::default(),
            out,
            max_unsent_len: ws.config().settings().max_unsent_len,
            ws,
            socket: None,
            reads: Waiting::to_read(None),
            writes: Waiting::to_write(None),
            origin: Instant::now(),
            begun: None,
            last: None,
            is_finished: false,
        }
    }
}

/// Receive.
impl<S: Read + Write> WebSocket<S> {
    /// The next message, or `None` once the connection is closed. Pings,
    /// pongs and the close frame pass unseen, an upgrade request is accepted,
    /// and under [`Delivery::Fragments`](crate::Delivery::Fragments) the pieces
    /// of a message are joined.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the connection failed and [`Error::Io`] if the
    /// stream did, once; then `None` for ever. A stream that does not block
    /// has been sent all that is owed when `None` comes.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Message<'static>>, Error> {
        while let Some(event) = self.next_event()? {
            match event {
                Event::Request(request) => self.respond(request.accept())?,
                Event::Refused(response) => return Err(Error::Refused(response)),
                event => {
                    if let Some(message) = event.into_message(&mut self.begun) {
                        return Ok(Some(message));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The next event, owned, or `None` once the connection is closed. A
    /// failure is an error, not an event.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`SendError::NotOpen`] while a request
    /// waits for its answer.
    pub fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        loop {
            if self.last.is_none() {
                let event = self.incoming.receive(&mut self.ws, &mut self.out);
                let is_last = self.ws.is_closed() || matches!(event, Some(Event::Failed(_)));
                if !is_last && event.is_some() {
                    return Ok(event.map(Event::into_owned));
                }
                self.last = event.map(Event::into_owned);
            }
            if self.is_over() {
                self.finish()?;
                return self.take_last();
            }
            self.fill()?;
        }
    }

    /// The last event; a failure is an error.
    fn take_last(&mut self) -> Result<Option<Event<'static>>, Error> {
        match self.last.take() {
            Some(Event::Failed(failure)) => Err(failure.into()),
            event => Ok(event),
        }
    }

    /// One read, and all events that it brings, lent: no message is copied.
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
    /// # Ok::<(), sansocket::adapter::Error>(())
    /// ```
    pub fn drive(
        &mut self,
        mut handle: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Result<bool, Error> {
        // Frames may have come together with the head of the handshake.
        let mut is_stuck = self.incoming.has_rest();
        if !self.is_over() && !is_stuck {
            self.fill()?;
        }
        while let Some(event) = self.incoming.receive(&mut self.ws, &mut self.out) {
            is_stuck = false;
            match event {
                Event::Failed(_) => self.last = Some(event.into_owned()),
                event => handle(&mut self.ws, event, &mut self.out)?,
            }
        }
        if is_stuck && self.incoming.has_rest() {
            return Err(SendError::NotOpen.into());
        }
        if self.is_over() {
            self.finish()?;
            self.take_last()?;
        }
        Ok(!self.is_finished)
    }
}

/// Send.
impl<S: Read + Write> WebSocket<S> {
    /// Sends a message: returns when the stream was flushed. On a non-blocking
    /// stream it returns once the message is taken, and what could not leave
    /// is [`unsent`](Self::unsent).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](Error::is_would_block) if the unsent bytes are at their
    /// bound: the message was not taken; [`try_send`](Self::try_send) gives it
    /// back. [`Error::Send`] if the connection is not open.
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        self.take(&message)?;
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            flushed => flushed,
        }
    }

    /// As [`send`](Self::send), with a say in whether the message is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As `send`.
    #[cfg(feature = "deflate")]
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        self.ws.send_with(message, choice, &mut self.out)?;
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            flushed => flushed,
        }
    }

    /// As [`send`](Self::send), for non-blocking streams: the message comes
    /// back if the unsent bytes are at their bound.
    ///
    /// # Errors
    ///
    /// As `send`, without `WouldBlock`.
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
    ) -> Result<Option<Message<'m>>, Error> {
        let message = message.into();
        match self.send(&message) {
            Ok(()) => Ok(None),
            Err(error) if error.is_would_block() => Ok(Some(message)),
            Err(error) => Err(error),
        }
    }

    /// Queues a message, to leave with others in one write: by
    /// [`flush`](Self::flush), by the next read, or when the unsent bytes
    /// reach their bound.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        Ok(self.ws.send(message, &mut self.out)?)
    }

    /// Queues a prepared message, as [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.make_room(prepared.payload().len())?;
        Ok(self.ws.send_prepared(prepared, &mut self.out)?)
    }

    /// Writes all unsent bytes and flushes the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::Failed`] if the stream took no byte until
    /// the write deadline.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.write_unsent()?;
        Ok(self.stream.flush()?)
    }

    /// Sends a ping with at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it is longer or the connection is not open, and
    /// those of [`flush`](Self::flush).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ws.ping(payload, &mut self.out)?;
        self.flush()
    }

    /// Begins the closing handshake. Messages may still come: call
    /// [`next`](Self::next) until it returns `None` to see it through.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code must not be sent or the reason is longer
    /// than 123 bytes, and those of [`flush`](Self::flush).
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.ws.close(code, reason, &mut self.out)?;
        self.flush()
    }

    /// Answers the request that [`next_event`](Self::next_event) brought.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if there was none, and those of [`flush`](Self::flush).
    pub fn respond(&mut self, answer: Answer) -> Result<(), Error> {
        self.ws.respond(answer, &mut self.out)?;
        self.flush()
    }
}

/// Questions.
impl<S> WebSocket<S> {
    /// The state machine, with all that it can be asked.
    pub const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// Gives back memory, see [`Connection::release`].
    #[cfg(feature = "deflate")]
    pub fn release(&mut self) {
        self.ws.release();
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.ws.outcome()
    }

    /// The subprotocol that the handshake settled.
    pub fn subprotocol(&self) -> Option<&str> {
        self.ws.subprotocol()
    }

    /// How many bytes wait to leave.
    pub const fn unsent(&self) -> usize {
        self.out.len()
    }

    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream and the bytes that were read from it and not taken: those
    /// behind a plain HTTP request, for example.
    pub fn into_stream(self) -> (S, Vec<u8>) {
        (self.stream, self.incoming.into_rest())
    }
}
