//! The deadlines: when something must have happened, and what if it has not.
//!
//! Knows durations and which of them runs in which phase; knows no clock: time
//! is an argument, a monotonic [`Duration`] since any origin of the caller's.
//!
//! | deadline | runs | from | when it passes |
//! |---|---|---|---|
//! | handshake | until the connection is open | the first call | 408 as a server; fails |
//! | ping | while open | the last byte received | a ping is sent |
//! | pong | after such a ping | the ping | fails, 1011 |
//! | idle | while open | the last byte received | fails, 1001 |
//! | close | once a close frame was sent | the call that sees it | the transport may be dropped |
//! | write stall | while bytes are unsent | the last byte that left | fails |

use core::time::Duration;

use crate::error::{Deadline, DeadlineReason};

/// How long each thing may take; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) handshake: Option<Duration>,
    pub(crate) ping: Option<Duration>,
    pub(crate) pong: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) close: Option<Duration>,
    pub(crate) write_stall: Option<Duration>,
}

/// What the deadlines depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The opening handshake is not over.
    Handshake,
    /// Messages may pass.
    Open,
    /// A close frame was sent, or the connection failed.
    Closing,
    /// The transport may be dropped.
    Closed,
}

/// What happened since the last call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    pub(crate) phase: Phase,
    /// Whether any byte was received: "any received byte is life".
    pub(crate) received: bool,
    /// Whether any byte is known to have left.
    pub(crate) written: bool,
    /// Whether nobody read.
    pub(crate) unread: bool,
    /// How many bytes wait to leave.
    pub(crate) unsent_len: usize,
}

/// The moments from which the deadlines run.
#[derive(Debug)]
pub(crate) struct Timer {
    phase: Phase,
    /// Since when the phase lasts.
    phase_since: Duration,
    received_at: Duration,
    pinged_at: Option<Duration>,
    unsent_len: usize,
    /// When the last unsent byte left, or the first one came.
    written_at: Duration,
    /// When the second in which control frames are counted began.
    second_at: Duration,
    /// When this was last told what happened.
    observed_at: Duration,
}

impl Timer {
    /// Starts at the first call of `handle_timeout`.
    pub(crate) const fn start(now: Duration, observed: Observed) -> Self {
        Self {
            phase: observed.phase,
            phase_since: now,
            received_at: now,
            pinged_at: None,
            unsent_len: observed.unsent_len,
            written_at: now,
            second_at: now,
            observed_at: now,
        }
    }

    /// Whether a new second begins, in which control frames count anew.
    pub(crate) fn begins_second(&mut self, now: Duration) -> bool {
        let begins = now >= self.second_at.saturating_add(Duration::from_secs(1));
        if begins {
            self.second_at = now;
        }
        begins
    }

    /// Moves on to `now`. Tells the deadline that passed, if one did.
    pub(crate) fn advance(
        &mut self,
        now: Duration,
        observed: Observed,
        timeouts: &Timeouts,
    ) -> Option<DeadlineReason> {
        if self.phase != observed.phase {
            (self.phase, self.phase_since) = (observed.phase, now);
            self.received_at = now;
        }
        if observed.unread {
            self.skip(now.saturating_sub(self.observed_at));
        }
        self.observed_at = now;
        if observed.received {
            (self.received_at, self.pinged_at) = (now, None);
        }
        let is_less = observed.unsent_len < self.unsent_len;
        if self.unsent_len == 0 || is_less || observed.written {
            self.written_at = now;
        }
        self.unsent_len = observed.unsent_len;
        let passed = self.next(timeouts).filter(|deadline| deadline.at <= now)?;
        if passed.reason == DeadlineReason::Ping {
            self.pinged_at = Some(now);
        }
        Some(passed.reason)
    }

    /// Time that does not count as silence of the peer.
    fn skip(&mut self, time: Duration) {
        self.received_at = self.received_at.saturating_add(time);
        self.pinged_at = self.pinged_at.map(|at| at.saturating_add(time));
    }

    /// The next deadline.
    pub(crate) fn next(&self, timeouts: &Timeouts) -> Option<Deadline> {
        let open = self.phase == Phase::Open;
        let unsent = self.unsent_len > 0 && self.phase != Phase::Closed;
        let rows = [
            (
                DeadlineReason::Handshake,
                timeouts.handshake,
                self.since(Phase::Handshake),
            ),
            (
                DeadlineReason::Close,
                timeouts.close,
                self.since(Phase::Closing),
            ),
            (
                DeadlineReason::WriteStall,
                timeouts.write_stall,
                unsent.then_some(self.written_at),
            ),
            (
                DeadlineReason::Pong,
                timeouts.pong,
                self.pinged_at.filter(|_| open),
            ),
            (
                DeadlineReason::Idle,
                timeouts.idle,
                open.then_some(self.received_at),
            ),
            (DeadlineReason::Ping, timeouts.ping, self.ping_due_from()),
        ];
        rows.into_iter()
            .filter_map(|(reason, after, from)| {
                Some(Deadline {
                    at: from?.saturating_add(after?),
                    reason,
                })
            })
            .min_by_key(|deadline| deadline.at)
    }

