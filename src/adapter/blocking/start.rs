//! How a WebSocket starts: with a handshake, or after one.

use std::io::{Read, Write};
use std::time::Instant;
use std::vec::Vec;

use super::socket::SocketTimeout;
use super::write_queue::WriteQueue;
use super::{Socket, WebSocket};
use crate::adapter::auto_replies::AutoReplies;
use crate::adapter::read_buffer::ReadBuffer;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, ClientRequest};

/// Constructors.
impl<S: Read + Write> WebSocket<S> {
    /// Creates a server over a stream, before the opening handshake:
    /// [`next_event`](Self::next_event) returns the request, which
    /// [`respond`](Self::respond) answers. [`next`](Self::next) accepts it.
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # fn serve(stream: std::os::unix::net::UnixStream) -> Result<(), sansocket::Error> {
    /// use sansocket::{Config, blocking::{Socket, WebSocket}};
    ///
    /// let mut ws = WebSocket::server(stream, &Config::new()).with_socket(Socket::unix());
    /// while let Some(message) = ws.next()? {
    ///     ws.send(message)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn server(stream: S, config: &Config) -> Self {
        Self::new(stream, Connection::server(config), Vec::new())
    }

    /// Creates a client over a stream that is already connected to the server, such as
    /// a TLS stream of another library. Complete the handshake with
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`] if no random nonce is available.
    ///
    /// ```no_run
    /// # fn run(tls: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use sansocket::{ClientRequest, Config, blocking::WebSocket};
    ///
    /// // `tls` can be any type that implements `Read` and `Write`.
    /// let request = ClientRequest::to("wss://example.com/")?;
    /// let mut ws = WebSocket::client(tls, &request, &Config::new())?.connect()?;
    /// ws.send("hello")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn client(stream: S, request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        let mut out = Vec::new();
        let ws = Connection::client(request, config, &mut out)?;
        Ok(Self::new(stream, ws, out))
    }

    /// Creates a WebSocket over a stream on which another library did the opening
    /// handshake. `read_ahead` contains the bytes that it read after the head.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Role, blocking::WebSocket};
    ///
    /// // A stream in memory, from which nothing can be read.
    /// let stream = std::io::Cursor::new(Vec::new());
    /// let read_ahead = b"\x81\x05hello".to_vec();
    /// let (none, config) = (Agreement::default(), Config::new());
    /// let mut ws = WebSocket::upgraded(stream, Role::Client, none, read_ahead, &config);
    /// assert_eq!(ws.next()?, Some("hello".into()));
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    pub fn upgraded(
        stream: S,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        let mut this = Self::new(
            stream,
            Connection::upgraded(role, agreement, config),
            Vec::new(),
        );
        this.read_buffer = ReadBuffer::read_ahead(read_ahead);
        this
    }

    /// Enables deadlines, by the timeouts of the stream.
    #[must_use]
    pub fn with_socket(mut self, socket: Socket<S>) -> Self {
        self.socket = Some(socket);
        self.reads = SocketTimeout::for_reads(self.socket);
        self.writes = SocketTimeout::for_writes(self.socket);
        self
    }

    fn new(stream: S, ws: Connection, out: Vec<u8>) -> Self {
        Self {
            stream,
            read_buffer: ReadBuffer::default(),
            write_queue: WriteQueue::new(out),
            auto_replies: AutoReplies::default(),
            max_unsent_len: ws.config().settings().max_unsent_len,
            ws,
            response: None,
            socket: None,
            reads: SocketTimeout::for_reads(None),
            writes: SocketTimeout::for_writes(None),
            write_error: None,
            epoch: Instant::now(),
            partial: None,
            last_event: None,
            is_shut_down: false,
            is_finished: false,
        }
    }
}
