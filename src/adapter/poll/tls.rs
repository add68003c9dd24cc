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
};

use super::transport::Transport;

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
    is_closing: bool,
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
    pub(super) const fn new(io: T, session: rustls::ClientConnection) -> Self {
        Self {
            io,
            session,
            is_closing: false,
        }
    }

    /// Does the TLS handshake.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.is_handshaking() {
            ready!(self.poll_send(cx))?;
            if self.session.is_handshaking() && ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.poll_flush(cx)
    }

    /// Sends all records that are ready.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut below = Below {
                io: &mut self.io,
                cx,
            };
            let sent = self.session.write_tls(&mut below);
            if ready!(pending(sent))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        self.io.poll_flush(cx)
    }

    /// Receives some bytes of records; none are the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut below = Below {
            io: &mut self.io,
            cx,
        };
        let len = ready!(pending(self.session.read_tls(&mut below)))?;
        let processed = self.session.process_new_packets();
        if let Err(error) = processed {
            // What tells the peer, if it still listens.
            let _ = self.poll_send(cx);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(len))
    }
}

#[cfg(feature = "rustls")]
impl<T: Transport> Transport for TlsIo<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.session.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            // A new key may have to be told first.
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                return Poll::Ready(Err(error));
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let len = self.session.writer().write_vectored(slices)?;
            let sent = self.poll_send(cx);
            if len > 0 {
                // What waits leaves with the flush.
                return match sent {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(Ok(len)),
                };
            }
            ready!(sent)?;
        }
    }

    /// Records are made of copies anyway.
    fn is_vectored(&self) -> bool {
        true
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
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
struct Below<'t, 'c, 'w, T> {
    io: &'t mut T,
    cx: &'c mut Context<'w>,
}

#[cfg(feature = "rustls")]
impl<T: Transport> Read for Below<'_, '_, '_, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        blocked(self.io.poll_read(self.cx, buf))
    }
}

#[cfg(feature = "rustls")]
impl<T: Transport> Write for Below<'_, '_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        blocked(self.io.poll_write(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocked(self.io.poll_flush(self.cx))
    }
}

#[cfg(feature = "rustls")]
fn blocked<R>(polled: Poll<io::Result<R>>) -> io::Result<R> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

#[cfg(feature = "rustls")]
fn pending<R>(result: io::Result<R>) -> Poll<io::Result<R>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
