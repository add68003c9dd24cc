//! The sending half of a split WebSocket.

use std::future::poll_fn;
use std::pin::Pin;
use std::string::String;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_sink::Sink;

use super::driver::Driver;
use super::shared::Shared;
use super::transport::Transport;
use super::wakers::Registration;
use crate::adapter::Error;
use crate::close::{CloseCode, Outcome};
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::handshake::Response;
use crate::message::{Message, MessageRef, Prepared};

/// The sending half of a [`WebSocket`](super::WebSocket), for another task.
///
/// Created with [`WebSocket::split`](super::WebSocket::split). Clones send on the
/// same connection, and messages of different clones are not interleaved. Dropping a
/// writer does not close the connection: call [`close`](Self::close). It is also a
/// [`Sink`] of messages.
#[derive(Debug)]
pub struct Writer<T> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) registration: Registration,
}

#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Writer<T> {
    /// Sends a message, and returns when it has been written and the stream has been
    /// flushed: see [`WebSocket::send`](super::WebSocket::send). Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`](super::WebSocket::send).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (_reader, mut writer) = ws.split();
    /// for name in ["a", "b"] {
    ///     let mut writer = writer.clone();
    ///     tokio::spawn(async move { writer.send(&format!("from task {name}")).await });
    /// }
    /// writer.send("from this task").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_send(cx, &mut message))).await
    }

    /// Sends a message like [`send`](Self::send), choosing whether it is
    /// compressed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[cfg(feature = "deflate")]
    pub async fn send_with<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        choice: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_take_with(cx, &message, choice)))
            .await?;
        self.flush().await
    }

    /// Queues a message, so that several are sent in one write: see
    /// [`WebSocket::feed`](super::WebSocket::feed).
    ///
    /// A [`Reader`](super::Reader) that already waits in another task is not woken, so it
    /// does not write the message: call [`flush`](Self::flush) before you wait for
    /// something else. [`try_send`](Self::try_send) wakes it.
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed`.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (_reader, mut writer) = ws.split();
    /// for line in ["one", "two", "three"] {
    ///     writer.feed(line).await?;
    /// }
    /// writer.flush().await?; // one write
    /// # Ok(())
    /// # }
    /// ```
    pub async fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_take(cx, &mut message))).await
    }

    /// Queues a prepared message, see
    /// [`WebSocket::feed_prepared`](super::WebSocket::feed_prepared).
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed_prepared`.
    pub async fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_take_prepared(cx, prepared))).await
    }

    /// Writes all unsent bytes and flushes the stream. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`](super::WebSocket::flush).
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_flush)).await
    }

    /// Sends a ping with a payload of at most 125 bytes, once the previous ping has
    /// been written.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::ping`](super::WebSocket::ping).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.ping(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Starts the closing handshake, which the [`Reader`](super::Reader) completes: it must be
    /// polled until it returns `None`.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`](super::WebSocket::close).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// let receiving = tokio::spawn(async move {
    ///     while let Ok(Some(message)) = reader.next().await {
    ///         println!("{message}");
    ///     }
    ///     reader.outcome()
    /// });
    /// writer.close(1000, "done").await?;
    /// println!("{:?}", receiving.await.expect("no panic"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        let code = code.into();
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_close(cx, code, reason))).await
    }

    /// Returns how the connection ended, or `None` while it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// Returns the negotiated subprotocol, if any.
    pub fn subprotocol(&self) -> Option<String> {
        self.shared.subprotocol()
    }

    /// Takes the response, see [`Reader::take_response`](super::Reader::take_response).
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// Returns `true` if no more messages can be sent: a close frame was sent or
    /// received, or the connection has ended.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().ws.is_open()
    }

    /// Waits until no more messages can be sent, see [`is_closed`](Self::is_closed).
    /// The [`Reader`](super::Reader) must be polled meanwhile. Cancel safe.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// tokio::spawn(async move { while let Ok(Some(_)) = reader.next().await {} });
    /// let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
    /// loop {
    ///     tokio::select! {
    ///         _ = ticks.tick() => writer.send("tick").await?,
    ///         () = writer.closed() => break, // stop when the client is gone
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn closed(&mut self) {
        poll_fn(|cx| {
            // First, so that no change is missed.
            self.registration.register_for_end(cx.waker());
            if !self.is_closed() {
                return Poll::Pending;
            }
            self.registration.unregister();
            Poll::Ready(())
        })
        .await;
    }

    /// Returns the number of unsent bytes.
    pub fn unsent_len(&self) -> usize {
        self.shared.lock().write_queue.len()
    }

    /// Calls `ask` with the stream.
    #[cfg(feature = "tokio")]
    pub(in crate::adapter) fn with_io<R>(&self, ask: impl FnOnce(&T) -> R) -> R {
        ask(&self.shared.lock().io)
    }

    /// Changes the connection. New output is sent by whichever task waits.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Driver<T>) -> R) -> R {
        let result = change(&mut self.shared.lock());
        self.registration.wake_others();
        result
    }

    // `cx` is the argument of `poll`, which comes last.
    #[allow(clippy::needless_pass_by_ref_mut)]
    pub(super) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.shared.poll(&self.registration, cx, poll)
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            registration: self.registration.sibling(),
        }
    }
}

impl<T: Transport> Sink<Message> for Writer<T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, |driver, cx| driver.poll_room(cx, 1))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.shared.lock().take(None, message.into())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, Driver::poll_flush)
    }

    /// Sends a close frame with code 1000; the [`Reader`](super::Reader) completes the closing
    /// handshake.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, |driver, cx| {
            driver.poll_close(cx, CloseCode::NORMAL, "")
        })
    }
}
