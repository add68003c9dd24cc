//! Sending on a whole connection.

use std::io::{Read, Write};
use std::vec::Vec;

use super::{Error, WebSocket};
use crate::close::CloseCode;
use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::handshake::Answer;
use crate::message::{Fragment, MessageRef, Prepared};

/// Send.
impl<S: Read + Write> WebSocket<S> {
    /// Sends a message: returns when the stream was flushed. On a non-blocking
    /// stream it returns once the message is taken, and what could not leave
    /// is [`unsent_len`](Self::unsent_len).
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](Error::is_would_block) if the unsent bytes are at their
    /// bound: the message was not taken; [`try_send`](Self::try_send) gives it
    /// back. [`Error::Send`] if the connection is not open.
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// ws.send("text")?;
    /// ws.send(b"bytes")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        self.take(&message)?;
        self.flush_taken()
    }

    /// As [`send`](Self::send), choosing whether the message is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As `send`.
    #[cfg(feature = "deflate")]
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        self.ws.send_with(message, choice, self.write_queue.out())?;
        self.flush_taken()
    }

    /// As [`send`](Self::send), for non-blocking streams: the message comes
    /// back if the unsent bytes are at their bound.
    ///
    /// # Errors
    ///
    /// As `send`, without `WouldBlock`.
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
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
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// for number in 0..100 {
    ///     ws.feed(&number.to_string())?;
    /// }
    /// ws.flush()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.make_room(message.len())?;
        Ok(self.ws.send(message, self.write_queue.out())?)
    }

    /// Queues a prepared message, as [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.make_room(prepared.payload().len())?;
        Ok(self.ws.send_prepared(prepared, self.write_queue.out())?)
    }

    /// Sends a prepared message, as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared)?;
        self.flush_taken()
    }

    /// Queues a fragment of a message, as [`feed`](Self::feed); see
    /// [`Connection::send_fragment`].
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.make_room(fragment.payload.len())?;
        Ok(self.ws.send_fragment(fragment, self.write_queue.out())?)
    }

    /// Sends a fragment of a message, as [`send`](Self::send); see
    /// [`Connection::send_fragment`].
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment)?;
        self.flush_taken()
    }

    /// Calls `act` with the connection and its output, for everything that has
    /// no method here. What it appends leaves as with [`feed`](Self::feed).
    ///
    /// ```no_run
    /// # use sansocket::{Config, blocking};
    /// # let mut ws = blocking::connect("ws://localhost:9001", &Config::new())?;
    /// let latency = ws.with(|connection, _| connection.latency());
    /// # let _ = latency;
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        act(&mut self.ws, self.write_queue.out())
    }

    /// Writes all unsent bytes and flushes the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::Failed`] if the stream took no byte until
    /// the write deadline.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.write_unsent()
    }

    /// Sends a ping with at most 125 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it is longer or the connection is not open, and
    /// those of [`flush`](Self::flush).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ws.ping(payload, self.write_queue.out())?;
        self.flush()
    }

    /// Sends a pong that nobody asked for, with at most 125 bytes (§5.5.3).
    /// Pings are answered without it.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ws.pong(payload, self.write_queue.out())?;
        self.flush()
    }

    /// Begins the closing handshake. Messages may still come: call
    /// [`next`](Self::next) until it returns `None` to see it through.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code must not be sent, and those of
    /// [`flush`](Self::flush).
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// ws.close(1000, "done")?;
    /// while ws.next()?.is_some() {}
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.ws.close(code, reason, self.write_queue.out())?;
        self.flush()
    }

    /// Answers the request that [`next_event`](Self::next_event) brought.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if there was none, and those of [`flush`](Self::flush).
    pub fn respond(&mut self, answer: Answer) -> Result<(), Error> {
        self.ws.respond(answer, self.write_queue.out())?;
        self.flush()
    }

    /// Closes the connection and sees the closing handshake through: messages
    /// that still come are dropped.
    ///
    /// # Errors
    ///
    /// Those of [`close`](Self::close) and [`next`](Self::next). A connection
    /// that was closing already is no error.
    pub fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        self.close(code, reason)?;
        while self.next()?.is_some() {}
        Ok(())
    }

    /// Writes what was taken; what cannot leave at once is unsent.
    fn flush_taken(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            flushed => flushed,
        }
    }
}
