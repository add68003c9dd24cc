//! TCP connections, opened and accepted.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::dial::dial;
use super::{Error, Socket, Stream, WebSocket};
use crate::adapter::connector::{Hops, Tunnel};
use crate::adapter::{ConnectStep, Connector};
use crate::config::Config;
use crate::error::HandshakeError;
use crate::event::Event;
use crate::handshake::{Answer, ClientRequest, Request, RequestError};

/// A client's [`WebSocket`] over TCP, in TLS or not: what [`connect`] returns.
pub type Client = WebSocket<Stream>;

/// Connects to a `ws://` or `wss://` URI and does the opening handshake. The
/// delay of small packets is switched off (`TCP_NODELAY`), all deadlines work.
///
/// The addresses of the host are tried as RFC 8305 says, a new one every 250 ms,
/// until one answers. Each step takes at most
/// [`handshake_timeout`](Config::handshake_timeout). That no more than one
/// connection to a host is being opened at a time (§4.1) is up to the caller:
/// connections share nothing.
///
/// # Errors
///
/// [`Error::Request`] if this is not such a URI, [`Error::Connect`] with the
/// step that failed, [`Error::Refused`] with the response of a server that
/// refuses or redirects, [`Error::Failed`] if it breaks a rule.
///
/// ```no_run
/// use sansocket::{ClientRequest, Config, blocking};
///
/// let request = ClientRequest::to("ws://localhost:9001/chat")?
///     .header("Authorization", "Bearer secret")?
///     .subprotocol("echo")?;
/// let mut ws = blocking::connect(request, &Config::new())?;
/// ws.send("hello")?;
/// println!("{:?}", ws.next()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    config: &Config,
) -> Result<Client, Error> {
    connect_with(request, &Connector::new(config))
}

/// Does the opening handshake as a server on a TCP connection, and accepts
/// every upgrade that [`Config`] allows. The delay of small packets is
/// switched off (`TCP_NODELAY`), all deadlines work.
///
/// # Errors
///
/// [`Error::Rejected`] if the request breaks a rule, [`Error::Failed`] if it is
/// plain HTTP; it was answered. [`Error::Io`] if the stream broke.
pub fn accept(stream: TcpStream, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    let ws = accept_with(stream, config, Request::accept)?;
    ws.ok_or_else(|| crate::Error::from(HandshakeError::NotAnUpgrade).into())
}

/// As [`accept`], with the answer left to `answer`: to choose a subprotocol,
/// add headers, refuse, or serve a page on the same port. `None` if the answer
/// does not open a WebSocket.
///
/// # Errors
///
/// [`Error::Rejected`] if the request breaks a rule; it was answered without
/// calling `answer`. [`Error::Io`] if the stream broke.
///
/// ```no_run
/// # let stream = std::net::TcpStream::connect("127.0.0.1:9001")?;
/// use sansocket::{Answer, Config, blocking};
///
/// let ws = blocking::accept_with(stream, &Config::new(), |request| {
///     match request.path() {
///         "/chat" => request.accept(),
///         "/" => Answer::new(200).body("hello"),
///         _ => request.reject(404),
///     }
/// })?;
/// # Ok::<(), sansocket::adapter::Error>(())
/// ```
pub fn accept_with(
    stream: TcpStream,
    config: &Config,
    answer: impl FnOnce(&Request) -> Answer,
) -> Result<Option<WebSocket<TcpStream>>, Error> {
    stream.set_nodelay(true)?;
    let mut ws = WebSocket::server(stream, config).with_socket(Socket::tcp());
    match ws.next_event()? {
        Some(Event::Request(request)) => ws.respond(answer(&request))?,
        Some(Event::Rejected(rejection)) => {
            // The answer is on its way until the failure comes.
            while let Ok(Some(_)) = ws.next_event() {}
            return Err(Error::Rejected(rejection));
        }
        _ => {}
    }
    Ok(ws.connection().is_open().then_some(ws))
}

/// As [`connect`], with a proxy, roots of trust, or redirects.
///
/// # Errors
///
/// As `connect`, [`Error::ProxyRefused`] and [`Error::Redirect`].
pub fn connect_with(
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<Client, Error> {
    let mut hops = Hops::new(request, connector)?;
    loop {
        if let Some(result) = hops.follow(open(&hops.request, connector)) {
            return result;
        }
    }
}

fn open(request: &ClientRequest, connector: &Connector) -> Result<Client, Error> {
    let uri = request.uri();
    let timeout = connector.config().settings().timeouts.handshake.duration();
    let stream = dial(connector.first_hop(uri), timeout)?;
    if let Some(tunnel) = connector.tunnel(uri) {
        pass_proxy(&stream, tunnel, timeout)?;
    }
    let stream = Stream::secured(stream, uri, connector, timeout)?;
    let ws = WebSocket::client(stream, request, connector.config())?;
    ws.with_socket(Socket::stream()).connect()
}

impl<S: Read + Write> WebSocket<S> {
    /// Does the opening handshake as a client, on a blocking stream that leads
    /// to the server: the one of [`client`](Self::client).
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the response of a server that refuses,
    /// [`Error::Failed`] if it breaks a rule, [`Error::Io`] if the stream
    /// broke.
    pub fn connect(mut self) -> Result<Self, Error> {
        match self.next_event()? {
            Some(Event::Refused(response)) => Err(Error::Refused(response)),
            Some(Event::Open(response)) => {
                self.response = Some(response);
                Ok(self)
            }
            Some(_) => Ok(self),
            None => Err(crate::Error::UnexpectedEof.into()),
        }
    }
}

fn pass_proxy(
    mut stream: &TcpStream,
    mut tunnel: Tunnel,
    timeout: Option<Duration>,
) -> Result<(), Error> {
    let until = Until::after(timeout);
    let failed = |error| ConnectStep::Proxy.failed(error);
    until.arm(stream).map_err(failed)?;
    stream.write_all(&tunnel.request).map_err(failed)?;
    let mut buf = [0; 1024];
    loop {
        until.arm(stream).map_err(failed)?;
        let len = stream.read(&mut buf).map_err(timed_out).map_err(failed)?;
        if tunnel.receive(buf.get_mut(..len).unwrap_or_default())? {
            // The timeouts of the steps that follow are theirs.
            stream.set_read_timeout(None)?;
            return Ok(stream.set_write_timeout(None)?);
        }
    }
}

/// When a step must be over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until(Option<Instant>);

impl Until {
    pub(super) fn after(timeout: Option<Duration>) -> Self {
        // A time that no clock reaches is no deadline.
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// Makes the next read and write end by then.
    pub(super) fn arm(self, stream: &TcpStream) -> io::Result<()> {
        let left = self
            .0
            .map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(left)?;
        stream.set_write_timeout(left)
    }
}

/// What a socket calls a timeout differs between platforms.
pub(super) fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}
