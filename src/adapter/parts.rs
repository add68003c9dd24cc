//! The parts of a WebSocket.

use std::vec::Vec;

/// The result of `into_stream`: the stream of a WebSocket, and the bytes that were
/// buffered in both directions.
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
///         let body = parts.read_ahead; // followed by the rest of the stream
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
    /// The bytes that were read from the stream and not consumed, such as those after a
    /// plain HTTP request. They come before what is read from the stream.
    pub read_ahead: Vec<u8>,
    /// The unsent bytes. To continue this connection, write them first. They can begin
    /// in the middle of a frame.
    pub unsent: Vec<u8>,
}
