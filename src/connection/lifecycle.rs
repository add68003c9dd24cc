//! The life of a connection, from the first byte of the opening handshake to
//! the last of the closing one.
//!
//! ```text
//!  server   Request ──► Answer ──┐
//!                                ├──► Open ──────► Closing ──────► Ended
//!  client   Response ────────────┘     close() sends    the peer's close frame
//!                                      a close frame
//!                                     Open ──────► HalfClosed ───► Ended
//!                       the peer's close frame,         close() answers it
//!                       if it is not answered at once
//!  any stage but Ended ─────────────────────────────────────────────► Ended
//!            failure, deadline, end of the stream, the peer's close frame
//! ```

use alloc::boxed::Box;

use crate::close::{Close, Ending, Outcome};
use crate::error::ConnectionError;
use crate::event::Event;
use crate::handshake::{RequestReader, ResponseReader};
use crate::timer::Phase;

/// The stage of a connection. Open, in which connections spend most of their
/// time, takes no heap memory.
#[derive(Debug)]
pub(super) struct Lifecycle(Option<Box<Stage>>);

/// Any stage other than open.
#[derive(Debug)]
pub(super) enum Stage {
    /// A server reads the request.
    Request(RequestReader),
    /// The application has to answer the request. The answer to a HEAD request
    /// has no body.
    Answer { is_to_head: bool },
    /// A client reads the response.
    Response(ResponseReader),
    /// This endpoint sent a close frame, which ends at this position in the
    /// output, and has not received the peer's.
    Closing { sent: Close, end: u64 },
    /// The peer's close frame was received, and this endpoint can send until the
    /// application closes.
    /// What was received since is discarded.
    HalfClosed { received: Close, discarded_len: u64 },
    /// The outcome is known.
    Ended(End),
}

/// How the connection ended, and what is left to do.
#[derive(Debug)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) ending: Ending,
    /// The position in the output after the last byte.
    pub(super) output_end: u64,
    /// Whether the write deadline passed, so that nothing more is sent.
    pub(super) is_stalled: bool,
    /// How many bytes were received since.
    pub(super) discarded_len: u64,
    /// What `receive` has yet to report: an event, then the failure.
    pub(super) event: Option<Event<'static>>,
    pub(super) failure: Option<ConnectionError>,
}

impl Lifecycle {
    pub(super) const OPEN: Self = Self(None);

    pub(super) fn at(stage: Stage) -> Self {
        Self(Some(Box::new(stage)))
    }

    #[inline]
    pub(super) fn stage_mut(&mut self) -> Option<&mut Stage> {
        self.0.as_deref_mut()
    }

    /// Takes the stage, which the caller replaces.
    pub(super) fn take(&mut self) -> Option<Stage> {
        self.0.take().map(|stage| *stage)
    }

    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(super) fn stage(&self) -> Option<&Stage> {
        self.0.as_deref()
    }

    #[inline]
    pub(super) fn end(&self) -> Option<&End> {
        match self.stage()? {
            Stage::Ended(end) => Some(end),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn end_mut(&mut self) -> Option<&mut End> {
        match self.stage_mut()? {
            Stage::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Whether messages may be sent.
    pub(super) fn may_send(&self) -> bool {
        matches!(self.stage(), None | Some(Stage::HalfClosed { .. }))
    }

    /// Whether frames are received.
    #[inline]
    pub(super) fn receives_frames(&self) -> bool {
        matches!(self.stage(), None | Some(Stage::Closing { .. }))
    }

    /// The phase that the deadlines depend on. Without automatic answers to close
    /// frames, the peer may go on sending for as long as it likes.
    pub(super) fn phase(&self, answers_close: bool) -> Phase {
        match self.stage() {
            Some(Stage::Request(_) | Stage::Response(_)) => Phase::Handshake,
            Some(Stage::Answer { .. }) => Phase::Deciding,
            None | Some(Stage::HalfClosed { .. }) => Phase::Open,
            Some(Stage::Closing { .. }) if answers_close => Phase::Closing,
            Some(Stage::Closing { .. }) => Phase::Draining,
            Some(Stage::Ended(end)) => match end.ending {
                Ending::AwaitEnd | Ending::Linger => Phase::Closing,
                Ending::Drop => Phase::Closed,
            },
        }
    }

    /// The position in the output after the last close frame, or after the last
    /// byte once the connection has ended.
    pub(super) fn close_end(&self) -> u64 {
        match self.stage() {
            Some(Stage::Closing { end, .. }) => *end,
            Some(Stage::Ended(end)) => end.output_end,
            _ => 0,
        }
    }

    /// Heap bytes held.
    pub(super) fn memory_usage(&self) -> usize {
        let Some(stage) = self.stage() else { return 0 };
        let held = match stage {
            Stage::Request(reader) => reader.memory_usage(),
            Stage::Response(reader) => reader.memory_usage(),
            Stage::Answer { .. } => 0,
            Stage::Closing { sent: close, .. }
            | Stage::HalfClosed {
                received: close, ..
            } => close.reason.capacity(),
            Stage::Ended(end) => end.memory_usage(),
        };
        size_of::<Stage>() + held
    }
}

impl End {
    fn memory_usage(&self) -> usize {
        let event = match &self.event {
            Some(Event::Refused(response)) => response.memory_usage(),
            _ => 0,
        };
        self.outcome.reason.capacity() + event
    }
}
