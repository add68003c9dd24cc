//! Deadlines through the timeouts of a stream.

// This makes a read or write return when a deadline has come; the core decides
// which deadline that is.

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The functions of a stream that are needed for deadlines and for closing, besides
/// reading and writing.
///
/// There are constructors for `TcpStream`, for [`Stream`](super::Stream) and, on Unix,
/// for `UnixStream`. For a wrapper, use the functions of the inner socket:
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use sansocket::blocking::Socket;
///
/// struct Wrapped(TcpStream);
///
/// let socket = Socket::<Wrapped> {
///     read_timeout: |stream| stream.0.read_timeout(),
///     write_timeout: |stream| stream.0.write_timeout(),
///     set_read_timeout: |stream, timeout| stream.0.set_read_timeout(timeout),
///     set_write_timeout: |stream, timeout| stream.0.set_write_timeout(timeout),
///     shutdown_write: |stream| stream.0.shutdown(Shutdown::Write),
///     buffered_len: |_| 0,
/// };
/// # let _ = socket;
/// ```
#[expect(
    clippy::exhaustive_structs,
    reason = "applications describe their streams"
)]
pub struct Socket<S> {
    /// Returns the timeout of reads.
    pub read_timeout: fn(&S) -> io::Result<Option<Duration>>,
    /// Returns the timeout of writes.
    pub write_timeout: fn(&S) -> io::Result<Option<Duration>>,
    /// Makes reads fail with `WouldBlock` or `TimedOut` after this long.
    pub set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// Makes writes fail with `WouldBlock` or `TimedOut` after this long.
    pub set_write_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// Shuts down the write direction of the stream. A TLS stream sends `close_notify`
    /// first.
    pub shutdown_write: fn(&S) -> io::Result<()>,
    /// Returns how many bytes the stream has accepted and not sent yet, or 0 if it does
    /// not buffer.
    pub buffered_len: fn(&S) -> usize,
}

impl Socket<TcpStream> {
    /// The functions of a TCP stream.
    pub const fn tcp() -> Self {
        Self {
            read_timeout: |stream| stream.read_timeout(),
            write_timeout: |stream| stream.write_timeout(),
            set_read_timeout: |stream, timeout| stream.set_read_timeout(timeout),
            set_write_timeout: |stream, timeout| stream.set_write_timeout(timeout),
            shutdown_write: |stream| stream.shutdown(Shutdown::Write),
            buffered_len: |_| 0,
        }
    }
}

