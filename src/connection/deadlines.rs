//! Time and the state of the transport in, the next deadline out.

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

/// What a driver knows of its transport, for
/// [`handle_timeout`](Connection::handle_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IoState {
    /// How many bytes the driver has taken from the connection that have not
    /// left yet, those in `out` not included: bytes and shared payloads in a
    /// queue of its own, and bytes in a transport that buffers, such as a TLS
    /// session or a `BufWriter`.
    pub buffered_len: usize,
    /// Whether the driver reads from now on, or waits until it can. `false`:
    /// until the next call the peer's silence means nothing, and no keepalive,
    /// pong or idle deadline runs.
    pub is_reading: bool,
}

impl IoState {
    /// The driver reads, and has buffered nothing.
    pub const fn reading() -> Self {
        Self {
            buffered_len: 0,
            is_reading: true,
        }
    }

    /// The driver does not read, for example because it only sends or waits for
    /// the peer to take more, and has buffered nothing.
    pub const fn paused() -> Self {
        Self {
            buffered_len: 0,
            is_reading: false,
        }
    }

    /// With so many bytes in [`buffered_len`](Self::buffered_len).
    #[must_use]
    pub const fn with_buffered_len(mut self, bytes: usize) -> Self {
        self.buffered_len = bytes;
        self
    }
}

impl Connection {
    /// Advances to `now`, a monotonic time since any origin of the caller's,
    /// does what is due, and returns the next deadline, later than `now`.
    ///
    /// Call this after reading and writing, when the returned deadline comes,
    /// and whenever `io` changes. `out` must hold the unsent bytes and nothing
    /// else: from its length and `io` the connection knows how much has left.
    ///
    /// A keepalive ping that is due is appended to `out`. Any other deadline
    /// fails the connection, and the next [`receive`](Self::receive) returns
    /// [`Event::Failed`](crate::Event::Failed), whatever input it is given;
    /// [`Input::none`](crate::Input::none) will do. It fails at the second call
    /// after the deadline, at least 10 ms after the first: a driver that was
    /// busy elsewhere reads and writes in between, so that what the peer did in
    /// time counts.
    ///
    /// When the [write deadline](crate::Config::with_write_timeout) passes, `out` is
    /// cleared, as those bytes will never leave, also after the end of the
    /// connection: `is_closed() && out.is_empty()` is always reached. A driver
    /// with a queue of its own then clears that too, see
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
    ///     now = next.expect("a deadline").at; // nothing comes
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
            if timer.enters_second(now)
                && let Some(rare) = &mut self.rare
            {
                rare.control_rate.reset();
            }
            match timer.advance(now, &observed, &timeouts) {
                None => return timer.next(now, &timeouts),
                Some(reason) => self.handle_deadline(reason, out),
            }
        }
    }

    /// The round-trip time of the last keepalive ping that was answered:
    /// from the call of [`handle_timeout`](Self::handle_timeout) that saw it
    /// leave to the one that saw its pong.
    ///
    /// A keepalive ping is sent after a silence of
    /// [`ping_interval`](crate::Config::with_ping_interval); its payload is 4 bytes.
    pub fn latency(&self) -> Option<Duration> {
        self.timer.as_ref()?.latency()
    }

    /// Whether the write deadline passed: nothing more will be sent, and the
    /// driver should drop its queue.
    pub fn is_stalled(&self) -> bool {
        self.lifecycle.end().is_some_and(|end| end.is_stalled)
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

    /// A refusal whose body does not end is handed over as far as it came.
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

    /// The transport takes nothing: what is unsent never leaves.
    fn stall(&mut self, out: &mut Vec<u8>) {
        self.fail(ConnectionError::Timeout(DeadlineReason::WriteStall), out);
        out.clear();
        self.drop_transport();
        if let Some(end) = self.lifecycle.end_mut() {
            end.is_stalled = true;
        }
    }

    /// Nothing is awaited any more.
    pub(super) fn drop_transport(&mut self) {
        if let Some(end) = self.lifecycle.end_mut() {
            end.ending = Ending::Drop;
        }
    }
}
