//! WebSockets over the `AsyncRead` and `AsyncWrite` of futures-io: smol,
//! async-std, glib and any other runtime.
//!
//! Deadlines are kept with a timer of the caller's, see
//! [`WebSocket::with_timer`].
//!
//! ```no_run
//! use sansocket::{Config, futures};
//!
//! # #[cfg(sansocket_docs)] // smol is there
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new();
//! let sleep = |duration| async move { smol::Timer::after(duration).await; };
//! let listener = smol::net::TcpListener::bind("127.0.0.1:9003").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     let ws = futures::WebSocket::server(stream, &config).with_timer(sleep);
//!     smol::spawn(async move {
//!         let mut ws = ws.accept().await?;
//!         while let Some(message) = ws.next().await? {
//!             ws.send(message).await?;
//!         }
//!         Ok::<(), futures::Error>(())
//!     }).detach();
//! }
//! # }
//! ```

mod client;

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io::{self, IoSlice};
use std::time::{Duration, Instant};
use std::vec::Vec;

use futures_io::{AsyncRead, AsyncWrite};

use super::poll::{self, Transport, opened};
pub use super::{Error, Parts};
use crate::config::Config;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest, Request};
pub use client::{Client, Stream, connect_on, connect_with};

/// A WebSocket over a stream of futures-io.
///
/// Deadlines need a timer: [`with_timer`](WebSocket::with_timer). Without one
/// none is kept.
///
/// ```no_run
/// # #[cfg(sansocket_docs)] // smol is there
/// # async fn run(stream: smol::net::TcpStream) -> Result<(), sansocket::Error> {
/// use sansocket::{Config, futures};
///
/// let sleep = |duration| async move { smol::Timer::after(duration).await; };
/// let ws = futures::WebSocket::server(stream, &Config::new()).with_timer(sleep);
/// let mut ws = ws.accept().await?;
/// while let Some(message) = ws.next().await? {
///     ws.send(message).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub type WebSocket<S> = poll::WebSocket<Io<S>>;

/// The receiving half of a [`WebSocket`], for one task.
///
/// ```no_run
/// # #[cfg(sansocket_docs)] // smol is there
/// # async fn run(
/// #     ws: sansocket::futures::WebSocket<smol::net::TcpStream>,
/// # ) -> Result<(), sansocket::Error> {
/// let (mut reader, mut writer) = ws.split();
/// smol::spawn(async move { writer.send("hello").await }).detach();
/// while let Some(message) = reader.next().await? {
///     println!("{message}");
/// }
/// # Ok(())
/// # }
/// ```
pub type Reader<S> = poll::Reader<Io<S>>;

/// The sending half of a [`WebSocket`], for another task.
///
/// ```no_run
/// # #[cfg(sansocket_docs)] // smol is there
/// # async fn run(
/// #     ws: sansocket::futures::WebSocket<smol::net::TcpStream>,
/// # ) -> Result<(), sansocket::Error> {
/// let (mut reader, mut writer) = ws.split();
/// smol::spawn(async move { while let Ok(Some(_)) = reader.next().await {} }).detach();
/// writer.send("hello").await?;
/// writer.close(1000, "done").await?;
/// # Ok(())
/// # }
/// ```
pub type Writer<S> = poll::Writer<Io<S>>;

/// The binary messages of a [`WebSocket`] as a stream of bytes.
///
/// ```no_run
/// # #[cfg(sansocket_docs)] // smol is there
/// # async fn run(ws: sansocket::futures::WebSocket<smol::net::TcpStream>) -> std::io::Result<()> {
/// use smol::io::AsyncWriteExt;
///
/// let mut tunnel = ws.into_tunnel();
/// tunnel.write_all(b"bytes of another protocol").await?;
/// tunnel.close().await?;
/// # Ok(())
/// # }
/// ```
pub type Tunnel<S> = poll::Tunnel<Io<S>>;

/// A stream of futures-io, and the caller's timer.
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    timer: Option<Timer>,
}

/// What sleeps, and the sleep that was started.
struct Timer {
    sleep: Box<dyn FnMut(Duration) -> Sleep + Send>,
    epoch: Instant,
    sleeping: Option<(Duration, Sleep)>,
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A server on a stream, before the handshake: [`accept`](Self::accept)
    /// does that, or [`next_event`](Self::next_event) brings the request, which
    /// [`respond`](Self::respond) answers.
    pub fn server(stream: S, config: &Config) -> Self {
        Self::server_on(Io::new(stream), config)
    }

