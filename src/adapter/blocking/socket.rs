//! Deadlines through the timeouts of a stream.

// Knows how to make a read or write return when a deadline comes; the core
// decides which deadline that is.

use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The calls of a stream that deadlines and an orderly end need, besides
/// reading and writing.
///
/// There is one for `TcpStream`, for [`Stream`](super::Stream) and, on Unix,
/// for `UnixStream`; for a wrapper, use the calls of the socket below it.
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
    /// The timeout of reads.
    pub read_timeout: fn(&S) -> io::Result<Option<Duration>>,
    /// The timeout of writes.
    pub write_timeout: fn(&S) -> io::Result<Option<Duration>>,
    /// Makes reads fail with `WouldBlock` or `TimedOut` after this long.
    pub set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// Makes writes fail with `WouldBlock` or `TimedOut` after this long.
    pub set_write_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// Ends the stream in the outgoing direction. A TLS stream sends its
    /// `close_notify` first.
    pub shutdown_write: fn(&S) -> io::Result<()>,
    /// How many bytes the stream has taken and not sent; 0 if it does not
    /// buffer.
    pub buffered_len: fn(&S) -> usize,
}

impl Socket<TcpStream> {
    /// Of a TCP stream.
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
    /// Of a Unix stream.
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
    own: Option<Duration>,
    /// The timeout that was set last, and what the kernel made of it.
    armed: Option<Duration>,
    rounded: Option<Duration>,
    is_known: bool,
    /// When the present call began, and the first since the last that
    /// succeeded.
    began: Instant,
    since: Option<Instant>,
    /// When the caller wants the control back, and whether a call was made
    /// since that was set.
    until: Option<Instant>,
    has_tried: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// A timeout may come this much too early or, since none can be zero, late:
/// kernels count it in ticks of up to 10 ms.
pub(super) const TICK: Duration = Duration::from_millis(10);

const MIN_TIMEOUT: Duration = Duration::from_millis(1);

impl<S> SocketTimeout<S> {
    /// For reads: the caller's own timeout is respected.
    pub(super) fn to_read(socket: Option<Socket<S>>) -> Self {
        let calls = socket.map(|socket| (socket.read_timeout, socket.set_read_timeout));
        Self::new(calls, Direction::Read)
    }

    /// For writes.
    pub(super) fn to_write(socket: Option<Socket<S>>) -> Self {
        let calls = socket.map(|socket| (socket.write_timeout, socket.set_write_timeout));
        Self::new(calls, Direction::Write)
    }

    fn new(calls: Option<(Timeout<S>, SetTimeout<S>)>, direction: Direction) -> Self {
        Self {
            calls,
            direction,
            own: None,
            armed: None,
            rounded: None,
            is_known: false,
            began: Instant::now(),
            since: None,
            until: None,
            has_tried: false,
        }
    }

    /// From now on, calls fail with `WouldBlock` once this time has come and
    /// one was made.
    pub(super) const fn limit(&mut self, until: Option<Instant>) {
        self.until = until;
        self.has_tried = false;
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
        self.began = Instant::now();
        if self.has_tried && self.until.is_some_and(|until| until <= self.began) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.has_tried = true;
        let Some((timeout, set_timeout)) = self.calls else {
            return Ok(());
        };
        self.look_at(timeout, stream)?;
        self.since.get_or_insert(self.began);
        let limit = self.end_of_patience();
        let left = [
            deadline.map(|at| at.saturating_sub(now)),
            limit.map(|at| at.saturating_duration_since(self.began)),
        ];
        let left = left.into_iter().flatten().min();
        let left = left.map(|left| left.max(MIN_TIMEOUT));
        let will_do = match (self.armed, left) {
            (None, None) => true,
            (Some(armed), Some(left)) => armed <= left && left <= armed.saturating_mul(2),
            _ => false,
        };
        if !will_do {
            set_timeout(stream, left)?;
            self.armed = left;
            self.rounded = timeout(stream)?;
        }
        Ok(())
    }

    /// Finds out whether the caller has set another timeout.
    fn look_at(&mut self, timeout: Timeout<S>, stream: &S) -> io::Result<()> {
        if self.is_known && self.direction == Direction::Write {
            return Ok(());
        }
        let current = timeout(stream)?;
        if !self.is_known || current != self.rounded {
            (self.own, self.armed, self.rounded) = (current, current, current);
            self.is_known = true;
        }
        Ok(())
    }

    /// When the caller gets the control back, although nothing happened.
    fn end_of_patience(&self) -> Option<Instant> {
        let own = self.own.filter(|_| self.direction == Direction::Read);
        let own = self.since.zip(own);
        let own = own.and_then(|(since, own)| since.checked_add(own));
        own.into_iter().chain(self.until).min()
    }

    /// After a call succeeded.
    pub(super) const fn succeed(&mut self) {
        self.since = None;
    }

    /// After a call failed: fine if it was interrupted or timed out, so that
    /// deadlines are to be looked at. Otherwise the error is the caller's: a
    /// stream that is not ready in the time that the caller gave, or a broken
    /// one.
    pub(super) fn check(&mut self, error: io::Error) -> io::Result<()> {
        let timed_out = self
            .armed
            .is_some_and(|armed| self.began.elapsed() + TICK >= armed);
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if timed_out => {
                let end = self.end_of_patience();
                if end.is_none_or(|end| Instant::now() + MIN_TIMEOUT < end) {
                    return Ok(());
                }
                self.since = None;
                // What a socket calls a timeout differs between platforms.
                Err(io::ErrorKind::WouldBlock.into())
            }
            _ => {
                self.since = None;
                Err(error)
            }
        }
    }

    /// Gives the stream its own timeout again.
    pub(super) fn restore(&self, stream: &S) {
        if let Some((_, set_timeout)) = self.calls
            && self.is_known
            && self.rounded != self.own
        {
            // A broken stream has no timeout.
            let _ = set_timeout(stream, self.own);
        }
    }
}
