//! Compressed messages in and out (RFC 7692 §6).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Connection;
use crate::deflate::{Codec, Compress, Inflated, Parameters};
use crate::error::{ConnectionError, LimitError, SendError};
use crate::event::Event;
use crate::frame::encoder::{self, Start};
use crate::frame::{Header, MaskingKey};
use crate::message::{Fragment, Framed, MessageKind, MessageRef, Piece, Prepared, Taken};

/// Inflating to this many bytes takes as long as receiving a frame without payload.
const INFLATED_LEN_PER_FRAME: u32 = 128;

/// Inflating this many bytes takes as long, if they are made to be slow: blocks that have
/// tables of codes and no data.
const COMPRESSED_LEN_PER_FRAME: u32 = 16;

impl Connection {
    /// Returns the parameters of permessage-deflate, if it was negotiated.
    pub fn deflate(&self) -> Option<Parameters> {
        self.agreement.as_ref()?.deflate()
    }

    /// Sends a message like [`send`](Self::send), choosing whether it is
    /// compressed. Without permessage-deflate, the choice has no effect.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// use sansocket::deflate::{Compress, Parameters};
    /// use sansocket::frame::Role;
    /// use sansocket::{Agreement, Config, Connection};
    ///
    /// let agreement = Agreement::default().with_deflate(Parameters::new());
    /// let mut ws = Connection::upgraded(Role::Server, agreement, &Config::new());
    /// let mut out = Vec::new();
    /// ws.send_with("a secret", Compress::Never, &mut out)?;
    /// assert_eq!(out[0], 0x81);
    /// out.clear();
    /// ws.send_with("no secret", Compress::Always, &mut out)?;
    /// assert_eq!(out[0], 0xc1);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        choice: Compress,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let message = message.into();
        self.check_between_messages()?;
        let (kind, payload) = (message.kind(), message.as_bytes());
        if self.write_compressed(kind, payload, choice, out)? {
            return Ok(());
        }
        self.write_message(kind, payload, out)
    }

    /// Sends a fragment like [`send_fragment`](Self::send_fragment), choosing
    /// whether the message is compressed. The choice made for the first fragment
    /// applies to the whole message.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub fn send_fragment_with(
        &mut self,
        fragment: Fragment<'_>,
        choice: Compress,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        // The length of the message is known only if this is all of it.
        let len = if fragment.fin {
            fragment.payload.len()
        } else {
            usize::MAX
        };
        let codec = self.codec.as_ref();
        let compressed = codec.is_some_and(|codec| codec.should_compress(len, choice));
        self.write_fragment(fragment, compressed, out)
    }

    /// Frees the compressor of this connection, which takes several hundred KB
    /// with context takeover, by returning it to the
    /// [pool](crate::deflate#memory). The next message is compressed with an
    /// empty window. Has no effect without context takeover.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Role, deflate};
    ///
    /// let config = Config::new().with_deflate(deflate::Options::new().with_context_takeover(true));
    /// let agreement = Agreement::default().with_deflate(deflate::Parameters::new());
    /// let mut ws = Connection::upgraded(Role::Server, agreement, &config);
    /// let mut out = Vec::new();
    /// ws.send("a message ".repeat(100), &mut out)?;
    /// assert!(ws.memory_usage() > 100_000);
    /// ws.release(); // for example, when the connection becomes idle
    /// assert!(ws.memory_usage() < 1024);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn release(&mut self) {
        if let Some(codec) = &mut self.codec {
            codec.reset_compressor();
        }
    }

    pub(super) fn start_codec(&mut self) {
        let settings = self.config.settings();
        self.codec = self.deflate().map(|parameters| {
            let options = settings.handshake.deflate.clone().unwrap_or_default();
            Codec::new(self.role, parameters, &options)
        });
    }

    /// How much payload of a compressed message may be taken at once.
    pub(super) fn max_compressed_len(&self) -> usize {
        let codec = self.codec.as_ref();
        codec.map_or(usize::MAX, |codec| codec.max_chunk_len())
    }

    /// Takes payload of a compressed message.
    pub(super) fn take_compressed(&mut self, chunk: &mut [u8], message_ends: bool) {
        self.unmask(chunk);
        self.receiver.work += chunk.len() as u32 / COMPRESSED_LEN_PER_FRAME;
        if let Some(codec) = &mut self.codec {
            codec.decompressor().push_input(chunk, message_ends);
        }
    }

    pub(super) fn check_compressed(&self, header: &Header) -> Result<(), LimitError> {
        let Some(codec) = self
            .codec
            .as_ref()
            .filter(|_| self.receiver.is_compressed())
        else {
            return Ok(());
        };
        let limits = &self.config.settings().message.limits;
        self.receiver
            .check_compressed(header, codec.compressed_len(), limits)
    }

    /// Inflates the pending data, or some of it.
    pub(super) fn take_inflated<'i>(
        &mut self,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, ConnectionError> {
        let taken = self.inflate()?;
        self.deliver(taken, out)
    }

    fn inflate(&mut self) -> Result<Taken<'static>, ConnectionError> {
        let Some(codec) = &mut self.codec else {
            return Ok(Taken::default());
        };
        let settings = &self.config.settings().message;
        let room = self.receiver.room(&settings.limits);
        let Inflated { bytes, is_end } = codec.decompressor().inflate()?;
        let (bytes, excess) = bytes.split_at_mut(bytes.len().min(room));
        let ends_message = is_end && excess.is_empty();
        let limit = (!excess.is_empty()).then_some(LimitError::MessageTooLong);
        self.receiver.add_inflated(bytes.len());
        self.receiver.work += bytes.len() as u32 / INFLATED_LEN_PER_FRAME;
        let piece = Piece {
            max_rest: room - bytes.len(),
            bytes,
            mask: None,
            ends_message,
        };
        let mut taken = self.receiver.take(piece, settings).into_owned();
        let limit = limit.or_else(|| codec.exceeds_ratio().then_some(LimitError::RatioTooHigh));
        taken.fault = taken.fault.or_else(|| limit.map(ConnectionError::from));
        if ends_message {
            codec.end_receiving();
        }
        Ok(taken)
    }

    /// Whether `send` compresses a message of this length.
    pub(super) fn compresses(&self, len: usize) -> bool {
        let codec = self.codec.as_ref();
        codec.is_some_and(|codec| codec.should_compress(len, Compress::Auto))
    }

    /// Writes a message compressed, or returns `false` if it should be sent
    /// uncompressed.
    pub(super) fn write_compressed(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        choice: Compress,
        out: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let should_compress = |codec: &mut Box<Codec>| codec.should_compress(payload.len(), choice);
        let Some(mut codec) = self.codec.take_if(should_compress) else {
            return Ok(false);
        };
        let may_discard = codec.may_discard(choice);
        let compressed = codec.compress(payload, true);
        let written = if compressed.len() < payload.len() || !may_discard {
            let start = Start {
                rsv1: true,
                ..Start::new(kind.opcode(), true)
            };
            self.write_frames(start, compressed, out).map(|()| true)
        } else {
            Ok(false)
        };
        match written {
            Ok(true) => codec.end_sending(),
            // The peer will not receive what the compressor has in its window.
            _ => codec.reset_compressor(),
        }
        self.codec = Some(codec);
        written
    }

    /// Writes a piece of a message that is sent compressed. Cannot fail, so that
    /// the compressor and the peer stay in step.
    pub(super) fn write_compressed_fragment(
        &mut self,
        start: Start,
        payload: &[u8],
        key: Option<MaskingKey>,
        out: &mut Vec<u8>,
    ) {
        let Some(codec) = &mut self.codec else { return };
        let len = encoder::write(start, codec.compress(payload, start.fin), key, out);
        if start.fin {
            codec.end_sending();
        }
        self.count_frame(len);
    }

    /// The compressed form of a prepared message, if it should be sent.
    pub(super) fn compressed_form(&mut self, prepared: &Prepared) -> Option<Framed> {
        let codec = self.codec.as_mut()?;
        if !codec.is_long(prepared.payload().len()) {
            return None;
        }
        let form = prepared.compressed(codec.variant(), |payload| codec.compress_alone(payload))?;
        // The peer receives data that is not in this connection's compressor.
        codec.reset_compressor();
        Some(form)
    }
}
