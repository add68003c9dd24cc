//! A TCP stream that may be in TLS.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{Error, Socket};
use crate::adapter::Connector;
use crate::handshake::Uri;
#[cfg(feature = "rustls")]
use {super::TlsStream, super::connect::timed_out, crate::adapter::ConnectStep, std::boxed::Box};

/// A TCP stream, in TLS or not. `&Stream` reads and writes too.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// As it is: `ws`.
    Plain(TcpStream),
    /// Within TLS: `wss`.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream>),
}

impl Stream {
    /// The TCP stream, below TLS if there is any.
    pub const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.tcp(),
        }
    }

    #[cfg(feature = "rustls")]
    pub(super) fn secured(
        tcp: TcpStream,
        uri: &Uri,
        connector: &Connector,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        if !uri.is_secure() {
            return Ok(Self::Plain(tcp));
        }
        let tls = TlsStream::new(tcp, connector.session(uri)?);
        tls.complete_handshake(timeout)
            .map_err(|error| ConnectStep::Tls.failed(timed_out(error)))?;
        Ok(tls.into())
    }

    /// `wss` was refused before.
    #[cfg(not(feature = "rustls"))]
    pub(super) const fn secured(
        tcp: TcpStream,
        _: &Uri,
        _: &Connector,
        _: Option<Duration>,
    ) -> Result<Self, Error> {
        Ok(Self::Plain(tcp))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.shutdown(Shutdown::Write),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.shutdown_write(),
        }
    }

    fn buffered_len(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.sending_len(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::Plain(tcp)
    }
}

#[cfg(feature = "rustls")]
impl From<TlsStream> for Stream {
    fn from(tls: TlsStream) -> Self {
        Self::Tls(Box::new(tls))
    }
}

impl Socket<Stream> {
    /// Of a TCP stream, in TLS or not.
    pub const fn stream() -> Self {
        Self {
            read_timeout: |stream| stream.tcp().read_timeout(),
            write_timeout: |stream| stream.tcp().write_timeout(),
            set_read_timeout: |stream, timeout| stream.tcp().set_read_timeout(timeout),
            set_write_timeout: |stream, timeout| stream.tcp().set_write_timeout(timeout),
            shutdown_write: Stream::shutdown_write,
            buffered_len: Stream::buffered_len,
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => (&*tcp).read(buf),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => (&**tls).read(buf),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => (&*tcp).write(bytes),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => (&**tls).write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => (&*tcp).write_vectored(slices),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => (&**tls).write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(tcp) => (&*tcp).flush(),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => (&**tls).flush(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}
