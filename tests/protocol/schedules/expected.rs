//! The deadlines as the page of `Connection`, `handle_timeout` and the guide on time
//! describe them, seen from the outside: what a driver reports at its calls.
//!
//! - A deadline fails the connection at a call at least 10 ms after one at which it had
//!   passed: never before, and after at most two such calls.
//! - The deadline that a call returns is late for none.

use core::time::Duration;
use std::collections::VecDeque;

use super::plan::Timeouts;
use sansocket::DeadlineReason::{self, Close, Handshake, Idle, Ping, Pong, WriteStall};
use sansocket::{Connection, ConnectionError, Deadline};

const GRACE: Duration = Duration::from_millis(10);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    /// The application decides on a request.
    Decision,
    Open,
    /// The answer to a close frame, or the end of the stream.
    Closing,
    /// The close frame that the peer sends once it has sent everything.
    Draining,
    Closed,
}

/// What the driver knows at a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) now: Duration,
    pub(super) is_reading: bool,
    pub(super) unsent_len: usize,
    pub(super) has_been_open: bool,
    pub(super) is_deciding: bool,
    pub(super) closes_by_hand: bool,
    /// The position in the output after the close frame, or after the last byte.
    pub(super) close_end: u64,
}

/// The last keepalive ping, while nothing was received since.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    end: u64,
    /// Since when its pong is owed.
    since: Option<Duration>,
}

/// The first call at which a deadline had passed, and the first one 10 ms later. What
/// ends with received bytes must have passed while the driver reads.
#[derive(Clone, Copy, Debug)]
struct Passed {
    reason: DeadlineReason,
    /// When the deadline was, as of the first call.
    at: Duration,
    first: Option<Duration>,
    second: Option<Duration>,
}

impl Passed {
    fn observe(&mut self, now: Duration, at: Option<Duration>) {
        let is_passed = at.is_some_and(|at| at <= now);
        let is_valid = |call: &Duration| at.is_some_and(|at| *call >= at);
        self.first = self.first.filter(is_valid);
        if let Some(at) = at.filter(|_| is_passed && self.first.is_none()) {
            (self.first, self.at) = (Some(now), at);
        }
        let is_second = self.first.is_some_and(|first| first + GRACE <= now) && is_passed;
        let second = self
            .second
            .filter(|_| self.first.is_some() && self.first < self.second);
        self.second = second.or_else(|| is_second.then_some(now));
    }

    /// Whether it must have taken effect.
    fn is_overdue(&self, now: Duration) -> bool {
        self.second.is_some_and(|second| second + GRACE <= now)
    }
}

#[derive(Debug)]
pub(super) struct Expected {
    timeouts: Timeouts,
    last: Option<Call>,
    /// The longest time between two calls.
    longest_gap: Duration,
    phase: Phase,
    phase_since: Duration,
    /// Since when nothing was received. The time in which the driver does not read is
    /// left out.
    silent_since: Duration,
    received: u64,
    ping: Option<Awaited>,
    /// The position in the output after the last keepalive ping.
    ping_end: u64,
    close_left_at: Option<Duration>,
    /// Since when there are unsent bytes, and none of them left.
    stalled_since: Option<Duration>,
    /// Since when there are unsent bytes, and since when some that were there before.
    unsent_since: Option<Duration>,
    behind_since: Option<Duration>,
    left: u64,
    appended: u64,
    /// What had left, and when.
    departures: VecDeque<(Duration, u64)>,
    /// The deadlines that have passed.
    passed: [Passed; 6],
    is_over: bool,
    sent_pings: u64,
}

