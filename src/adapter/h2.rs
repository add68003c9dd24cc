//! WebSockets over HTTP/2 (RFC 8441), with the `h2` crate: many over one connection,
//! each with the flow control of its own stream.
//!
//! A server:
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
//!                 ws.feed(message).await?;
//!             }
//!             Ok::<(), h2::Error>(())
//!         });
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A client:
//!
//! ```no_run
//! use sansocket::{Config, adapter::Connector, h2};
//!
//! # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
//! let connector = Connector::new(&Config::new());
//! let (mut ws, connection) = h2::connect_with("wss://localhost:9001/", &connector).await?;
//! tokio::spawn(connection);
//! ws.send("hello").await?;
//! # Ok(())
//! # }
//! ```
//!
//! After the closing handshake, the stream is ended. If a [`WebSocket`] is dropped
//! before, its stream is reset with `CANCEL` (RFC 8441 §5). If the peer resets the
//! stream, the error is [`Error::Io`] of kind `ConnectionReset`, with an
//! [`::h2::Error`] as its source.

mod client;
mod stream;

use std::io;
use std::vec::Vec;

use ::h2::RecvStream;
use ::h2::ext::Protocol;
use ::h2::server::SendResponse;
use ::http::Method;
use bytes::Bytes;

pub use super::Error;
pub use client::{connect, connect_on, connect_with, handshake};
pub use stream::Stream;

use super::{http, poll, tokio};
use crate::config::Config;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, Request};

/// The largest flow-control window of a connection, in bytes (RFC 9113 §6.9.1).
///
/// All streams share this window. With the default of 65,535, a single WebSocket that
/// the application does not read would stall all others. The memory that a peer can
/// fill is still limited, by the window of each stream.
pub const MAX_WINDOW: u32 = (1 << 31) - 1;

/// A WebSocket over an HTTP/2 stream.
///
/// ```no_run
/// # async fn run(mut ws: sansocket::h2::WebSocket) -> Result<(), sansocket::Error> {
/// // As with tokio: receive and send, or split it for two tasks.
/// let (mut reader, mut writer) = ws.split();
/// tokio::spawn(async move { writer.send("hello").await });
/// while let Some(message) = reader.next().await? {
///     println!("{message}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// It has the methods of [`tokio::WebSocket`], where they are listed.
pub type WebSocket = poll::WebSocket<tokio::Io<Stream>>;

/// Answers a request on a server's connection with the answer that `answer` returns.
///
/// The request is an extended CONNECT, or plain HTTP, for which
/// [`is_upgrade`](Request::is_upgrade) is `false`. Returns `None` if the answer does
/// not open a WebSocket; it was sent with its body.
///
/// The connection must allow extended CONNECTs (`enable_connect_protocol`) and should
/// have the window [`MAX_WINDOW`].
///
/// # Errors
///
/// - [`Error::Rejected`] if the request breaks a rule. It was answered without calling
///   `answer`.
/// - [`Error::Io`] if the stream was already reset.
///
/// ```no_run
/// # use ::h2::{RecvStream, server::SendResponse};
/// # async fn run(
/// #     request: ::http::Request<RecvStream>,
/// #     respond: SendResponse<bytes::Bytes>,
/// # ) -> Result<(), sansocket::Error> {
/// use sansocket::{Config, h2};
///
/// let ws = h2::accept(request, respond, &Config::new(), |request| match request.path() {
///     "/chat" => request.accept(),
///     _ => request.reject(404),
/// })?;
/// if let Some(mut ws) = ws {
///     ws.send("welcome").await?;
/// }
/// # Ok(())
/// # }
/// ```
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
    let is_upgrade = answer.is_upgrade();
    let (head, body) = http::multiplexed_response::<Vec<u8>>(&answer).into_parts();
    // RFC 9110 §9.3.2: a response to HEAD has no content.
    let is_whole = !is_upgrade && (body.is_empty() || request.method() == Method::HEAD);
    let head = ::http::Response::from_parts(head, ());
    let mut send = respond.send_response(head, is_whole).map_err(io_error)?;
    if is_upgrade {
        let stream = Stream::new(send, request.into_body());
        let agreement = answer.agreement().clone();
        return Ok(Some(upgraded(stream, Role::Server, agreement, config)));
    }
    if !is_whole {
        send.send_data(body.into(), true).map_err(io_error)?;
    }
    received.map(|_| None).map_err(Error::Rejected)
}

fn upgraded(stream: Stream, role: Role, agreement: Agreement, config: &Config) -> WebSocket {
    WebSocket::upgraded(stream, role, agreement, Vec::new(), config)
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
