//! Clients: connect to a URI, over a stream, or on an HTTP/2 connection.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::vec::Vec;

use ::h2::client::{Connection, SendRequest};
use ::h2::ext::Protocol;
use ::h2::{Ping, RecvStream, SendStream};
use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::net::TcpStream;
use ::tokio::time::timeout;
use bytes::Bytes;

use super::stream::is_end_of_connection;
use super::{MAX_WINDOW, Stream, WebSocket, io_error, upgraded};
use crate::adapter::connect::{Redirects, checked_request};
use crate::adapter::tokio::client::{dial, establish};
use crate::adapter::{Connector, Error, http, tokio};
use crate::config::Config;
use crate::deadline::DeadlineReason;
use crate::error::ConnectionError;
use crate::frame::Role;
use crate::handshake::{ClientRequest, RequestError};
use crate::upgrade::Offer;

/// Connects to a `ws://` or `wss://` URI over a new HTTP/2 connection.
///
/// Proxies, TLS and redirects work as with [`tokio::connect_with`]. HTTP/2 is
/// negotiated with ALPN or, for `ws://`, used with prior knowledge (RFC 9113 §3.3).
/// The returned connection is a future that must be polled in a task of its own; it
/// completes after the WebSocket.
///
/// For many WebSockets over one connection, see [`handshake`] and [`connect`].
///
/// # Errors
///
/// As [`tokio::connect_with`], and:
///
/// - [`Error::Connect`] of kind `Unsupported` in the step `Tls` if the server does not
///   support HTTP/2.
/// - [`Error::Io`] of kind `Unsupported` if it does not allow extended CONNECTs.
///
/// ```no_run
/// # async fn run() -> Result<(), sansocket::Error> {
/// use sansocket::{Config, adapter::Connector, h2};
///
/// let connector = Connector::new(&Config::new());
/// let (mut ws, connection) = h2::connect_with("wss://example.com/chat", &connector).await?;
/// tokio::spawn(connection);
/// ws.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect_with(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<(WebSocket, Connection<tokio::Stream>), Error> {
    let mut redirects = Redirects::new(request, connector)?;
    loop {
        let attempt = open(&redirects.request, connector).await;
        if let Some(result) = redirects.follow(attempt) {
            return result;
        }
    }
}

async fn open(
    request: &ClientRequest,
    connector: &Connector,
) -> Result<(WebSocket, Connection<tokio::Stream>), Error> {
    let stream: TcpStream = dial(request, connector).await?;
    connect_on(stream, request, connector).await
}

/// Connects like [`connect_with`], over a stream of the caller. It must lead to the
/// server or, if the connector has a proxy, to the proxy. Redirects are not followed.
///
/// # Errors
///
/// As [`connect_with`]; a redirect is [`Error::Refused`].
pub async fn connect_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<(WebSocket, Connection<tokio::Stream<S>>), Error> {
    let request = checked_request(request)?;
    let stream = establish(stream, &request, connector).await?;
    let (client, mut connection) = handshake(stream, connector.config()).await?;
    let opening = connect(&client, &request, connector.config());
    let ws = drive_until(&mut connection, opening).await?;
    Ok((ws, connection))
}

/// What `work` returns, while the connection is driven.
async fn drive_until<S: AsyncRead + AsyncWrite + Unpin, R>(
    connection: &mut Connection<S>,
    work: impl Future<Output = R>,
) -> R {
    let (mut work, mut is_over) = (pin!(work), false);
    poll_fn(|cx| {
        // Its end is an error of the work.
        is_over = is_over || Pin::new(&mut *connection).poll(cx).is_ready();
        work.as_mut().poll(cx)
    })
    .await
}

/// Starts an HTTP/2 connection that can carry many WebSockets.
///
/// Like `h2::client::handshake`, with the window [`MAX_WINDOW`]. In addition, this
/// waits for the server's settings, which contain whether it allows extended
/// CONNECTs, for up to [`handshake_timeout`](Config::with_handshake_timeout). The
/// returned connection is a future that must be polled in a task of its own.
///
/// # Errors
///
/// [`Error::Io`] if the stream failed, and [`Error::Failed`] if the server does not
/// answer in time.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use sansocket::{ClientRequest, Config, h2};
///
/// let config = Config::new();
/// let stream = tokio::net::TcpStream::connect("127.0.0.1:9001").await?;
/// let (client, connection) = h2::handshake(stream, &config).await?;
/// tokio::spawn(connection);
/// // Two WebSockets over one connection.
/// let request = ClientRequest::to("ws://127.0.0.1:9001/")?;
/// let mut one = h2::connect(&client, &request, &config).await?;
/// let mut two = h2::connect(&client, &request, &config).await?;
/// # one.send("hello").await?;
/// # two.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Config,
) -> Result<(SendRequest<Bytes>, Connection<S>), Error> {
    let handshake = async {
        let handshake = ::h2::client::Builder::new()
            .initial_connection_window_size(MAX_WINDOW)
            .handshake(stream);
        let (client, mut connection) = handshake.await.map_err(failed)?;
        wait_for_settings(&mut connection).await?;
        Ok((client, connection))
    };
    within(config, handshake).await
}