impl Expected {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let reasons = [Handshake, Ping, Pong, Idle, Close, WriteStall];
        Self {
            timeouts,
            last: None,
            longest_gap: Duration::ZERO,
            phase: Phase::Closed,
            phase_since: Duration::ZERO,
            silent_since: Duration::ZERO,
            received: 0,
            ping: None,
            ping_end: 0,
            close_left_at: None,
            stalled_since: None,
            unsent_since: None,
            behind_since: None,
            left: 0,
            appended: 0,
            departures: VecDeque::new(),
            passed: reasons.map(|reason| Passed {
                reason,
                at: Duration::ZERO,
                first: None,
                second: None,
            }),
            is_over: false,
            sent_pings: 0,
        }
    }

    /// Before a call.
    pub(super) fn observe(&mut self, ws: &Connection, call: Call) {
        self.skip_pause(call.now);
        let phase = self.phase(ws, &call);
        if self.last.is_none() || phase != self.phase {
            (self.phase, self.phase_since) = (phase, call.now);
            self.silent_since = call.now;
            self.close_left_at = None;
        }
        self.last = Some(call);
        let counters = ws.counters();
        if counters.received.bytes != self.received {
            self.received = counters.received.bytes;
            (self.silent_since, self.ping) = (call.now, None);
        }
        self.sent_pings = counters.sent.pings;
        self.is_over = ws.outcome().is_some();
        self.observe_output(counters.sent.bytes, &call);
        for index in 0..self.passed.len() {
            let reason = self.passed[index].reason;
            if call.is_reading || !self.needs_reading(reason) {
                let at = self.deadline(reason);
                self.passed[index].observe(call.now, at);
            }
        }
    }

    /// Whether the time in which the driver does not read is left out.
    fn needs_reading(&self, reason: DeadlineReason) -> bool {
        matches!(reason, Ping | Pong | Idle) || reason == Close && self.phase == Phase::Draining
    }

    fn skip_pause(&mut self, now: Duration) {
        let Some(last) = self.last else { return };
        self.longest_gap = self.longest_gap.max(now - last.now);
        if last.is_reading {
            return;
        }
        for index in 0..self.passed.len() {
            let passed = self.passed[index];
            if self.needs_reading(passed.reason) {
                self.passed[index].first = passed.first.map(|at| at + (now - last.now));
                self.passed[index].second = passed.second.map(|at| at + (now - last.now));
            }
        }
        self.silent_since += now - last.now;
        if let Some(Awaited {
            since: Some(since), ..
        }) = &mut self.ping
        {
            *since += now - last.now;
        }
    }

    fn phase(&self, ws: &Connection, call: &Call) -> Phase {
        match ws.outcome() {
            Some(_) if ws.is_closed() && !ws.is_lingering() => Phase::Closed,
            Some(_) => Phase::Closing,
            None if ws.is_open() => Phase::Open,
            None if call.is_deciding => Phase::Decision,
            None if !call.has_been_open => Phase::Handshake,
            None if call.closes_by_hand => Phase::Draining,
            None => Phase::Closing,
        }
    }

    fn observe_output(&mut self, appended: u64, call: &Call) {
        let left = appended - (call.unsent_len as u64).min(appended);
        let has_caught_up = left >= self.appended;
        let moves = left > self.left || self.stalled_since.is_none();
        (self.left, self.appended) = (left, appended);
        let owes = call.unsent_len > 0;
        if self.timeouts.min_write_rate > 0 {
            self.departures.push_back((call.now, left));
        }
        let since = |since: Option<Duration>| owes.then_some(since.unwrap_or(call.now));
        self.stalled_since = since(self.stalled_since.filter(|_| !moves));
        self.unsent_since = since(self.unsent_since);
        self.behind_since = since(self.behind_since.filter(|_| !has_caught_up));
        if let Some(ping) = &mut self.ping
            && ping.since.is_none()
            && left >= ping.end
        {
            ping.since = Some(call.now);
        }
        let is_closing = matches!(self.phase, Phase::Closing | Phase::Draining);
        if is_closing && self.close_left_at.is_none() && left >= call.close_end {
            (self.close_left_at, self.silent_since) = (Some(call.now), call.now);
        }
    }

    /// When a deadline passes that is running.
    fn deadline(&self, reason: DeadlineReason) -> Option<Duration> {
        let times = &self.timeouts;
        let is_reading = self.last.is_some_and(|call| call.is_reading);
        let is_silent = is_reading && self.phase == Phase::Open;
        let (since, timeout) = match reason {
            Handshake if self.phase == Phase::Handshake => (self.phase_since, times.handshake),
            Ping if is_silent && self.ping.is_none() && self.left >= self.ping_end => {
                (self.silent_since, times.ping)
            }
            Pong if is_silent => (self.ping?.since?, times.pong),
            Idle if is_silent => (self.silent_since, times.idle),
            Close if self.phase == Phase::Closing => (self.close_left_at?, times.close),
            Close if self.phase == Phase::Draining && is_reading => {
                self.close_left_at?;
                (self.silent_since, times.close)
            }
            WriteStall if times.min_write_rate == 0 => (self.stalled_since?, times.write),
            WriteStall => (self.too_slow_since()?, times.write),
            _ => return None,
        };
        Some(since + timeout?)
    }

    /// With a minimum rate, the windows in which it is measured are the connection's own:
    /// the rate must have been too low for twice the time, as far as the calls show.
    fn too_slow_since(&self) -> Option<Duration> {
        let now = self.last?.now;
        let window = self.timeouts.write?;
        let window_start = now.checked_sub(2 * (window + self.longest_gap))?;
        self.behind_since.filter(|since| *since <= window_start)?;
        let left = self.left_within(now, 2 * (window + self.longest_gap))?;
        let is_slow = left < self.min_progress();
        is_slow.then(|| now - window)
    }

    fn min_progress(&self) -> u64 {
        let window = self.timeouts.write.unwrap_or_default().as_millis() as u64;
        (window * u64::from(self.timeouts.min_write_rate) / 1000).max(1)
    }

    /// How many bytes left in this time, if there were unsent ones throughout.
    fn left_within(&self, now: Duration, window: Duration) -> Option<u64> {
        let start = now.checked_sub(window)?;
        self.unsent_since.filter(|since| *since <= start)?;
        let before = self.departures.iter().rev().find(|(at, _)| *at <= start)?;
        Some(self.left - before.1)
    }

    /// When the deadline passed that took effect.
    pub(super) fn passed_at(&self, reason: DeadlineReason) -> Duration {
        let passed = self.passed.iter().find(|passed| passed.reason == reason);
        passed.map_or(Duration::ZERO, |passed| passed.at)
    }

    /// After the call.
    pub(super) fn check(
        &mut self,
        ws: &Connection,
        next: Option<Deadline>,
        stalled: bool,
    ) -> Result<(), String> {
        let call = self.last.expect("a call");
        let pings = ws.counters().sent.pings - self.sent_pings;
        if pings > 0 {
            self.check_ping(pings, ws.counters().sent.bytes)?;
        }
        if stalled {
            return self.check_stall();
        }
        let was_closing = self.is_over && self.phase == Phase::Closing;
        if !self.is_over && ws.outcome().is_some() {
            return self.check_failure(ws);
        }
        if was_closing && ws.is_closed() && !ws.is_lingering() {
            return self.check_passed(Close);
        }
        for passed in self.passed {
            let reason = passed.reason;
            let at = self.deadline(reason);
            if let Some(at) = at.filter(|_| passed.is_overdue(call.now)) {
                return Err(format!("{reason:?} passed at {at:?}, and nothing happened"));
            }
        }
        if pings == 0 {
            return self.check_next(call.now, next);
        }
        Ok(())
    }

    fn check_next(&self, now: Duration, next: Option<Deadline>) -> Result<(), String> {
        if let Some(next) = next.filter(|next| next.at <= now) {
            return Err(format!("{next:?} is not later than now"));
        }
        let deadlines = self
            .passed
            .map(|passed| (passed.reason, self.deadline(passed.reason)));
        let has_passed = deadlines
            .iter()
            .any(|(_, at)| at.is_some_and(|at| at <= now));
        for (reason, at) in deadlines {
            let Some(at) = at else { continue };
            // Another deadline may be about to take effect.
            let limit = if has_passed || self.timeouts.min_write_rate > 0 {
                at.max(now + 2 * GRACE)
            } else {
                at
            };
            if next.is_none_or(|next| next.at > limit) {
                return Err(format!("{reason:?} passes at {at:?}, but next is {next:?}"));
            }
        }
        Ok(())
    }

    fn check_ping(&mut self, pings: u64, end: u64) -> Result<(), String> {
        if pings > 1
            || self
                .deadline(Ping)
                .is_none_or(|at| at > self.last.expect("a call").now)
        {
            return Err(format!("{pings} pings that are not due"));
        }
        self.ping_end = end;
        self.ping = Some(Awaited { end, since: None });
        Ok(())
    }

    fn check_failure(&self, ws: &Connection) -> Result<(), String> {
        match ws.outcome().and_then(|outcome| outcome.cause) {
            Some(ConnectionError::Timeout(reason)) => self.check_passed(reason),
            cause => Err(format!("time caused {cause:?}")),
        }
    }

    fn check_passed(&self, reason: DeadlineReason) -> Result<(), String> {
        let now = self.last.expect("a call").now;
        let passed = self.passed.iter().find(|passed| passed.reason == reason);
        let first = passed.and_then(|passed| passed.first);
        if first.is_none_or(|first| first + GRACE > now) {
            return Err(format!("{reason:?} took effect; first passed at {first:?}"));
        }
        Ok(())
    }

    fn check_stall(&self) -> Result<(), String> {
        if self.timeouts.min_write_rate == 0 {
            return self.check_passed(WriteStall);
        }
        let now = self.last.expect("a call").now;
        let left = self.left_within(now, self.timeouts.write.unwrap_or(Duration::MAX));
        if left.is_none_or(|left| left >= self.min_progress()) {
            return Err(format!("write stall, but {left:?} bytes left"));
        }
        Ok(())
    }
}
