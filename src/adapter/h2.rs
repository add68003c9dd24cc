//! WebSockets over streams of HTTP/2 (RFC 8441), with the `h2` crate alone:
//! many over one connection, each with the flow control of its stream.
//!
//! ```no_run
//! use sansocket::{Config, Request, h2};
//!
//! # async fn serve(stream: ::tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = ::h2::server::Builder::new()
//!     .enable_connect_protocol()
//!     .initial_connection_window_size(h2::MAX_WINDOW)
//!     .handshake(stream)
//!     .await?;
//! while let Some(stream) = connection.accept().await {
//!     let (request, respond) = stream?;
//!     if let Some(mut ws) = h2::accept(request, respond, &Config::new(), Request::accept)? {
//!         ::tokio::spawn(async move {
//!             while let Some(message) = ws.next().await? {
//!                 ws.send(message).await?;
//!             }
//!             Ok::<(), h2::Error>(())
//!         });
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A stream that ends is closed in order; one whose [`WebSocket`] is dropped
//! before is reset with `CANCEL` (RFC 8441 §5). One that the peer resets is
//! [`Error::Io`] of kind `ConnectionReset`, with [`::h2::Error`] as its source.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use ::h2::client::{Connection, SendRequest};
use ::h2::ext::Protocol;
use ::h2::server::SendResponse;
use ::h2::{Ping, Reason, RecvStream, SendStream};
use ::http::Method;
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::timeout;
use bytes::{Buf, Bytes, BytesMut};

pub use super::Error;
use super::{http, tokio};
use crate::config::Config;
use crate::error::{DeadlineReason, Error as Failure};
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest, Request};
use crate::upgrade::Offer;

/// The widest window of a connection, in bytes (RFC 9113 §6.9.1). All streams
/// share that: with the default of 65 535, one WebSocket that nobody reads
/// would stall all others. Each holds no more than the window of its own stream.
pub const MAX_WINDOW: u32 = (1 << 31) - 1;

/// A WebSocket over a stream of HTTP/2.
pub type WebSocket = tokio::WebSocket<Stream>;

/// Answers a request on a server's connection with what `answer` returns: an
/// extended CONNECT, or plain HTTP, with [`is_upgrade`](Request::is_upgrade)
/// false. Returns `None` if the answer does not open a WebSocket; it was sent
/// with its body.
///
/// The connection must allow extended CONNECTs (`enable_connect_protocol`) and
/// have a wide window, [`MAX_WINDOW`].
///
/// # Errors
///
/// [`Error::Rejected`] if the request breaks a rule; it was refused without
/// calling `answer`. [`Error::Io`] if the stream was reset already.
pub fn accept(
    request: ::http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket>, Error> {
    let received = match request.extensions().get::<Protocol>() {
        Some(protocol) => http::extended_connect(&request, protocol.as_str(), config),
        None => http::request(&request, config),
    };
    let answer = match &received {
        Ok(received) => answer(received),
        Err(rejection) => http::refusal(rejection),
    };
    let opens = answer.opens();
    let (head, body) = http::multiplexed_response::<Vec<u8>>(&answer).into_parts();
    // RFC 9110 §9.3.2: a response to HEAD has no content.
    let is_whole = !opens && (body.is_empty() || request.method() == Method::HEAD);
    let head = ::http::Response::from_parts(head, ());
    let mut send = respond.send_response(head, is_whole).map_err(io_error)?;
    if opens {
        let stream = Stream::new(send, request.into_body());
        let agreement = answer.agreement().clone();
        return Ok(Some(upgraded(stream, Role::Server, agreement, config)));
    }
    if !is_whole {
        send.send_data(body.into(), true).map_err(io_error)?;
    }
    received.map(|_| None).map_err(Error::Rejected)
}

/// As `h2::client::handshake`, with [`MAX_WINDOW`], and waits for the server's
/// settings, which say whether it allows extended CONNECTs, within
/// [`handshake_timeout`](Config::handshake_timeout). The connection is a future
/// that must be polled, in a task of its own.
///
/// # Errors
///
/// [`Error::Io`], and [`Error::Failed`] if the server is silent.
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &Config,
) -> Result<(SendRequest<Bytes>, Connection<S>), Error> {
    let handshake = async {
        let handshake = ::h2::client::Builder::new()
            .initial_connection_window_size(MAX_WINDOW)
            .handshake(stream);
        let (client, mut connection) = handshake.await.map_err(io_error)?;
        settled(&mut connection).await?;
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
            .unwrap_or_else(|_| Err(Failure::Timeout(DeadlineReason::Handshake).into())),
    }
}

