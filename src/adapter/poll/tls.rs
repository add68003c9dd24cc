//! A transport with or without TLS: rustls implements the protocol, this moves its
//! bytes.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;
#[cfg(feature = "rustls")]
use {
    std::boxed::Box,
    std::io::{Read, Write},
    std::task::ready,
    std::vec::Vec,
};

use bytes::BufMut;

use super::WebSocket;
#[cfg(feature = "rustls")]
use super::buffers;
use super::transport::Transport;
use crate::adapter::parts::Parts;

/// A transport with or without TLS: the stream of a client.
///
/// ```no_run
/// # #[cfg(all(feature = "tokio", feature = "rustls"))]
/// # async fn run() -> Result<(), sansocket::Error> {
/// use sansocket::{Config, adapter::poll::MaybeTls, tokio};
///
/// let ws = tokio::connect("wss://example.com/", &Config::new()).await?;
/// assert!(matches!(ws.stream(), MaybeTls::Tls(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTls<T> {
    /// Without TLS, for `ws`.
    Plain(T),
    /// With TLS, for `wss`.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsIo<T>>),
}

/// A transport with TLS.
#[cfg(feature = "rustls")]
#[derive(Debug)]
pub struct TlsIo<T> {
    io: T,
    session: rustls::ClientConnection,
    received: Received,
    /// How many bytes of the last write may be unsent.
    unsent_len: usize,
    /// An error to be returned after the bytes that were read before it.
    error: Option<io::Error>,
    is_closing: bool,
}

/// Bytes that were read and not decrypted yet. A session accepts 4 KiB at a time:
/// without this, each of them would be a read of the stream.
#[cfg(feature = "rustls")]
#[derive(Debug, Default)]
struct Received {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl<T> MaybeTls<T> {
    /// The transport below.
    pub(in crate::adapter) const fn io(&self) -> &T {
        match self {
            Self::Plain(io) => io,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => &tls.io,
        }
    }

    /// The transport below.
    pub(in crate::adapter) const fn io_mut(&mut self) -> &mut T {
        match self {
            Self::Plain(io) => io,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => &mut tls.io,
        }
    }
}

/// The stream of a client.
impl<T: Transport> WebSocket<MaybeTls<T>> {
    /// Returns the stream, with or without TLS.
    pub const fn stream(&self) -> &MaybeTls<T> {
        self.io()
    }

    /// Returns the stream, like [`stream`](Self::stream). Other libraries use this
    /// name.
    pub const fn get_ref(&self) -> &MaybeTls<T> {
        self.io()
    }

    /// Returns the stream, to change its options. Reading or writing it breaks the
    /// connection.
    pub const fn get_mut(&mut self) -> &mut MaybeTls<T> {
        self.io_mut()
    }

    /// Returns the stream, with the bytes that were read from it and not consumed, and
    /// the unsent bytes.
    pub fn into_stream(self) -> Parts<MaybeTls<T>> {
        self.into_parts()
    }
}

/// Calls the method of the variant.
macro_rules! either {
    ($self:ident, $io:ident => $call:expr) => {
        match $self {
            Self::Plain($io) => $call,
            #[cfg(feature = "rustls")]
            Self::Tls($io) => $call,
        }
    };
}

impl<T: Transport> Transport for MaybeTls<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_read(cx, buf))
    }

    fn poll_read_buf(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut dyn BufMut,
    ) -> Option<Poll<io::Result<usize>>> {
        either!(self, io => io.poll_read_buf(cx, buf))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_write(cx, slices))
    }

    fn is_vectored(&self) -> bool {
        either!(self, io => io.is_vectored())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_flush(cx))
    }

    fn buffered_len(&self) -> usize {
        either!(self, io => io.buffered_len())
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_shutdown(cx))
    }

    fn now(&self) -> Option<Duration> {
        self.io().now()
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        either!(self, io => io.poll_deadline(cx, at))
    }
}

#[cfg(feature = "rustls")]
impl<T: Transport> TlsIo<T> {
    pub(super) fn new(io: T, session: rustls::ClientConnection) -> Self {
        Self {
            io,
            session,
            received: Received::default(),
            unsent_len: 0,
            error: None,
            is_closing: false,
        }
    }

    /// The protocol that the server selected (ALPN, RFC 7301).
    pub(super) fn alpn(&self) -> Option<&[u8]> {
        self.session.alpn_protocol()
    }

