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

/// Start.
impl<S: Read + Write> WebSocket<S> {
    /// A server on a stream, before the handshake: [`next_event`](Self::next_event)
    /// brings the request, which [`respond`](Self::respond) answers.
    pub fn server(stream: S, config: &Config) -> Self {
        Self::new(stream, Connection::server(config), Vec::new())
    }

    /// A client on a stream that is connected, by TLS or a proxy for example.
    /// The request leaves with the first call of any method that moves bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`].
    pub fn client(stream: S, request: &ClientRequest, config: &Config) -> Result<Self, SendError> {
        let mut out = Vec::new();
        let ws = Connection::client(request, config, &mut out)?;
        Ok(Self::new(stream, ws, out))
    }

    /// A stream on which somebody else did the handshake. `read_ahead` are the
    /// bytes that were read after the head.
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

    /// Lets deadlines work on this stream, through its timeouts.
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
            epoch: Instant::now(),
            partial: None,
            last_event: None,
            is_shut_down: false,
            is_finished: false,
        }
    }
}