/// RFC 9113 §3.4: settings come first, and so before the answer to a ping.
async fn settled<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
) -> io::Result<()> {
    let Some(mut pings) = connection.ping_pong() else {
        return Ok(());
    };
    pings.send_ping(Ping::opaque()).map_err(io_error)?;
    poll_fn(|cx| {
        if let Poll::Ready(end) = Pin::new(&mut *connection).poll(cx) {
            end.map_err(io_error)?;
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        pings.poll_pong(cx).map_ok(|_| ()).map_err(io_error)
    })
    .await
}

/// Opens a WebSocket by an extended CONNECT, on a connection that may carry
/// many, within [`handshake_timeout`](Config::handshake_timeout).
///
/// # Errors
///
/// [`Error::Refused`] with the response of a server that refuses,
/// [`Error::Failed`] if it breaks a rule or is silent, [`Error::Io`] of kind
/// `Unsupported` if it allows no extended CONNECT, and of others if the stream
/// or the connection broke.
pub async fn connect(
    client: &SendRequest<Bytes>,
    request: &ClientRequest,
    config: &Config,
) -> Result<WebSocket, Error> {
    let asking = ask(client.clone(), request, config);
    let (response, send, offer) = within(config, asking).await?;
    match http::check(&offer, &response) {
        Ok(agreement) => {
            let opening = http::opening(&response, &agreement);
            let stream = Stream::new(send, response.into_body());
            Ok(upgraded(stream, Role::Client, agreement, config).with_response(opening))
        }
        Err(error) => {
            let (head, mut body) = response.into_parts();
            let body = read_body(&mut body, config).await;
            Err(http::refused(error, &head, body))
        }
    }
}

/// The body of a refusal, and whether it is incomplete: longer than the limit,
/// broken off, or late.
async fn read_body(body: &mut RecvStream, config: &Config) -> (Vec<u8>, bool) {
    let max_len = config.settings().handshake.limits.max_body_len;
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(data) = body.data().await {
            let data = data.map_err(io_error)?;
            let room = data.len().min(max_len - bytes.len());
            bytes.extend_from_slice(data.get(..room).unwrap_or_default());
            let released = body.flow_control().release_capacity(data.len());
            released.map_err(io_error)?;
            if room < data.len() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let is_whole = within(config, reading).await.unwrap_or(false);
    (bytes, !is_whole)
}

async fn ask(
    client: SendRequest<Bytes>,
    request: &ClientRequest,
    config: &Config,
) -> Result<(::http::Response<RecvStream>, SendStream<Bytes>, Offer), Error> {
    let mut client = client.ready().await.map_err(io_error)?;
    if !client.is_extended_connect_protocol_enabled() {
        // RFC 8441 §3: it must not be sent.
        return Err(io::Error::from(io::ErrorKind::Unsupported).into());
    }
    let (mut head, offer) = http::offer_extended_connect(request, config);
    head.extensions_mut()
        .insert(Protocol::from_static("websocket"));
    let (response, send) = client.send_request(head, false).map_err(io_error)?;
    let response = response.await.map_err(io_error)?;
    Ok((response, send, offer))
}

fn upgraded(stream: Stream, role: Role, agreement: Agreement, config: &Config) -> WebSocket {
    WebSocket::upgraded(stream, role, agreement, Vec::new(), config)
}

/// A stream of HTTP/2 as one of bytes. What it takes to be written is no more
/// than the peer's window has room for.
#[derive(Debug)]
pub struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What was not read yet of the last frame.
    unread: Bytes,
}

impl Stream {
    /// Of the two halves that `h2` hands out.
    pub const fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self {
            send,
            receive,
            unread: Bytes::new(),
        }
    }

    /// Room in the window, for at most this many bytes.
    fn poll_capacity(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(len);
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => capacity.map_err(io_error)?,
                None => return self.poll_broken(cx).map(Err),
            };
        }
        Poll::Ready(Ok(self.send.capacity().min(len)))
    }

    /// Why nothing can be written any more.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let reason = ready!(self.send.poll_reset(cx));
        Poll::Ready(match reason {
            Ok(Reason::NO_ERROR) => io::ErrorKind::BrokenPipe.into(),
            Ok(reason) => io_error(reason.into()),
            Err(error) => io_error(error),
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(data) => self.unread = data.map_err(io_error)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = self.unread.len().min(buf.remaining());
        buf.put_slice(self.unread.get(..len).unwrap_or_default());
        self.unread.advance(len);
        // The peer may send as much again.
        let released = self.receive.flow_control().release_capacity(len);
        Poll::Ready(released.map_err(io_error))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let len = ready!(self.poll_capacity(cx, len))?;
        let mut data = BytesMut::with_capacity(len);
        for slice in slices {
            let rest = slice.len().min(len - data.len());
            data.extend_from_slice(slice.get(..rest).unwrap_or_default());
        }
        let sent = self.send.send_data(data.freeze(), false);
        Poll::Ready(sent.map(|()| len).map_err(io_error))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task writes.
        Poll::Ready(Ok(()))
    }

    /// Ends the stream (`END_STREAM`).
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.send.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(io_error))
    }
}

fn io_error(error: ::h2::Error) -> io::Error {
    let kind = match error.get_io() {
        Some(error) => error.kind(),
        None if error.is_go_away() => io::ErrorKind::ConnectionAborted,
        None if error.reason().is_some() => io::ErrorKind::ConnectionReset,
        None => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
