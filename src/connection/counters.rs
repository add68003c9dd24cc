//! Traffic counters of a connection.

use super::{Connection, Rare};

/// The traffic of a connection since its start, as returned by
/// [`Connection::counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Counters {
    /// Traffic from the peer.
    pub received: Traffic,
    /// Traffic to the peer.
    pub sent: Traffic,
}

/// The traffic in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes, including those of the opening handshake.
    pub bytes: u64,
    /// Frames of all kinds.
    pub frames: u64,
    /// Complete messages, text and binary.
    pub messages: u64,
    /// Pings, including those of the keepalive.
    pub pings: u64,
}

/// What is counted with each frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameCounts {
    pub(super) bytes: u64,
    pub(super) frames: u64,
}

/// What is counted with each frame that completes no message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NonMessageCounts {
    pub(super) frames: u64,
    pub(super) pings: u64,
}

impl Connection {
    /// Returns how many bytes, frames, messages and pings were received and sent
    /// since the start of the connection. A byte counts as sent once it is in
    /// `out`.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Role};
    ///
    /// let config = Config::new();
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let mut out = Vec::new();
    /// ws.send("hello", &mut out)?;
    /// ws.ping(b"", &mut out)?;
    /// let sent = ws.counters().sent;
    /// assert_eq!((sent.bytes, sent.frames), (9, 2));
    /// assert_eq!((sent.messages, sent.pings), (1, 1));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn counters(&self) -> Counters {
        let rare = self.rare.as_deref();
        Counters {
            received: self.received.with(rare.map(|rare| rare.received)),
            sent: self.sent.with(rare.map(|rare| rare.sent)),
        }
    }

    /// How many bytes were appended to the output since the start.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) const fn sent_len(&self) -> u64 {
        self.sent.bytes
    }

    /// How many frames were received since the start.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    #[inline]
    pub(crate) const fn received_frames(&self) -> u64 {
        self.received.frames
    }

    /// Counts a frame of this length that was appended to the output.
    #[inline]
    pub(super) const fn count_frame(&mut self, len: usize) {
        self.sent.bytes += len as u64;
        self.sent.frames += 1;
    }

    /// Counts bytes that were appended to output of this length.
    #[inline]
    pub(super) const fn count_sent(&mut self, before: usize, out: &[u8]) {
        self.sent.bytes += (out.len() - before) as u64;
    }

    #[inline]
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl FrameCounts {
    fn with(self, non_message: Option<NonMessageCounts>) -> Traffic {
        let NonMessageCounts { frames, pings } = non_message.unwrap_or_default();
        Traffic {
            bytes: self.bytes,
            frames: self.frames,
            messages: self.frames.saturating_sub(frames),
            pings,
        }
    }
}
