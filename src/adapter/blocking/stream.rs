//! A stream with or without TLS.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Socket;
#[cfg(feature = "rustls")]
use {super::TlsStream, std::boxed::Box};

/// A stream that one thread can read while another thread writes it, like TCP and Unix
/// streams.
///
/// Implement it to use a stream of your own with [`connect_on`](super::connect_on) or
/// `TlsStream`.
///
/// ```
/// use std::io;
/// use std::net::TcpStream;
/// use sansocket::blocking::Duplex;
///
/// struct Wrapped(TcpStream);
///
/// impl Duplex for Wrapped {
///     fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
///         self.0.read(buf)
///     }
///     fn write(&self, bytes: &[u8]) -> io::Result<usize> {
///         self.0.write(bytes)
///     }
///     fn flush(&self) -> io::Result<()> {
///         self.0.flush()
///     }
/// }
/// ```
// Not `for<'a> &'a S: Read + Write`: `&Stream<S>` is such a type itself, which would
// make the compiler search for its implementations without end.
pub trait Duplex {
    /// Reads like [`Read::read`].
    ///
    /// # Errors
    ///
    /// The errors of the stream.
    fn read(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes like [`Write::write`].
    ///
    /// # Errors
    ///
    /// The errors of the stream.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes like [`Write::write_vectored`]. The default implementation writes the
    /// first slice that is not empty.
    ///
    /// # Errors
    ///
    /// The errors of the stream.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.write(first.map_or(&[], |slice| slice))
    }

    /// Flushes like [`Write::flush`].
    ///
    /// # Errors
    ///
    /// The errors of the stream.
    fn flush(&self) -> io::Result<()>;
}

/// Implements `Duplex` by the implementations of `Read` and `Write` for references.
macro_rules! duplex {
    ($stream:ty) => {
        impl Duplex for $stream {
            fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                let mut stream = self;
                Read::read(&mut stream, buf)
            }

            fn write(&self, bytes: &[u8]) -> io::Result<usize> {
                let mut stream = self;
                Write::write(&mut stream, bytes)
            }

            fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                let mut stream = self;
                Write::write_vectored(&mut stream, slices)
            }

            fn flush(&self) -> io::Result<()> {
                let mut stream = self;
                Write::flush(&mut stream)
            }
        }
    };
}

duplex!(TcpStream);
#[cfg(unix)]
duplex!(std::os::unix::net::UnixStream);

/// The stream of a client, with or without TLS. `&Stream` implements `Read` and `Write`
/// too.
///
/// ```no_run
/// use sansocket::{Config, blocking};
///
/// let ws = blocking::connect("ws://localhost:9001", &Config::new())?;
/// ws.stream().tcp().set_ttl(64)?;
/// # Ok::<(), sansocket::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream<S = TcpStream>(Kind<S>);

#[derive(Debug)]
enum Kind<S> {
    Plain(S, Option<Socket<S>>),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<S>>),
}

impl<S> Stream<S> {
    pub(super) const fn plain(stream: S, socket: Option<Socket<S>>) -> Self {
        Self(Kind::Plain(stream, socket))
    }

    /// Returns the stream, below TLS if there is any.
    pub const fn get_ref(&self) -> &S {
        match &self.0 {
            Kind::Plain(stream, _) => stream,
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => tls.get_ref(),
        }
    }

    /// Returns the stream, like [`get_ref`](Self::get_ref), to change its options.
    pub const fn get_mut(&mut self) -> &mut S {
        match &mut self.0 {
            Kind::Plain(stream, _) => stream,
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => tls.get_mut(),
        }
    }

    /// Returns the TLS stream, or `None` without TLS.
    #[cfg(feature = "rustls")]
    pub const fn tls(&self) -> Option<&TlsStream<S>> {
        match &self.0 {
            Kind::Plain(..) => None,
            Kind::Tls(tls) => Some(tls),
        }
    }

    const fn socket(&self) -> Option<&Socket<S>> {
        match &self.0 {
            Kind::Plain(_, socket) => socket.as_ref(),
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => tls.socket(),
        }
    }

    /// Calls a function of the inner socket, if there is one.
    fn with_socket<R: Default>(
        &self,
        call: impl FnOnce(&Socket<S>, &S) -> io::Result<R>,
    ) -> io::Result<R> {
        self.socket()
            .map_or_else(|| Ok(R::default()), |socket| call(socket, self.get_ref()))
    }
}

impl Stream {
    /// Returns the TCP stream, below TLS if there is any.
    pub const fn tcp(&self) -> &TcpStream {
        self.get_ref()
    }
}

impl<S: Duplex> Stream<S> {
    fn shutdown_write(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(..) => self.with_socket(|socket, stream| (socket.shutdown_write)(stream)),
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => tls.shutdown_write(),
        }
    }

    fn buffered_len(&self) -> usize {
        let below = self.with_socket(|socket, stream| Ok((socket.buffered_len)(stream)));
        #[cfg(feature = "rustls")]
        let own_len = self.tls().map_or(0, TlsStream::sending_len);
        #[cfg(not(feature = "rustls"))]
        let own_len = 0;
        below.unwrap_or_default().saturating_add(own_len)
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::plain(tcp, Some(Socket::tcp()))
    }
}

#[cfg(feature = "rustls")]
impl<S> From<TlsStream<S>> for Stream<S> {
    fn from(tls: TlsStream<S>) -> Self {
        Self(Kind::Tls(Box::new(tls)))
    }
}

impl<S: Duplex> Socket<Stream<S>> {
    /// The functions of a stream with or without TLS: those of the inner stream.
    pub const fn stream() -> Self {
        Self {
            read_timeout: |stream| stream.with_socket(|socket, s| (socket.read_timeout)(s)),
            write_timeout: |stream| stream.with_socket(|socket, s| (socket.write_timeout)(s)),
            set_read_timeout: |stream, timeout: Option<Duration>| {
                stream.with_socket(|socket, s| (socket.set_read_timeout)(s, timeout))
            },
            set_write_timeout: |stream, timeout: Option<Duration>| {
                stream.with_socket(|socket, s| (socket.set_write_timeout)(s, timeout))
            },
            shutdown_write: Stream::shutdown_write,
            buffered_len: Stream::buffered_len,
        }
    }
}

impl<S: Duplex> Read for &Stream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(stream, _) => Duplex::read(stream, buf),
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => (&**tls).read(buf),
        }
    }
}

impl<S: Duplex> Write for &Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(stream, _) => Duplex::write(stream, bytes),
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => (&**tls).write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(stream, _) => Duplex::write_vectored(stream, slices),
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => (&**tls).write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(stream, _) => Duplex::flush(stream),
            #[cfg(feature = "rustls")]
            Kind::Tls(tls) => (&**tls).flush(),
        }
    }
}

impl<S: Duplex> Read for Stream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl<S: Duplex> Write for Stream<S> {
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
