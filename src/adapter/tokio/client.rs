//! Clients: from a URI, or a stream, to an open WebSocket.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::boxed::Box;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::sleep;

use super::Io;
#[cfg(feature = "h2")]
use crate::adapter::connect::HTTP_2;
use crate::adapter::connect::race::{Attempt, race};
use crate::adapter::connect::{Redirects, checked_request, with_timeout};
use crate::adapter::poll::{self, MaybeTls, Transport};
use crate::adapter::{ConnectStep, Connector, Error};
use crate::config::Config;
use crate::handshake::{ClientRequest, RequestError};

/// A client's WebSocket, with or without TLS, over TCP or another stream: the type that
/// [`connect`] and [`connect_on`] return.
///
/// It has the methods of [`WebSocket`](super::WebSocket).
///
/// ```no_run
/// # async fn connect() -> Result<(), sansocket::Error> {
/// use sansocket::{ClientRequest, Config, tokio};
///
/// let request = ClientRequest::to("ws://localhost:9001/chat")?
///     .with_header("Authorization", "Bearer secret")?
///     .with_subprotocol("chat")?;
/// let ws = tokio::connect(request, &Config::new()).await?;
/// println!("{:?}", ws.subprotocol());
/// println!("{:?}", ws.response().and_then(|response| response.header("Server")));
/// # Ok(())
/// # }
/// ```
pub type Client<S = TcpStream> = poll::WebSocket<MaybeTls<Io<S>>>;

/// The stream of a [`Client`], with or without TLS. It implements `AsyncRead` and
/// `AsyncWrite`, for use after
/// [`into_stream`](poll::WebSocket::into_stream).
pub type Stream<S = TcpStream> = MaybeTls<Io<S>>;

/// Connects to a `ws://` or `wss://` URI and does the opening handshake.
///
/// The addresses of the host are tried one after the other, a new one every 250 ms,
/// until one answers (RFC 8305). `TCP_NODELAY` is set. `wss` needs the feature
/// `rustls`, and trusts the roots of the platform. Each step (DNS, TCP, TLS, opening
/// handshake) may take [`handshake_timeout`](Config::with_handshake_timeout).
///
/// `request` is a URI, or a [`ClientRequest`] with headers, cookies and subprotocols.
///
/// # Cancel safety
///
/// If the future is dropped, the attempt is abandoned and the connection is closed.
///
/// # Errors
///
/// - [`Error::Request`] if the URI is invalid.
/// - [`Error::Connect`] if a connection could not be made; contains the step that
///   failed.
/// - [`Error::Refused`] with the server's response, if it refuses or redirects.
/// - [`Error::Failed`] if the server breaks a rule or is too slow.
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

/// Connects like [`connect`], with the options of a [`Connector`]: a proxy, trusted
/// roots, redirects.
///
/// # Errors
///
/// As [`connect`], and:
///
/// - [`Error::ProxyRefused`] or [`Error::SocksRefused`] if the proxy refuses.
/// - [`Error::Redirect`] or [`Error::TooManyRedirects`] if a redirect cannot be
///   followed.
///
/// ```no_run
/// # async fn connect() -> Result<(), sansocket::Error> {
/// use sansocket::{Config, adapter::Connector, tokio};
///
/// let connector = Connector::new(&Config::new())
///     .with_proxy("socks5://127.0.0.1:9050")?
///     .with_max_redirects(3);
/// let ws = tokio::connect_with("wss://example.com/chat", &connector).await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect_with(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<Client, Error> {
    let mut redirects = Redirects::new(request, connector)?;
    loop {
        let attempt = open(&redirects.request, connector).await;
        if let Some(result) = redirects.follow(attempt) {
            return result;
        }
    }
}

async fn open(request: &ClientRequest, connector: &Connector) -> Result<Client, Error> {
    let stream = dial(request, connector).await?;
    connect_on(stream, request, connector).await
}

/// A TCP connection to the server, or to the proxy.
pub(in crate::adapter) async fn dial(
    request: &ClientRequest,
    connector: &Connector,
) -> Result<TcpStream, Error> {
    let (host, port) = connector.first_hop(request.uri());
    let timeout = connector.config().settings().timeouts.handshake.duration();
    let addresses = with_timeout(timeout.map(sleep), lookup_host((host, port))).await;
    let addresses = addresses.map_err(|error| ConnectStep::Resolve.failed(error))?;
    let stream = connect_tcp(addresses, timeout).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Goes through the proxy and does TLS on this stream, for HTTP/2.
#[cfg(feature = "h2")]
pub(in crate::adapter) async fn establish<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: &ClientRequest,
    connector: &Connector,
) -> Result<Stream<S>, Error> {
    poll::connect::establish(Io::new(stream), request.uri(), HTTP_2, connector).await
}

/// Connects over a stream of the caller, such as a Unix socket, a pipe in memory, or a
/// TCP connection with special options.
///
/// It must lead to the server or, if the connector has a proxy, to the proxy.
/// This function opens the tunnel through the proxy, does the TLS handshake for
/// `wss://`, and does the opening handshake, each within its deadline. Redirects are
/// not followed.
///
/// To use a TLS stream of another library, see
/// [`WebSocket::client`](super::WebSocket::client).
///
/// # Errors
///
/// As [`connect_with`]; a redirect is [`Error::Refused`].
///
/// ```no_run
/// # #[cfg(unix)]
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
    let request = checked_request(request)?;
    poll::connect::connect(Io::new(stream), &request, connector).await
}

/// The first address that answers.
async fn connect_tcp(
    addresses: impl Iterator<Item = SocketAddr>,
    timeout: Option<Duration>,
) -> Result<TcpStream, Error> {
    let connect = |address| -> Attempt<TcpStream> {
        let connecting = TcpStream::connect(address);
        Box::pin(with_timeout(timeout.map(sleep), connecting))
    };
    let delay = |duration| -> Attempt<()> {
        Box::pin(async move {
            sleep(duration).await;
            Ok(())
        })
    };
    let connected = race(addresses, connect, delay).await;
    connected.map_err(|error| ConnectStep::Tcp.failed(error))
}

impl Client {
    /// Returns the TCP stream, below TLS if there is any.
    pub const fn tcp(&self) -> &TcpStream {
        self.stream().get_ref()
    }

    /// Returns the address of the server, or of the proxy.
    ///
    /// # Errors
    ///
    /// If the socket is no longer connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }
}

impl<S> Stream<S> {
    /// Returns the stream, below TLS if there is any.
    pub const fn get_ref(&self) -> &S {
        &self.io().stream
    }

    /// Returns the stream, like [`get_ref`](Self::get_ref), to change its options.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.io_mut().stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = ready!(Transport::poll_read(
            &mut *self,
            cx,
            buf.initialize_unfilled()
        ))?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Transport::poll_write(&mut *self, cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_flush(&mut *self, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_shutdown(&mut *self, cx)
    }
}

#[cfg(test)]
mod tests {
    use ::tokio::time::Instant;

    use super::*;
    use crate::adapter::connect::tests::{black_hole, unused};

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
            let stream = connect_tcp(addresses.into_iter(), timeout).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), open);
            let (took, delay) = (start.elapsed(), Duration::from_millis(delay));
            assert!(
                took >= delay && took < delay + Duration::from_millis(240),
                "{took:?}"
            );
        }
        let timeout = Some(Duration::from_millis(100));
        let failed = connect_tcp([silent].into_iter(), timeout).await;
        assert!(
            matches!(failed, Err(Error::Connect { error, .. }) if error.kind() == io::ErrorKind::TimedOut)
        );
    }
}
