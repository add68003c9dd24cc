//! A transport that may be one of TLS: rustls holds the protocol, this moves
//! its bytes.

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

use super::WebSocket;
#[cfg(feature = "rustls")]
use super::buffers;
use super::transport::Transport;
use crate::adapter::parts::Parts;

/// A transport, in TLS or not.
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTls<T> {
    /// As it is: `ws`.
    Plain(T),
    /// Within TLS: `wss`.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsIo<T>>),
}

/// A transport in TLS.
#[cfg(feature = "rustls")]
#[derive(Debug)]
pub struct TlsIo<T> {
    io: T,
    session: rustls::ClientConnection,
    received: Received,
    /// How much of the last write may not have left.
    unsent_len: usize,
    /// What went wrong after bytes that were read first.
    error: Option<io::Error>,
    is_closing: bool,
}

/// What was read and not decrypted. A session takes 4 KiB at a time: without
/// this each would be a read of the stream.
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
    /// The stream, in TLS or not.
    pub const fn stream(&self) -> &MaybeTls<T> {
        self.io()
    }

    /// As [`stream`](Self::stream), by the name that other libraries use.
    pub const fn get_ref(&self) -> &MaybeTls<T> {
        self.io()
    }

    /// The stream, to be configured: bytes that are read or written past the
    /// WebSocket break the connection.
    pub const fn get_mut(&mut self) -> &mut MaybeTls<T> {
        self.io_mut()
    }

    /// The stream, which can be read and written as any other, the bytes that
    /// were read from it and not taken, and those that were not yet written.
    pub fn into_stream(self) -> Parts<MaybeTls<T>> {
        self.into_parts()
    }
}

/// Calls the same method of whichever it is.
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

    /// The protocol that the server chose (RFC 7301).
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

    /// Receives some bytes of records; none are the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.received.is_empty() {
            ready!(self.received.poll_fill(cx, &mut self.io))?;
        }
        let len = self.received.feed_session(&mut self.session)?;
        let processed = self.session.process_new_packets();
        if let Err(error) = processed {
            // The alert for the peer, if it still listens.
            let _ = self.poll_send(cx);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(len))
    }

    /// Reads all that was decrypted, then waits for more unless there was some.
    fn poll_plaintext(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        len: &mut usize,
    ) -> Poll<io::Result<()>> {
        loop {
            let room = buf.get_mut(*len..).unwrap_or_default();
            match self.session.reader().read(room) {
                // The end, or there is no more room.
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(read) => *len += read,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                Err(_) if *len > 0 && self.received.is_empty() => return Poll::Ready(Ok(())),
                Err(_) => {
                    // An update of keys may have to be answered. That nothing
                    // can be written is no reason to lose what was received.
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

    /// Hands some of it to a session: nothing is the end of the stream.
    fn feed_session(&mut self, session: &mut rustls::ClientConnection) -> io::Result<usize> {
        let mut bytes = self.buf.get(self.start..self.end).unwrap_or_default();
        let taken = session.read_tls(&mut bytes);
        self.start = match taken {
            Ok(1..) => self.end - bytes.len(),
            // Nothing is taken after the peer's close_notify.
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

    /// Takes one write at a time, so that it is known how much has left.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let len = self.session.writer().write_vectored(slices)?;
        self.unsent_len = len;
        // What does not leave now leaves with the flush.
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(len)),
        }
    }

    /// Records are made of copies anyway.
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

/// The transport below as rustls wants it: pending is `WouldBlock`.
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