#[cfg(unix)]
impl Socket<std::os::unix::net::UnixStream> {
    /// The functions of a Unix stream.
    pub const fn unix() -> Self {
        Self {
            read_timeout: |stream| stream.read_timeout(),
            write_timeout: |stream| stream.write_timeout(),
            set_read_timeout: |stream, timeout| stream.set_read_timeout(timeout),
            set_write_timeout: |stream, timeout| stream.set_write_timeout(timeout),
            shutdown_write: |stream| stream.shutdown(Shutdown::Write),
            buffered_len: |_| 0,
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

type Timeout<S> = fn(&S) -> io::Result<Option<Duration>>;
type SetTimeout<S> = fn(&S, Option<Duration>) -> io::Result<()>;

/// One direction of a stream, and how long its next call may wait.
#[derive(Debug)]
pub(super) struct SocketTimeout<S> {
    calls: Option<(Timeout<S>, SetTimeout<S>)>,
    direction: Direction,
    /// The caller's own timeout of the stream.
    caller_timeout: Option<Duration>,
    /// The timeout that was set last, and what the kernel made of it.
    armed: Option<Duration>,
    effective: Option<Duration>,
    is_initialized: bool,
    /// When the present call began, and the first since the last that
    /// succeeded.
    call_start: Instant,
    first_call_start: Option<Instant>,
    /// When the caller wants the control back, and whether a call was made
    /// since that was set.
    return_by: Option<Instant>,
    has_called: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// A timeout may come this much too early or, since none can be zero, late:
/// kernels count it in ticks of up to 10 ms.
pub(super) const CLOCK_TICK: Duration = Duration::from_millis(10);

const MIN_TIMEOUT: Duration = Duration::from_millis(1);

impl<S> SocketTimeout<S> {
    /// For reads: the caller's own timeout is respected.
    pub(super) fn for_reads(socket: Option<Socket<S>>) -> Self {
        let calls = socket.map(|socket| (socket.read_timeout, socket.set_read_timeout));
        Self::new(calls, Direction::Read)
    }

    /// For writes.
    pub(super) fn for_writes(socket: Option<Socket<S>>) -> Self {
        let calls = socket.map(|socket| (socket.write_timeout, socket.set_write_timeout));
        Self::new(calls, Direction::Write)
    }

    fn new(calls: Option<(Timeout<S>, SetTimeout<S>)>, direction: Direction) -> Self {
        Self {
            calls,
            direction,
            caller_timeout: None,
            armed: None,
            effective: None,
            is_initialized: false,
            call_start: Instant::now(),
            first_call_start: None,
            return_by: None,
            has_called: false,
        }
    }

    /// From now on, calls fail with `WouldBlock` once this time has come and
    /// one was made.
    pub(super) const fn limit(&mut self, return_by: Option<Instant>) {
        self.return_by = return_by;
        self.has_called = false;
    }

    /// Makes the next call return at this time, or a little sooner: setting the
    /// timeout costs a system call, so one that is shorter by less than half is
    /// kept.
    pub(super) fn arm(
        &mut self,
        stream: &S,
        now: Duration,
        deadline: Option<Duration>,
    ) -> io::Result<()> {
        self.call_start = Instant::now();
        if self.has_called
            && self
                .return_by
                .is_some_and(|return_by| return_by <= self.call_start)
        {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.has_called = true;
        let Some((timeout, set_timeout)) = self.calls else {
            return Ok(());
        };
        self.refresh(timeout, stream)?;
        self.first_call_start.get_or_insert(self.call_start);
        let limit = self.wait_limit();
        let left = [
            deadline.map(|at| at.saturating_sub(now)),
            limit.map(|at| at.saturating_duration_since(self.call_start)),
        ];
        let left = left.into_iter().flatten().min();
        let left = left.map(|left| left.max(MIN_TIMEOUT));
        let is_close_enough = match (self.armed, left) {
            (None, None) => true,
            (Some(armed), Some(left)) => armed <= left && left <= armed.saturating_mul(2),
            _ => false,
        };
        if !is_close_enough {
            set_timeout(stream, left)?;
            self.armed = left;
            self.effective = timeout(stream)?;
        }
        Ok(())
    }

    /// Finds out whether the caller has set another timeout.
    fn refresh(&mut self, timeout: Timeout<S>, stream: &S) -> io::Result<()> {
        if self.is_initialized && self.direction == Direction::Write {
            return Ok(());
        }
        let current = timeout(stream)?;
        if !self.is_initialized || current != self.effective {
            (self.caller_timeout, self.armed, self.effective) = (current, current, current);
            self.is_initialized = true;
        }
        Ok(())
    }

    /// When the caller gets the control back, although nothing happened.
    fn wait_limit(&self) -> Option<Instant> {
        let timeout = self
            .caller_timeout
            .filter(|_| self.direction == Direction::Read);
        let start_and_timeout = self.first_call_start.zip(timeout);
        let limit = start_and_timeout.and_then(|(start, timeout)| start.checked_add(timeout));
        limit.into_iter().chain(self.return_by).min()
    }

    /// After a call: `None` if it was interrupted or timed out, see
    /// [`check`](Self::check).
    pub(super) fn finish<R>(&mut self, result: io::Result<R>) -> io::Result<Option<R>> {
        match result {
            Ok(result) => {
                self.first_call_start = None;
                Ok(Some(result))
            }
            Err(error) => self.check(error).map(|()| None),
        }
    }

    /// After a call failed: fine if it was interrupted or timed out, so that
    /// deadlines are to be looked at. Otherwise the error is the caller's: a
    /// stream that is not ready in the time that the caller gave, or a broken
    /// one.
    pub(super) fn check(&mut self, error: io::Error) -> io::Result<()> {
        let timed_out = self
            .armed
            .is_some_and(|armed| self.call_start.elapsed() + CLOCK_TICK >= armed);
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if timed_out => {
                let end = self.wait_limit();
                if end.is_none_or(|end| Instant::now() + MIN_TIMEOUT < end) {
                    return Ok(());
                }
                self.first_call_start = None;
                // What a socket calls a timeout differs between platforms.
                Err(io::ErrorKind::WouldBlock.into())
            }
            _ => {
                self.first_call_start = None;
                Err(error)
            }
        }
    }

    /// Gives the stream its own timeout again.
    pub(super) fn restore(&self, stream: &S) {
        if let Some((_, set_timeout)) = self.calls
            && self.is_initialized
            && self.effective != self.caller_timeout
        {
            // A broken stream has no timeout.
            let _ = set_timeout(stream, self.caller_timeout);
        }
    }
}
