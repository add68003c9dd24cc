//! How long each thing may take.

use core::time::Duration;

use super::observed::Phase;

/// A time in nanoseconds on the caller's clock: half the size of a `Duration`.
pub(super) type Nanos = u64;

/// Later than any clock can show.
pub(super) const NEVER: Nanos = Nanos::MAX;

pub(super) fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(NEVER)
}

pub(super) const fn second(time: Nanos) -> u16 {
    (time / 1_000_000_000) as u16
}

/// How long something may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout(pub(super) Nanos);

impl From<Option<Duration>> for Timeout {
    /// `None` disables the deadline.
    fn from(timeout: Option<Duration>) -> Self {
        Self(timeout.map_or(NEVER, nanos))
    }
}

impl Timeout {
    pub(crate) const fn is_set(self) -> bool {
        self.0 < NEVER
    }

    /// When it is over, if it has begun.
    pub(super) const fn after(self, since: Option<Nanos>) -> Nanos {
        match since {
            Some(since) => since.saturating_add(self.0),
            None => NEVER,
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn duration(self) -> Option<Duration> {
        (self.0 < NEVER).then(|| Duration::from_nanos(self.0))
    }
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) handshake: Timeout,
    pub(crate) ping: Timeout,
    pub(crate) pong: Timeout,
    pub(crate) idle: Timeout,
    pub(crate) close: Timeout,
    pub(crate) write_stall: Timeout,
    /// Bytes per second that must leave while some are unsent.
    pub(crate) min_write_rate: u32,
}

impl Timeouts {
    /// How long unsent bytes may stay in this phase without any of them leaving.
    pub(super) const fn write(&self, phase: Phase) -> Timeout {
        match phase {
            _ if self.write_stall.is_set() => self.write_stall,
            Phase::Closing | Phase::Draining | Phase::Closed => self.close,
            _ => self.write_stall,
        }
    }

    /// How many bytes must leave within the write timeout: any, without one.
    pub(super) fn min_progress_len(&self) -> u64 {
        if !self.write_stall.is_set() {
            return 1;
        }
        let millis = self.write_stall.0 / 1_000_000;
        let len = u64::from(self.min_write_rate).saturating_mul(millis) / 1000;
        len.max(1)
    }
}
