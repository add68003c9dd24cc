//! Tunnels: binary messages as a stream of bytes.

use std::io;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use bytes::{Buf, Bytes};

use super::WebSocket;
use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Half;
use crate::adapter::Error;
use crate::close::CloseCode;
use crate::message::Message;

/// A WebSocket as a stream of bytes, to tunnel another protocol through it: it
/// implements the `AsyncRead` and `AsyncWrite` of the runtime.
///
/// Each write is sent as one binary message. Reading returns the payloads of the
/// received binary messages, without their boundaries. A text message is an error of
/// kind `InvalidData`. The peer's close frame is the end of the stream; an end of the
/// transport without one is an error of kind `UnexpectedEof`.
///
/// # Closing
///
/// Each direction is closed separately, as with TCP
/// ([`auto_close(false)`](crate::Connection::auto_close)):
///
/// - Shutting down sends the unsent bytes and then a close frame. What the peer
///   sends before its own close frame can still be read.
/// - After the end of the stream, this side can write until it shuts down.
/// - The second shutdown completes the closing handshake. It returns once the peer
///   has closed the transport too, or after
///   [`close_timeout`](crate::Config::with_close_timeout). The peer has then received
///   everything that was sent.
///
/// After shutting down, a side waits for `close_timeout` after each received byte;
/// then reading returns an error of kind `TimedOut`. Increase it if the other side
/// can be silent for longer. A tunnel that is neither read nor written enforces no
/// deadlines.
///
/// Most other implementations answer a close frame at once, or ignore what they
/// receive after their own: with these, closing one direction closes both. If the
/// peer has closed the transport, writing returns the transport's error, such as
/// `BrokenPipe` or `ConnectionReset`. After this side has shut down, writing returns
/// `BrokenPipe`.
///
/// ```no_run
/// # #[cfg(feature = "tokio")]
/// # async fn run(ws: sansocket::tokio::WebSocket<tokio::net::TcpStream>) -> std::io::Result<()> {
/// // Forwards a TCP connection.
/// let mut local = tokio::net::TcpStream::connect("127.0.0.1:22").await?;
/// let mut tunnel = ws.into_tunnel();
/// tokio::io::copy_bidirectional(&mut tunnel, &mut local).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tunnel<T> {
    ws: WebSocket<T>,
    /// Bytes that were received and not read yet.
    rest: Bytes,
}

/// The maximum length of one write.
const MAX_WRITE_LEN: usize = 64 * 1024;

impl<T> Tunnel<T> {
    pub(super) fn new(mut ws: WebSocket<T>) -> Self {
        ws.driver.ws.auto_close(false);
        Self {
            ws,
            rest: Bytes::new(),
        }
    }

    /// Returns the WebSocket, and the bytes that were received and not read.
    ///
    /// It answers close frames automatically again. If the peer's close frame was
    /// received already, answer it with [`close`](WebSocket::close).
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sansocket::{Agreement, Config, Role, tokio::WebSocket};
    /// # let (near, far) = tokio::io::duplex(4096);
    /// # let (config, none) = (Config::new(), Agreement::default());
    /// # let mut ws = WebSocket::upgraded(near, Role::Server, none.clone(), Vec::new(), &config);
    /// # let mut peer = WebSocket::upgraded(far, Role::Client, none, Vec::new(), &config);
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut tunnel = ws.into_tunnel();
    /// peer.send(b"STARTTLS\nrest").await?;
    /// let mut command = [0; 9];
    /// tunnel.read_exact(&mut command).await?;
    /// let (mut ws, unread) = tunnel.into_inner();
    /// assert_eq!(unread, b"rest");
    /// ws.send("messages again").await?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub fn into_inner(self) -> (WebSocket<T>, Vec<u8>) {
        let Self { mut ws, rest } = self;
        ws.driver.ws.auto_close(true);
        (ws, rest.into())
    }
}

impl<T: Transport> Tunnel<T> {
    /// The next bytes, which are empty at the end of the stream.
    pub(in crate::adapter) fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&[u8]>> {
        // An empty message is not the end of the stream.
        while self.rest.is_empty() {
            match ready!(self.ws.poll(Half::Reader, cx, Driver::poll_message))
                .map_err(io::Error::from)?
            {
                None => return Poll::Ready(Ok(&[])),
                Some(Message::Binary(bytes)) => self.rest = bytes,
                Some(Message::Text(_)) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "text message in a tunnel",
                    )));
                }
            }
        }
        Poll::Ready(Ok(&self.rest))
    }

    /// Consumes bytes that were read.
    pub(in crate::adapter) fn consume(&mut self, len: usize) {
        self.rest.advance(len.min(self.rest.len()));
        if self.rest.is_empty() {
            // An empty slice would keep the memory of the whole message.
            self.rest = Bytes::new();
        }
    }

    pub(in crate::adapter) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = bytes.get(..MAX_WRITE_LEN).unwrap_or(bytes);
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut message = Some(bytes.into());
        let taken = self.ws.poll(Half::Writer, cx, |driver, cx| {
            driver.poll_take(cx, &mut message)
        });
        taken.map_ok(|()| bytes.len()).map_err(io::Error::from)
    }

    pub(in crate::adapter) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.ws.poll(Half::Writer, cx, Driver::poll_flush);
        flushed.map_err(io::Error::from)
    }

    pub(in crate::adapter) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.ws.poll(Half::Writer, cx, |driver, cx| {
            ready!(driver.poll_close(cx, CloseCode::NORMAL, ""))?;
            driver.poll_closed(cx).map(Ok::<_, Error>)
        });
        closed.map_err(io::Error::from)
    }
}
