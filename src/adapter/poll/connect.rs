//! From a stream to the server, or to its proxy, to an open WebSocket.

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
use crate::adapter::connector::no_tls;
use crate::adapter::connector::{Connector, Tunnel};
use crate::adapter::{ConnectStep, Error};
use crate::handshake::{ClientRequest, Uri};

/// Goes through the proxy, does the TLS handshake, and opens the WebSocket:
/// each step within the time of a handshake.
pub(in crate::adapter) async fn connect<T: Transport>(
    mut io: T,
    request: &ClientRequest,
    connector: &Connector,
) -> Result<WebSocket<MaybeTls<T>>, Error> {
    let uri = request.uri();
    let timeout = connector.config().settings().timeouts.handshake.duration();
    if let Some(mut tunnel) = connector.tunnel(uri)? {
        within(&mut io, timeout, ConnectStep::Proxy, |io, cx| {
            poll_tunnel(io, cx, &mut tunnel)
        })
        .await?;
    }
    let io = secure(io, uri, connector, timeout).await?;
    WebSocket::client_on(io, request, connector.config())?
        .connect()
        .await
}

#[cfg(feature = "rustls")]
async fn secure<T: Transport>(
    io: T,
    uri: &Uri,
    connector: &Connector,
    timeout: Option<Duration>,
) -> Result<MaybeTls<T>, Error> {
    if !uri.is_secure() {
        return Ok(MaybeTls::Plain(io));
    }
    let mut tls = TlsIo::new(io, connector.session(uri)?);
    within(&mut tls, timeout, ConnectStep::Tls, |tls, cx| {
        tls.poll_handshake(cx)
            .map_err(|error| ConnectStep::Tls.failed(error))
    })
    .await?;
    Ok(MaybeTls::Tls(std::boxed::Box::new(tls)))
}

#[cfg(not(feature = "rustls"))]
async fn secure<T: Transport>(
    io: T,
    uri: &Uri,
    _: &Connector,
    _: Option<Duration>,
) -> Result<MaybeTls<T>, Error> {
    if uri.is_secure() {
        return Err(no_tls());
    }
    Ok(MaybeTls::Plain(io))
}

/// A step, or that it took too long.
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
    tunnel: &mut Tunnel,
) -> Poll<Result<(), Error>> {
    let failed = |error| ConnectStep::Proxy.failed(error);
    let mut buf = vec![0; 1024];
    loop {
        while !tunnel.unsent().is_empty() {
            let slices = [IoSlice::new(tunnel.unsent())];
            let len = ready!(io.poll_write(cx, &slices)).map_err(failed)?;
            tunnel.sent(len).map_err(failed)?;
        }
        ready!(io.poll_flush(cx)).map_err(failed)?;
        let len = ready!(io.poll_read(cx, &mut buf)).map_err(failed)?;
        if tunnel.receive(buf.get_mut(..len).unwrap_or_default())? {
            return Poll::Ready(Ok(()));
        }
    }
}
