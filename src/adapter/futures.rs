//! WebSockets over the `AsyncRead` and `AsyncWrite` of futures-io: smol,
//! async-std, glib and any other runtime.
//!
//! This works with every runtime, but needs two things from the caller: connected
//! streams, and a timer, without which no deadlines are enforced: see
//! [`WebSocket::with_timer`].
//!
//! | to | use |
//! |---|---|
//! | connect to a URI | [`connect_with`] |
//! | connect over a stream of your own | [`connect_on`] |
//! | accept on a stream | [`WebSocket::server`] and [`WebSocket::accept`] |
//! | answer requests yourself | [`WebSocket::accept_with`] |
//! | send and receive in two tasks | [`WebSocket::split`](poll::WebSocket::split) |
//! | tunnel another protocol | [`WebSocket::into_tunnel`](poll::WebSocket::into_tunnel) |
//!
//! An echo server with smol. [`feed`](poll::WebSocket::feed) queues a reply, and
//! [`next`](poll::WebSocket::next) writes all of them at once before it waits: see
//! [replies](poll::WebSocket#replies).
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
//!             ws.feed(message).await?;
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

/// A WebSocket over a futures-io stream.
///
/// Call [`with_timer`](WebSocket::with_timer): without a timer, no deadlines are
/// enforced. It is also a `Stream` and a `Sink` of messages.
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
///     ws.feed(message).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Overview of the methods
///
/// - Constructors: [`server`](WebSocket::server) with
///   [`accept`](WebSocket::accept) or [`accept_with`](WebSocket::accept_with),
///   [`client`](WebSocket::client) with [`connect`](poll::WebSocket::connect),
///   [`upgraded`](WebSocket::upgraded), [`with_timer`](WebSocket::with_timer).
/// - Receiving: [`next`](poll::WebSocket::next),
///   [`next_event`](poll::WebSocket::next_event), [`drive`](poll::WebSocket::drive).
/// - Sending: [`send`](poll::WebSocket::send), [`feed`](poll::WebSocket::feed),
///   [`flush`](poll::WebSocket::flush), [`try_send`](poll::WebSocket::try_send),
///   [`send_prepared`](poll::WebSocket::send_prepared),
///   [`send_fragment`](poll::WebSocket::send_fragment),
///   [`ping`](poll::WebSocket::ping).
/// - Closing: [`close`](poll::WebSocket::close),
///   [`close_and_drain`](poll::WebSocket::close_and_drain).
/// - Conversion: [`split`](poll::WebSocket::split),
///   [`into_tunnel`](poll::WebSocket::into_tunnel), [`into_stream`](WebSocket::into_stream).
/// - State: [`outcome`](poll::WebSocket::outcome),
///   [`connection`](poll::WebSocket::connection),
///   [`response`](poll::WebSocket::response),
///   [`subprotocol`](poll::WebSocket::subprotocol),
///   [`unsent_len`](poll::WebSocket::unsent_len).
///
/// Those that take `&mut self` are [cancel safe](poll::WebSocket#cancel-safety).
pub type WebSocket<S> = poll::WebSocket<Io<S>>;

/// The receiving half of a [`WebSocket`], for one task: see
/// [`split`](poll::WebSocket::split).
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
///
/// # Overview of the methods
///
/// [`next`](poll::Reader::next), [`next_event`](poll::Reader::next_event),
/// [`close_and_drain`](poll::Reader::close_and_drain),
/// [`outcome`](poll::Reader::outcome), [`subprotocol`](poll::Reader::subprotocol),
/// [`take_response`](poll::Reader::take_response),
/// [`reunite`](poll::Reader::reunite). It is also a `Stream` of messages.
pub type Reader<S> = poll::Reader<Io<S>>;

/// The sending half of a [`WebSocket`], for another task: see
/// [`split`](poll::WebSocket::split).
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
///
/// # Overview of the methods
///
/// [`send`](poll::Writer::send), [`feed`](poll::Writer::feed),
/// [`flush`](poll::Writer::flush), [`try_send`](poll::Writer::try_send),
/// [`send_prepared`](poll::Writer::send_prepared),
/// [`send_fragment`](poll::Writer::send_fragment), [`ping`](poll::Writer::ping),
/// [`close`](poll::Writer::close), [`closed`](poll::Writer::closed),
/// [`outcome`](poll::Writer::outcome). It is also a `Sink` of messages, and can be
/// cloned.
pub type Writer<S> = poll::Writer<Io<S>>;

