//! The deadlines: what must happen by when, and when a connection fails.
//!
//! Time is an argument: a monotonic [`Duration`] since an arbitrary origin. Everything
//! that concerns sending is a position in the output: how many bytes the connection has
//! appended, and how many of them have been sent.
//!
//! | deadline | runs | ends with | when it passes |
//! |---|---|---|---|
//! | handshake | while the peer owes bytes of its head | the end of the head | 408 as a server; fails |
//! | ping | while open and the driver reads, from the last received byte, unless the last ping has not left | any received byte | a ping is sent |
//! | pong | from the moment that ping has left, while the driver reads | any received byte | fails, 1011 |
//! | idle | while open and the driver reads, from the last received byte | any received byte | fails, 1001 |
//! | close | from the moment the close frame has left | the peer's close frame, then the end of the stream; while draining, any received byte | the transport may be dropped |
//! | write stall | while bytes are unsent, in every phase | bytes leaving, at the minimum rate if there is one | fails, unsent bytes are dropped |
//!
//! Without a write deadline, the close deadline takes its place after the last message.
//!
//! A deadline fails the connection not at the first call after it has passed, but at a
//! call a little later: in between, a driver that was busy elsewhere reads and writes
//! what was possible in time.

use core::num::NonZeroU32;
use core::time::Duration;

mod observed;
mod timeouts;

use crate::deadline::{Deadline, DeadlineReason};
pub(crate) use observed::{Observed, Phase};
use timeouts::{NEVER, Nanos, nanos, second};
pub(crate) use timeouts::{Timeout, Timeouts};

/// Where the last keepalive ping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    /// There was none, or its pong was received.
    None,
    /// Some of it has not left.
    Queued,
    /// It has left.
    Written,
}

/// The payload of a keepalive ping, by which its pong is recognised.
pub(crate) type PingPayload = [u8; 4];

/// The moments from which the deadlines run.
#[derive(Debug)]
pub(crate) struct Timer {
    phase: Phase,
    is_reading: bool,
    has_unsent: bool,
    /// Whether the close frame has left.
    close_is_written: bool,
    /// Whether nothing was received since the last keepalive ping.
    ping_is_awaited: bool,
    /// Whether the pong for that ping was received since the last call.
    ping_is_answered: bool,
    ping: Ping,
    /// How many pings were sent, as far as that fits.
    pings: u8,
    /// Microseconds.
    latency: Option<NonZeroU32>,
    /// The second in which control frames are counted, and how many passed
    /// between it and the last one.
    second: u16,
    window: u16,
    /// When the driver last called.
    called_at: Nanos,
    /// The position in the output after a ping that is queued, or when it had
    /// left.
    ping_mark: u64,
    /// When the phase began, the last byte was received while open or draining,
    /// or the close frame had left.
    since: Nanos,
    /// Bytes received and appended, as of the last call.
    received: u64,
    appended: u64,
    /// The position in the output that had left when enough of it had, and
    /// when that was.
    progress_end: u64,
    progress_at: Nanos,
    /// All calls, and those of a driver that reads.
    calls: CallTimes,
    reading_calls: CallTimes,
}

/// When the driver last called, and when at least [`GRACE`] before that.
#[derive(Clone, Copy, Debug)]
struct CallTimes {
    last: Nanos,
    before: Nanos,
}

/// How long after a call at which a deadline had passed it takes effect.
const GRACE: Nanos = 10_000_000;

impl CallTimes {
    const fn observe(&mut self, now: Nanos) {
        if now >= self.last.saturating_add(GRACE) {
            (self.before, self.last) = (self.last, now);
        }
    }

    /// What came in time can be read only after a pause.
    const fn skip(&mut self, pause: Nanos) {
        self.before = self.before.saturating_add(pause);
        self.last = self.last.saturating_add(pause);
    }
}

