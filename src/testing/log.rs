//! What happened, and when.

use core::time::Duration;

use crate::event::Event;
use crate::frame::Role;

/// An event of a [`Pair`](super::Pair), with its time and side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The time since the pair was made.
    pub at: Duration,
    /// The side that received the event.
    pub role: Role,
    /// The event.
    pub event: Event<'static>,
}
