//! Deadlines: takes the time and the state of the transport, and returns the
//! next deadline.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::Connection;
use super::lifecycle::Stage;
use crate::close::Ending;
use crate::deadline::{Deadline, DeadlineReason};
use crate::error::{ConnectionError, HandshakeError};
use crate::event::Event;
use crate::frame::Opcode;
use crate::timer::{Observed, Timer};

/// The state of the driver's transport, passed to
/// [`handle_timeout`](Connection::handle_timeout).
///
/// ```
/// use sansocket::IoState;
///
/// // Reads, and has 1000 bytes in a queue of its own that are not written yet.
/// let io = IoState::reading().with_buffered_len(1000);
/// assert!(io.is_reading && io.buffered_len == 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IoState {
    /// How many unsent bytes there are besides those in `out`: in a queue of the
    /// driver, or in a transport that buffers, such as a TLS session or a
    /// `BufWriter`.
    pub buffered_len: usize,
    /// Whether the driver is reading, or waiting to read, from now until the next
    /// call. If not, the peer's silence means nothing, and the keepalive, pong and
    /// idle deadlines do not run.
    pub is_reading: bool,
}

impl IoState {
    /// The driver is reading and has buffered nothing.
    pub const fn reading() -> Self {
        Self {
            buffered_len: 0,
            is_reading: true,
        }
    }

    /// The driver is not reading, for example because it applies backpressure,
    /// and has buffered nothing.
    pub const fn paused() -> Self {
        Self {
            buffered_len: 0,
            is_reading: false,
        }
    }

    /// Sets [`buffered_len`](Self::buffered_len).
    #[must_use]
    pub const fn with_buffered_len(mut self, bytes: usize) -> Self {
        self.buffered_len = bytes;
        self
    }
}

impl Connection {
    /// Advances the connection's time to `now`, does what is due, and returns the
    /// next deadline, which is later than `now`, or `None` if there is none.
    ///
    /// `now` is the time since an arbitrary origin that the caller chooses, on a
    /// monotonic clock; `Instant::elapsed` is one. Call this after each read and
    /// write, when the returned deadline has come, and whenever `io` changes.
    /// `out` must contain the unsent bytes and nothing else: its length and `io`
    /// are how the connection knows what has been sent.
    ///
    /// When a keepalive ping is due, it is appended to `out`. Any other deadline
    /// fails the connection, and the next [`receive`](Self::receive) returns
    /// [`Event::Failed`](crate::Event::Failed), for which
    /// [`Input::none`](crate::Input::none) is enough. The connection fails at a call
    /// at least 10 ms after one at which the deadline had passed. In between, a
    /// driver that was busy elsewhere can read what the peer has sent in time.
    ///
    /// When the [write deadline](crate::Config::with_write_timeout) passes, `out`
    /// is cleared, because those bytes will never be sent. This happens after the
    /// end of the connection too, so `is_closed() && out.is_empty()` is always
    /// reached. A driver with a queue of its own then clears its queue, see
    /// [`is_stalled`](Self::is_stalled).
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket::{Config, Connection, IoState};
    ///
    /// let config = Config::new().with_handshake_timeout(Duration::from_secs(3));
    /// let (mut ws, mut out) = (Connection::server(&config), Vec::new());
    /// let mut now = Duration::ZERO;
    /// while !ws.is_closed() {
    ///     let next = ws.handle_timeout(now, IoState::reading(), &mut out);
    ///     now = next.expect("a deadline").at; // nothing is received until then
    /// }
    /// assert!(out.starts_with(b"HTTP/1.1 408 "));
    /// ```
    pub fn handle_timeout(
        &mut self,
        now: Duration,
        io: IoState,
        out: &mut Vec<u8>,
    ) -> Option<Deadline> {
        let timeouts = self.config.settings().timeouts;
        loop {
            let observed = self.observe(io, out.len());
            let timer = self
                .timer
                .get_or_insert_with(|| Box::new(Timer::start(now, &observed)));
            if timer.enters_second(now, &observed)
                && let Some(rare) = &mut self.rare
            {
                rare.control_rate.reset();
            }
            match timer.advance(now, &observed, &timeouts) {
                Ok(next) => return next,
                Err(reason) => self.handle_deadline(reason, out),
            }
        }
    }

