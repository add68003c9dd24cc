//! Connecting over a stream that leads to the server or to a proxy.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use super::WebSocket;
use super::tls::MaybeTls;
#[cfg(feature = "rustls")]
use super::tls::TlsIo;
use super::transport::Transport;
#[cfg(not(feature = "rustls"))]
use crate::adapter::connect::tls_unavailable;
use crate::adapter::connect::{Connector, HTTP_1_1, ProxyTunnel};
use crate::adapter::{ConnectStep, Error};
use crate::handshake::{ClientRequest, Uri};

/// Opens the tunnel through the proxy, does the TLS handshake, and opens the WebSocket,
/// each within the handshake timeout.
pub(in crate::adapter) async fn connect<T: Transport>(
    io: T,
    request: &ClientRequest,
    connector: &Connector,
) -> Result<WebSocket<MaybeTls<T>>, Error> {
    let io = establish(io, request.uri(), HTTP_1_1, connector).await?;
    WebSocket::client_on(io, request, connector.config())?
        .connect()
        .await
}

/// Opens the tunnel through the proxy and does the TLS handshake, for this protocol.
pub(in crate::adapter) async fn establish<T: Transport>(
    mut io: T,
    uri: &Uri,
    alpn: &[u8],
    connector: &Connector,
) -> Result<MaybeTls<T>, Error> {
    let timeout = connector.config().settings().timeouts.handshake.duration();
    if let Some(mut tunnel) = connector.tunnel(uri)? {
        // RFC 9113 §3.4: an HTTP/2 server can send before its client does, so nothing
        // may be read after the proxy's answer. In TLS, and with HTTP/1.1, bytes after
        // it are an error.
        let speaks_first = alpn != HTTP_1_1 && !uri.is_secure();
        let mut buf = vec![0; if speaks_first { 1 } else { 1024 }];
        within(&mut io, timeout, ConnectStep::Proxy, |io, cx| {
            poll_tunnel(io, cx, &mut tunnel, &mut buf)
        })
        .await?;
    }
    if !uri.is_secure() {
        return Ok(MaybeTls::Plain(io));
    }
    #[cfg(feature = "rustls")]
    return secure(io, uri, alpn, connector).await;
    #[cfg(not(feature = "rustls"))]
    Err(tls_unavailable())
}

#[cfg(feature = "rustls")]
async fn secure<T: Transport>(
    io: T,
    uri: &Uri,
    alpn: &[u8],
    connector: &Connector,
) -> Result<MaybeTls<T>, Error> {
    let timeout = connector.config().settings().timeouts.handshake.duration();
    let mut tls = TlsIo::new(io, connector.tls_session(uri, alpn)?);
    within(&mut tls, timeout, ConnectStep::Tls, |tls, cx| {
        tls.poll_handshake(cx)
            .map_err(|error| ConnectStep::Tls.failed(error))
    })
    .await?;
    // A server without ALPN supports only HTTP/1.1 (RFC 9113 §3.2).
    if alpn != HTTP_1_1 && tls.alpn() != Some(alpn) {
        let error = io::Error::new(
            io::ErrorKind::Unsupported,
            "the server supports only HTTP/1.1",
        );
        return Err(ConnectStep::Tls.failed(error));
    }
    Ok(MaybeTls::Tls(std::boxed::Box::new(tls)))
}

/// Limits the time of a step.
async fn within<T: Transport>(
    io: &mut T,
    timeout: Option<Duration>,
    step: ConnectStep,
    mut poll: impl FnMut(&mut T, &mut Context<'_>) -> Poll<Result<(), Error>>,
) -> Result<(), Error> {
    let at = io.now().zip(timeout).map(|(now, timeout)| now + timeout);
    poll_fn(|cx| {
        if let Poll::Ready(done) = poll(io, cx) {
            return Poll::Ready(done);
        }
        if let Some(at) = at {
            ready!(io.poll_deadline(cx, at));
            return Poll::Ready(Err(step.failed(io::ErrorKind::TimedOut.into())));
        }
        Poll::Pending
    })
    .await
}

fn poll_tunnel<T: Transport>(
    io: &mut T,
    cx: &mut Context<'_>,
    tunnel: &mut ProxyTunnel,
    buf: &mut [u8],
) -> Poll<Result<(), Error>> {
    let failed = |error| ConnectStep::Proxy.failed(error);
    loop {
        while !tunnel.unsent().is_empty() {
            let slices = [IoSlice::new(tunnel.unsent())];
            let len = ready!(io.poll_write(cx, &slices)).map_err(failed)?;
            tunnel.sent(len).map_err(failed)?;
        }
        ready!(io.poll_flush(cx)).map_err(failed)?;
        let len = ready!(io.poll_read(cx, buf)).map_err(failed)?;
        if tunnel.receive(buf.get_mut(..len).unwrap_or_default())? {
            return Poll::Ready(Ok(()));
        }
    }
}