/// Does a step of the handshake before its deadline.
async fn within<R>(
    config: &Config,
    step: impl Future<Output = Result<R, Error>>,
) -> Result<R, Error> {
    match config.settings().timeouts.handshake.duration() {
        None => step.await,
        Some(limit) => timeout(limit, step)
            .await
            .unwrap_or_else(|_| Err(ConnectionError::Timeout(DeadlineReason::Handshake).into())),
    }
}

/// RFC 9113 §3.4: settings come first, and so before the answer to a ping.
async fn wait_for_settings<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
) -> Result<(), Error> {
    let Some(mut pings) = connection.ping_pong() else {
        return Ok(());
    };
    pings.send_ping(Ping::opaque()).map_err(failed)?;
    poll_fn(|cx| {
        if let Poll::Ready(end) = Pin::new(&mut *connection).poll(cx) {
            end.map_err(failed)?;
            return Poll::Ready(Err(ConnectionError::UnexpectedEof.into()));
        }
        pings.poll_pong(cx).map_ok(|_| ()).map_err(failed)
    })
    .await
}

/// Opens a WebSocket on a connection that was started with [`handshake`], by an
/// extended CONNECT, within [`handshake_timeout`](Config::with_handshake_timeout). See
/// the example of `handshake`.
///
/// # Errors
///
/// - [`Error::Refused`] with the server's response, if it refuses.
/// - [`Error::Failed`] if the server breaks a rule or does not answer in time.
/// - [`Error::Io`] of kind `Unsupported` if the server does not allow extended
///   CONNECTs, and of other kinds if the stream or the connection failed.
pub async fn connect(
    client: &SendRequest<Bytes>,
    request: &ClientRequest,
    config: &Config,
) -> Result<WebSocket, Error> {
    let opening = send_connect(client.clone(), request, config);
    let (response, send, offer) = within(config, opening).await?;
    match http::check(&offer, &response) {
        Ok(agreement) => {
            let response_head = http::opening_response(&response, &agreement);
            let stream = Stream::new(send, response.into_body());
            Ok(upgraded(stream, Role::Client, agreement, config).with_response(response_head))
        }
        Err(error) => {
            let (head, mut body) = response.into_parts();
            let body = read_body(&mut body, config).await;
            Err(http::refused(error, &head, body))
        }
    }
}

/// The body of a refusal, and whether it is truncated: longer than the limit,
/// interrupted, or late.
async fn read_body(body: &mut RecvStream, config: &Config) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(data) = body.data().await {
            let data = data.map_err(io_error)?;
            let is_all = http::append_body(&data, config, &mut bytes);
            let released = body.flow_control().release_capacity(data.len());
            released.map_err(io_error)?;
            if !is_all {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let is_whole = within(config, reading).await.unwrap_or(false);
    (bytes, !is_whole)
}

async fn send_connect(
    client: SendRequest<Bytes>,
    request: &ClientRequest,
    config: &Config,
) -> Result<(::http::Response<RecvStream>, SendStream<Bytes>, Offer), Error> {
    let mut client = client.ready().await.map_err(failed)?;
    if !client.is_extended_connect_protocol_enabled() {
        // RFC 8441 §3: it must not be sent.
        return Err(io::Error::from(io::ErrorKind::Unsupported).into());
    }
    let (mut head, offer) = http::offer_extended_connect(request, config);
    head.extensions_mut()
        .insert(Protocol::from_static("websocket"));
    let (response, send) = client.send_request(head, false).map_err(failed)?;
    let response = response.await.map_err(failed)?;
    Ok((response, send, offer))
}

/// The end of the connection is that of the stream below it, as over TCP.
fn failed(error: ::h2::Error) -> Error {
    if is_end_of_connection(&error) {
        return ConnectionError::UnexpectedEof.into();
    }
    io_error(error).into()
}