    /// Returns the round-trip time of the last keepalive ping that was answered,
    /// or `None` if there was none. It is measured between the first call of
    /// [`handle_timeout`](Self::handle_timeout) after the ping was sent and the
    /// first one after its pong was received.
    ///
    /// A keepalive ping is sent when nothing was received for the
    /// [`ping_interval`](crate::Config::with_ping_interval).
    pub fn latency(&self) -> Option<Duration> {
        self.timer.as_ref()?.latency()
    }

    /// Returns `true` if the write deadline has passed: nothing more will be sent,
    /// and a driver with a queue of its own should clear it.
    pub fn is_stalled(&self) -> bool {
        self.lifecycle.end().is_some_and(|end| end.is_stalled)
    }

    /// Whether time matters to a connection that has nothing unsent: a deadline runs, or
    /// control frames are counted by the second.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(crate) fn needs_time(&self) -> bool {
        let timeouts = &self.config.settings().timeouts;
        let is_quiet = self.lifecycle.is_open() && self.rare.is_none();
        !is_quiet || timeouts.ping.is_set() || timeouts.idle.is_set()
    }

    fn observe(&self, io: IoState, out_len: usize) -> Observed {
        let unsent = if self.is_stalled() {
            0
        } else {
            io.buffered_len.saturating_add(out_len) as u64
        };
        Observed {
            phase: self.lifecycle.phase(self.answers_close()),
            is_reading: io.is_reading,
            received: self.received.bytes,
            appended: self.sent.bytes,
            unsent,
            close_end: self.lifecycle.close_end(),
        }
    }

    fn handle_deadline(&mut self, reason: DeadlineReason, out: &mut Vec<u8>) {
        match reason {
            DeadlineReason::Ping => self.send_keepalive(out),
            DeadlineReason::Handshake => self.handle_handshake_deadline(out),
            DeadlineReason::WriteStall => self.stall(out),
            DeadlineReason::Close => {
                self.fail(ConnectionError::Timeout(reason), out);
                self.drop_transport();
            }
            DeadlineReason::Pong | DeadlineReason::Idle => {
                self.fail(ConnectionError::Timeout(reason), out);
            }
        }
    }

    fn send_keepalive(&mut self, out: &mut Vec<u8>) {
        let Some(payload) = self.timer.as_mut().map(|timer| timer.next_ping()) else {
            return;
        };
        if self.write_control(Opcode::Ping, &payload, out).is_err() {
            return self.fail(ConnectionError::NoEntropy, out);
        }
        let end = self.sent.bytes;
        if let Some(timer) = &mut self.timer {
            timer.begin_ping(end);
        }
    }

    /// A refusal whose body is incomplete is delivered with what has arrived.
    fn handle_handshake_deadline(&mut self, out: &mut Vec<u8>) {
        let refusal = match self.lifecycle.stage_mut() {
            Some(Stage::Response(reader)) => reader.take_truncated(),
            _ => None,
        };
        let Some(refusal) = refusal else {
            return self.fail(ConnectionError::Timeout(DeadlineReason::Handshake), out);
        };
        self.fail(HandshakeError::Refused(refusal.status()).into(), out);
        if let Some(end) = self.lifecycle.end_mut() {
            end.event = Some(Event::Refused(refusal));
        }
    }

    /// The transport accepts nothing: unsent bytes will never be sent.
    fn stall(&mut self, out: &mut Vec<u8>) {
        self.fail(ConnectionError::Timeout(DeadlineReason::WriteStall), out);
        out.clear();
        self.drop_transport();
        if let Some(end) = self.lifecycle.end_mut() {
            end.is_stalled = true;
        }
    }

    /// Stops waiting for the peer.
    pub(super) fn drop_transport(&mut self) {
        if let Some(end) = self.lifecycle.end_mut() {
            end.ending = Ending::Drop;
        }
    }
}
