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
//! A stream that ends is closed in order; one whose [`WebSocket`] is dropped
//! before is reset with `CANCEL` (RFC 8441 §5). One that the peer resets is
//! [`Error::Io`] of kind `ConnectionReset`, with [`::h2::Error`] as its source.

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

/// The widest window of a connection, in bytes (RFC 9113 §6.9.1). All streams
/// share that: with the default of 65 535, one WebSocket that nobody reads
/// would stall all others. Each holds no more than the window of its own stream.
pub const MAX_WINDOW: u32 = (1 << 31) - 1;

/// A WebSocket over a stream of HTTP/2.
pub type WebSocket = poll::WebSocket<tokio::Io<Stream>>;

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
