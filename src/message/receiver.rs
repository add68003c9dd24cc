//! Turns received payload into messages or fragments: one path for plain payload,
//! borrowed from the caller's input, and for inflated payload, borrowed from the
//! decompressor.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::assembler::{Assembler, Piece, assemble, finish};
use super::fragmentation::Fragmentation;
use super::utf8::{self, Utf8};
use super::{Delivery, Fragment, Limits, Message, MessageKind, MessageRef, Settings};
use crate::error::{ConnectionError, LimitError, ProtocolError};
use crate::frame::{CompleteFrame, Header, Mask};

/// Receives the messages of one direction: checks their fragmentation, their
/// limits and their UTF-8, and assembles them or returns their pieces.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    fragmentation: Fragmentation,
    utf8: Utf8,
    assembler: Option<Box<Assembler>>,
    /// What was done since the last [`Event::Yield`](crate::Event::Yield) of this
    /// input, in frames. Kept here, where it makes a connection no larger.
    pub(crate) work: u32,
}

/// The result of received payload.
#[derive(Debug)]
pub(crate) enum Received<'i> {
    /// The complete message.
    Message(MessageRef<'i>),
    /// The next piece of it.
    Fragment(Fragment<'i>),
}

/// The result of a piece of payload, if any, and the fault after it.
#[derive(Debug, Default)]
pub(crate) struct Taken<'i> {
    pub(crate) received: Option<Received<'i>>,
    pub(crate) fault: Option<ConnectionError>,
}

impl Receiver {
    /// Checks the header of a data frame, before any of its payload.
    #[inline]
    pub(crate) fn begin_frame(
        &mut self,
        header: &Header,
        limits: &Limits,
    ) -> Result<(), ConnectionError> {
        self.fragmentation.begin_frame(header, limits)
    }

    /// Takes the next payload of the incomplete message, which is complete if
    /// `piece.ends`.
    #[inline]
    pub(crate) fn take<'i>(&mut self, piece: Piece<'_, 'i>, settings: &Settings) -> Taken<'i> {
        let Some(kind) = self.fragmentation.kind() else {
            return Taken::default();
        };
        let (ends_message, lossy) = (piece.ends_message, settings.allow_invalid_utf8);
        let taken = match settings.delivery {
            Delivery::Messages => self.take_message(kind, piece, settings).into(),
            Delivery::Fragments => self.take_fragment(kind, piece, lossy),
        };
        if ends_message {
            self.fragmentation.end_message();
        }
        taken
    }

    /// Whether the incomplete message is assembled, and not compressed.
    #[inline]
    pub(crate) const fn is_joining(&self) -> bool {
        self.assembler.is_some() && !self.fragmentation.is_compressed()
    }

    /// Checks the next complete fragment of a message that is not compressed, before any
    /// of its payload.
    #[inline]
    pub(crate) fn begin_fragment(
        &mut self,
        fragment: &CompleteFrame<'_>,
        limits: &Limits,
    ) -> Result<(), LimitError> {
        if self.is_between_messages() {
            let kind = match fragment.is_text() {
                true => MessageKind::Text,
                false => MessageKind::Binary,
            };
            self.fragmentation.begin_message(kind);
            self.assembler = Some(Box::new(Assembler::new(kind)));
        }
        let len = fragment.payload_len();
        self.fragmentation.count(len as u64, limits)
    }

    /// Joins the fragment to those before it. Returns the message once it is complete.
    #[inline]
    pub(crate) fn join(
        &mut self,
        fragment: CompleteFrame<'_>,
        settings: &Settings,
    ) -> Result<Option<Message>, ConnectionError> {
        let Some(assembler) = &mut self.assembler else {
            return Ok(None);
        };
        let ends_message = fragment.is_last();
        let (bytes, key) = fragment.into_parts();
        let mut mask = key.map(Mask::new);
        let piece = Piece {
            bytes,
            mask: mask.as_mut(),
            max_rest: if ends_message { 0 } else { usize::MAX },
            ends_message,
        };
        assembler.push(piece, &mut self.utf8, settings)?;
        if !ends_message {
            return Ok(None);
        }
        self.fragmentation.end_message();
        finish(&mut self.assembler, &mut self.utf8)
    }

    /// The incomplete message, if it has room for `rest_len` more bytes or many of them.
    pub(crate) fn with_room(&mut self, rest_len: usize) -> Option<&mut Vec<u8>> {
        self.assembler.as_mut()?.with_room(rest_len)
    }

    /// Whether the next frame begins a message.
    #[inline]
    pub(crate) const fn is_between_messages(&self) -> bool {
        self.fragmentation.kind().is_none()
    }

    /// Releases the memory of an incomplete message.
    pub(crate) fn discard(&mut self) {
        self.assembler = None;
    }

