//! Binary messages as a stream of bytes.

use std::io;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use super::WebSocket;
use super::driver::Driver;
use super::tasks::Side;
use super::transport::Transport;
use crate::adapter::Error;
use crate::close::CloseCode;
use crate::message::Message;

/// A WebSocket as a stream of bytes, for protocols that are tunnelled through
/// it: `AsyncRead` and `AsyncWrite` of the runtime.
///
/// Reading returns the payloads of the binary messages, one after the other; a
/// text message is an error of kind `InvalidData`. The peer's close frame is the
/// end of the stream; an end without one is an error of kind `UnexpectedEof`.
/// Each write is a message. Shutting down sends what was written and then the
/// close frame; what the peer sends before its own close frame can still be
/// read, within [`close_timeout`](crate::Config::close_timeout).
///
/// A close frame is answered at once, which ends both directions: after the
/// peer's, writing is an error of kind `BrokenPipe`. Protocols that end one
/// direction and go on sending in the other need a mark of their own for that.
#[derive(Debug)]
pub struct Tunnel<T> {
    ws: WebSocket<T>,
    /// What was received and not read, from `start` on.
    rest: Vec<u8>,
    start: usize,
}

/// A write takes no more than this.
const MAX_WRITE_LEN: usize = 64 * 1024;

impl<T> Tunnel<T> {
    pub(super) const fn new(ws: WebSocket<T>) -> Self {
        Self {
            ws,
            rest: Vec::new(),
            start: 0,
        }
    }

    /// The WebSocket, and what was received and not read.
    pub fn into_inner(self) -> (WebSocket<T>, Vec<u8>) {
        let Self {
            ws,
            mut rest,
            start,
        } = self;
        (ws, rest.split_off(start))
    }
}

impl<T: Transport> Tunnel<T> {
    /// The bytes that come next; none are the end.
    pub(in crate::adapter) fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&[u8]>> {
        // Empty messages are nothing, not the end.
        while self.start == self.rest.len() {
            match ready!(self.ws.poll(Side::Reader, cx, Driver::poll_message)).map_err(into_io)? {
                None => return Poll::Ready(Ok(&[])),
                Some(Message::Binary(bytes)) => {
                    (self.rest, self.start) = (bytes.into(), 0);
                }
                Some(Message::Text(_)) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a text message in a stream of bytes",
                    )));
                }
            }
        }
        Poll::Ready(Ok(self.rest.get(self.start..).unwrap_or_default()))
    }

    /// So many of them were read.
    pub(in crate::adapter) fn consume(&mut self, len: usize) {
        self.start += len;
        if self.start >= self.rest.len() {
            (self.rest, self.start) = (Vec::new(), 0);
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
        let taken = self.ws.poll(Side::Writer, cx, |driver, cx| {
            driver.poll_take(cx, &mut message)
        });
        taken.map_ok(|()| bytes.len()).map_err(into_io)
    }

    pub(in crate::adapter) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.ws.poll(Side::Writer, cx, Driver::poll_flush);
        flushed.map_err(into_io)
    }

    pub(in crate::adapter) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.ws.poll(Side::Writer, cx, |driver, cx| {
            driver.poll_close(cx, CloseCode::NORMAL, "")
        });
        closed.map_err(into_io)
    }
}

fn into_io(error: Error) -> io::Error {
    let kind = match &error {
        Error::Io(error) => error.kind(),
        Error::Failed(crate::Error::UnexpectedEof) => io::ErrorKind::UnexpectedEof,
        Error::Failed(crate::Error::Timeout(_)) => io::ErrorKind::TimedOut,
        Error::Failed(_) => io::ErrorKind::InvalidData,
        Error::Send(_) => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