impl Timer {
    /// Starts at the first call of `handle_timeout`, which then advances it.
    pub(crate) fn start(now: Duration, observed: &Observed) -> Self {
        let now = nanos(now);
        Self {
            phase: observed.phase,
            is_reading: observed.is_reading,
            has_unsent: false,
            close_is_written: false,
            ping_is_awaited: false,
            ping_is_answered: false,
            ping: Ping::None,
            pings: 0,
            latency: None,
            second: second(now),
            window: 1,
            called_at: now,
            ping_mark: 0,
            since: now,
            received: observed.received,
            appended: observed.appended,
            progress_end: observed.written_len(),
            progress_at: now,
            calls: CallTimes {
                last: now,
                before: now,
            },
            reading_calls: CallTimes {
                last: now,
                before: now,
            },
        }
    }

    /// Whether a second begins, in which control frames count anew. What came while the
    /// driver did not read is read later, and has taken all of that time.
    pub(crate) fn enters_second(&mut self, now: Duration, observed: &Observed) -> bool {
        if !observed.is_reading && observed.received == self.received {
            return false;
        }
        let second = second(nanos(now));
        let passed = second.wrapping_sub(self.second);
        if passed > 0 {
            (self.second, self.window) = (second, passed);
        }
        passed > 0
    }

    /// How many seconds the control frames that are counted may have taken:
    /// more than one where the driver was busy, or did not read.
    pub(crate) const fn window_secs(&self) -> u32 {
        self.window as u32
    }

    /// Moves on to `now`. Returns the next deadline, which is later, or as an error the
    /// one that takes effect now.
    pub(crate) fn advance(
        &mut self,
        now: Duration,
        observed: &Observed,
        timeouts: &Timeouts,
    ) -> Result<Option<Deadline>, DeadlineReason> {
        let now = nanos(now);
        self.skip_pause(now);
        if self.phase != observed.phase {
            (self.phase, self.since) = (observed.phase, now);
            self.close_is_written = false;
            if !timeouts.write_stall.is_set() {
                // What was unsent before had no deadline.
                self.progress_at = now;
            }
        }
        self.is_reading = observed.is_reading;
        self.calls.observe(now);
        if self.is_reading {
            self.reading_calls.observe(now);
        }
        self.observe_writing(now, observed, timeouts);
        self.observe_reading(now, observed);
        match self.first(timeouts) {
            Some((reason, at)) if self.takes_effect(reason, at, now) => Err(reason),
            first => Ok(first.map(|(reason, at)| self.deadline(reason, at, now))),
        }
    }

    /// A keepalive ping is appended, and ends at this position in the output.
    pub(crate) const fn begin_ping(&mut self, end: u64) {
        (self.ping, self.ping_mark) = (Ping::Queued, end);
        self.ping_is_awaited = true;
        self.ping_is_answered = false;
    }

    /// The payload of the next keepalive ping.
    pub(crate) const fn next_ping(&mut self) -> PingPayload {
        self.pings = self.pings.wrapping_add(1);
        [0, 0, 0, self.pings]
    }

    /// A pong was received.
    pub(crate) fn receive_pong(&mut self, payload: &[u8]) {
        self.ping_is_answered |= payload == [0, 0, 0, self.pings];
    }