    /// Whether the incomplete message is too large for the memory budget by now,
    /// because other connections have grown.
    #[inline]
    pub(crate) fn check_memory(&self, settings: &Settings) -> Result<(), LimitError> {
        match &self.assembler {
            Some(assembler) => assembler.check_memory(&settings.budget),
            None => Ok(()),
        }
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        self.assembler.as_ref().map_or(0, |assembler| {
            size_of::<Assembler>() + assembler.memory_usage()
        })
    }

    #[inline]
    fn take_message<'i>(
        &mut self,
        kind: MessageKind,
        mut piece: Piece<'_, 'i>,
        settings: &Settings,
    ) -> Result<Option<MessageRef<'i>>, ConnectionError> {
        if piece.ends_message && self.assembler.is_none() {
            let lossy = settings.allow_invalid_utf8;
            return Ok(Some(borrow_message(kind, piece.unmask(), lossy)?));
        }
        let message = assemble(&mut self.assembler, kind, piece, &mut self.utf8, settings)?;
        Ok(message.map(MessageRef::from))
    }

    fn take_fragment<'i>(
        &mut self,
        kind: MessageKind,
        mut piece: Piece<'_, 'i>,
        lossy: bool,
    ) -> Taken<'i> {
        let (bytes, ends_message) = (piece.unmask(), piece.ends_message);
        let (payload, fault) = match kind {
            MessageKind::Binary => (MessageRef::from(bytes), None),
            MessageKind::Text => {
                let (text, fault) = self.take_text(bytes, ends_message, lossy);
                (text.into(), fault)
            }
        };
        let fin = ends_message && fault.is_none();
        let is_nothing = payload.is_empty() && !fin;
        let fragment = Fragment { payload, fin };
        Taken {
            received: (!is_nothing).then_some(Received::Fragment(fragment)),
            fault: fault.map(ConnectionError::from),
        }
    }

    /// The complete characters of a piece of text, and the fault after them.
    fn take_text<'i>(
        &mut self,
        bytes: &'i [u8],
        ends_message: bool,
        lossy: bool,
    ) -> (Cow<'i, str>, Option<ProtocolError>) {
        if lossy {
            return (Cow::Owned(self.utf8.push_lossy(bytes, ends_message)), None);
        }
        let (text, fault) = self.utf8.push_joined(bytes);
        match fault {
            None if ends_message => (text, self.utf8.end().err()),
            fault => (text, fault),
        }
    }
}

/// For messages whose payload is compressed.
#[cfg(feature = "deflate")]
impl Receiver {
    /// Whether the payload of the incomplete message is compressed.
    #[inline]
    pub(crate) const fn is_compressed(&self) -> bool {
        self.fragmentation.is_compressed()
    }

    /// How many inflated bytes the incomplete message may still have.
    pub(crate) fn room(&self, limits: &Limits) -> usize {
        self.fragmentation.room(limits)
    }

    /// Counts inflated bytes, no more than there is room for.
    pub(crate) const fn add_inflated(&mut self, len: usize) {
        self.fragmentation.add_inflated(len);
    }

    /// Checks the header of a data frame of a compressed message, of which this
    /// many bytes were received. The compressed form is limited too: empty blocks
    /// inflate to nothing, so a message of them could go on forever.
    pub(crate) fn check_compressed(
        &self,
        header: &Header,
        compressed_len: u64,
        limits: &Limits,
    ) -> Result<(), LimitError> {
        let len = compressed_len.saturating_add(header.payload_len);
        if len > limits.max_compressed_len(self.fragmentation.frames()) {
            return Err(LimitError::MessageTooLong);
        }
        Ok(())
    }
}

impl Taken<'_> {
    /// Converts into a result that borrows nothing, copying what was borrowed.
    #[cfg(feature = "deflate")]
    pub(crate) fn into_owned(self) -> Taken<'static> {
        let received = self.received.map(|received| match received {
            Received::Message(message) => Received::Message(message.into_owned().into()),
            Received::Fragment(fragment) => Received::Fragment(fragment.into_owned()),
        });
        Taken {
            received,
            fault: self.fault,
        }
    }
}

impl<'i> From<Result<Option<MessageRef<'i>>, ConnectionError>> for Taken<'i> {
    fn from(message: Result<Option<MessageRef<'i>>, ConnectionError>) -> Self {
        match message {
            Ok(message) => Self {
                received: message.map(Received::Message),
                fault: None,
            },
            Err(fault) => Self {
                received: None,
                fault: Some(fault),
            },
        }
    }
}

/// A message whose payload is contained in one piece.
fn borrow_message(
    kind: MessageKind,
    payload: &[u8],
    lossy: bool,
) -> Result<MessageRef<'_>, ProtocolError> {
    Ok(match kind {
        MessageKind::Text if lossy => utf8::replace_invalid(payload).into(),
        MessageKind::Text => utf8::validate(payload)?.into(),
        MessageKind::Binary => payload.into(),
    })
}
