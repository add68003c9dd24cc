//! Adapters: ready-made drivers that run a [`Connection`] over a transport.
//!
//! | module | transport | for |
//! |---|---|---|
//! | [`blocking`] | `std::io::{Read, Write}` | threads; non-blocking streams |
//! | `tokio` | `tokio::io::{AsyncRead, AsyncWrite}` | tokio |
//! | `futures` | `futures_io::{AsyncRead, AsyncWrite}` | smol, async-std, glib and others |
//! | `axum` | upgraded connections of hyper | axum |
//! | `hyper` | upgraded connections of hyper | hyper, warp, salvo, poem |
//! | `h2` | streams of the `h2` crate | HTTP/2 without hyper |
//! | `http` | none: heads of the `http` crate | other frameworks |
//!
//! An adapter reads and writes, measures time, and owns the buffers. The rules of the
//! protocol are in [`Connection`].

mod auto_replies;
#[cfg(feature = "axum")]
pub mod axum;
pub mod blocking;
mod connect;
#[cfg(feature = "futures")]
pub mod futures;
#[cfg(feature = "h2")]
pub mod h2;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "hyper")]
pub mod hyper;
mod parts;
#[cfg(any(feature = "futures", feature = "tokio"))]
pub mod poll;
mod read_buffer;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "rustls")]
pub use connect::Tls;
pub use connect::{Connector, SocksError};
pub use parts::Parts;

use std::io;

use crate::connection::Connection;
use crate::deadline::DeadlineReason;
use crate::error::{ConnectionError, SendError};
use crate::event::Event;
use crate::handshake::{RedirectError, Rejection, RequestError, Response};

/// Error returned by the adapters.
///
/// A value takes at most 32 bytes.
///
/// ```no_run
/// use sansocket::{Config, ConnectionError, Error, adapter::ConnectStep, blocking};
///
/// match blocking::connect("ws://localhost:9001", &Config::new()) {
///     Ok(_) => println!("open"),
///     Err(Error::Refused(response)) => println!("refused: {}", response.status()),
///     Err(Error::Connect { step: ConnectStep::Tcp, error }) => println!("not reached: {error}"),
///     Err(Error::Failed(ConnectionError::Timeout(reason))) => println!("too slow: {reason}"),
///     Err(error) => println!("{error}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed. `WouldBlock` from a non-blocking stream is not a failure:
    /// nothing was lost, and the call can be repeated when the stream is ready.
    #[error("transport: {0}")]
    Io(#[from] io::Error),
    /// The connection failed: by a fault of the peer, a limit, a deadline, or the end
    /// of the stream.
    #[error("{0}")]
    Failed(#[from] ConnectionError),
    /// A mistake of the caller, such as sending on a closed connection. Nothing was
    /// sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// As a server: the request was refused because it breaks a rule or exceeds a
    /// limit. The answer was sent.
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// As a client: the server refused the upgrade with this response.
    #[error("refused with HTTP status {}", .0.status())]
    Refused(Response),
    /// As a client: the request is invalid.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// As a client: this step of connecting failed.
    #[error("{step}: {error}")]
    Connect {
        /// The step that failed.
        step: ConnectStep,
        /// The cause, of kind `TimedOut` if the step took longer than
        /// [`handshake_timeout`](crate::Config::with_handshake_timeout).
        error: io::Error,
    },
    /// The HTTP proxy refused the tunnel, with this response (RFC 9110 §9.3.6).
    #[error("proxy refused with HTTP status {}", .0.status())]
    ProxyRefused(Response),
    /// The SOCKS proxy refused the tunnel (RFC 1928).
    #[error("SOCKS proxy: {0}")]
    SocksRefused(SocksError),
    /// A redirect could not be followed.
    #[error("redirect: {0}")]
    Redirect(#[from] RedirectError),
    /// There were more redirects than [`Connector::with_max_redirects`] allows.
    /// Contains the last one.
    #[error("more redirects than allowed")]
    TooManyRedirects(Response),
}

/// The steps of connecting, before the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectStep {
    /// Looking up the addresses of the host, or of the proxy.
    #[error("looking up the host")]
    Resolve,
    /// Opening a TCP connection to one of them.
    #[error("connecting")]
    Tcp,
    /// Opening a tunnel through the proxy.
    #[error("opening a tunnel through the proxy")]
    Proxy,
    /// The TLS handshake, in which an invalid certificate is found.
    #[error("TLS handshake")]
    Tls,
}

/// Whether this is the last event of the connection: unsent bytes are written before
/// it is returned.
fn is_last(ws: &Connection, event: Option<&Event<'_>>) -> bool {
    matches!(event, Some(Event::Failed(_))) || ws.is_closed() && !ws.has_event()
}

/// Why nothing more leaves, if so, given the error of writing: what was unsent then
/// is lost.
fn check_writable(ws: &Connection, write_error: Option<io::ErrorKind>) -> Result<(), Error> {
    if ws.is_stalled() {
        return Err(ConnectionError::Timeout(DeadlineReason::WriteStall).into());
    }
    match write_error {
        Some(kind) => Err(io::Error::from(kind).into()),
        None => Ok(()),
    }
}

impl Error {
    /// Returns `true` if this is `WouldBlock` from a non-blocking stream, or a timeout
    /// that the caller has set.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// For functions that return [`io::Error`]. The kind is the kind of the transport's
/// error, `UnexpectedEof` for a stream that ended early, `TimedOut` for a deadline,
/// `InvalidData` for any other fault of the peer, or `BrokenPipe` for a message that
/// cannot be sent.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(error) | Error::Connect { error, .. } => error.kind(),
            Error::Failed(ConnectionError::UnexpectedEof) => io::ErrorKind::UnexpectedEof,
            Error::Failed(ConnectionError::Timeout(_)) => io::ErrorKind::TimedOut,
            Error::Failed(_) => io::ErrorKind::InvalidData,
            Error::Send(_) => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_mark_converts_between_errors() {
        fn run(failure: ConnectionError) -> io::Result<()> {
            let step = || -> Result<(), Error> { Err(failure)? };
            Ok(step()?)
        }
        let eof = ConnectionError::UnexpectedEof;
        let idle = ConnectionError::Timeout(crate::DeadlineReason::Idle);
        for (failure, kind) in [
            (eof, io::ErrorKind::UnexpectedEof),
            (idle, io::ErrorKind::TimedOut),
            (ConnectionError::NoEntropy, io::ErrorKind::InvalidData),
        ] {
            let error = run(failure).unwrap_err();
            assert_eq!(error.kind(), kind);
            let inner = error.into_inner().unwrap().downcast::<Error>().unwrap();
            assert!(matches!(*inner, Error::Failed(inner) if inner == failure));
        }
    }

    #[test]
    fn errors_are_small() {
        assert!(size_of::<Error>() <= 32);
    }
}
