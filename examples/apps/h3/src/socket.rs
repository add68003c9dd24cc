//! One WebSocket on one stream of HTTP/3.

use std::time::Duration;

use quiche::h3;
use sansocket::{CloseCode, Connection, Input, IoState, MessageRef, Outcome, SendError};

use crate::outgoing::{Outgoing, Transport};
use crate::{Application, Error};

/// How much the peer may make a socket send that it does not read: then it is
/// not read either, its window closes, and it has to wait.
const MAX_UNSENT_ANSWERS_LEN: usize = 64 * 1024;

/// How long the peer may take to end its direction of the stream.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// A WebSocket on a stream of HTTP/3.
#[derive(Debug)]
pub struct Socket {
    ws: Connection,
    stream: Outgoing,
    /// What goes after the bytes that are in `stream`.
    out: Vec<u8>,
    /// How many of the unsent bytes the peer made us send.
    answers_len: usize,
    is_readable: bool,
    /// Whether the peer ended its direction.
    is_ended: bool,
    linger_until: Option<Duration>,
}

/// What an application does with a socket.
impl Socket {
    /// The stream.
    pub const fn id(&self) -> u64 {
        self.stream.id
    }

    /// Sends a message, as soon as there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] and others of [`Connection::send`].
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), SendError> {
        self.ws.send(message, &mut self.out)
    }

    /// Begins the closing handshake.
    ///
    /// # Errors
    ///
    /// See [`Connection::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), SendError> {
        self.ws.close(code, reason, &mut self.out)
    }

    /// How many bytes have not left: the measure of an application that sends
    /// more than the peer reads.
    pub const fn unsent_len(&self) -> usize {
        self.stream.len() + self.out.len()
    }
}

impl Socket {
    pub(crate) const fn new(ws: Connection, stream: Outgoing) -> Self {
        Self {
            ws,
            stream,
            out: Vec::new(),
            answers_len: 0,
            is_readable: false,
            is_ended: false,
            linger_until: None,
        }
    }

    /// There is something to be read, until `recv_body` says otherwise.
    pub(crate) const fn readable(&mut self) {
        self.is_readable = true;
    }

    /// The peer's FIN, or the end of the connection below.
    pub(crate) fn end(&mut self, app: &mut impl Application) {
        self.is_ended = true;
        self.receive(Input::new(&mut []), app);
    }

    /// Writes and reads until one of them has to wait for the peer.
    pub(crate) fn drive(
        &mut self,
        io: &mut Transport<'_>,
        app: &mut impl Application,
    ) -> Result<(), Error> {
        self.flush(io)?;
        while self.is_readable && !self.is_flooded() {
            match io.http.recv_body(io.quic, self.id(), io.buf) {
                Ok(len) => self.receive(Input::new(&mut io.buf[..len]), app),
                Err(h3::Error::Done) => self.is_readable = false,
                Err(error) => return Err(error.into()),
            }
            self.flush(io)?;
        }
        Ok(())
    }

    fn receive(&mut self, mut input: Input<'_>, app: &mut impl Application) {
        let before = self.out.len();
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            app.received(self, event);
        }
        self.answers_len += self.out.len() - before;
    }

    fn flush(&mut self, io: &mut Transport<'_>) -> h3::Result<()> {
        if self.stream.flush(io, &mut self.out)? {
            self.answers_len = 0;
        }
        Ok(())
    }

    /// What the application sends of its own accord does not count, or two
    /// peers that both send would wait for each other.
    const fn is_flooded(&self) -> bool {
        self.answers_len >= MAX_UNSENT_ANSWERS_LEN
    }

    /// Keeps the deadlines and, after the close frames, ends the stream.
    /// Returns the next deadline.
    pub(crate) fn tick(
        &mut self,
        now: Duration,
        io: &mut Transport<'_>,
        app: &mut impl Application,
    ) -> Result<Option<Duration>, Error> {
        let mut next = self.handle_timeout(now);
        self.receive(Input::none(), app);
        if self.ws.is_stalled() {
            self.stream.clear();
            return Err(Error::Timeout);
        }
        let has_more = !self.out.is_empty();
        self.flush(io)?;
        if has_more {
            // Other deadlines run once a ping or a close frame has left.
            next = self.handle_timeout(now);
        }
        if self.ws.is_closed() && self.unsent_len() == 0 && self.stream.finish(io)? {
            let until = *self.linger_until.get_or_insert(now + LINGER_TIMEOUT);
            if now >= until && !self.is_ended {
                return Err(Error::Timeout);
            }
            next = Some(until.min(next.unwrap_or(until)));
        }
        Ok(next)
    }

    fn handle_timeout(&mut self, now: Duration) -> Option<Duration> {
        let mut io = IoState::reading().with_buffered_len(self.stream.len());
        io.is_reading = !self.is_flooded();
        let deadline = self.ws.handle_timeout(now, io, &mut self.out);
        deadline.map(|deadline| deadline.at)
    }

    /// Whether both directions of the stream have ended in order.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_ended && self.linger_until.is_some()
    }

    /// How the WebSocket ended, if it did.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.ws.outcome()
    }
}
