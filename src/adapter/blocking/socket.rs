//! Deadlines through the timeouts of a stream.
//!
//! Knows how to make a read or write return when a deadline comes; the core
//! decides which deadline that is.

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::error::Deadline;

/// What deadlines and an orderly end need of a stream besides reading and
/// writing.
///
/// There is one for `TcpStream` and, on Unix, for `UnixStream`; for a TLS
/// stream, name the calls on the socket below it.
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use sansocket::blocking::Socket;
///
/// struct Wrapped(TcpStream);
///
/// let socket = Socket::<Wrapped> {
///     set_read_timeout: |stream, timeout| stream.0.set_read_timeout(timeout),
///     set_write_timeout: |stream, timeout| stream.0.set_write_timeout(timeout),
///     shutdown_write: |stream| stream.0.shutdown(Shutdown::Write),
/// };
/// # let _ = socket;
/// ```
pub struct Socket<S> {
    /// Makes reads fail with `WouldBlock` or `TimedOut` after this long.
    pub set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// Makes writes fail with `WouldBlock` or `TimedOut` after this long.
    pub set_write_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// Ends the stream in the outgoing direction.
    pub shutdown_write: fn(&S) -> io::Result<()>,
}

impl Socket<TcpStream> {
    /// Of a TCP stream.
    pub const fn tcp() -> Self {
        Self {
            set_read_timeout: |stream, timeout| stream.set_read_timeout(timeout),
            set_write_timeout: |stream, timeout| stream.set_write_timeout(timeout),
            shutdown_write: |stream| stream.shutdown(Shutdown::Write),
        }
    }
}

#[cfg(unix)]
impl Socket<std::os::unix::net::UnixStream> {
    /// Of a Unix stream.
    pub const fn unix() -> Self {
        Self {
            set_read_timeout: |stream, timeout| stream.set_read_timeout(timeout),
            set_write_timeout: |stream, timeout| stream.set_write_timeout(timeout),
            shutdown_write: |stream| stream.shutdown(Shutdown::Write),
        }
    }
}

impl<S> Clone for Socket<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Socket<S> {}

impl<S> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

type SetTimeout<S> = fn(&S, Option<Duration>) -> io::Result<()>;

/// One direction of a stream, and how long its next call may wait.
#[derive(Debug)]
pub(super) struct Waiting<S> {
    set_timeout: Option<SetTimeout<S>>,
    /// What the stream's timeout was set to.
    armed: Option<Duration>,
    /// When the present call began.
    began: Instant,
}

/// A timeout may come this much too early or, since none can be zero, late:
/// kernels count it in ticks of up to 10 ms.
const TICK: Duration = Duration::from_millis(10);

impl<S> Waiting<S> {
    /// For reads.
    pub(super) fn to_read(socket: Option<Socket<S>>) -> Self {
        let set_timeout = socket.map(|socket| socket.set_read_timeout);
        Self {
            set_timeout,
            armed: None,
            began: Instant::now(),
        }
    }

    /// For writes.
    pub(super) fn to_write(socket: Option<Socket<S>>) -> Self {
        let set_timeout = socket.map(|socket| socket.set_write_timeout);
        Self {
            set_timeout,
            armed: None,
            began: Instant::now(),
        }
    }

    /// Makes the next call return when the deadline comes, or a little sooner:
    /// setting the timeout costs a system call, so one that is shorter by less
    /// than half is kept.
    pub(super) fn arm(
        &mut self,
        stream: &S,
        now: Duration,
        deadline: Option<Deadline>,
    ) -> io::Result<()> {
        self.began = Instant::now();
        let Some(set_timeout) = self.set_timeout else {
            return Ok(());
        };
        let left = deadline.map(|deadline| deadline.at.saturating_sub(now).max(TICK / 10));
        let will_do = match (self.armed, left) {
            (None, None) => true,
            (Some(armed), Some(left)) => armed <= left && left <= armed * 2,
            _ => false,
        };
        if !will_do {
            set_timeout(stream, left)?;
            self.armed = left;
        }
        Ok(())
    }

    /// After a call failed: fine if it was interrupted or its time is over,
    /// so that deadlines are to be looked at. Else the error is the caller's:
    /// a non-blocking stream that is not ready, or a broken one.
    pub(super) fn check(&self, error: io::Error) -> io::Result<()> {
        let is_over = self
            .armed
            .is_some_and(|armed| self.began.elapsed() + TICK >= armed);
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if is_over => Ok(()),
            _ => Err(error),
        }
    }
}
