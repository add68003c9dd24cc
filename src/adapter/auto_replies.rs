//! How much of the output the peer provoked: pongs, close frames, refusals.

/// The unsent bytes of automatic replies, by their position in the output.
#[derive(Debug, Default)]
pub(super) struct AutoReplies {
    len: u64,
    end: u64,
}

impl AutoReplies {
    /// What was appended between these two positions is a reply.
    pub(super) const fn count(&mut self, before: u64, after: u64) {
        if after > before {
            self.len += after - before;
            self.end = after;
        }
    }

    /// Whether the peer provokes more replies than it reads: nothing more is
    /// read from it until it does. What the application sends of its own accord
    /// does not count, or two that both send would wait for each other.
    pub(super) const fn is_flood(&mut self, written_len: u64, max_unsent_len: usize) -> bool {
        if written_len >= self.end {
            self.len = 0;
        }
        self.len > 0 && self.len >= max_unsent_len as u64
    }
}