/// A [`WebSocket`] as a stream of bytes, to tunnel another protocol through its binary
/// messages.
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
///
/// See [`poll::Tunnel`] for how each direction is closed.
/// [`into_inner`](poll::Tunnel::into_inner) returns the WebSocket.
pub type Tunnel<S> = poll::Tunnel<Io<S>>;

/// A futures-io stream and the caller's timer: the transport of a [`WebSocket`].
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    timer: Option<Timer>,
}

/// The caller's sleep function, and the sleep in progress.
struct Timer {
    sleep: Box<dyn FnMut(Duration) -> Sleep + Send>,
    epoch: Instant,
    sleeping: Option<(Duration, Sleep)>,
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Creates a server over a stream, before the opening handshake: complete it with
    /// [`accept`](Self::accept) or [`accept_with`](Self::accept_with), or answer the
    /// request that [`next_event`](Self::next_event) returns with
    /// [`respond`](Self::respond).
    pub fn server(stream: S, config: &Config) -> Self {
        Self::server_on(Io::new(stream), config)
    }

    /// Creates a client over a stream that is already connected to the server, such as
    /// a TLS stream of another library. Complete the handshake with
    /// [`connect`](poll::WebSocket::connect).
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`] if no random nonce is available.
    pub fn client(stream: S, request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        Self::client_on(Io::new(stream), request, config)
    }

    /// Creates a WebSocket over a stream on which another library did the opening
    /// handshake. `read_ahead` contains the bytes that it read after the head.
    pub fn upgraded(
        stream: S,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        Self::upgraded_on(Io::new(stream), role, agreement, read_ahead, config)
    }

    /// Enables deadlines, with the runtime's sleep function.
    ///
    /// ```no_run
    /// # #[cfg(sansocket_docs)] // async-io, tokio and glib have such a function too
    /// # fn timed(ws: sansocket::futures::WebSocket<smol::net::TcpStream>) {
    /// let ws = ws.with_timer(|duration| async move { smol::Timer::after(duration).await; });
    /// # }
    /// ```
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
    /// - [`Error::Rejected`] if the request breaks a rule. It was answered.
    /// - [`Error::Failed`] if the request is plain HTTP, which was answered with 426, or
    ///   if the client is too slow.
    /// - [`Error::Io`] if the stream failed.
    pub async fn accept(self) -> Result<Self, Error> {
        opened(self.accept_with(Request::accept).await?)
    }

    /// Does the opening handshake as a server, with the answer that `answer` returns:
    /// to check the path or cookies, select a subprotocol, add headers, refuse, or
    /// serve a page on the same port. Returns `None` if the answer does not open a
    /// WebSocket.
    ///
    /// # Errors
    ///
    /// - [`Error::Rejected`] if the request breaks a rule. It was answered without
    ///   calling `answer`.
    /// - [`Error::Failed`] if the client is too slow, or the stream ended early.
    /// - [`Error::Io`] if the stream failed.
    ///
    /// ```no_run
    /// # #[cfg(sansocket_docs)] // smol is there
    /// # async fn serve(
    /// #     ws: sansocket::futures::WebSocket<smol::net::TcpStream>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let ws = ws.accept_with(|request| match request.path() {
    ///     "/chat" => request.accept(),
    ///     _ => request.reject(404),
    /// });
    /// if let Some(mut ws) = ws.await? {
    ///     ws.send("welcome").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accept_with(
        mut self,
        answer: impl FnOnce(&Request) -> Answer,
    ) -> Result<Option<Self>, Error> {
        Ok(self.answer_request(answer).await?.then_some(self))
    }

    /// Returns the stream.
    pub const fn stream(&self) -> &S {
        &self.io().stream
    }

    /// Returns the stream, like [`stream`](Self::stream). Other libraries use this
    /// name. For example, the address of the peer is `get_ref().peer_addr()`.
    pub const fn get_ref(&self) -> &S {
        self.stream()
    }

    /// Returns the stream, to change its options. Reading or writing it breaks the
    /// connection.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.io_mut().stream
    }

    /// Returns the stream, with the bytes that were read from it and not consumed (for
    /// example those after a plain HTTP request), and the unsent bytes.
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

    // The stream does not report whether it is. The default implementation writes
    // only the first slice, which would be a header.
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

    /// There is one sleep at a time. It ends no later than the next deadline, and is
    /// followed by another one if the deadline has moved.
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
