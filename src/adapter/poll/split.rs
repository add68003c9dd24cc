//! Two owned halves for two tasks.
//!
//! They share the driver in a mutex that is held for one poll, never while
//! a task waits.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::string::String;
use std::sync::{Arc, PoisonError};
#[cfg(not(sansocket_loom))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_sink::Sink;
#[cfg(sansocket_loom)]
use loom::sync::{Mutex, MutexGuard};

use super::WebSocket;
use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Registration;
use crate::adapter::Error;
use crate::close::{CloseCode, Outcome};
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::event::Event;
use crate::handshake::Response;
use crate::message::{Message, MessageRef, Prepared};

/// The receiving half of a [`WebSocket`](super::WebSocket), for one task.
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    registration: Registration,
}

/// The sending half of a [`WebSocket`](super::WebSocket), for another task.
/// Clones send on the same connection, each message in one piece. Dropping
/// them closes nothing.
#[derive(Debug)]
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    registration: Registration,
}

#[derive(Debug)]
struct Shared<T> {
    driver: Mutex<Driver<T>>,
    /// Wakes all tasks.
    waker: Waker,
}

/// Error returned by [`Reader::reunite`], with the halves.
#[derive(thiserror::Error)]
#[error("the halves are not of one connection, or the writer has clones")]
#[expect(clippy::exhaustive_structs, reason = "the halves that were given")]
pub struct ReuniteError<T>(
    /// The receiving half.
    pub Reader<T>,
    /// The sending half.
    pub Writer<T>,
);

impl<T> fmt::Debug for ReuniteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

pub(super) fn split<T: Transport>(driver: Driver<T>) -> (Reader<T>, Writer<T>) {
    let registration = Registration::new();
    let shared = Arc::new(Shared {
        driver: Mutex::new(driver),
        waker: registration.shared_waker(),
    });
    let writer = Writer {
        registration: registration.sibling(),
        shared: shared.clone(),
    };
    (
        Reader {
            shared,
            registration,
        },
        writer,
    )
}

// One task waits with each half: hence `&mut self`.
#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Reader<T> {
    /// As [`WebSocket::next`](super::WebSocket::next).
    ///
    /// # Errors
    ///
    /// As `WebSocket::next`.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_message)).await
    }

    /// As [`WebSocket::next_event`](super::WebSocket::next_event).
    ///
    /// # Errors
    ///
    /// As `WebSocket::next_event`.
    pub async fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_event)).await
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// The subprotocol that the handshake settled.
    pub fn subprotocol(&self) -> Option<String> {
        self.shared.subprotocol()
    }

    /// Takes the response with which the server opened the connection, as
    /// [`WebSocket::take_response`](super::WebSocket::take_response).
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// Makes one socket of the two halves again. Other clones of the writer
    /// must have been dropped.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], with the halves, if there are other clones or if the
    /// halves are not of the same connection.
    pub fn reunite(self, writer: Writer<T>) -> Result<WebSocket<T>, ReuniteError<T>> {
        let is_pair = Arc::ptr_eq(&self.shared, &writer.shared);
        if !is_pair || Arc::strong_count(&self.shared) > 2 {
            return Err(ReuniteError(self, writer));
        }
        drop(writer);
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => {
                let driver = shared.driver.into_inner();
                Ok(WebSocket::of(
                    driver.unwrap_or_else(PoisonError::into_inner),
                ))
            }
            // Nobody else can clone it.
            Err(shared) => {
                let writer = Writer {
                    registration: self.registration.sibling(),
                    shared: shared.clone(),
                };
                let reader = Self {
                    shared,
                    registration: self.registration,
                };
                Err(ReuniteError(reader, writer))
            }
        }
    }

    /// Asks the stream.
    #[cfg(feature = "tokio")]
    pub(in crate::adapter) fn with_io<R>(&self, ask: impl FnOnce(&T) -> R) -> R {
        ask(&self.shared.lock().io)
    }

    /// Changes the connection: what is new to send leaves by whoever waits.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Driver<T>) -> R) -> R {
        let result = change(&mut self.shared.lock());
        self.registration.wake_others();
        result
    }

    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.shared.poll(&self.registration, cx, poll)
    }
}

#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Writer<T> {
    /// Sends a message: returns when the stream was flushed, as
    /// [`WebSocket::send`](super::WebSocket::send).
    ///
    /// # Errors
    ///
    /// As `WebSocket::send`.
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
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_take_with(cx, &message, choice)))
            .await?;
        self.flush().await
    }

    /// Queues a message, as [`WebSocket::feed`](super::WebSocket::feed).
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed`.
    pub async fn feed<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_take(cx, &mut message))).await
    }

    /// Queues a prepared message, as
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

    /// Sends a ping with at most 125 bytes, after the last one has left.
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

    /// Begins the closing handshake, which the [`Reader`] sees through.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`](super::WebSocket::close).
    pub async fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        let code = code.into();
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_close(cx, code, reason))).await
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// The subprotocol that the handshake settled.
    pub fn subprotocol(&self) -> Option<String> {
        self.shared.subprotocol()
    }

    /// Takes the response, as [`Reader::take_response`].
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// Whether nothing more can be sent: a close frame was sent or received, or
    /// the connection ended.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().ws.is_open()
    }

    /// Waits until nothing more can be sent, see
    /// [`is_closed`](Self::is_closed). The [`Reader`] must be polled meanwhile.
    /// Cancel safe.
    pub async fn closed(&mut self) {
        poll_fn(|cx| {
            // First: what happens meanwhile must not be missed.
            self.registration.register_for_end(cx.waker());
            if !self.is_closed() {
                return Poll::Pending;
            }
            self.registration.unregister();
            Poll::Ready(())
        })
        .await;
    }

    /// How many bytes wait to leave.
    pub fn unsent_len(&self) -> usize {
        self.shared.lock().write_queue.len()
    }

    /// Asks the stream.
    #[cfg(feature = "tokio")]
    pub(in crate::adapter) fn with_io<R>(&self, ask: impl FnOnce(&T) -> R) -> R {
        ask(&self.shared.lock().io)
    }

    /// Changes the connection: what is new to send leaves by whoever waits.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Driver<T>) -> R) -> R {
        let result = change(&mut self.shared.lock());
        self.registration.wake_others();
        result
    }

    // A context is what is polled with.
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

impl<T> Shared<T> {
    /// A panic within the stream leaves the state machine as it was.
    fn lock(&self) -> MutexGuard<'_, Driver<T>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Shared<T> {
    fn subprotocol(&self) -> Option<String> {
        self.lock().ws.subprotocol().map(String::from)
    }

    /// One poll of a half. All others that wait are woken when the connection
    /// closes or ends.
    fn poll<R>(
        &self,
        registration: &Registration,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        registration.register(cx.waker());
        let mut driver = self.lock();
        let progress = driver.progress();
        let polled = poll(&mut driver, &mut Context::from_waker(&self.waker));
        let has_changed = driver.progress() != progress;
        drop(driver);
        if polled.is_ready() {
            registration.unregister();
        }
        if has_changed {
            registration.wake_others();
        }
        polled
    }
}

impl<T: Transport> Stream for Reader<T> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx, Driver::poll_message).map(Result::transpose)
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

    /// Sends a close frame with 1000; the [`Reader`] sees the closing through.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(cx, |driver, cx| {
            driver.poll_close(cx, CloseCode::NORMAL, "")
        })
    }
}