    /// The round-trip time of the last keepalive ping that was answered.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency
            .map(|latency| Duration::from_micros(latency.get().into()))
    }

    /// The time in which the driver did not read does not count as silence of the peer.
    fn skip_pause(&mut self, now: Nanos) {
        let pause = now.saturating_sub(self.called_at);
        self.called_at = now;
        if self.is_reading || !self.phase.counts_silence() {
            return;
        }
        self.since = self.since.saturating_add(pause);
        self.reading_calls.skip(pause);
        if self.ping == Ping::Written {
            self.ping_mark = self.ping_mark.saturating_add(pause);
        }
    }

    fn observe_writing(&mut self, now: Nanos, observed: &Observed, timeouts: &Timeouts) {
        let written_len = observed.written_len();
        // All that was unsent at the last call has left, or enough of it.
        let has_caught_up = !self.has_unsent || written_len >= self.appended;
        if has_caught_up
            || written_len.saturating_sub(self.progress_end) >= timeouts.min_progress_len()
        {
            (self.progress_end, self.progress_at) = (written_len, now);
        }
        (self.appended, self.has_unsent) = (observed.appended, observed.unsent > 0);
        let is_writing_close = self.phase.is_closing() && !self.close_is_written;
        if is_writing_close && written_len >= observed.close_end {
            (self.close_is_written, self.since) = (true, now);
        }
    }

    fn observe_reading(&mut self, now: Nanos, observed: &Observed) {
        let is_alive = observed.received != self.received;
        self.received = observed.received;
        if is_alive {
            self.ping_is_awaited = false;
        }
        if is_alive && self.phase.counts_silence() {
            self.since = now;
        }
        match self.ping {
            // The time at which it was sent is unknown.
            Ping::Queued if self.ping_is_answered => self.ping = Ping::None,
            Ping::Queued if observed.written_len() >= self.ping_mark => {
                (self.ping, self.ping_mark) = (Ping::Written, now);
            }
            Ping::Written if self.ping_is_answered => {
                let micros = now.saturating_sub(self.ping_mark) / 1000;
                let micros = u32::try_from(micros).unwrap_or(u32::MAX);
                self.latency = NonZeroU32::new(micros.max(1));
                self.ping = Ping::None;
            }
            _ => {}
        }
    }

    /// When the driver must call again for this deadline.
    const fn deadline(&self, reason: DeadlineReason, at: Nanos, now: Nanos) -> Deadline {
        let at = if at <= now {
            self.calls_for(reason).last.saturating_add(GRACE)
        } else {
            at
        };
        let at = Duration::from_nanos(at);
        Deadline { at, reason }
    }

    /// Whether a deadline had passed at a call before this one.
    const fn takes_effect(&self, reason: DeadlineReason, at: Nanos, now: Nanos) -> bool {
        match reason {
            // An early ping is harmless.
            DeadlineReason::Ping => at <= now,
            _ => at <= self.calls_for(reason).before,
        }
    }

    /// The calls that a deadline is measured by. What ends with received bytes
    /// takes a call of a driver that reads.
    const fn calls_for(&self, reason: DeadlineReason) -> &CallTimes {
        match (reason, self.phase) {
            (DeadlineReason::Pong | DeadlineReason::Idle, _)
            | (DeadlineReason::Close, Phase::Draining) => &self.reading_calls,
            _ => &self.calls,
        }
    }

    /// The first deadline, whether it has passed or not.
    fn first(&self, timeouts: &Timeouts) -> Option<(DeadlineReason, Nanos)> {
        use DeadlineReason::{Close, Handshake, Idle, Ping, Pong, WriteStall};
        let unsent_since = self.has_unsent.then_some(self.progress_at);
        let rows = [
            (Handshake, timeouts.handshake.after(self.handshake_since())),
            (Close, timeouts.close.after(self.close_since())),
            (WriteStall, timeouts.write(self.phase).after(unsent_since)),
            (Pong, timeouts.pong.after(self.pong_awaited_since())),
            (Idle, timeouts.idle.after(self.silent_since())),
            (Ping, timeouts.ping.after(self.ping_due_since())),
        ];
        let first = rows.into_iter().min_by_key(|(_, at)| *at);
        first.filter(|(_, at)| *at < NEVER)
    }

    fn handshake_since(&self) -> Option<Nanos> {
        (self.phase == Phase::Handshake).then_some(self.since)
    }

    fn close_since(&self) -> Option<Nanos> {
        let is_paused = self.phase == Phase::Draining && !self.is_reading;
        (self.close_is_written && !is_paused).then_some(self.since)
    }

    fn silent_since(&self) -> Option<Nanos> {
        (self.phase == Phase::Open && self.is_reading).then_some(self.since)
    }

    fn pong_awaited_since(&self) -> Option<Nanos> {
        self.silent_since()?;
        let is_awaited = self.ping == Ping::Written && self.ping_is_awaited;
        is_awaited.then_some(self.ping_mark)
    }

    /// One ping for each silence: the next is due after something was received. A peer
    /// that does not read cannot make pings pile up.
    fn ping_due_since(&self) -> Option<Nanos> {
        let is_due = !self.ping_is_awaited && self.ping != Ping::Queued;
        self.silent_since().filter(|_| is_due)
    }
}
