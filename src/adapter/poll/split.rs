//! Splitting a WebSocket into owned halves for two tasks, and the receiving half.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::string::String;
#[cfg(not(sansocket_loom))]
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
#[cfg(sansocket_loom)]
use loom::sync::Mutex;

use super::WebSocket;
use super::driver::Driver;
use super::shared::Shared;
use super::transport::Transport;
use super::wakers::Registration;
use super::writer::Writer;
use crate::adapter::Error;
use crate::close::Outcome;
use crate::event::Event;
use crate::handshake::Response;
use crate::message::Message;

/// The receiving half of a [`WebSocket`](super::WebSocket), for one task.
///
/// Created with [`WebSocket::split`](super::WebSocket::split). It is also a
/// [`Stream`] of messages.
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    registration: Registration,
}

/// Error returned by [`Reader::reunite`]: contains the halves.
#[derive(thiserror::Error)]
#[error("the halves belong to different connections, or the writer has clones")]
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

// Only one task may wait with each half: hence `&mut self`.
#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Reader<T> {
    /// Returns the next message, or `None` once the connection is closed: see
    /// [`WebSocket::next`](super::WebSocket::next). Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next`](super::WebSocket::next).
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
    /// # peer.send("one").await?;
    /// # peer.send("two").await?;
    /// let (mut reader, mut writer) = ws.split();
    /// let receiving = tokio::spawn(async move {
    ///     let mut messages = Vec::new();
    ///     while let Some(message) = reader.next().await? {
    ///         messages.push(message);
    ///     }
    ///     Ok::<_, sansocket::Error>(messages)
    /// });
    /// # let peer = tokio::spawn(async move { while peer.next().await?.is_some() {} Ok::<_, sansocket::Error>(()) });
    /// writer.close(1000, "").await?;
    /// assert_eq!(receiving.await??, ["one".into(), "two".into()]);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_message)).await
    }

    /// Returns the next event, or `None` once the connection is closed: see
    /// [`WebSocket::next_event`](super::WebSocket::next_event). Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::next_event`](super::WebSocket::next_event).
    pub async fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        poll_fn(|cx| self.poll(cx, Driver::poll_event)).await
    }

    /// One poll of [`next_event`](Self::next_event).
    #[cfg(feature = "axum")]
    pub(in crate::adapter) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event<'static>>, Error>> {
        self.poll(cx, Driver::poll_event)
    }

    /// Returns how the connection ended, or `None` while it has not.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().ws.outcome().cloned()
    }

    /// Returns the negotiated subprotocol, if any.
    pub fn subprotocol(&self) -> Option<String> {
        self.shared.subprotocol()
    }

    /// Takes the response with which the server opened the connection: see
    /// [`WebSocket::take_response`](super::WebSocket::take_response).
    pub fn take_response(&mut self) -> Option<Response> {
        self.shared.lock().response.take()
    }

    /// Joins the two halves again. All other clones of the writer must have been
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], which contains the halves, if the writer has other clones or
    /// belongs to another connection.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (reader, writer) = ws.split();
    /// let clone = writer.clone();
    /// let Err(error) = reader.reunite(writer) else { panic!("there is a clone") };
    /// drop(clone);
    /// let mut ws = error.0.reunite(error.1).expect("the only writer");
    /// ws.send("in one piece again").await?;
    /// # Ok(())
    /// # }
    /// ```
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
            // No other task can clone it.
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

    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.shared.poll(&self.registration, cx, poll)
    }
}

impl<T: Transport> Stream for Reader<T> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx, Driver::poll_message).map(Result::transpose)
    }
}
