//! TCP connections, opened and accepted.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Error, Socket, WebSocket};
use crate::config::Config;
use crate::error::HandshakeError;
use crate::event::Event;
use crate::handshake::{Request, RequestError, Response, Uri};

/// Connects to a `ws://` URI and does the opening handshake. The delay of
/// small packets is switched off (`TCP_NODELAY`), all deadlines work.
///
/// Every address of the host is tried, each for at most
/// [`handshake_timeout`](Config::handshake_timeout). That no more than one
/// connection to a host is being opened at a time (§4.1) is the caller's to
/// keep: connections share nothing.
///
/// # Errors
///
/// [`Error::Request`] if the URI is none, [`Error::Io`] if no address answers
/// or the URI is `wss://` (make the TLS stream yourself and use
/// [`WebSocket::client`]), [`Error::Refused`] with the response of a server
/// that refuses, [`Error::Failed`] if it breaks a rule.
///
/// ```no_run
/// use sansocket::{Config, Request, blocking};
///
/// let request = Request::to("ws://localhost:9001/chat")?
///     .header("Authorization", "Bearer secret")?
///     .subprotocol("echo")?;
/// let mut ws = blocking::connect(request, &Config::new())?;
/// ws.send("hello")?;
/// println!("{:?}", ws.next()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect(
    request: impl TryInto<Request, Error: Into<RequestError>>,
    config: &Config,
) -> Result<WebSocket<TcpStream>, Error> {
    let request = request
        .try_into()
        .map_err(|error| Error::Request(error.into()))?;
    let stream = open(request.uri(), config.settings().timeouts.handshake)?;
    stream.set_nodelay(true)?;
    let mut ws = WebSocket::client(stream, &request, config)?.with_socket(Socket::tcp());
    match ws.next_event()? {
        Some(Event::Refused(response)) => Err(Error::Refused(response)),
        _ => Ok(ws),
    }
}

/// Does the opening handshake as a server on a TCP connection, and accepts
/// every upgrade that [`Config`] allows. The delay of small packets is
/// switched off (`TCP_NODELAY`), all deadlines work.
///
/// # Errors
///
/// [`Error::Failed`] if the request is no upgrade or breaks a rule; it was
/// answered. [`Error::Io`] if the stream broke.
pub fn accept(stream: TcpStream, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    let ws = accept_with(stream, config, Request::accept)?;
    ws.ok_or_else(|| crate::Error::from(HandshakeError::NotAnUpgrade).into())
}

/// As [`accept`], with the answer left to `answer`: to choose a subprotocol,
/// add headers, refuse, or serve a page on the same port. `None` if the answer
/// was not to open a WebSocket.
///
/// # Errors
///
/// As [`accept`]; an upgrade that breaks a rule does not reach `answer`.
///
/// ```no_run
/// # let stream = std::net::TcpStream::connect("127.0.0.1:9001")?;
/// use sansocket::{Config, Response, blocking};
///
/// let ws = blocking::accept_with(stream, &Config::new(), |request| {
///     match request.target() {
///         "/chat" => request.accept(),
///         "/" => Response::new(200).body("hello"),
///         _ => request.reject(404),
///     }
/// })?;
/// # Ok::<(), sansocket::adapter::Error>(())
/// ```
pub fn accept_with(
    stream: TcpStream,
    config: &Config,
    answer: impl FnOnce(&Request) -> Response,
) -> Result<Option<WebSocket<TcpStream>>, Error> {
    stream.set_nodelay(true)?;
    let mut ws = WebSocket::server(stream, config).with_socket(Socket::tcp());
    if let Some(Event::Request(request)) = ws.next_event()? {
        ws.respond(answer(&request))?;
    }
    Ok(ws.connection().is_open().then_some(ws))
}

fn open(uri: Option<&Uri>, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let uri = uri.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    if uri.is_secure() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "wss needs a TLS stream",
        ));
    }
    let mut result = Err(io::Error::new(
        io::ErrorKind::NotFound,
        "host has no address",
    ));
    for address in (uri.host(), uri.port()).to_socket_addrs()? {
        result = match timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout),
            None => TcpStream::connect(address),
        };
        if result.is_ok() {
            break;
        }
    }
    result
}
