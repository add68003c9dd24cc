//! WebSockets over `std::io::{Read, Write}`: one thread for a connection, or
//! two with [`split`](WebSocket::split).
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

// Knows how to move bytes and time; knows no rule of the protocol.

// In the order in which the documentation lists their methods.
mod start;

mod connect;

mod receive;

mod send;

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
/// [`next`](Self::next) receives and [`send`](Self::send) sends. With a
/// blocking stream both wait; with a non-blocking one they return
/// [`WouldBlock`](Error::is_would_block) and can be called again at any time,
/// in the middle of the handshake too: all state is kept here.
///
/// Pongs, close frames and refusals leave before the next read. One thread
/// cannot send and receive at once: two ends that both send large messages and
/// do not receive meanwhile wait for each other until the write deadline, and
/// [`split`](Self::split) avoids that.
///
/// Deadlines need a stream whose reads and writes can time out: [`accept`] and
/// [`connect`] see to that for TCP, [`with_socket`](Self::with_socket) for
/// others. A read timeout of the caller's own on the stream is respected:
/// [`next`](Self::next) then returns [`WouldBlock`](Error::is_would_block),
/// and nothing is lost.
///
/// Holds a read buffer of 16 KiB, of up to 128 KiB once large frames came, and
/// unsent bytes up to [`max_unsent_len`](crate::Config::with_max_unsent_len) and one
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
    /// As a client: what opened the connection, until it is taken.
    response: Option<Response>,
    socket: Option<Socket<S>>,
    reads: SocketTimeout<S>,
    writes: SocketTimeout<S>,
    epoch: Instant,
    /// The pieces of a message that came so far, where they are to be joined.
    partial: Option<Box<Assembler>>,
    /// The event that ended the connection, to be returned once what is owed
    /// has left.
    last_event: Option<Event<'static>>,
    /// The outgoing direction was ended.
    is_shut_down: bool,
    /// Nothing is read or written any more.
    is_finished: bool,
}

/// Questions.
impl<S> WebSocket<S> {
    /// The state machine, with all that it can be asked.
    pub const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// Gives back memory, see [`Connection::release`].
    #[cfg(feature = "deflate")]
    pub fn release(&mut self) {
        self.ws.release();
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.ws.outcome()
    }

    /// The subprotocol that the handshake settled.
    pub fn subprotocol(&self) -> Option<&str> {
        self.ws.subprotocol()
    }

    /// The response with which the server opened the connection, with its
    /// header fields. `None` for a server, before the handshake is over, and
    /// after [`take_response`](Self::take_response).
    ///
    /// If `next_event` or `drive` returned [`Event::Open`], the response is in
    /// that event instead.
    pub const fn response(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    /// Takes the [`response`](Self::response). A client keeps it on the heap
    /// until then.
    pub const fn take_response(&mut self) -> Option<Response> {
        self.response.take()
    }

    /// How many bytes wait to leave.
    pub const fn unsent_len(&self) -> usize {
        self.write_queue.len()
    }

    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream, as other wrappers call it.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, to change its options. Reading or writing it breaks the
    /// connection.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, with the timeouts that it had, the bytes that were read from
    /// it and not taken, as those after a plain HTTP request, and those that were
    /// not yet written.
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

/// Of a socket, a client, and their halves.
macro_rules! peer_addr {
    ($handle:ty, $this:ident => $tcp:expr) => {
        impl $handle {
            /// The address of the peer, or of a client's proxy.
            ///
            /// # Errors
            ///
            /// If the socket is not connected any more.
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
