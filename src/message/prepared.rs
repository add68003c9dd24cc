//! A message framed once for many receivers.

use alloc::vec::Vec;
#[cfg(feature = "deflate")]
use {alloc::sync::Arc, std::sync::Mutex, std::sync::PoisonError};

use bytes::Bytes;

use super::{MessageKind, MessageRef};
use crate::frame::encoder::{self, Start};

/// A message that is framed once and sent on any number of connections.
///
/// Clones share the same memory. A server's
/// [`share_prepared`](crate::Connection::share_prepared) hands out the frame
/// itself, without copying a byte; a client must mask each frame with a key of
/// its own (§5.3) and so gets a copy.
///
/// With permessage-deflate it is compressed by itself, once for each setting
/// that connections agreed on, when the first of them sends it.
///
/// ```
/// use sansocket::{Agreement, Config, Connection, Prepared};
/// use sansocket::frame::Role;
///
/// let news = Prepared::new("to all");
/// let config = Config::new();
/// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
/// let mut out = Vec::new();
/// ws.send_prepared(&news, &mut out)?;
/// assert_eq!(out, b"\x81\x06to all");
/// # Ok::<(), sansocket::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    kind: MessageKind,
    plain: Framed,
    #[cfg(feature = "deflate")]
    compressed: Arc<Mutex<Vec<Form>>>,
}

/// What became of the message when it was compressed in this way.
#[cfg(feature = "deflate")]
type Form = (Variant, Option<Framed>);

/// A frame without a mask, and the payload within it.
#[derive(Clone, Debug)]
pub(crate) struct Framed {
    pub(crate) start: Start,
    pub(crate) payload: Bytes,
    pub(crate) frame: Bytes,
}

/// What distinguishes compressed forms of one message.
#[cfg(feature = "deflate")]
pub(crate) type Variant = [u8; 3];

impl Prepared {
    /// Frames a message.
    pub fn new<'m>(message: impl Into<MessageRef<'m>>) -> Self {
        let message = message.into();
        let kind = message.kind();
        Self {
            kind,
            plain: Framed::new(Start::new(kind.opcode(), true), message.as_bytes()),
            #[cfg(feature = "deflate")]
            compressed: Arc::default(),
        }
    }

    /// Whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The payload, in bytes.
    pub const fn payload(&self) -> &Bytes {
        &self.plain.payload
    }

    /// The message as it is.
    pub(crate) const fn plain(&self) -> &Framed {
        &self.plain
    }

    /// The message compressed in this way. `compress` makes the payload when it
    /// is asked for first, or `None` if that is of no use.
    #[cfg(feature = "deflate")]
    pub(crate) fn compressed(
        &self,
        variant: Variant,
        compress: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<Framed> {
        // Nothing is left half done by a panic of another thread.
        let mut forms = self
            .compressed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, form)) = forms.iter().find(|(known, _)| *known == variant) {
            return form.clone();
        }
        let start = Start {
            rsv1: true,
            ..self.plain.start
        };
        let form = compress(self.payload()).map(|payload| Framed::new(start, &payload));
        forms.push((variant, form.clone()));
        form
    }
}

impl Framed {
    fn new(start: Start, payload: &[u8]) -> Self {
        let mut frame = Vec::new();
        encoder::write(start, payload, None, &mut frame);
        let head_len = frame.len() - payload.len();
        let frame = Bytes::from(frame);
        Self {
            start,
            payload: frame.slice(head_len..),
            frame,
        }
    }
}

impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.payload() == other.payload()
    }
}

impl Eq for Prepared {}
