//! The sending half of a connection.

use std::io::{Read, Write};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::Error;
#[cfg(doc)]
use super::WebSocket;
use super::shared::Shared;
use crate::close::{CloseCode, Outcome};
use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::handshake::Response;
use crate::message::{Fragment, MessageRef, Prepared};

/// The sending half of a [`WebSocket`], for another thread: see
/// [`split`](WebSocket::split).
///
/// Clones send on the same connection, and messages of different clones are not
/// interleaved. Dropping a writer does not close the connection: call
/// [`close`](Self::close).
///
/// ```no_run
/// # fn send(
/// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
/// # ) -> Result<(), sansocket::Error> {
/// let (reader, mut writer) = ws.split();
/// let mut other = writer.clone();
/// std::thread::spawn(move || other.send("from another thread"));
/// writer.send("from this one")?;
/// writer.close(1000, "done")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Writer<S> {
    pub(super) shared: Arc<Shared<S>>,
}

impl<S> Clone for Writer<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<S> Writer<S>
where
    for<'a> &'a S: Read + Write,
{
    /// Sends a message, and returns when it has been written and the stream has been
    /// flushed.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    ///
    /// ```no_run
    /// # fn run(
    /// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (_reader, mut writer) = ws.split();
    /// for name in ["a", "b"] {
    ///     let mut writer = writer.clone();
    ///     std::thread::spawn(move || writer.send(&format!("from thread {name}")));
    /// }
    /// writer.send("from this thread")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Queues a message, so that several are sent in one write: see
    /// [`WebSocket::feed`]. Waits while
    /// [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    ///
    /// ```no_run
    /// # fn run(
    /// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (_reader, mut writer) = ws.split();
    /// for line in ["one", "two", "three"] {
    ///     writer.feed(line)?;
    /// }
    /// writer.flush()?; // one write
    /// # Ok(())
    /// # }
    /// ```
    pub fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let message = message.into();
        let mut state = self.shared.room_for(message.len())?;
        Ok(state.with(|ws, out| ws.send(message, out))?)
    }

    /// Sends a message like [`send`](Self::send), choosing whether it is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    #[cfg(feature = "deflate")]
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        let mut state = self.shared.room_for(message.len())?;
        state.with(|ws, out| ws.send_with(message, choice, out))?;
        drop(state);
        self.flush()
    }

    /// Queues a prepared message, like [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        let mut state = self.shared.room_for(prepared.payload().len())?;
        Ok(state.with(|ws, out| ws.send_prepared(prepared, out))?)
    }

    /// Writes all unsent bytes and flushes the stream.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.shared.write(self.shared.lock())
    }

    /// Sends a ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.with(|ws, out| ws.ping(payload, out))?;
        self.flush()
    }

    /// Starts the closing handshake, which the [`Reader`](super::Reader) completes: it
    /// must be called until it returns `None`.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`].
    ///
    /// ```no_run
    /// # fn run(
    /// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// let receiving = std::thread::spawn(move || {
    ///     while let Ok(Some(message)) = reader.next() {
    ///         println!("{message}");
    ///     }
    ///     reader.outcome()
    /// });
    /// writer.close(1000, "done")?;
    /// println!("{:?}", receiving.join().expect("no panic"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.with(|ws, out| ws.close(code, reason, out))?;
        self.flush()
    }

    /// Sends a message like [`send`](Self::send), without waiting for the peer to read:
    /// if [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached, the message
    /// is returned. What cannot be written at once is written by the reader, or by the
    /// next [`flush`](Self::flush). Needs a [`Socket`](super::Socket).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # fn run(
    /// #     ws: sansocket::blocking::WebSocket<std::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (_reader, writer) = ws.split();
    /// // A broadcast must not wait for the slowest client.
    /// for mut client in [writer] {
    ///     if client.try_send("news")?.is_some() {
    ///         client.close(1008, "too slow")?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        let message = message.into();
        let mut state = self.shared.try_write(self.shared.lock());
        state.check()?;
        if !state.has_room(message.len()) {
            return Ok(Some(message));
        }
        state.with(|ws, out| ws.send(&message, out))?;
        self.shared.try_write(state).check()?;
        Ok(None)
    }

    /// Sends a message that was framed in advance, like [`send`](Self::send): see
    /// [`WebSocket::send_prepared`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared)?;
        self.flush()
    }

    /// Queues a fragment of a message, see [`WebSocket::feed_fragment`]. Until the last
    /// fragment, clones of this writer cannot send messages.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed_fragment`].
    pub fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        let mut state = self.shared.room_for(fragment.payload.len())?;
        Ok(state.with(|ws, out| ws.send_fragment(fragment, out))?)
    }

    /// Sends a fragment of a message, see [`WebSocket::send_fragment`]. Until the last
    /// fragment, clones of this writer cannot send messages.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send_fragment`].
    pub fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment)?;
        self.flush()
    }

    /// Sends an unsolicited pong, see [`WebSocket::pong`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::pong`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.with(|ws, out| ws.pong(payload, out))?;
        self.flush()
    }
}

impl<S> Writer<S> {
    /// Calls `act` with the state machine and its output, see [`WebSocket::with`]. Both
    /// halves wait until `act` returns.
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        self.shared.lock().with(act)
    }

    /// Returns `true` if no more messages can be sent: a close frame was sent or
    /// received, or the connection has ended.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().ws.is_open()
    }

    /// Returns how the connection ended, or `None` while it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// Returns the negotiated subprotocol, if any.
    pub fn subprotocol(&self) -> Option<String> {
        self.shared.lock().ws.subprotocol().map(Into::into)
    }

    /// Takes the response, see [`WebSocket::take_response`].
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// Returns the stream.
    pub fn get_ref(&self) -> &S {
        &self.shared.stream
    }

    /// Returns the number of unsent bytes.
    pub fn unsent_len(&self) -> usize {
        self.shared.lock().write_queue.len()
    }
}
