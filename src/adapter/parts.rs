//! What a WebSocket is taken apart into.

use std::vec::Vec;

/// What `into_stream` returns: the stream of a WebSocket, and the bytes that
/// are on neither side of it.
///
/// ```no_run
/// use sansocket::{Config, Event, blocking};
/// use std::io::Write;
///
/// # let stream = std::net::TcpStream::connect("127.0.0.1:9001")?;
/// let mut ws = blocking::WebSocket::server(stream, &Config::new());
/// if let Some(Event::Request(request)) = ws.next_event()? {
///     if !request.is_upgrade() {
///         let mut parts = ws.into_stream();
///         let body = parts.read_ahead; // and then what the stream brings
///         parts.stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
///     }
/// }
/// # Ok::<(), sansocket::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The stream.
    pub stream: S,
    /// The bytes that were read from it and not taken: those after a plain HTTP
    /// request, for example. Whoever reads the stream reads these first.
    pub read_ahead: Vec<u8>,
    /// The bytes that were not yet written: whoever goes on with this connection
    /// writes these first. They may begin within a frame.
    pub unsent: Vec<u8>,
}
