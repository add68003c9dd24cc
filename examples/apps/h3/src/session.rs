//! One connection of QUIC with the WebSockets on it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quiche::h3::{self, WireErrorCode};
use quiche::{RecvInfo, SendInfo};
use sansocket::{Answer, ClientRequest, CloseCode, Config, Event, Outcome, Request};

use crate::outgoing::Transport;
use crate::streams::Streams;
use crate::{Error, Socket};

/// What a program does with the WebSockets of a connection.
pub trait Application {
    /// Answers a client's request. Accepts it by default.
    fn answer(&mut self, request: &Request) -> Answer {
        request.accept()
    }

    /// A WebSocket is open.
    fn opened(&mut self, _socket: &mut Socket) {}

    /// Something was received, or the WebSocket failed.
    fn received(&mut self, socket: &mut Socket, event: Event<'_>);

    /// A WebSocket is over, or a client's request failed. Called once for each.
    fn ended(&mut self, _result: Result<&Outcome, Error>) {}
}

/// A connection of QUIC: datagrams in, datagrams out.
///
/// After each datagram, after other calls, and whenever
/// [`timeout`](Self::timeout) has passed, call [`drive`](Self::drive), and then
/// [`send`](Self::send) until there is nothing to be sent.
pub struct Session {
    quic: quiche::Connection,
    http: Option<h3::Connection>,
    streams: Streams,
    origin: Instant,
    deadline: Option<Duration>,
}

impl Session {
    /// A connection that `quiche::accept` or `quiche::connect` began, for
    /// WebSockets with these settings.
    pub fn new(quic: quiche::Connection, config: &Config) -> Self {
        Self {
            quic,
            http: None,
            streams: Streams::new(config),
            origin: Instant::now(),
            deadline: None,
        }
    }

    /// How long a request may take, from [`connect`](Self::connect) to the
    /// response. Default 10 s.
    #[must_use]
    pub const fn with_opening_timeout(mut self, timeout: Duration) -> Self {
        self.streams.opening_timeout = timeout;
        self
    }

    /// Asks the server for a WebSocket, as soon as its settings have come.
    pub fn connect(&mut self, request: ClientRequest) {
        self.streams.connect(request, self.origin.elapsed());
    }

    /// Takes a datagram. An invalid one is ignored or ends the connection, as
    /// RFC 9000 says.
    pub fn receive(&mut self, datagram: &mut [u8], from: SocketAddr, to: SocketAddr) {
        let _ = self.quic.recv(datagram, RecvInfo { from, to });
    }

    /// Writes the next datagram to send, if there is one. `at` in the second
    /// value is when, for drivers that pace.
    pub fn send(&mut self, datagram: &mut [u8]) -> Option<(usize, SendInfo)> {
        self.quic.send(datagram).ok()
    }

    /// How long until [`drive`](Self::drive) must be called: the next deadline of
    /// QUIC or of a WebSocket.
    pub fn timeout(&self) -> Option<Duration> {
        let now = self.origin.elapsed();
        let deadline = self.deadline.map(|at| at.saturating_sub(now));
        deadline.into_iter().chain(self.quic.timeout()).min()
    }

    /// The open WebSockets.
    pub fn sockets(&mut self) -> impl Iterator<Item = &mut Socket> {
        self.streams.sockets.values_mut()
    }

    /// Begins an orderly end: no more requests (GOAWAY), 1001 on every
    /// WebSocket, and the end of the connection after the last of them.
    pub fn shut_down(&mut self) {
        self.streams.is_stopping = true;
        if let Some(http) = &mut self.http {
            // RFC 9114 §5.2: the lowest stream that is not served.
            let _ = http.send_goaway(&mut self.quic, self.streams.next_id);
        }
        for socket in self.sockets() {
            // Always a valid code.
            let _ = socket.close(CloseCode::GOING_AWAY, "");
        }
    }

    /// Whether the connection is over, so that the session can be dropped.
    pub fn is_closed(&self) -> bool {
        self.quic.is_closed()
    }

    /// Does all that can be done now. All streams are read into `buf`, so an
    /// idle connection owns no buffer.
    pub fn drive(&mut self, buf: &mut [u8], app: &mut impl Application) {
        if self.quic.timeout() == Some(Duration::ZERO) {
            self.quic.on_timeout();
        }
        if self.http.is_none() && self.quic.is_established() {
            self.http = start(&mut self.quic).ok();
        }
        let now = self.origin.elapsed();
        if let Some(http) = &mut self.http {
            let quic = &mut self.quic;
            self.streams
                .drive(now, &mut Transport { quic, http, buf }, app);
        }
        self.deadline = self.streams.next_deadline(now, app);
        if self.streams.is_stopping && self.streams.is_empty() && self.http.is_some() {
            // RFC 9114 §8.1: H3_NO_ERROR. `Done` if it is closed already.
            let _ = self.quic.close(true, WireErrorCode::NoError as u64, b"");
        }
        if self.has_ended() {
            let quic = &self.quic;
            self.streams.abandon(|| Error::of_connection(quic), app);
        }
    }

    /// Whether either side has closed the connection, or it was lost.
    fn has_ended(&self) -> bool {
        self.quic.is_closed() || self.quic.is_draining() || self.quic.local_error().is_some()
    }
}

fn start(quic: &mut quiche::Connection) -> h3::Result<h3::Connection> {
    let mut settings = h3::Config::new()?;
    // RFC 9220 §3: a client need not send it.
    settings.enable_extended_connect(quic.is_server());
    h3::Connection::with_transport(quic, &settings)
}
