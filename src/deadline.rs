//! When a driver must call back, and why.

use core::time::Duration;

use thiserror::Error;

/// The next time at which
/// [`handle_timeout`](crate::Connection::handle_timeout) must be called.
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Config, Connection, DeadlineReason, IoState};
///
/// let mut ws = Connection::server(&Config::new().with_handshake_timeout(Duration::from_secs(5)));
/// let mut out = Vec::new();
/// let deadline = ws.handle_timeout(Duration::ZERO, IoState::reading(), &mut out).unwrap();
/// assert_eq!(deadline.at, Duration::from_secs(5));
/// assert_eq!(deadline.reason, DeadlineReason::Handshake);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadline {
    /// The time, on the caller's monotonic clock.
    pub at: Duration,
    /// What the deadline is for.
    pub reason: DeadlineReason,
}

/// What a deadline is for.
///
/// [`Deadline::reason`] reports it in advance, and
/// [`ConnectionError::Timeout`](crate::ConnectionError::Timeout) once it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// The opening handshake must be complete.
    #[error("opening handshake")]
    Handshake,
    /// A keepalive ping is due. The connection sends it and does not fail.
    #[error("keepalive ping")]
    Ping,
    /// Something must have been received since the keepalive ping.
    #[error("nothing received after a keepalive ping")]
    Pong,
    /// The peer must have sent something.
    #[error("idle")]
    Idle,
    /// The peer must have answered the close frame.
    #[error("closing handshake")]
    Close,
    /// The transport must have accepted some of the unsent bytes.
    #[error("write stall")]
    WriteStall,
}
