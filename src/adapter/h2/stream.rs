//! An HTTP/2 stream as a stream of bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::h2::{Reason, RecvStream, SendStream};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use bytes::{Buf, Bytes, BytesMut};

use super::io_error;

/// An HTTP/2 stream as a stream of bytes: the stream of a
/// [`WebSocket`](super::WebSocket).
///
/// A write accepts no more bytes than the peer's flow-control window allows.
#[derive(Debug)]
pub struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// The unread part of the last frame.
    unread: Bytes,
}

impl Stream {
    /// Creates a stream from the two halves that `h2` returns.
    pub const fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self {
            send,
            receive,
            unread: Bytes::new(),
        }
    }

    /// Room in the window, for at most this many bytes.
    fn poll_capacity(&mut self, cx: &mut Context<'_>, len: usize) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(len);
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => capacity.map_err(io_error)?,
                None => return self.poll_reset_reason(cx).map(Err),
            };
        }
        Poll::Ready(Ok(self.send.capacity().min(len)))
    }

    /// Why nothing can be written any more.
    fn poll_reset_reason(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let reason = ready!(self.send.poll_reset(cx));
        Poll::Ready(match reason {
            Ok(Reason::NO_ERROR) => io::ErrorKind::BrokenPipe.into(),
            Ok(reason) => io_error(reason.into()),
            Err(error) => io_error(error),
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(data)) => self.unread = data,
                // The end of the connection is that of its streams, as over TCP.
                Some(Err(error)) if is_end_of_connection(&error) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = self.unread.len().min(buf.remaining());
        buf.put_slice(self.unread.get(..len).unwrap_or_default());
        self.unread.advance(len);
        // The peer may send as many bytes again.
        let released = self.receive.flow_control().release_capacity(len);
        Poll::Ready(released.map_err(io_error))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let len = ready!(self.poll_capacity(cx, len))?;
        let mut data = BytesMut::with_capacity(len);
        for slice in slices {
            let rest = slice.len().min(len - data.len());
            data.extend_from_slice(slice.get(..rest).unwrap_or_default());
        }
        let sent = self.send.send_data(data.freeze(), false);
        Poll::Ready(sent.map(|()| len).map_err(io_error))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task writes.
        Poll::Ready(Ok(()))
    }

    /// Ends the stream (`END_STREAM`).
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.send.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(io_error))
    }
}

/// Whether the connection ended before the stream, without a reason. h2 reports this
/// as a broken pipe.
pub(super) fn is_end_of_connection(error: &::h2::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, UnexpectedEof};
    let error = error.get_io();
    error.is_some_and(|error| matches!(error.kind(), BrokenPipe | UnexpectedEof))
}
