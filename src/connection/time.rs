//! Deadlines in, what passed them out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::Connection;
use crate::error::{Deadline, DeadlineReason, Error};
use crate::frame::Opcode;
use crate::timer::{Observed, Phase, Timer};

impl Connection {
    /// Moves on to `now`, a monotonic time since any origin of the caller's,
    /// does what is due, and tells the next deadline.
    ///
    /// A ping that is due is appended to `out`. A deadline that passed fails
    /// the connection: the next [`receive`](Self::receive) tells
    /// [`Event::Failed`](crate::Event::Failed), whatever input it is given.
    ///
    /// `out` must be the unsent bytes and nothing else: that some are gone
    /// since the last call is how progress of the transport is seen. So call
    /// this after each read, after each write, and when the deadline comes. A
    /// deadline that was returned is later than `now`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket::{Config, Connection, DeadlineReason};
    ///
    /// let config = Config::new().handshake_timeout(Duration::from_secs(3));
    /// let (mut ws, mut out) = (Connection::server(&config), Vec::new());
    /// let deadline = ws.handle_timeout(Duration::ZERO, &mut out).expect("a deadline");
    /// assert_eq!(deadline.reason, DeadlineReason::Handshake);
    /// ws.handle_timeout(deadline.at, &mut out);
    /// assert!(ws.is_closed());
    /// assert!(out.starts_with(b"HTTP/1.1 408 "));
    /// ```
    pub fn handle_timeout(&mut self, now: Duration, out: &mut Vec<u8>) -> Option<Deadline> {
        self.handle_timeout_behind(now, 0, out)
    }

    /// As [`handle_timeout`](Self::handle_timeout), where `queued` bytes are to
    /// leave before those in `out`: payloads of
    /// [`send_header`](Self::send_header) or
    /// [`share_prepared`](Self::share_prepared) that the driver keeps itself.
    pub fn handle_timeout_behind(
        &mut self,
        now: Duration,
        queued: usize,
        out: &mut Vec<u8>,
    ) -> Option<Deadline> {
        let timeouts = self.config.settings().timeouts;
        loop {
            let observed = self.observe(queued + out.len());
            let timer = self
                .timer
                .get_or_insert_with(|| Box::new(Timer::start(now, observed)));
            if timer.begins_second(now) {
                self.control_frames = 0;
            }
            match timer.advance(now, observed, &timeouts) {
                None => return timer.next(&timeouts),
                Some(reason) => self.pass_deadline(reason, out),
            }
        }
    }

    /// Bytes left: for drivers that do not call `handle_timeout` behind each
    /// write, where others may have come in their place.
    #[cfg(feature = "std")]
    pub(crate) const fn note_written(&mut self) {
        self.written = true;
    }

    /// Since the last `handle_timeout` the driver only wrote: what the peer
    /// sent meanwhile nobody knows, so its silence says nothing.
    #[cfg(feature = "std")]
    pub(crate) const fn note_unread(&mut self) {
        self.unread = true;
    }

    fn observe(&mut self, unsent_len: usize) -> Observed {
        let phase = match (&self.opening, self.is_closed) {
            (_, true) => Phase::Closed,
            (Some(_), _) => Phase::Handshake,
            (None, _) if self.is_open() => Phase::Open,
            (None, _) => Phase::Closing,
        };
        Observed {
            phase,
            received: core::mem::take(&mut self.received),
            written: core::mem::take(&mut self.written),
            unread: core::mem::take(&mut self.unread),
            unsent_len,
        }
    }

    fn pass_deadline(&mut self, reason: DeadlineReason, out: &mut Vec<u8>) {
        if reason == DeadlineReason::Ping {
            if self.write_control(Opcode::Ping, &[], out).is_err() {
                self.fail(Error::NoEntropy, out);
            }
            return;
        }
        self.fail(Error::Timeout(reason), out);
        // Also where both close frames have passed and a client waited for
        // the end of the stream (RFC 6455 §7.1.1).
        self.is_closed = true;
    }
}
