//! The memory budget of all connections with one configuration.

use super::Config;

impl Config {
    /// Sets how much memory all connections of this configuration and its clones may
    /// hold together for incomplete messages, and for messages above 1 MiB that were
    /// delivered and not yet dropped, in bytes. `None` disables the limit. Defaults to
    /// 1 GiB, or to four times [`max_message_len`](Self::with_max_message_len) if that
    /// is set and larger.
    ///
    /// The largest connections fail first, with close code 1013 (Try Again Later): a
    /// connection may hold as much as is free for all others. If `n` peers make their
    /// connections hold as much as they can, each gets at most 1/(n + 1) of the limit,
    /// and as much is left for the next one. So one peer alone gets half. A connection
    /// is checked before its buffer grows, and again when it receives something.
    ///
    /// The first 64 KiB of each message do not count, so small messages are always
    /// received. With `n` connections, at most this limit and `n` × 64 KiB are held
    /// for messages. The small state that the other limits bound does not count
    /// either: see the [table](crate::guide::limits#how-much-memory-in-total).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, LimitError, Role};
    ///
    /// let config = Config::new().with_max_total_memory(1024 * 1024);
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
    /// // The start of a message of 2 MiB.
    /// let (mut header, mut out) = (*b"\x82\x7f\0\0\0\0\0\x20\0\0", Vec::new());
    /// ws.receive(&mut Input::new(&mut header), &mut out);
    /// let mut payload = vec![0; 1024 * 1024];
    /// let (start, rest) = payload.split_at_mut(100 * 1024);
    /// ws.receive(&mut Input::new(start), &mut out);
    /// assert_eq!(config.total_memory(), 2 * 100 * 1024 - 64 * 1024);
    ///
    /// let event = ws.receive(&mut Input::new(rest), &mut out);
    /// assert_eq!(event, Some(Event::Failed(LimitError::TooMuchMemory.into())));
    /// assert_eq!(config.total_memory(), 0);
    /// ```
    #[must_use]
    pub fn with_max_total_memory(self, bytes: impl Into<Option<usize>>) -> Self {
        let max = bytes.into().unwrap_or(usize::MAX);
        self.with(|settings| settings.max_total_memory = Some(max))
    }

    /// Returns how many bytes count towards
    /// [`max_total_memory`](Self::with_max_total_memory) at the moment. Clones of a
    /// configuration share the count, also those that were changed afterwards.
    pub fn total_memory(&self) -> usize {
        self.settings().message.budget.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: usize = 1 << 30;

    /// Whether one connection can hold this much.
    fn fits(config: &Config, len: usize) -> bool {
        let budget = &config.settings().message.budget;
        budget.reserve(&mut None, len).is_ok()
    }

    #[test]
    fn default_grows_with_the_message_limit() {
        let config = Config::new();
        assert!(fits(&config, GIB / 2) && !fits(&config, GIB / 2 + GIB / 8));
        let config = config.with_max_message_len(GIB / 2);
        assert!(fits(&config, GIB) && !fits(&config, GIB + GIB / 8));
        let config = config.with_max_message_len(usize::MAX);
        assert!(fits(&config, usize::MAX / 2));
        let config = config.with_max_total_memory(GIB);
        assert!(!fits(&config, GIB));
        assert!(fits(&config.with_max_total_memory(None), usize::MAX / 2));
    }
}
