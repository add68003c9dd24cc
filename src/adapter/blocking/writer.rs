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

/// The sending half of a [`WebSocket`], for another thread. Clones send on the
/// same connection, each message in one piece. Dropping them closes nothing.
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
    /// Sends a message: returns when the stream was flushed.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Queues a message, as [`WebSocket::feed`]; waits when the unsent bytes
    /// are at their bound.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let message = message.into();
        let mut state = self.shared.room_for(message.len())?;
        Ok(state.with(|ws, out| ws.send(message, out))?)
    }

    /// As [`send`](Self::send), choosing whether the message is
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

    /// Queues a prepared message, as [`feed`](Self::feed).
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

    /// Sends a ping with at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.with(|ws, out| ws.ping(payload, out))?;
        self.flush()
    }

    /// Begins the closing handshake, which the [`Reader`](super::Reader) sees through.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.with(|ws, out| ws.close(code, reason, out))?;
        self.flush()
    }

    /// As [`send`](Self::send), without waiting for the peer to read: the
    /// message comes back if the unsent bytes are at their bound. What cannot
    /// leave at once leaves with the reader or the next
    /// [`flush`](Self::flush). Needs a [`Socket`](super::Socket).
    ///
    /// # Errors
    ///
    /// As `send`.
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

    /// Sends a prepared message, as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared)?;
        self.flush()
    }

    /// Queues a fragment of a message, as [`WebSocket::feed_fragment`]. Clones
    /// of this writer cannot send a message until the last fragment.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed_fragment`].
    pub fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        let mut state = self.shared.room_for(fragment.payload.len())?;
        Ok(state.with(|ws, out| ws.send_fragment(fragment, out))?)
    }

    /// Sends a fragment of a message, as [`feed_fragment`](Self::feed_fragment).
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send_fragment`].
    pub fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment)?;
        self.flush()
    }

    /// Sends a pong that nobody asked for, as [`WebSocket::pong`].
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
    /// Calls `act` with the connection and its output, as [`WebSocket::with`].
    /// Both halves wait until it returns.
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        self.shared.lock().with(act)
    }

    /// Whether no message can be sent any more: the connection is closing or
    /// has ended.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().ws.is_open()
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// The subprotocol that the handshake settled.
    pub fn subprotocol(&self) -> Option<String> {
        self.shared.lock().ws.subprotocol().map(Into::into)
    }

    /// Takes the response, as [`WebSocket::take_response`].
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.shared.stream
    }

    /// How many bytes wait to leave.
    pub fn unsent_len(&self) -> usize {
        self.shared.lock().write_queue.len()
    }
}