    fn since(&self, phase: Phase) -> Option<Duration> {
        (self.phase == phase).then_some(self.phase_since)
    }

    /// One ping for each silence: the next is due once something came.
    fn ping_due_from(&self) -> Option<Duration> {
        (self.phase == Phase::Open && self.pinged_at.is_none()).then_some(self.received_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        handshake: Some(Duration::from_secs(10)),
        ping: Some(Duration::from_secs(20)),
        pong: Some(Duration::from_secs(5)),
        idle: Some(Duration::from_secs(60)),
        close: Some(Duration::from_secs(3)),
        write_stall: Some(Duration::from_secs(30)),
    };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn seen(phase: Phase, received: bool, unsent_len: usize) -> Observed {
        Observed {
            phase,
            received,
            written: false,
            unread: false,
            unsent_len,
        }
    }

    fn next(timer: &Timer) -> (u64, DeadlineReason) {
        let deadline = timer.next(&TIMEOUTS).unwrap();
        (deadline.at.as_secs(), deadline.reason)
    }

    #[test]
    fn each_deadline_runs_in_its_phase() {
        use DeadlineReason::*;
        let mut timer = Timer::start(secs(0), seen(Phase::Handshake, false, 0));
        assert_eq!(next(&timer), (10, Handshake));
        assert_eq!(
            timer.advance(secs(1), seen(Phase::Open, true, 0), &TIMEOUTS),
            None
        );
        assert_eq!(next(&timer), (21, Ping));
        assert_eq!(
            timer.advance(secs(21), seen(Phase::Open, false, 0), &TIMEOUTS),
            Some(Ping)
        );
        assert_eq!(next(&timer), (26, Pong));
        // Any received byte is life.
        assert_eq!(
            timer.advance(secs(25), seen(Phase::Open, true, 0), &TIMEOUTS),
            None
        );
        assert_eq!(next(&timer), (45, Ping));
        assert_eq!(
            timer.advance(secs(26), seen(Phase::Closing, false, 0), &TIMEOUTS),
            None
        );
        assert_eq!(next(&timer), (29, Close));
        assert_eq!(
            timer.advance(secs(29), seen(Phase::Closing, false, 0), &TIMEOUTS),
            Some(Close)
        );
        timer.advance(secs(29), seen(Phase::Closed, false, 0), &TIMEOUTS);
        assert_eq!(timer.next(&TIMEOUTS), None);
    }

    #[test]
    fn write_stall_runs_from_the_last_progress() {
        let mut timer = Timer::start(secs(0), seen(Phase::Open, false, 0));
        let stalled = |timer: &Timer| next(timer).1 == DeadlineReason::WriteStall;
        let step = |timer: &mut Timer, now, unsent_len| {
            timer.advance(secs(now), seen(Phase::Open, true, unsent_len), &TIMEOUTS)
        };
        assert_eq!(step(&mut timer, 5, 100), None);
        assert_eq!(step(&mut timer, 20, 100), None);
        assert_eq!(step(&mut timer, 30, 60), None, "some bytes left");
        assert_eq!(step(&mut timer, 45, 80), None, "more were added");
        assert_eq!(step(&mut timer, 59, 80), None);
        assert!(stalled(&timer));
        assert_eq!(step(&mut timer, 60, 80), Some(DeadlineReason::WriteStall));
    }

    #[test]
    fn bytes_that_left_are_progress_though_as_many_came() {
        let mut timer = Timer::start(secs(0), seen(Phase::Open, false, 100));
        for now in (10..100).step_by(10) {
            let mut observed = seen(Phase::Open, true, 100);
            observed.written = true;
            assert_eq!(timer.advance(secs(now), observed, &TIMEOUTS), None);
        }
    }

    #[test]
    fn silence_is_not_counted_while_nobody_reads() {
        let mut timer = Timer::start(secs(0), seen(Phase::Open, false, 0));
        let mut step = |now, unread| {
            let mut observed = seen(Phase::Open, false, 100);
            (observed.unread, observed.written) = (unread, true);
            timer.advance(secs(now), observed, &TIMEOUTS)
        };
        assert_eq!(step(10, false), None);
        for now in (20..200).step_by(10) {
            assert_eq!(step(now, true), None, "{now}");
        }
        assert_eq!(step(199, false), None);
        assert_eq!(step(201, false), Some(DeadlineReason::Ping));
        assert_eq!(step(300, true), None);
        assert_eq!(step(330, false), Some(DeadlineReason::Pong));
    }

    #[test]
    fn clock_that_goes_backwards_is_harmless() {
        let mut timer = Timer::start(secs(100), seen(Phase::Open, false, 0));
        assert_eq!(
            timer.advance(secs(50), seen(Phase::Open, true, 0), &TIMEOUTS),
            None
        );
        assert!(timer.next(&TIMEOUTS).is_some());
    }
}
