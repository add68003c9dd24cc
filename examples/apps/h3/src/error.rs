//! Why a WebSocket did not open, or broke.

use quiche::ConnectionError;
use quiche::h3::{self, WireErrorCode};
use sansocket::HandshakeError;
use thiserror::Error;

/// Why a WebSocket did not open, or did not end as WebSockets do.
#[derive(Debug, Error)]
pub enum Error {
    /// RFC 9220 §3: the request must not be sent.
    #[error(
        "the server does not allow WebSockets over HTTP/3 \
        (no SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 9220 section 3)"
    )]
    NoExtendedConnect,
    /// The response does not open a WebSocket.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The server sent no response in time, or the peer read nothing.
    #[error("the peer was silent for too long")]
    Timeout,
    /// The server shuts down and takes no more requests (RFC 9114 §5.2).
    #[error("the server is going away")]
    GoingAway,
    /// The peer reset the stream, or refuses to read it, with this code.
    #[error("the peer reset the stream: {0:#x}")]
    Reset(u64),
    /// The connection broke; the peer's reason if it told one.
    #[error("the connection is over: {0}")]
    Connection(String),
    /// A fault of HTTP/3 or QUIC.
    #[error("HTTP/3: {0}")]
    Http(h3::Error),
}

impl Error {
    /// Why a connection that has ended did.
    pub(crate) fn of_connection(quic: &quiche::Connection) -> Self {
        let told = quic.peer_error().or_else(|| quic.local_error());
        Self::Connection(told.map_or_else(|| "timed out".into(), describe))
    }

    /// The code with which to reset the stream (RFC 9220 §3, RFC 9114 §8.1).
    pub(crate) const fn code(&self) -> u64 {
        match self {
            Self::Http(h3::Error::MessageError) => WireErrorCode::MessageError as u64,
            Self::GoingAway => WireErrorCode::RequestRejected as u64,
            _ => WireErrorCode::RequestCancelled as u64,
        }
    }
}

impl From<h3::Error> for Error {
    fn from(error: h3::Error) -> Self {
        use quiche::Error::{StreamReset, StreamStopped};
        match error {
            h3::Error::TransportError(StreamReset(code) | StreamStopped(code)) => Self::Reset(code),
            error => Self::Http(error),
        }
    }
}

fn describe(error: &ConnectionError) -> String {
    let (code, reason) = (error.error_code, String::from_utf8_lossy(&error.reason));
    match code {
        // RFC 9001 §4.8: 48 is unknown_ca, a certificate that is not trusted.
        0x100..0x200 if !error.is_app => format!("TLS alert {} {reason}", code - 0x100),
        _ => format!("code {code:#x} {reason}"),
    }
}
