//! A message framed once for many receivers.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Message, MessageKind};
use crate::frame::encoder;

/// A message that is framed once and sent on any number of connections.
///
/// Clones share the same memory. A server's
/// [`share_prepared`](crate::Connection::share_prepared) hands out the frame
/// itself, without copying a byte; a client must mask each frame with a key of
/// its own (§5.3) and so gets a copy.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prepared {
    kind: MessageKind,
    payload: Bytes,
    frame: Bytes,
}

impl Prepared {
    /// Frames a message.
    pub fn new<'m>(message: impl Into<Message<'m>>) -> Self {
        let message = message.into();
        let kind = message.kind();
        let mut frame = Vec::new();
        encoder::write((kind.opcode(), true), message.as_bytes(), None, &mut frame);
        let head_len = frame.len() - message.len();
        let frame = Bytes::from(frame);
        Self {
            kind,
            payload: frame.slice(head_len..),
            frame,
        }
    }

    /// Whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The payload, in bytes.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The unmasked, unfragmented frame.
    pub(crate) const fn frame(&self) -> &Bytes {
        &self.frame
    }
}