    /// Does the TLS handshake.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.is_handshaking() {
            ready!(self.poll_flush(cx))?;
            if self.session.is_handshaking() && ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.poll_flush(cx)
    }

    /// Sends all records that are ready.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut adapted = WouldBlockIo {
                io: &mut self.io,
                cx,
            };
            match ready!(would_block_to_pending(self.session.write_tls(&mut adapted)))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                len => self.unsent_len = self.unsent_len.saturating_sub(len),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Receives some bytes of records; 0 is the end of the stream.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.received.is_empty() {
            ready!(self.received.poll_fill(cx, &mut self.io))?;
        }
        let len = self.received.feed_session(&mut self.session)?;
        let processed = self.session.process_new_packets();
        if let Err(error) = processed {
            // The alert for the peer, if it still reads.
            let _ = self.poll_send(cx);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(len))
    }

    /// Reads all decrypted bytes, and waits for more if there were none.
    fn poll_plaintext(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        len: &mut usize,
    ) -> Poll<io::Result<()>> {
        loop {
            let room = buf.get_mut(*len..).unwrap_or_default();
            match self.session.reader().read(room) {
                // The end of the stream, or the buffer is full.
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(read) => *len += read,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                Err(_) if *len > 0 && self.received.is_empty() => return Poll::Ready(Ok(())),
                Err(_) => {
                    // A key update may have to be answered. If nothing can be
                    // written, what was received must still be delivered.
                    let _ = self.poll_send(cx);
                    ready!(self.poll_receive(cx))?;
                }
            }
        }
    }
}

#[cfg(feature = "rustls")]
impl Received {
    const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads once.
    fn poll_fill(&mut self, cx: &mut Context<'_>, io: &mut impl Transport) -> Poll<io::Result<()>> {
        let mut buf = buffers::take_read();
        match io.poll_read(cx, &mut buf) {
            Poll::Ready(Ok(len)) => {
                (self.start, self.end) = (0, len);
                self.buf = buf;
                Poll::Ready(Ok(()))
            }
            read => {
                buffers::put_read(buf);
                read.map_ok(|_| ())
            }
        }
    }

    /// Passes some of it to a session; no bytes are the end of the stream.
    fn feed_session(&mut self, session: &mut rustls::ClientConnection) -> io::Result<usize> {
        let mut bytes = self.buf.get(self.start..self.end).unwrap_or_default();
        let taken = session.read_tls(&mut bytes);
        self.start = match taken {
            Ok(1..) => self.end - bytes.len(),
            // Nothing is accepted after the peer's close_notify.
            _ => self.end,
        };
        if self.is_empty() {
            buffers::put_read(core::mem::take(&mut self.buf));
        }
        taken
    }
}

#[cfg(feature = "rustls")]
impl<T: Transport> Transport for TlsIo<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let mut len = 0;
        match self.poll_plaintext(cx, buf, &mut len) {
            read if len == 0 => read.map_ok(|()| 0),
            read => {
                if let Poll::Ready(Err(error)) = read {
                    self.error = Some(error);
                }
                Poll::Ready(Ok(len))
            }
        }
    }

    /// Accepts one write at a time, so that it is known how much was sent.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let len = self.session.writer().write_vectored(slices)?;
        self.unsent_len = len;
        // What cannot be sent now is sent by the flush.
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(len)),
        }
    }

    /// Records are copies anyway.
    fn is_vectored(&self) -> bool {
        true
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.io.poll_flush(cx)
    }

    fn buffered_len(&self) -> usize {
        let own = if self.session.wants_write() {
            self.unsent_len.max(1)
        } else {
            0
        };
        own + self.io.buffered_len()
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closing {
            self.is_closing = true;
            self.session.send_close_notify();
        }
        ready!(self.poll_send(cx))?;
        self.io.poll_shutdown(cx)
    }

    fn now(&self) -> Option<Duration> {
        self.io.now()
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        self.io.poll_deadline(cx, at)
    }
}

/// The inner transport in the form that rustls expects: pending is `WouldBlock`.
#[cfg(feature = "rustls")]
struct WouldBlockIo<'t, 'c, 'w, T> {
    io: &'t mut T,
    cx: &'c mut Context<'w>,
}

#[cfg(feature = "rustls")]
impl<T: Transport> Read for WouldBlockIo<'_, '_, '_, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        pending_to_would_block(self.io.poll_read(self.cx, buf))
    }
}

#[cfg(feature = "rustls")]
impl<T: Transport> Write for WouldBlockIo<'_, '_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        pending_to_would_block(self.io.poll_write(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        pending_to_would_block(self.io.poll_flush(self.cx))
    }
}

#[cfg(feature = "rustls")]
fn pending_to_would_block<R>(polled: Poll<io::Result<R>>) -> io::Result<R> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

#[cfg(feature = "rustls")]
fn would_block_to_pending<R>(result: io::Result<R>) -> Poll<io::Result<R>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
