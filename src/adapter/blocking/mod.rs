//! WebSockets over `std::io::{Read, Write}`: with one thread for each connection, with
//! two after [`split`](WebSocket::split), or over non-blocking streams.
//!
//! | to | use |
//! |---|---|
//! | connect to a URI | [`connect`]; with a proxy, TLS options or redirects: [`connect_with`] |
//! | connect over a stream of your own | [`connect_on`] |
//! | accept on a TCP stream | [`accept`]; to answer requests yourself: [`accept_with`] |
//! | accept on TLS or another stream | [`WebSocket::server`] |
//! | send and receive in two threads | [`WebSocket::split`] |
//!
//! An echo server for one client at a time:
//!
//! ```no_run
//! use std::net::TcpListener;
//! use sansocket::{Config, blocking};
//!
//! let config = Config::new();
//! for stream in TcpListener::bind("127.0.0.1:9001")?.incoming() {
//!     let mut ws = blocking::accept(stream?, &config)?;
//!     while let Some(message) = ws.next()? {
//!         ws.send(message)?;
//!     }
//! }
//! # Ok::<(), sansocket::Error>(())
//! ```

// This moves bytes and measures time; the rules of the protocol are in the core.

// In the order in which the documentation lists their methods.
mod start;

mod connect;

mod receive;

mod send;

mod split;

mod reader;
mod writer;

mod dial;
mod driver;
mod shared;
mod socket;
mod stream;
#[cfg(feature = "rustls")]
mod tls;
mod write_queue;

use std::boxed::Box;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

pub use connect::{Client, accept, accept_with, connect, connect_on, connect_with};
pub use reader::Reader;
pub use socket::Socket;
pub use stream::{Duplex, Stream};
#[cfg(feature = "rustls")]
pub use tls::TlsStream;
pub use writer::Writer;

use super::auto_replies::AutoReplies;
use super::read_buffer::ReadBuffer;
pub use super::{Error, Parts};
use crate::close::Outcome;
use crate::connection::Connection;
use crate::event::Event;
use crate::handshake::Response;
use crate::message::Assembler;
use socket::SocketTimeout;
use write_queue::WriteQueue;

/// A WebSocket over a stream.
///
/// [`next`](Self::next) receives a message and [`send`](Self::send) sends one. With a
/// blocking stream, both wait. With a non-blocking stream, they return
/// [`WouldBlock`](Error::is_would_block) and can be called again at any time, also
/// during the handshake: all state is kept here.
///
/// Pongs, close frames and refusals are sent before the next read. A single thread
/// cannot send and receive at once: if both endpoints send large messages and do not
/// receive meanwhile, they wait for each other until the write deadline. To avoid that,
/// [`split`](Self::split) the WebSocket.
///
/// # Deadlines
///
/// Deadlines need a stream whose reads and writes can time out. [`accept`] and
/// [`connect`] arrange that for TCP, [`with_socket`](Self::with_socket) for other
/// streams. If the caller sets a read timeout on the stream, it is respected:
/// [`next`](Self::next) then returns [`WouldBlock`](Error::is_would_block), and nothing
/// is lost.
///
/// # Memory
///
/// Holds a read buffer of 16 KiB, which grows up to 128 KiB for large frames, and
/// unsent bytes of up to [`max_unsent_len`](crate::Config::with_max_unsent_len) and one
/// message.
///
/// ```no_run
/// # fn serve(stream: std::net::TcpStream) -> Result<(), sansocket::Error> {
/// use sansocket::{Config, Message, blocking};
///
/// let mut ws = blocking::accept(stream, &Config::new())?;
/// while let Some(message) = ws.next()? {
///     match message {
///         Message::Text(text) => ws.send(text)?,
///         Message::Binary(bytes) => println!("{} bytes", bytes.len()),
///     }
/// }
/// println!("{:?}", ws.outcome());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    ws: Connection,
    read_buffer: ReadBuffer,
    write_queue: WriteQueue,
    auto_replies: AutoReplies,
    max_unsent_len: usize,
    /// As a client: the response that opened the connection, until it is taken.
    response: Option<Response>,
    socket: Option<Socket<S>>,
    reads: SocketTimeout<S>,
    writes: SocketTimeout<S>,
    /// Writing failed: nothing more leaves.
    write_error: Option<io::ErrorKind>,
    epoch: Instant,
    /// The pieces of an incomplete message, if they are to be joined.
    partial: Option<Box<Assembler>>,
    /// The event that ended the connection, to be returned once the unsent bytes are
    /// written.
    last_event: Option<Event<'static>>,
    /// Whether the outgoing direction was ended.
    is_shut_down: bool,
    /// Whether reading and writing have ended.
    is_finished: bool,
}

/// State.
impl<S> WebSocket<S> {
    /// Returns the state machine, for its state and counters.
    pub const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// Frees the memory of the compressor, see [`Connection::release`].
    #[cfg(feature = "deflate")]
    pub fn release(&mut self) {
        self.ws.release();
    }

    /// Returns how the connection ended, or `None` while it has not.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.ws.outcome()
    }

    /// Returns the negotiated subprotocol, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.ws.subprotocol()
    }

    /// Returns the response with which the server opened the connection. `None` for a
    /// server, before the handshake is complete, and after
    /// [`take_response`](Self::take_response).
    ///
    /// If [`next_event`](Self::next_event) or [`drive`](Self::drive) returned
    /// [`Event::Open`], the response is in that event instead.
    pub const fn response(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    /// Takes the [`response`](Self::response), which otherwise stays in memory for as
    /// long as the connection.
    pub const fn take_response(&mut self) -> Option<Response> {
        self.response.take()
    }

    /// Returns the number of unsent bytes.
    pub const fn unsent_len(&self) -> usize {
        self.write_queue.len()
    }

    /// Returns the stream.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream, like [`stream`](Self::stream). Other libraries use this
    /// name.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream, to change its options. Reading or writing it breaks the
    /// connection.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns the stream, with its original timeouts, the bytes that were read from it
    /// and not consumed (for example those after a plain HTTP request), and the unsent
    /// bytes. See the example of [`Parts`].
    pub fn into_stream(self) -> Parts<S> {
        self.reads.restore(&self.stream);
        self.writes.restore(&self.stream);
        Parts {
            stream: self.stream,
            read_ahead: self.read_buffer.into_rest(),
            unsent: self.write_queue.unsent_slices().concat(),
        }
    }
}

/// Implements `peer_addr` for servers, clients, and their halves.
macro_rules! peer_addr {
    ($handle:ty, $this:ident => $tcp:expr) => {
        impl $handle {
            /// Returns the address of the peer, or of a client's proxy.
            ///
            /// # Errors
            ///
            /// If the socket is no longer connected.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                let $this = self;
                $tcp.peer_addr()
            }
        }
    };
}

peer_addr!(WebSocket<TcpStream>, this => this.stream);
peer_addr!(Reader<TcpStream>, this => this.get_ref());
peer_addr!(Writer<TcpStream>, this => this.get_ref());
peer_addr!(Client, this => this.stream.tcp());
peer_addr!(Reader<Stream>, this => this.get_ref().tcp());
peer_addr!(Writer<Stream>, this => this.get_ref().tcp());
