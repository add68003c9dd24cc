//! Clients: from a URI, or a stream, to an open WebSocket.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::string::String;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use super::{Io, Timer};
use crate::adapter::connect::{Redirects, checked_request, with_timeout};
use crate::adapter::poll::{self, MaybeTls, Transport};
use crate::adapter::{ConnectStep, Connector, Error};
use crate::handshake::{ClientRequest, RequestError};

/// A client's [`WebSocket`](super::WebSocket), in TLS or not: what [`connect_with`] and
/// [`connect_on`] return.
pub type Client<S> = poll::WebSocket<MaybeTls<Io<S>>>;

/// The stream of a [`Client`], in TLS or not.
pub type Stream<S> = MaybeTls<Io<S>>;

/// Connects to a `ws://` or `wss://` URI and does the opening handshake, over
/// a stream that `dial` opens to a host and port: several addresses, and the
/// delay of small packets, are up to it. Deadlines are kept with `sleep`: each
/// step, `dial` too, has [`handshake_timeout`](crate::Config::with_handshake_timeout).
///
/// # Errors
///
/// [`Error::Request`] if the URI is not valid, [`Error::Connect`] with the step that
/// failed, [`Error::Refused`] with the response of a server that refuses or
/// redirects, [`Error::ProxyRefused`], [`Error::Redirect`], and
/// [`Error::Failed`] if a rule is broken.
///
/// ```no_run
/// # #[cfg(sansocket_docs)] // smol is there
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use sansocket::{Config, adapter::Connector, futures};
/// use smol::net::TcpStream;
///
/// let connector = Connector::new(&Config::new());
/// let dial = |host, port| TcpStream::connect((host, port));
/// let sleep = |duration| async move { smol::Timer::after(duration).await; };
/// let mut ws = futures::connect_with("ws://localhost:9001", &connector, dial, sleep).await?;
/// ws.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect_with<S, D, F>(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
    mut dial: impl FnMut(String, u16) -> D,
    sleep: impl FnMut(Duration) -> F + Clone + Send + 'static,
) -> Result<Client<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Future<Output = io::Result<S>>,
    F: Future<Output = ()> + Send + 'static,
{
    let mut redirects = Redirects::new(request, connector)?;
    loop {
        let (host, port) = connector.first_hop(redirects.request.uri());
        let attempt = async {
            let timeout = connector.config().settings().timeouts.handshake.duration();
            let timer = timeout.map(|timeout| sleep.clone()(timeout));
            let stream = with_timeout(timer, dial(host.into(), port)).await;
            let stream = stream.map_err(|error| ConnectStep::Tcp.failed(error))?;
            connect_on(stream, &redirects.request, connector, sleep.clone()).await
        };
        let attempt = attempt.await;
        if let Some(result) = redirects.follow(attempt) {
            return result;
        }
    }
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
/// # #[cfg(all(unix, sansocket_docs))] // smol is there
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use sansocket::{Config, adapter::Connector, futures};
///
/// let stream = smol::net::unix::UnixStream::connect("/run/chat.sock").await?;
/// let connector = Connector::new(&Config::new());
/// let sleep = |duration| async move { smol::Timer::after(duration).await; };
/// let mut ws = futures::connect_on(stream, "ws://localhost/", &connector, sleep).await?;
/// ws.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect_on<S, F>(
    stream: S,
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
    sleep: impl FnMut(Duration) -> F + Send + 'static,
) -> Result<Client<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()> + Send + 'static,
{
    let request = checked_request(request)?;
    let mut io = Io::new(stream);
    io.timer = Some(Timer::new(sleep));
    poll::connect::connect(io, &request, connector).await
}

impl<S> Stream<S> {
    /// Returns the stream, below TLS if there is any. For example, the address of the
    /// peer is `ws.stream().get_ref().peer_addr()`.
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
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Transport::poll_read(&mut *self, cx, buf)
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

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_shutdown(&mut *self, cx)
    }
}
