//! WebSockets over tokio's `AsyncRead` and `AsyncWrite`.
//!
//! | to | use |
//! |---|---|
//! | connect to a URI | [`connect`]; with a proxy, TLS options or redirects: [`connect_with`] |
//! | connect over a stream of your own | [`connect_on`] |
//! | accept on a TCP stream | [`accept`]; to answer requests yourself: [`accept_with`] |
//! | accept on TLS or another stream | [`accept_on`] |
//! | send and receive in two tasks | [`WebSocket::split`](poll::WebSocket::split) |
//! | tunnel another protocol | [`WebSocket::into_tunnel`](poll::WebSocket::into_tunnel) |
//!
//! All deadlines of [`Config`] are enforced with tokio's timer, which the runtime must
//! enable (`enable_time`).
//!
//! An echo server. [`feed`](poll::WebSocket::feed) queues a reply, and
//! [`next`](poll::WebSocket::next) writes all of them at once before it waits: see
//! [replies](poll::WebSocket#replies).
//!
//! ```no_run
//! use sansocket::{Config, tokio};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new();
//! let listener = ::tokio::net::TcpListener::bind("127.0.0.1:9002").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     let config = config.clone();
//!     ::tokio::spawn(async move {
//!         let mut ws = tokio::accept(stream, &config).await?;
//!         while let Some(message) = ws.next().await? {
//!             ws.feed(message).await?;
//!         }
//!         Ok::<(), tokio::Error>(())
//!     });
//! }
//! # }
//! ```
//!
//! The fastest loop for many small messages: [`drive`](poll::WebSocket::drive) lends them
//! from the read buffer, without an allocation for each.
//!
//! ```no_run
//! # async fn echo(stream: ::tokio::net::TcpStream) -> Result<(), sansocket::Error> {
//! use sansocket::{Config, Event, tokio};
//!
//! let mut ws = tokio::accept(stream, &Config::new()).await?;
//! while ws
//!     .drive(|ws, event, out| match event {
//!         Event::Message(message) => ws.send(message, out),
//!         _ => Ok(()),
//!     })
//!     .await?
//! {}
//! # Ok(())
//! # }
//! ```

pub(super) mod client;
mod server;

use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use ::tokio::time::{Instant, Sleep};
use bytes::BufMut;

use super::poll::{self, Transport};
pub use super::{Error, Parts};
use crate::config::Config;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, ClientRequest};
pub use client::{Client, Stream, connect, connect_on, connect_with};
pub use server::{accept, accept_on, accept_with};

/// A WebSocket over a tokio stream.
///
/// [`accept`] returns it for a server and [`connect`] returns a [`Client`], which has
/// the same methods. It is also a `Stream` and a `Sink` of messages.
///
/// ```no_run
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
/// use sansocket::{Config, Message, tokio};
///
/// let mut ws = tokio::accept(stream, &Config::new()).await?;
/// while let Some(message) = ws.next().await? {
///     match message {
///         Message::Text(text) => ws.send(text).await?,
///         Message::Binary(bytes) => println!("{} bytes", bytes.len()),
///     }
/// }
/// println!("{:?}", ws.outcome());
/// # Ok(())
/// # }
/// ```
///
/// # Overview of the methods
///
/// - Constructors: [`server`](WebSocket::server), [`client`](WebSocket::client) and
///   [`upgraded`](WebSocket::upgraded), if [`accept`] and [`connect`] do not fit;
///   [`connect`](poll::WebSocket::connect) and
///   [`respond`](poll::WebSocket::respond) do the handshake.
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
/// # async fn receive(
/// #     ws: sansocket::tokio::WebSocket<tokio::net::TcpStream>,
/// # ) -> Result<(), sansocket::Error> {
/// let (mut reader, mut writer) = ws.split();
/// let receiving = tokio::spawn(async move {
///     while let Some(message) = reader.next().await? {
///         println!("{message}");
///     }
///     Ok::<_, sansocket::Error>(())
/// });
/// writer.send("hello").await?;
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
/// # async fn send(
/// #     ws: sansocket::tokio::WebSocket<tokio::net::TcpStream>,
/// # ) -> Result<(), sansocket::Error> {
/// let (reader, mut writer) = ws.split();
/// let mut other = writer.clone();
/// tokio::spawn(async move { other.send("from another task").await });
/// writer.send("from this one").await?;
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
/// # async fn forward(
/// #     ws: sansocket::tokio::WebSocket<tokio::net::TcpStream>,
/// # ) -> std::io::Result<()> {
/// // TCP through a WebSocket: each direction ends by itself.
/// let mut local = tokio::net::TcpStream::connect("127.0.0.1:22").await?;
/// let mut tunnel = ws.into_tunnel();
/// tokio::io::copy_bidirectional(&mut tunnel, &mut local).await?;
/// # Ok(())
/// # }
/// ```
///
/// See [`poll::Tunnel`] for how each direction is closed.
/// [`into_inner`](poll::Tunnel::into_inner) returns the WebSocket.
pub type Tunnel<S> = poll::Tunnel<Io<S>>;

