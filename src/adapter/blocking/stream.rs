//! A TCP stream that may be in TLS.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{Error, Socket};
use crate::adapter::Connector;
#[cfg(not(feature = "rustls"))]
use crate::adapter::connector::no_tls;
use crate::handshake::Uri;
#[cfg(feature = "rustls")]
use {
    super::connect::{Until, timed_out},
    crate::adapter::ConnectStep,
    std::boxed::Box,
};

/// A TCP stream, in TLS or not.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// As it is: `ws`.
    Plain(TcpStream),
    /// Within TLS: `wss`.
    #[cfg(feature = "rustls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Stream {
    /// The TCP stream, below TLS if there is any.
    pub const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => &tls.sock,
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
        let mut tls = rustls::StreamOwned::new(connector.session(uri)?, tcp);
        shake_hands(&mut tls, timeout)
            .map_err(|error| ConnectStep::Tls.failed(timed_out(error)))?;
        Ok(Self::Tls(Box::new(tls)))
    }

    #[cfg(not(feature = "rustls"))]
    pub(super) fn secured(
        tcp: TcpStream,
        uri: &Uri,
        _: &Connector,
        _: Option<Duration>,
    ) -> Result<Self, Error> {
        if uri.is_secure() {
            return Err(no_tls());
        }
        Ok(Self::Plain(tcp))
    }
}

#[cfg(feature = "rustls")]
fn shake_hands(
    tls: &mut rustls::StreamOwned<rustls::ClientConnection, TcpStream>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let until = Until::after(timeout);
    while tls.conn.is_handshaking() {
        until.arm(&tls.sock)?;
        if tls.conn.wants_write() {
            tls.conn.write_tls(&mut tls.sock)?;
            continue;
        }
        if tls.conn.read_tls(&mut tls.sock)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let processed = tls.conn.process_new_packets();
        if let Err(error) = processed {
            // What tells the peer, if it still listens.
            let _ = tls.conn.write_tls(&mut tls.sock);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
    tls.flush()
}

impl Socket<Stream> {
    /// Of a TCP stream, in TLS or not.
    pub const fn stream() -> Self {
        Self {
            set_read_timeout: |stream, timeout| stream.tcp().set_read_timeout(timeout),
            set_write_timeout: |stream, timeout| stream.tcp().set_write_timeout(timeout),
            shutdown_write: |stream| stream.tcp().shutdown(Shutdown::Write),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buf),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write_vectored(slices),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.flush(),
        }
    }
}
