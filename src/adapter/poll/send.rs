//! Sending on an unsplit WebSocket.

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

/// Sending.
impl<T: Transport> WebSocket<T> {
    /// Sends a message, and returns when it has been written and the stream has been
    /// flushed.
    ///
    /// While [`max_unsent_len`](crate::Config::with_max_unsent_len) bytes are unsent, this
    /// waits for room. A server does not copy a large message that is passed as a
    /// `Vec`, `String` or [`Message`](crate::Message). For several messages,
    /// [`feed`](Self::feed) needs fewer writes.
    ///
    /// If both endpoints only send, they wait for each other once all buffers
    /// between them are full, until the write deadline. To receive while sending,
    /// [`split`](Self::split) the WebSocket.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: if it is dropped while it waits for room, nothing
    /// is sent. If it is dropped later, the message is sent completely, by the next
    /// call of any method.
    ///
    /// # Errors
    ///
    /// - [`Error::Send`] if the connection is not open.
    /// - [`Error::Io`] if the stream failed.
    /// - [`Error::Failed`] if a deadline passed.
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
        let mut message = Some(message.into());
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_send(cx, &mut message)
            })
        })
        .await
    }

    /// Sends a message like [`send`](Self::send), choosing whether it is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// use sansocket::deflate::Compress;
    ///
    /// // An attacker could guess it from the length of a compressed message.
    /// ws.send_with(r#"{"token":"secret"}"#, Compress::Never).await?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Queues a message, so that several are sent in one write: by
    /// [`flush`](Self::flush), by the next call that receives, before it waits, or when
    /// [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached, where this waits.
    ///
    /// In a loop of [`next`](Self::next) and replies, this is several times as fast as
    /// `send`, see [replies](Self#replies).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: if it is dropped, the message is not queued.
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

    /// Queues a prepared message, like [`feed`](Self::feed). A server does not copy a
    /// large one.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// use sansocket::Prepared;
    ///
    /// let (header, body) = (Prepared::new("header"), Prepared::new("body"));
    /// ws.feed_prepared(&header).await?;
    /// ws.feed_prepared(&body).await?;
    /// ws.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
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
    /// [`Error::Io`] if the stream failed, and [`Error::Failed`] if a deadline
    /// passed.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll(Half::Writer, cx, Driver::poll_flush)).await
    }

    /// Sends a ping with a payload of at most 125 bytes, once the previous ping has
    /// been written. Cancel safe.
    ///
    /// Not needed as a keepalive: see [`Config::with_ping_interval`](crate::Config::with_ping_interval).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the payload is longer or the connection is not open, and
    /// the errors of [`flush`](Self::flush).
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sansocket::{Agreement, Config, Role, tokio::WebSocket};
    /// # let (near, far) = tokio::io::duplex(4096);
    /// # let (config, none) = (Config::new(), Agreement::default());
    /// # let mut ws = WebSocket::upgraded(near, Role::Server, none.clone(), Vec::new(), &config);
    /// # let mut peer = WebSocket::upgraded(far, Role::Client, none, Vec::new(), &config);
    /// use sansocket::Event;
    ///
    /// ws.ping(b"42").await?;
    /// assert_eq!(peer.next_event().await?, Some(Event::Ping(b"42".into())));
    /// # peer.flush().await?;
    /// assert_eq!(ws.next_event().await?, Some(Event::Pong(b"42".into())));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.ping(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Starts the closing handshake by sending a close frame. Cancel safe.
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
