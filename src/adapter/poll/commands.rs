//! Commands that are needed less often, on the whole socket and on its sending
//! half.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::vec::Vec;

use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Half;
use super::{Reader, WebSocket, Writer};
use crate::adapter::Error;
use crate::close::CloseCode;
use crate::connection::Connection;
use crate::message::{Fragment, MessageRef, Prepared};

impl<T: Transport> Driver<T> {
    /// Takes a message if there is room for it, else gives it back.
    pub(super) fn try_take<'m>(
        &mut self,
        message: MessageRef<'m>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        if !self.has_room(message.len()) {
            return Ok(Some(message));
        }
        self.take(None, message).map(|()| None)
    }

    fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        fragment: &Fragment<'_>,
    ) -> Poll<Result<(), Error>> {
        let room = self.poll_room(cx, fragment.payload.len());
        room.map(|room| {
            room?;
            Ok(self
                .ws
                .send_fragment(fragment.clone(), self.write_queue.out())?)
        })
    }

    /// Lets the caller do what there is no other method for.
    pub(super) fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        act(&mut self.ws, self.write_queue.out())
    }
}

/// Less often.
impl<T: Transport> WebSocket<T> {
    /// Queues a message without waiting, as [`feed`](Self::feed). If the unsent
    /// bytes are at their bound, it is returned.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection is not open.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// if let Some(message) = ws.try_send("news")? {
    ///     println!("the peer is too slow for {message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        self.driver.try_take(message.into())
    }

    /// Sends a prepared message: returns when the stream was flushed. Cancel
    /// safe, as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As `send`.
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared).await?;
        self.flush().await
    }

    /// Sends a piece of a message, see [`Connection::send_fragment`]: returns
    /// when the stream was flushed. Cancel safe, as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As `send`, and [`SendError::UnfinishedMessage`](crate::SendError) if it
    /// is of another kind than the pieces before.
    pub async fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment).await?;
        self.flush().await
    }

    /// Queues a piece of a message, as [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub async fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_fragment(cx, &fragment)
            })
        })
        .await
    }

    /// Sends a pong that answers no ping (§5.5.3), with at most 125 bytes,
    /// after the last one has left. Pings are answered automatically. Cancel
    /// safe.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.pong(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Calls `act` with the state machine and the output to append to, for
    /// what there is no other method for. What it appends leaves with the next
    /// call that moves bytes, such as [`flush`](Self::flush).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// ws.with(|connection, out| connection.ping(b"now", out))?;
    /// ws.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        let progress = self.driver.progress();
        let result = self.driver.with(act);
        if self.driver.progress() != progress {
            self.wakers.wake_other_half(Half::Writer);
        }
        result
    }

    /// Closes the connection and waits until it is closed: begins the closing
    /// handshake, unless it has begun, and discards the messages that still
    /// come. Cancel safe: call it again, or [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close) and `next`.
    ///
    /// ```no_run
    /// # async fn end(
    /// #     mut ws: sansocket::adapter::poll::WebSocket<impl sansocket::adapter::poll::Transport>,
    /// # ) -> Result<(), sansocket::Error> {
    /// ws.close_and_drain(1001, "the server stops").await?;
    /// assert!(ws.connection().is_closed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        self.with(|ws, out| ws.close(code, reason, out))?;
        while self.next().await?.is_some() {}
        Ok(())
    }
}

/// Less often.
impl<T: Transport> Reader<T> {
    /// Closes the connection and waits until it is closed, as
    /// [`WebSocket::close_and_drain`](super::WebSocket::close_and_drain).
    ///
    /// # Errors
    ///
    /// As `WebSocket::close_and_drain`.
    pub async fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        self.change(|driver| driver.with(|ws, out| ws.close(code, reason, out)))?;
        while self.next().await?.is_some() {}
        Ok(())
    }
}

/// Less often.
#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Writer<T> {
    /// Queues a message without waiting, see
    /// [`WebSocket::try_send`](super::WebSocket::try_send). It leaves by a
    /// [`Reader`](super::Reader) that waits, too.
    ///
    /// # Errors
    ///
    /// As `WebSocket::try_send`.
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        self.change(|driver| driver.try_take(message.into()))
    }

    /// Sends a prepared message, see
    /// [`WebSocket::send_prepared`](super::WebSocket::send_prepared).
    ///
    /// # Errors
    ///
    /// As `WebSocket::send_prepared`.
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared).await?;
        self.flush().await
    }

    /// Sends a piece of a message, see
    /// [`WebSocket::send_fragment`](super::WebSocket::send_fragment). Until its
    /// last piece, a clone that sends gets an error.
    ///
    /// # Errors
    ///
    /// As `WebSocket::send_fragment`.
    pub async fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment).await?;
        self.flush().await
    }

    /// Queues a piece of a message, see
    /// [`WebSocket::feed_fragment`](super::WebSocket::feed_fragment).
    ///
    /// # Errors
    ///
    /// As `WebSocket::send_fragment`.
    pub async fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_fragment(cx, &fragment))).await
    }

    /// Sends a pong, see [`WebSocket::pong`](super::WebSocket::pong).
    ///
    /// # Errors
    ///
    /// As `WebSocket::pong`.
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.pong(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Calls `act` with the state machine and the output, see
    /// [`WebSocket::with`](super::WebSocket::with). A lock is held meanwhile.
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        self.change(|driver| driver.with(act))
    }
}
