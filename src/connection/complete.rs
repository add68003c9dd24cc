//! The common case of receiving in one step: a complete unfragmented message, which is
//! borrowed from the input.

use alloc::vec::Vec;

use super::Connection;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::CompleteFrame;
use crate::input::Input;
use crate::message::{Delivery, MessageRef, utf8};

impl Connection {
    /// The common case of [`receive`](Self::receive) alone: a message that is complete
    /// and unfragmented. Returns `None` if the input does not begin with one, or if its
    /// text is invalid: then call `receive`.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    #[inline]
    pub(crate) fn receive_complete<'i>(
        &mut self,
        input: &mut Input<'i>,
        out: &mut Vec<u8>,
    ) -> Option<MessageRef<'i>> {
        let whole = self.split_complete(input)?;
        match self.receive_borrowed(whole, out)? {
            Event::Message(message) => Some(message),
            Event::Failed(error) => {
                self.lifecycle.end_mut()?.failure = Some(error);
                None
            }
            _ => None,
        }
    }

    /// Splits off a complete unfragmented data frame, if it may be borrowed.
    #[inline(always)]
    pub(super) fn split_complete<'i>(
        &mut self,
        input: &mut Input<'i>,
    ) -> Option<CompleteFrame<'i>> {
        if !self.borrows {
            return None;
        }
        let whole = CompleteFrame::split_message(input, self.role, self.max_borrowed_len())?;
        self.received.bytes += whole.len() as u64;
        self.received.frames += 1;
        Some(whole)
    }

    /// Whether the next frame may be delivered as a borrow: there is no incomplete
    /// message or frame that it would have to be joined to.
    #[inline]
    pub(super) fn can_borrow(&self) -> bool {
        self.lifecycle.receives_frames()
            && self.config.settings().message.delivery == Delivery::Messages
            && self.decoder.is_between_frames()
            && self.receiver.is_between_messages()
    }

    #[inline]
    fn max_borrowed_len(&self) -> usize {
        self.config.settings().message.max_borrowed_len
    }

    #[inline(always)]
    pub(super) fn receive_borrowed<'i>(
        &mut self,
        whole: CompleteFrame<'i>,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        let is_text = whole.is_text();
        let payload = whole.into_payload();
        if !is_text {
            return Some(Event::Message(MessageRef::from(payload)));
        }
        match utf8::validate(payload) {
            Ok(text) => Some(Event::Message(text.into())),
            Err(_) => self.receive_invalid_text(payload, out),
        }
    }

    #[cold]
    fn receive_invalid_text<'i>(
        &mut self,
        payload: &'i [u8],
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        if self.config.settings().message.allow_invalid_utf8 {
            return Some(Event::Message(utf8::replace_invalid(payload).into()));
        }
        self.fail_now(ProtocolError::InvalidUtf8.into(), out)
    }
}