/// A tokio stream and a timer: the transport of a [`WebSocket`].
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    epoch: Instant,
    /// Set to no later than the next deadline, which is checked when it fires.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Creates a server over a stream, before the opening handshake:
    /// [`next_event`](Self::next_event) returns the request, which
    /// [`respond`](Self::respond) answers.
    ///
    /// ```no_run
    /// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// use sansocket::{Config, Event, tokio::WebSocket};
    ///
    /// let mut ws = WebSocket::server(stream, &Config::new());
    /// if let Some(Event::Request(request)) = ws.next_event().await? {
    ///     // For example, look up the session in a database before answering.
    ///     ws.respond(request.accept()).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```no_run
    /// # async fn run(tls: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use sansocket::{ClientRequest, Config, tokio::WebSocket};
    ///
    /// let request = ClientRequest::to("wss://example.com/")?;
    /// let mut ws = WebSocket::client(tls, &request, &Config::new())?.connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn client(stream: S, request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        Self::client_on(Io::new(stream), request, config)
    }

    /// Creates a WebSocket over a stream on which another library did the opening
    /// handshake. `read_ahead` contains the bytes that it read after the head.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sansocket::Error> {
    /// use sansocket::{Agreement, Config, Role, tokio::WebSocket};
    ///
    /// let (near, far) = tokio::io::duplex(4096);
    /// let (config, none) = (Config::new(), Agreement::default());
    /// let mut client = WebSocket::upgraded(near, Role::Client, none.clone(), Vec::new(), &config);
    /// let mut server = WebSocket::upgraded(far, Role::Server, none, Vec::new(), &config);
    /// client.send("hello").await?;
    /// assert_eq!(server.next().await?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn upgraded(
        stream: S,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        Self::upgraded_on(Io::new(stream), role, agreement, read_ahead, config)
    }

    /// Returns the stream.
    pub const fn stream(&self) -> &S {
        &self.io().stream
    }

    /// Returns the stream, like [`stream`](Self::stream). Other libraries use this
    /// name.
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

impl WebSocket<TcpStream> {
    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// If the socket is no longer connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream().peer_addr()
    }
}

/// Implements `peer_addr` for the halves of servers and clients.
macro_rules! peer_addr {
    ($half:ty, $io:ident => $tcp:expr) => {
        impl $half {
            /// Returns the address of the peer, or of a client's proxy.
            ///
            /// # Errors
            ///
            /// If the socket is no longer connected.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.with_io(|$io| $tcp.peer_addr())
            }
        }
    };
}

peer_addr!(Reader<TcpStream>, io => io.stream);
peer_addr!(Writer<TcpStream>, io => io.stream);
peer_addr!(poll::Reader<Stream>, io => io.get_ref());
peer_addr!(poll::Writer<Stream>, io => io.get_ref());

impl<S> Io<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            epoch: Instant::now(),
            sleep: None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Io<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_read_buf(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut dyn BufMut,
    ) -> Option<Poll<io::Result<usize>>> {
        Some(pin!(self.stream.read_buf(buf)).poll(cx))
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

    fn is_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn now(&self) -> Option<Duration> {
        Some(self.epoch.elapsed())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        let Some(at) = self.epoch.checked_add(at) else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(::tokio::time::sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        ready!(sleep.as_mut().poll(cx));
        if sleep.deadline() < at {
            // It was set for a deadline that has moved.
            sleep.as_mut().reset(at);
            return sleep.as_mut().poll(cx);
        }
        Poll::Ready(())
    }
}

impl<T: Transport + Unpin> AsyncRead for poll::Tunnel<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.poll_peek(cx))?;
        let len = bytes.len().min(buf.remaining());
        buf.put_slice(bytes.get(..len).unwrap_or_default());
        self.consume(len);
        Poll::Ready(Ok(()))
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(cx)
    }
}
