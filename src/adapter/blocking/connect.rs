//! TCP connections, opened and accepted.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[cfg(feature = "rustls")]
use super::TlsStream;
use super::dial::dial;
use super::socket::CLOCK_TICK;
use super::{Duplex, Error, Socket, Stream, WebSocket};
#[cfg(feature = "rustls")]
use crate::adapter::connect::HTTP_1_1;
#[cfg(not(feature = "rustls"))]
use crate::adapter::connect::tls_unavailable;
use crate::adapter::connect::{ProxyTunnel, Redirects, checked_request};
use crate::adapter::{ConnectStep, Connector};
use crate::config::Config;
use crate::error::HandshakeError;
use crate::event::Event;
use crate::handshake::{Answer, ClientRequest, Request, RequestError, Uri};

/// A client's [`WebSocket`], in TLS or not, over TCP or another stream: what
/// [`connect`] and [`connect_on`] return.
pub type Client<S = TcpStream> = WebSocket<Stream<S>>;

/// Connects to a `ws://` or `wss://` URI and does the opening handshake. The
/// delay of small packets is switched off (`TCP_NODELAY`), all deadlines work.
///
/// The addresses of the host are tried as RFC 8305 says, a new one every 250 ms,
/// until one answers. Each step takes at most
/// [`handshake_timeout`](Config::with_handshake_timeout). That no more than one
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
///     .with_header("Authorization", "Bearer secret")?
///     .with_subprotocol("echo")?;
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
    ws.ok_or_else(|| crate::ConnectionError::from(HandshakeError::NotAnUpgrade).into())
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
///         "/" => Answer::new(200).with_body("hello"),
///         _ => request.reject(404),
///     }
/// })?;
/// # Ok::<(), sansocket::Error>(())
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
    let mut redirects = Redirects::new(request, connector)?;
    let timeout = connector.config().settings().timeouts.handshake.duration();
    loop {
        let attempt = dial(connector.first_hop(redirects.request.uri()), timeout)
            .and_then(|tcp| connect_on(tcp, Socket::tcp(), &redirects.request, connector));
        if let Some(result) = redirects.follow(attempt) {
            return result;
        }
    }
}

/// As [`connect_with`], over a stream of the caller's own: one that was dialled
/// in another way, a Unix socket, a pipe in memory. It leads to the server or,
/// if the connector has one, to the proxy; what follows is done here: the tunnel
/// through the proxy, TLS for `wss://`, and the opening handshake. Redirects are
/// not followed, as there is no other stream.
///
/// The stream must block. Each step ends at its deadline by the timeouts of
/// `socket`; with `None` there are no deadlines.
///
/// To use TLS of another library, or any stream that is no more than `Read` and
/// `Write`, see [`WebSocket::client`] and [`WebSocket::connect`].
///
/// # Errors
///
/// As `connect_with`; a redirect is [`Error::Refused`].
///
/// ```no_run
/// # #[cfg(unix)] {
/// use std::os::unix::net::UnixStream;
/// use sansocket::{Config, adapter::Connector, blocking::{self, Socket}};
///
/// let stream = UnixStream::connect("/run/chat.sock")?;
/// let connector = Connector::new(&Config::new());
/// let mut ws = blocking::connect_on(stream, Socket::unix(), "ws://localhost/", &connector)?;
/// ws.send("hello")?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect_on<S: Duplex>(
    stream: S,
    socket: impl Into<Option<Socket<S>>>,
    request: impl TryInto<ClientRequest, Error: Into<RequestError>>,
    connector: &Connector,
) -> Result<Client<S>, Error> {
    let (request, socket) = (checked_request(request)?, socket.into());
    let timeout = connector.config().settings().timeouts.handshake.duration();
    if let Some(tunnel) = connector.tunnel(request.uri())? {
        within(&stream, socket, timeout, |timed| pass_proxy(timed, tunnel))?;
    }
    let stream = secure(stream, socket, request.uri(), connector)?;
    let ws = WebSocket::client(stream, &request, connector.config())?;
    let ws = match socket {
        Some(_) => ws.with_socket(Socket::stream()),
        None => ws,
    };
    ws.connect()
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
            None => Err(crate::ConnectionError::UnexpectedEof.into()),
        }
    }
}