    /// A client on a stream that is connected, by TLS or a proxy for example.
    /// The request leaves with the first call of any method that moves bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`].
    pub fn client(stream: S, request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        Self::client_on(Io::new(stream), request, config)
    }

    /// A stream on which somebody else did the handshake. `read_ahead` are the
    /// bytes that were read after the head.
    pub fn upgraded(
        stream: S,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        Self::upgraded_on(Io::new(stream), role, agreement, read_ahead, config)
    }

    /// Lets deadlines work, with the runtime's own sleep.
    #[must_use]
    pub fn with_timer<F>(mut self, sleep: impl FnMut(Duration) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.io_mut().timer = Some(Timer::new(sleep));
        self
    }

    /// Does the opening handshake as a server, and accepts every upgrade that
    /// [`Config`] allows.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the request breaks a rule, [`Error::Failed`] if it
    /// is plain HTTP; it was answered. [`Error::Io`] if the stream broke.
    pub async fn accept(self) -> Result<Self, Error> {
        opened(self.accept_with(Request::accept).await?)
    }

    /// As [`accept`](Self::accept), with the answer left to `answer`: to choose
    /// a subprotocol, add headers, refuse, or serve a page on the same port.
    /// `None` if the answer does not open a WebSocket.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the request breaks a rule; it was answered without
    /// calling `answer`. [`Error::Io`] if the stream broke.
    pub async fn accept_with(
        mut self,
        answer: impl FnOnce(&Request) -> Answer,
    ) -> Result<Option<Self>, Error> {
        Ok(self.answer_request(answer).await?.then_some(self))
    }

    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.io().stream
    }

    /// As [`stream`](Self::stream), by the name that other libraries use. The
    /// address of the peer, for example, is `get_ref().peer_addr()`.
    pub const fn get_ref(&self) -> &S {
        self.stream()
    }

    /// The stream, to be configured: bytes that are read or written past the
    /// WebSocket break the connection.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.io_mut().stream
    }

    /// The stream, the bytes that were read from it and not taken, as those
    /// after a plain HTTP request, and those that were not yet written.
    pub fn into_stream(self) -> Parts<S> {
        let parts = self.into_parts();
        Parts {
            stream: parts.stream.stream,
            read_ahead: parts.read_ahead,
            unsent: parts.unsent,
        }
    }
}

impl<S> Io<S> {
    const fn new(stream: S) -> Self {
        let timer = None;
        Self { stream, timer }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Io<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [bytes] => Pin::new(&mut self.stream).poll_write(cx, bytes),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    // Such a stream does not report it: the default writes the first slice alone,
    // which would be a header.
    fn is_vectored(&self) -> bool {
        false
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn now(&self) -> Option<Duration> {
        self.timer.as_ref().map(|timer| timer.epoch.elapsed())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        match &mut self.timer {
            None => Poll::Pending,
            Some(timer) => timer.poll(cx, at),
        }
    }
}

impl Timer {
    fn new<F>(mut sleep: impl FnMut(Duration) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            sleep: Box::new(move |duration| Box::pin(sleep(duration))),
            epoch: Instant::now(),
            sleeping: None,
        }
    }

    /// One sleep at a time: it ends no later than the next deadline, and is
    /// followed by another if that one moved.
    fn poll(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        loop {
            let now = self.epoch.elapsed();
            if now >= at {
                self.sleeping = None;
                return Poll::Ready(());
            }
            let sleeping = self.sleeping.take().filter(|(until, _)| *until <= at);
            let (until, sleep) = sleeping.unwrap_or_else(|| (at, (self.sleep)(at - now)));
            let (_, sleep) = self.sleeping.insert((until, sleep));
            ready!(sleep.as_mut().poll(cx));
            self.sleeping = None;
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

impl<T: Transport + Unpin> AsyncRead for poll::Tunnel<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = ready!(self.poll_peek(cx))?;
        let len = io::Read::read(&mut bytes, buf)?;
        self.consume(len);
        Poll::Ready(Ok(len))
    }
}

impl<T: Transport + Unpin> AsyncWrite for poll::Tunnel<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)
    }
}
