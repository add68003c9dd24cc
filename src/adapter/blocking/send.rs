//! Sending on an unsplit WebSocket.

use std::io::{Read, Write};
use std::vec::Vec;

use super::{Error, WebSocket};
use crate::close::CloseCode;
use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::handshake::Answer;
use crate::message::{Fragment, MessageRef, Prepared};

/// Sending.
impl<S: Read + Write> WebSocket<S> {
    /// Sends a message, and returns when it has been written and the stream has been
    /// flushed.
    ///
    /// On a non-blocking stream, this returns once the message is queued; what could
    /// not be written is counted by [`unsent_len`](Self::unsent_len) and written by
    /// later calls.
    ///
    /// # Errors
    ///
    /// - [`Error::Send`] if the connection is not open.
    /// - [`Error::Io`] if the stream failed.
    /// - [`Error::Failed`] if the write deadline passed.
    /// - [`WouldBlock`](Error::is_would_block) if
    ///   [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached: the message
    ///   was not queued. [`try_send`](Self::try_send) returns it instead.
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

    /// Sends a message like [`send`](Self::send), choosing whether it is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// use sansocket::deflate::Compress;
    ///
    /// // An attacker could guess it from the length of a compressed message.
    /// ws.send_with(r#"{"token":"secret"}"#, Compress::Never)?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Sends a message like [`send`](Self::send), for non-blocking streams: if
    /// [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached, the message is
    /// returned.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), without `WouldBlock`.
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// ws.get_ref().set_nonblocking(true)?;
    /// if let Some(message) = ws.try_send("news")? {
    ///     println!("the peer is too slow for {message}: wait until the socket is writable");
    /// }
    /// # Ok(())
    /// # }
    /// ```
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

    /// Queues a message, so that several are sent in one write: by
    /// [`flush`](Self::flush), before the next read, or when
    /// [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached.
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

    /// Queues a prepared message, like [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.make_room(prepared.payload().len())?;
        Ok(self.ws.send_prepared(prepared, self.write_queue.out())?)
    }

    /// Sends a message that was framed in advance for many connections, like
    /// [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// # let clients = [&mut ws];
    /// use sansocket::Prepared;
    ///
    /// let news = Prepared::new("to all");
    /// for client in clients {
    ///     client.send_prepared(&news)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared)?;
        self.flush_taken()
    }

    /// Queues a fragment of a message, like [`feed`](Self::feed). See
    /// [`Connection::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.make_room(fragment.payload.len())?;
        Ok(self.ws.send_fragment(fragment, self.write_queue.out())?)
    }

    /// Sends a fragment of a message, for messages that are produced piece by piece,
    /// like [`send`](Self::send). See [`Connection::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and
    /// [`SendError::UnfinishedMessage`](crate::SendError) if the fragment has
    /// another type than those before.
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// use sansocket::Fragment;
    /// use std::io::Read;
    ///
    /// let mut file = std::fs::File::open("video.mp4")?;
    /// let mut buf = vec![0; 64 * 1024];
    /// loop {
    ///     match file.read(&mut buf)? {
    ///         0 => break ws.send_fragment(Fragment::last(&[]))?,
    ///         len => ws.send_fragment(Fragment::more(&buf[..len]))?,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment)?;
        self.flush_taken()
    }

    /// Calls `act` with the state machine and its output, for what has no method here.
    /// What it appends is queued, as with [`feed`](Self::feed).
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
    /// [`Error::Io`] if the stream failed, and [`Error::Failed`] if the write deadline
    /// passed.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.write_unsent()
    }

    /// Sends a ping with a payload of at most 125 bytes.
    ///
    /// Not needed as a keepalive: see
    /// [`Config::with_ping_interval`](crate::Config::with_ping_interval).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the payload is longer or the connection is not open, and
    /// the errors of [`flush`](Self::flush).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ws.ping(payload, self.write_queue.out())?;
        self.flush()
    }

    /// Sends an unsolicited pong (§5.5.3) with a payload of at most 125 bytes. Pings are
    /// answered automatically.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ws.pong(payload, self.write_queue.out())?;
        self.flush()
    }

    /// Starts the closing handshake by sending a close frame.
    ///
    /// Messages can still be received: call [`next`](Self::next) until it returns
    /// `None` to complete the closing handshake, or use
    /// [`close_and_drain`](Self::close_and_drain).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code must not be sent, and the errors of
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

    /// Answers the request that [`next_event`](Self::next_event) returned.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if there is no request to answer, and the errors of
    /// [`flush`](Self::flush).
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// use sansocket::Event;
    ///
    /// if let Some(Event::Request(request)) = ws.next_event()? {
    ///     let answer = match request.path() {
    ///         "/chat" => request.accept(),
    ///         _ => request.reject(404),
    ///     };
    ///     ws.respond(answer)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn respond(&mut self, answer: Answer) -> Result<(), Error> {
        self.ws.respond(answer, self.write_queue.out())?;
        self.flush()
    }

    /// Closes the connection, and returns when the closing handshake is complete.
    /// Messages received meanwhile are discarded.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close) and [`next`](Self::next). If the connection is already
    /// closing, this is not an error.
    ///
    /// ```no_run
    /// # fn run(
    /// #     mut ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// ws.close_and_drain(1001, "shutting down")?;
    /// assert!(ws.outcome().is_some_and(|outcome| outcome.clean));
    /// # Ok(())
    /// # }
    /// ```
    pub fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        self.close(code, reason)?;
        while self.next()?.is_some() {}
        Ok(())
    }

    /// Writes what was queued. What cannot be written at once stays unsent.
    fn flush_taken(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            flushed => flushed,
        }
    }
}
