//! WebSockets over tokio's `AsyncRead` and `AsyncWrite`.
//!
//! Knows how tokio polls a stream and a timer; what is done with them stands
//! in the module that the async adapters share.
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

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;
use std::vec::Vec;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{Instant, Sleep};

pub use super::Error;
use super::connector::race::{Attempt, race};
use super::connector::{Hops, sendable};
use super::poll::{self, MaybeTls, Transport, opened};
use super::{ConnectStep, Connector};
use crate::config::Config;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest, Request, RequestError};

/// A WebSocket over a stream of tokio's.
///
/// Deadlines need the runtime's timer (`enable_time`); a connection that has
/// any holds one timer in the heap, made when it first waits.
pub type WebSocket<S> = poll::WebSocket<Io<S>>;

/// The receiving half of a [`WebSocket`], for one task.
pub type Reader<S> = poll::Reader<Io<S>>;

/// The sending half of a [`WebSocket`], for another task.
pub type Writer<S> = poll::Writer<Io<S>>;

/// The binary messages of a [`WebSocket`] as a stream of bytes.
pub type Tunnel<S> = poll::Tunnel<Io<S>>;

/// A client's [`WebSocket`], in TLS or not, over TCP or another stream: what
/// [`connect`] and [`connect_on`] return.
pub type Client<S = TcpStream> = poll::WebSocket<MaybeTls<Io<S>>>;

/// A stream of tokio's, and its timer.
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    origin: Instant,
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

    /// The stream and the bytes that were read from it and not taken: those
    /// after a plain HTTP request, for example.
    pub fn into_stream(self) -> (S, Vec<u8>) {
        let (io, rest) = self.into_parts();
        (io.stream, rest)
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
pub async fn accept_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket<S>>, Error> {
    let mut ws = WebSocket::server(stream, config);
    Ok(ws.answer_request(answer).await?.then_some(ws))
}

/// Connects to a `ws://` or `wss://` URI and does the opening handshake. The
/// delay of small packets is switched off (`TCP_NODELAY`), all deadlines work,
/// and each step has [`handshake_timeout`](Config::handshake_timeout).
///
/// # Errors
///
/// [`Error::Request`] if the URI is none, [`Error::Connect`] with the step that
/// failed, [`Error::Refused`] with the response of a server that refuses or
/// redirects, [`Error::Failed`] if it breaks a rule.
///
/// ```no_run
/// # async fn connect() -> Result<(), sansocket::tokio::Error> {
/// use sansocket::{Config, tokio};
///
/// let mut ws = tokio::connect("ws://localhost:9001", &Config::new()).await?;
/// ws.send("hello").await?;
/// println!("{:?}", ws.next().await?);
/// # Ok(())
/// # }
/// ```
pub async fn connect(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    config: &Config,
) -> Result<Client, Error> {
    connect_with(request, &Connector::new(config)).await
}

/// As [`connect`], with a proxy, roots of trust, or redirects.
///
/// # Errors
///
/// As `connect`, [`Error::ProxyRefused`] and [`Error::Redirect`].
pub async fn connect_with(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<Client, Error> {
    let mut hops = Hops::new(request, connector)?;
    loop {
        let attempt = open(&hops.request, connector).await;
        if let Some(result) = hops.follow(attempt) {
            return result;
        }
    }
}

async fn open(request: &ClientRequest, connector: &Connector) -> Result<Client, Error> {
    let (host, port) = connector.first_hop(request.uri());
    let timeout = connector.config().settings().timeouts.handshake.duration();
    let addresses = within(timeout, ConnectStep::Resolve, lookup_host((host, port))).await?;
    let stream = dial(addresses, timeout).await?;
    stream.set_nodelay(true)?;
    connect_on(stream, request, connector).await
}

/// As [`connect_with`], over a stream of the caller's own: one that was dialled
/// in another way, a Unix socket, a pipe in memory. It leads to the server or,
/// if the connector has one, to the proxy; what follows is done here, each step
/// within its deadline: the tunnel through the proxy, TLS for `wss://`, and the
/// opening handshake. Redirects are not followed, as there is no other stream.
///
/// To use TLS of another library, see [`WebSocket::client`] and
/// [`connect`](poll::WebSocket::connect).
///
/// # Errors
///
/// As `connect_with`; a redirect is [`Error::Refused`].
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use sansocket::{Config, adapter::Connector, tokio};
///
/// let stream = ::tokio::net::UnixStream::connect("/run/chat.sock").await?;
/// let connector = Connector::new(&Config::new());
/// let mut ws = tokio::connect_on(stream, "ws://localhost/", &connector).await?;
/// ws.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<Client<S>, Error> {
    let request = sendable(request)?;
    poll::connect::connect(Io::new(stream), &request, connector).await
}

/// The first address that answers.
async fn dial(
    addresses: impl Iterator<Item = SocketAddr>,
    timeout: Option<Duration>,
) -> Result<TcpStream, Error> {
    let connect =
        |address| -> Attempt<TcpStream> { Box::pin(limited(timeout, TcpStream::connect(address))) };
    let sleep = |duration| -> Attempt<()> {
        Box::pin(async move {
            ::tokio::time::sleep(duration).await;
            Ok(())
        })
    };
    let connected = race(addresses, connect, sleep).await;
    connected.map_err(|error| ConnectStep::Tcp.failed(error))
}

async fn within<R>(
    timeout: Option<Duration>,
    step: ConnectStep,
    work: impl Future<Output = io::Result<R>>,
) -> Result<R, Error> {
    let done = limited(timeout, work).await;
    done.map_err(|error| step.failed(error))
}

async fn limited<R>(
    timeout: Option<Duration>,
    work: impl Future<Output = io::Result<R>>,
) -> io::Result<R> {
    match timeout {
        None => work.await,
        Some(timeout) => ::tokio::time::timeout(timeout, work)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
    }
}

impl Client {
    /// The TCP stream, below TLS if there is any.
    pub const fn tcp(&self) -> &TcpStream {
        &self.io().io().stream
    }

    /// The address of the peer, or of its proxy.
    ///
    /// # Errors
    ///
    /// If the socket is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }
}

impl<S> Io<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            origin: Instant::now(),
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
        Some(self.origin.elapsed())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        let Some(at) = self.origin.checked_add(at) else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::connector::tests::{black_hole, unused};

    #[::tokio::test]
    async fn address_that_does_not_answer_costs_a_quarter_of_a_second() {
        // It has a runtime of its own, which must not be dropped within this one.
        let (silent, _full) = std::thread::spawn(black_hole).join().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let unused = unused();
        for (addresses, delay) in [
            (std::vec![unused, open, silent], 0),
            (std::vec![silent, open], 250),
            (std::vec![silent, unused, silent, open], 500),
        ] {
            let start = Instant::now();
            let timeout = Some(Duration::from_secs(3));
            let stream = dial(addresses.into_iter(), timeout).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), open);
            let (took, delay) = (start.elapsed(), Duration::from_millis(delay));
            assert!(
                took >= delay && took < delay + Duration::from_millis(240),
                "{took:?}"
            );
        }
        let timeout = Some(Duration::from_millis(100));
        let failed = dial([silent].into_iter(), timeout).await;
        assert!(
            matches!(failed, Err(Error::Connect { error, .. }) if error.kind() == io::ErrorKind::TimedOut)
        );
    }
}