#[cfg(feature = "rustls")]
fn secure<S: Duplex>(
    stream: S,
    socket: Option<Socket<S>>,
    uri: &Uri,
    connector: &Connector,
) -> Result<Stream<S>, Error> {
    if !uri.is_secure() {
        return Ok(Stream::plain(stream, socket));
    }
    let timeout = connector.config().settings().timeouts.handshake.duration();
    let tls = TlsStream::over(stream, socket, connector.tls_session(uri, HTTP_1_1)?);
    tls.complete_handshake(timeout)
        .map_err(|error| ConnectStep::Tls.failed(error))?;
    Ok(tls.into())
}

#[cfg(not(feature = "rustls"))]
fn secure<S: Duplex>(
    stream: S,
    socket: Option<Socket<S>>,
    uri: &Uri,
    _: &Connector,
) -> Result<Stream<S>, Error> {
    if uri.is_secure() {
        return Err(tls_unavailable());
    }
    Ok(Stream::plain(stream, socket))
}

fn pass_proxy<S: Duplex>(timed: &TimedStream<'_, S>, mut tunnel: ProxyTunnel) -> Result<(), Error> {
    let failed = |error| ConnectStep::Proxy.failed(error);
    let mut buf = [0; 1024];
    loop {
        while !tunnel.unsent().is_empty() {
            let written = timed.call(|| timed.stream.write(tunnel.unsent()));
            written.and_then(|len| tunnel.sent(len)).map_err(failed)?;
        }
        timed.call(|| timed.stream.flush()).map_err(failed)?;
        let len = timed.call(|| timed.stream.read(&mut buf));
        let len = len.map_err(failed)?;
        if tunnel.receive(buf.get_mut(..len).unwrap_or_default())? {
            return Ok(());
        }
    }
}

/// A signal ends a call, not a step.
fn retry_interrupted<R>(mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A stream, and when a step on it must be over.
#[derive(Debug)]
pub(super) struct TimedStream<'s, S> {
    stream: &'s S,
    socket: Option<Socket<S>>,
    deadline: Option<Instant>,
}

impl<S> TimedStream<'_, S> {
    /// A call that reads or writes, and ends by then.
    pub(super) fn call<R>(&self, mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        retry_interrupted(|| {
            self.arm()?;
            call()
        })
        .map_err(|error| match error.kind() {
            // What a socket calls a timeout differs between platforms.
            io::ErrorKind::WouldBlock
                if self
                    .remaining()
                    .is_some_and(|remaining| remaining <= CLOCK_TICK) =>
            {
                io::ErrorKind::TimedOut.into()
            }
            _ => error,
        })
    }

    fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Makes the next read and write end by then.
    fn arm(&self) -> io::Result<()> {
        let Some(remaining) = self.remaining() else {
            return Ok(());
        };
        if remaining.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if let Some(socket) = self.socket {
            (socket.set_read_timeout)(self.stream, Some(remaining))?;
            (socket.set_write_timeout)(self.stream, Some(remaining))?;
        }
        Ok(())
    }
}

/// Does a step within this time, and gives the stream its own timeouts again.
pub(super) fn within<S, R, E: From<io::Error>>(
    stream: &S,
    socket: Option<Socket<S>>,
    timeout: Option<Duration>,
    step: impl FnOnce(&TimedStream<'_, S>) -> Result<R, E>,
) -> Result<R, E> {
    // A time that no clock reaches is no deadline.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let timed = TimedStream {
        stream,
        socket,
        deadline,
    };
    let Some(socket) = socket else {
        return step(&timed);
    };
    let own_read = (socket.read_timeout)(stream)?;
    let own_write = (socket.write_timeout)(stream)?;
    let done = step(&timed);
    let reads = (socket.set_read_timeout)(stream, own_read);
    let writes = (socket.set_write_timeout)(stream, own_write);
    let done = done?;
    reads.and(writes)?;
    Ok(done)
}
