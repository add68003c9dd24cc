//! The part of the output that the peer provoked: pongs, close frames, refusals.

/// The unsent bytes of automatic replies, by their position in the output.
#[derive(Debug, Default)]
pub(super) struct AutoReplies {
    len: u64,
    end: u64,
}

impl AutoReplies {
    /// Counts what was appended between these two positions as a reply.
    pub(super) const fn count(&mut self, before: u64, after: u64) {
        if after > before {
            self.len += after - before;
            self.end = after;
        }
    }

    /// Whether the peer provokes more replies than it reads. Then it is not read until it
    /// has read them. Messages of the application do not count, because two endpoints that
    /// both send would wait for each other.
    pub(super) const fn is_flood(&mut self, written_len: u64, max_unsent_len: usize) -> bool {
        if written_len >= self.end {
            self.len = 0;
        }
        self.len > 0 && self.len >= max_unsent_len as u64
    }
}
