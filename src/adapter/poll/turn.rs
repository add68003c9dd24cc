//! How much a task does before other tasks have their turn.

/// What was done since the task last waited or yielded, in the cost of a short frame.
///
/// A task that always has something to receive never waits. tokio limits how often it may
/// read, but one read can return thousands of messages, and other runtimes have no limit.
#[derive(Debug, Default)]
pub(super) struct Turn(u32);

impl Turn {
    /// A turn takes about 0.1 ms, besides what the application does, and up to 0.2 ms
    /// within a large message.
    const MAX: u32 = 256;

    /// What a read or write costs, besides its bytes.
    const SYSTEM_CALL: u32 = 8;

    /// Reading this many bytes, and unmasking them, costs one. A message of 1 MiB is
    /// received in one turn: if many connections yielded within their messages, none of
    /// those would stay in the cache.
    const LEN: usize = 6 * 1024;

    /// Whether it is time to yield.
    pub(super) const fn is_over(&self) -> bool {
        self.0 >= Self::MAX
    }

    /// Counts frames that were received.
    pub(super) const fn count_frames(&mut self, count: u64) {
        self.0 = self.0.saturating_add(count as u32);
    }

    /// Counts a read or a write.
    pub(super) const fn count_io(&mut self, len: usize) {
        let cost = Self::SYSTEM_CALL.saturating_add((len / Self::LEN) as u32);
        self.0 = self.0.saturating_add(cost);
    }

    /// Ends the turn.
    pub(super) const fn end(&mut self) {
        self.0 = Self::MAX;
    }
}
