//! Binary messages as a stream of bytes.

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

/// A WebSocket as a stream of bytes, for protocols that are tunnelled through
/// it: `AsyncRead` and `AsyncWrite` of the runtime.
///
/// Reading returns the payloads of the binary messages, one after the other; a
/// text message is an error of kind `InvalidData`. The peer's close frame is the
/// end of the stream; an end without one is an error of kind `UnexpectedEof`.
/// Each write is a message.
///
/// The two directions end one by one, as those of TCP do
/// ([`auto_close(false)`](crate::Connection::auto_close)). Shutting down sends
/// what was written and then the close frame, and what the peer sends before its
/// own close frame can still be read. After the end of the stream, writing goes
/// on until the tunnel is shut down. The second shutdown completes the closing
/// handshake: it returns once the peer has ended the transport too, or after
/// [`close_timeout`](crate::Config::with_close_timeout), and the peer then has all
/// that was sent.
///
/// - A side that has shut down waits for `close_timeout` after each byte that it
///   receives; then reading is an error of kind `TimedOut`. If the other side
///   may be silent for longer before it answers, raise it.
/// - A tunnel that is neither read nor written keeps no deadlines. One whose
///   application never shuts down its second direction is ended by its peer.
/// - Other implementations mostly answer a close frame at once, or ignore what
///   comes after their own: then the end of one direction is the end of both. If
///   the peer has ended the transport, writing is an error of the transport's,
///   such as `BrokenPipe` or `ConnectionReset`; if this side has shut down,
///   `BrokenPipe`.
#[derive(Debug)]
pub struct Tunnel<T> {
    ws: WebSocket<T>,
    /// What was received and not read.
    rest: Bytes,
}

/// A write takes no more than this.
const MAX_WRITE_LEN: usize = 64 * 1024;

impl<T> Tunnel<T> {
    pub(super) fn new(mut ws: WebSocket<T>) -> Self {
        ws.driver.ws.auto_close(false);
        Self {
            ws,
            rest: Bytes::new(),
        }
    }

    /// The WebSocket, and what was received and not read. It answers close
    /// frames by itself again; one that was received already is answered by
    /// [`close`](WebSocket::close).
    pub fn into_inner(self) -> (WebSocket<T>, Vec<u8>) {
        let Self { mut ws, rest } = self;
        ws.driver.ws.auto_close(true);
        (ws, rest.into())
    }
}

impl<T: Transport> Tunnel<T> {
    /// The bytes that come next; none are the end.
    pub(in crate::adapter) fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&[u8]>> {
        // Empty messages are nothing, not the end.
        while self.rest.is_empty() {
            match ready!(self.ws.poll(Half::Reader, cx, Driver::poll_message))
                .map_err(io::Error::from)?
            {
                None => return Poll::Ready(Ok(&[])),
                Some(Message::Binary(bytes)) => self.rest = bytes,
                Some(Message::Text(_)) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a text message in a stream of bytes",
                    )));
                }
            }
        }
        Poll::Ready(Ok(&self.rest))
    }

    /// So many of them were read.
    pub(in crate::adapter) fn consume(&mut self, len: usize) {
        self.rest.advance(len.min(self.rest.len()));
        if self.rest.is_empty() {
            // An empty part still keeps the memory of the whole.
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
