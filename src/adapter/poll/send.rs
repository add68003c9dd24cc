//! Sending on a whole socket.

use std::future::poll_fn;

use super::WebSocket;
use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Half;
use crate::adapter::Error;
use crate::close::CloseCode;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::message::{MessageRef, Prepared};

/// Send.
impl<T: Transport> WebSocket<T> {
    /// Sends a message: returns when the stream was flushed. At the bound of
    /// unsent bytes it waits until there is room.
    ///
    /// Cancel safe: dropped before there was room, nothing was sent; afterwards
    /// the message leaves whole, with the next call of any method. A server
    /// does not copy a large message that it is given as a `Vec` or `String`.
    ///
    /// Two ends that send without receiving wait for each other once all
    /// buffers between them are full, until the write deadline. To receive
    /// meanwhile, [`split`](Self::split) the socket.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection is not open, [`Error::Io`] if the
    /// stream broke, and [`Error::Failed`] if a deadline passed.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// ws.send("text").await?;
    /// ws.send(b"bytes").await?;
    /// ws.send(vec![0; 1 << 20]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// As [`send`](Self::send), choosing whether the message is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As `send`.
    #[cfg(feature = "deflate")]
    pub async fn send_with<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_take_with(cx, &message, choice)
            })
        })
        .await?;
        self.flush().await
    }

    /// Queues a message, to leave with others in one write: by
    /// [`flush`](Self::flush), with the next call that receives, or when the
    /// unsent bytes reach their bound, where it waits. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// for number in 0..100 {
    ///     ws.feed(&number.to_string()).await?;
    /// }
    /// ws.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_take(cx, &mut message)
            })
        })
        .await
    }

    /// Queues a prepared message, as [`feed`](Self::feed); a long one of a
    /// server without copying it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_take_prepared(cx, prepared)
            })
        })
        .await
    }

    /// Writes all unsent bytes and flushes the stream. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::Failed`] if a deadline passed.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll(Half::Writer, cx, Driver::poll_flush)).await
    }

    /// Sends a ping with at most 125 bytes, after the last one has left. Cancel
    /// safe.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it is longer or the connection is not open, and
    /// those of [`flush`](Self::flush).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.ping(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Begins the closing handshake. Messages may still come: call
    /// [`next`](Self::next) until it returns `None` to see it through. Cancel
    /// safe.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code must not be sent, and those of
    /// [`flush`](Self::flush).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// ws.close(1000, "done").await?;
    /// while let Some(message) = ws.next().await? {
    ///     println!("sent before the peer closed: {message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        let code = code.into();
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_close(cx, code, reason)
            })
        })
        .await
    }
}
