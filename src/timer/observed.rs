//! What the deadlines depend on, as known at one call.

/// The phase of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The peer owes bytes of the opening handshake.
    Handshake,
    /// The application owes the answer to a request.
    Deciding,
    /// Messages may pass.
    Open,
    /// The peer's close frame, or the end of the stream, is awaited.
    Closing,
    /// The close frame was sent, and the peer may send the rest before its own.
    Draining,
    /// The transport may be dropped, once the output has left.
    Closed,
}

/// What is known at one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    pub(crate) phase: Phase,
    pub(crate) is_reading: bool,
    /// Bytes received since the start of the connection.
    pub(crate) received: u64,
    /// Bytes appended to the output since the start of the connection.
    pub(crate) appended: u64,
    /// How many of those have not left.
    pub(crate) unsent: u64,
    /// The position in the output after the last close frame.
    pub(crate) close_end: u64,
}

impl Phase {
    /// Whether received bytes show that the peer goes on.
    pub(super) const fn counts_silence(self) -> bool {
        matches!(self, Self::Open | Self::Draining)
    }

    pub(super) const fn is_closing(self) -> bool {
        matches!(self, Self::Closing | Self::Draining)
    }
}

impl Observed {
    /// The position in the output up to which it has left.
    pub(super) const fn written_len(&self) -> u64 {
        self.appended.saturating_sub(self.unsent)
    }
}
