//! The common case of fragmented messages: fragments that are contained in the input.

use super::Connection;
use super::receive::MAX_WORK;
use crate::error::ConnectionError;
use crate::frame::CompleteFrame;
use crate::input::Input;
use crate::message::Message;

impl Connection {
    /// Whether the next frame is a fragment that may be joined to others.
    #[inline]
    pub(super) fn is_joining(&self, input: &Input<'_>) -> bool {
        matches!(input.remaining(), [0 | 1 | 2 | 0x80, ..])
            && self.decoder.is_between_frames()
            && (self.receiver.is_joining() || self.can_borrow())
    }

    /// Joins complete fragments. Returns the message once it is complete, and `None` at
    /// any other frame, which is left in the input.
    #[inline(never)]
    pub(super) fn join_fragments(
        &mut self,
        input: &mut Input<'_>,
    ) -> Result<Option<Message>, ConnectionError> {
        let settings = &self.config.settings().message;
        let (mut frames, mut incomplete, mut joined) = (0, 0, Ok(None));
        while matches!(joined, Ok(None))
            && self.receiver.work < MAX_WORK
            && let Some(fragment) = self.split_fragment(input)
        {
            self.receiver.work += 1;
            if let Err(limit) = self.receiver.begin_fragment(&fragment, &settings.limits) {
                joined = Err(limit.into());
                break;
            }
            frames += 1;
            incomplete += u64::from(!fragment.is_last());
            joined = self.receiver.join(fragment, settings);
        }
        self.received.frames += frames;
        if incomplete > 0 {
            self.rare().received.frames += incomplete;
        }
        joined
    }

    #[inline(always)]
    fn split_fragment<'i>(&self, input: &mut Input<'i>) -> Option<CompleteFrame<'i>> {
        if self.receiver.is_between_messages() {
            CompleteFrame::split_first_fragment(input, self.role)
        } else {
            CompleteFrame::split_continuation(input, self.role)
        }
    }
}
