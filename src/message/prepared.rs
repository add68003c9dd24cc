//! A message framed once for many receivers.

use alloc::vec::Vec;
#[cfg(feature = "deflate")]
use {alloc::sync::Arc, std::sync::Mutex, std::sync::PoisonError};

use bytes::Bytes;

use super::{MessageKind, MessageRef};
use crate::frame::encoder::{self, Start};

/// A message that is framed once and sent on any number of connections.
///
/// Clones share the same memory. For a server,
/// [`share_prepared`](crate::Connection::share_prepared) returns the frame without
/// a copy. A client has to mask each frame with a new key (§5.3), which takes a
/// copy.
///
/// With permessage-deflate, the message is compressed once for each combination of
/// parameters, when the first connection with these parameters sends it.
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

/// The result of compressing the message in one variant.
#[cfg(feature = "deflate")]
type Form = (Variant, Option<Framed>);

/// A frame without a mask, and the payload within it.
#[derive(Clone, Debug)]
pub(crate) struct Framed {
    pub(crate) start: Start,
    pub(crate) payload: Bytes,
    pub(crate) frame: Bytes,
}

/// What distinguishes the compressed forms of one message.
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

    /// Returns whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the payload as bytes.
    pub const fn payload(&self) -> &Bytes {
        &self.plain.payload
    }

    /// The uncompressed message.
    pub(crate) const fn plain(&self) -> &Framed {
        &self.plain
    }

    /// The message compressed in this variant. `compress` is called the first
    /// time, and returns `None` if compression does not make the payload shorter.
    #[cfg(feature = "deflate")]
    pub(crate) fn compressed(
        &self,
        variant: Variant,
        compress: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<Framed> {
        // A panic in another thread leaves no entry half written.
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
