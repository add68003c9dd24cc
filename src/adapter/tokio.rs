//! WebSockets over tokio's `AsyncRead` and `AsyncWrite`.
//!
//! All deadlines are kept with tokio's timer.
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
//!             ws.send(message).await?;
//!         }
//!         Ok::<(), tokio::Error>(())
//!     });
//! }
//! # }
//! ```

pub(super) mod client;

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use ::tokio::time::{Instant, Sleep};

use super::poll::{self, Transport, opened};
pub use super::{Error, Parts};
use crate::config::Config;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest, Request};
pub use client::{Client, Stream, connect, connect_on, connect_with};

/// A WebSocket over a stream of tokio's.
///
/// Deadlines need the runtime's timer (`enable_time`); a connection that has
/// any holds one timer in the heap, made when it first waits.
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
pub type WebSocket<S> = poll::WebSocket<Io<S>>;

/// The receiving half of a [`WebSocket`], for one task.
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
pub type Reader<S> = poll::Reader<Io<S>>;

/// The sending half of a [`WebSocket`], for another task.
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
pub type Writer<S> = poll::Writer<Io<S>>;

/// The binary messages of a [`WebSocket`] as a stream of bytes.
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
pub type Tunnel<S> = poll::Tunnel<Io<S>>;

/// A stream of tokio's, and its timer.
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    epoch: Instant,
    /// Set to no later than the next deadline, and looked at when it comes.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A server on a stream, before the handshake: [`next_event`](Self::next_event)
    /// brings the request, which [`respond`](Self::respond) answers.
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

    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.io().stream
    }

    /// As [`stream`](Self::stream), by the name that other libraries use.
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

impl WebSocket<TcpStream> {
    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// If the socket is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream().peer_addr()
    }
}

/// Of the halves, of servers and clients.
macro_rules! peer_addr {
    ($half:ty, $io:ident => $tcp:expr) => {
        impl $half {
            /// The address of the peer, or of a client's proxy.
            ///
            /// # Errors
            ///
            /// If the socket is not connected any more.
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

/// Does the opening handshake as a server on a TCP connection, and accepts
/// every upgrade that [`Config`] allows. The delay of small packets is
/// switched off (`TCP_NODELAY`).
///
/// # Errors
///
/// [`Error::Rejected`] if the request breaks a rule, [`Error::Failed`] if it is
/// plain HTTP; it was answered. [`Error::Io`] if the stream broke.
pub async fn accept(stream: TcpStream, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    opened(accept_with(stream, config, Request::accept).await?)
}

/// As [`accept`], with the answer left to `answer`: to choose a subprotocol,
/// add headers, refuse, or serve a page on the same port. `None` if the answer
/// does not open a WebSocket.
///
/// # Errors
///
/// [`Error::Rejected`] if the request breaks a rule; it was answered without
/// calling `answer`. [`Error::Io`] if the stream broke.
///
/// ```no_run
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
/// use sansocket::{Answer, Config, tokio};
///
/// let ws = tokio::accept_with(stream, &Config::new(), |request| match request.path() {
///     "/chat" => request.accept(),
///     "/" => Answer::new(200).with_body("hello"),
///     _ => request.reject(404),
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
pub async fn accept_with(
    stream: TcpStream,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket<TcpStream>>, Error> {
    stream.set_nodelay(true)?;
    accept_on(stream, config, answer).await
}

/// As [`accept_with`], on any stream: one of TLS, a pipe, a Unix socket.
///
/// # Errors
///
/// As [`accept_with`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use sansocket::{Config, Request, adapter::Connector, tokio};
///
/// // A client and a server in memory.
/// let (near, far) = ::tokio::io::duplex(4096);
/// let (config, connector) = (Config::new(), Connector::new(&Config::new()));
/// let (client, server) = ::tokio::join!(
///     tokio::connect_on(near, "ws://localhost/", &connector),
///     tokio::accept_on(far, &config, Request::accept),
/// );
/// let (mut client, mut server) = (client?, server?.expect("an upgrade"));
/// client.send("hello").await?;
/// assert_eq!(server.next().await?, Some("hello".into()));
/// # Ok::<(), sansocket::Error>(())
/// # }).unwrap();
/// ```
pub async fn accept_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket<S>>, Error> {
    let mut ws = WebSocket::server(stream, config);
    Ok(ws.answer_request(answer).await?.then_some(ws))
}

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
            // It was set for a deadline that moved.
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
