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

/// A client's [`WebSocket`], with or without TLS, over TCP or another stream: the type
/// that [`connect`] and [`connect_on`] return.
///
/// ```no_run
/// use sansocket::{Config, blocking::{self, Client}};
///
/// struct Session {
///     ws: Client,
///     user: String,
/// }
///
/// let ws = blocking::connect("ws://localhost:9001", &Config::new())?;
/// let mut session = Session { ws, user: "ada".into() };
/// session.ws.send(&session.user)?;
/// # Ok::<(), sansocket::Error>(())
/// ```
pub type Client<S = TcpStream> = WebSocket<Stream<S>>;

/// Connects to a `ws://` or `wss://` URI and does the opening handshake.
///
/// The addresses of the host are tried one after the other, a new one every 250 ms,
/// until one answers (RFC 8305). `TCP_NODELAY` is set, and all deadlines of [`Config`]
/// are enforced. `wss` needs the feature `rustls`, and trusts the roots of the
/// platform. Each step (DNS, TCP, TLS, opening handshake) may take
/// [`handshake_timeout`](Config::with_handshake_timeout).
///
/// `request` is a URI, or a [`ClientRequest`] with headers, cookies and subprotocols.
///
/// A client should not open several connections to one host at the same time (§4.1);
/// this is up to the caller, because connections share no state.
///
/// # Errors
///
/// - [`Error::Request`] if the URI is invalid.
/// - [`Error::Connect`] if a connection could not be made; contains the step that
///   failed.
/// - [`Error::Refused`] with the server's response, if it refuses or redirects.
/// - [`Error::Failed`] if the server breaks a rule or is too slow.
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

/// Accepts a WebSocket on a TCP stream: does the opening handshake as a server, and
/// accepts every upgrade that [`Config`] allows. Sets `TCP_NODELAY`, and enforces all
/// deadlines of [`Config`].
///
/// To check the path or cookies, select a subprotocol or serve a page, see
/// [`accept_with`].
///
/// # Errors
///
/// - [`Error::Rejected`] if the request breaks a rule. It was answered.
/// - [`Error::Failed`] if the request is plain HTTP, which was answered with 426, or
///   if the client is too slow.
/// - [`Error::Io`] if the stream failed.
///
/// ```no_run
/// use sansocket::{Config, blocking};
///
/// let config = Config::new();
/// let listener = std::net::TcpListener::bind("127.0.0.1:9001")?;
/// for stream in listener.incoming() {
///     let (stream, config) = (stream?, config.clone());
///     // In the thread: a slow client must not delay the others.
///     std::thread::spawn(move || {
///         let mut ws = blocking::accept(stream, &config)?;
///         ws.send("welcome")
///     });
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn accept(stream: TcpStream, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    let ws = accept_with(stream, config, Request::accept)?;
    ws.ok_or_else(|| crate::ConnectionError::from(HandshakeError::NotAnUpgrade).into())
}

/// Accepts a WebSocket on a TCP stream, like [`accept`], with the answer that `answer`
/// returns: to check the path or cookies, select a subprotocol, add headers, refuse, or
/// serve a page on the same port. Returns `None` if the answer does not open a
/// WebSocket.
///
/// # Errors
///
/// - [`Error::Rejected`] if the request breaks a rule. It was answered without calling
///   `answer`.
/// - [`Error::Failed`] if the client is too slow, or the stream ended early.
/// - [`Error::Io`] if the stream failed.
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
            // The answer is sent before the failure is returned.
            while let Ok(Some(_)) = ws.next_event() {}
            return Err(Error::Rejected(rejection));
        }
        _ => {}
    }
    Ok(ws.connection().is_open().then_some(ws))
}

/// Connects like [`connect`], with the options of a [`Connector`]: a proxy, trusted
/// roots, redirects.
///
/// # Errors
///
/// As [`connect`], and:
///
/// - [`Error::ProxyRefused`] or [`Error::SocksRefused`] if the proxy refuses.
/// - [`Error::Redirect`] or [`Error::TooManyRedirects`] if a redirect cannot be
///   followed.
///
/// ```no_run
/// use sansocket::{Config, adapter::Connector, blocking};
///
/// let connector = Connector::new(&Config::new())
///     .with_proxy("http://proxy.example.com:3128")?
///     .with_max_redirects(3);
/// let mut ws = blocking::connect_with("ws://example.com/chat", &connector)?;
/// ws.send("hello")?;
/// # Ok::<(), sansocket::Error>(())
/// ```
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

/// Connects over a stream of the caller, such as a Unix socket, a pipe in memory, or a
/// TCP connection with special options.
///
/// It must lead to the server or, if the connector has a proxy, to the proxy. This
/// function opens the tunnel through the proxy, does the TLS handshake for `wss://`,
/// and does the opening handshake. Redirects are not followed.
///
/// The stream must be blocking. Each step ends at its deadline by the timeouts of
/// `socket`; with `None`, there are no deadlines.
///
/// To use a TLS stream of another library, or any other stream that only implements
/// `Read` and `Write`, see [`WebSocket::client`].
///
/// # Errors
///
/// As [`connect_with`]; a redirect is [`Error::Refused`].
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
    /// Completes the opening handshake of a client that was created with
    /// [`client`](Self::client), on a blocking stream.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`] with the server's response, if it refuses.
    /// - [`Error::Failed`] if the server breaks a rule or is too slow.
    /// - [`Error::Io`] if the stream failed.
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
