//! Messages and commands in, bytes out.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::Bytes;

use super::lifecycle::Stage;
use super::{Connection, PartialMessage};
use crate::close::Outcome;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::error::SendError;
use crate::frame::encoder::{self, Start};
use crate::frame::{Header, MaskingKey, Opcode, Role};
use crate::handshake::Answer;
use crate::message::{Fragment, Framed, MessageKind, MessageRef, Prepared};

impl Connection {
    /// Answers the request of [`Event::Request`](crate::Event::Request): with
    /// [`accept`](crate::Request::accept) the connection is open, with any other
    /// answer it is over, and the bytes after the request stay in the input. The
    /// answer to a HEAD request is sent without its body.
    ///
    /// # Errors
    ///
    /// [`SendError::NoRequest`] if none waits for an answer.
    pub fn respond(&mut self, answer: Answer, out: &mut Vec<u8>) -> Result<(), SendError> {
        let is_to_head = match self.lifecycle.stage() {
            Some(Stage::Answer { is_to_head }) => *is_to_head,
            Some(Stage::Ended(_)) => return Err(SendError::Closed),
            _ => return Err(SendError::NoRequest),
        };
        let before = out.len();
        answer.write(is_to_head, out);
        self.count_sent(before, out);
        if answer.status() == 101 {
            self.open(answer.agreement().clone());
        } else {
            self.end(Outcome::refused(answer.status()), None);
        }
        Ok(())
    }

    /// Sends a message, in frames of at most
    /// [`max_sent_frame_len`](crate::Config::with_max_sent_frame_len) bytes.
    ///
    /// # Errors
    ///
    /// If the connection is not open, or a message that
    /// [`send_fragment`](Self::send_fragment) began is unfinished.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection};
    /// use sansocket::frame::Role;
    ///
    /// let config = Config::new();
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let mut out = Vec::new();
    /// ws.send("text", &mut out)?;
    /// ws.send(b"bytes", &mut out)?;
    /// assert_eq!(out, b"\x81\x04text\x82\x05bytes");
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    #[inline]
    pub fn send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let message = message.into();
        self.check_between_messages()?;
        let (kind, payload) = (message.kind(), message.as_bytes());
        #[cfg(feature = "deflate")]
        if self.codec.is_some() && self.write_compressed(kind, payload, Compress::Auto, out)? {
            return Ok(());
        }
        self.write_message(kind, payload, out)
    }

    /// Sends a piece of a message whose length is not known yet. The first
    /// piece decides whether it is text or binary; control frames may be sent
    /// between pieces.
    ///
    /// # Errors
    ///
    /// If the connection is not open, or the piece is not of the same kind as
    /// the ones before.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Fragment};
    /// use sansocket::frame::Role;
    ///
    /// let config = Config::new();
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let mut out = Vec::new();
    /// ws.send_fragment(Fragment::more("Hel"), &mut out)?;
    /// ws.ping(b"", &mut out)?;
    /// ws.send_fragment(Fragment::last("lo"), &mut out)?;
    /// assert_eq!(out, b"\x01\x03Hel\x89\x00\x80\x02lo");
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn send_fragment(
        &mut self,
        fragment: Fragment<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        #[cfg(feature = "deflate")]
        return self.send_fragment_with(fragment, Compress::Auto, out);
        #[cfg(not(feature = "deflate"))]
        self.write_fragment(fragment, false, out)
    }

    /// Sends the header of a message whose payload, of `len` bytes, is
    /// written after it from the caller's own memory: for large payloads and vectored
    /// writes. The caller must write all of it before anything else, and
    /// guarantees that text is UTF-8.
    ///
    /// A client must mask the payload with the key that is returned; a server
    /// gets none.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_header(
        &mut self,
        kind: MessageKind,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<MaskingKey>, SendError> {
        self.check_between_messages()?;
        let masking_key = self.masking_key()?;
        let before = out.len();
        Header {
            masking_key,
            ..Header::new(kind.opcode(), len as u64)
        }
        .write(out);
        self.count_frame(out.len() - before + len);
        Ok(masking_key)
    }

    /// Whether [`send`](Self::send) would write a message of this length in
    /// one frame, byte for byte: then [`send_header`](Self::send_header) does
    /// the same without copying it.
    #[cfg(feature = "std")]
    pub(crate) fn sends_verbatim(&self, len: usize) -> bool {
        #[cfg(feature = "deflate")]
        if self.compresses(len) {
            return false;
        }
        self.role == Role::Server && len <= self.config.settings().max_sent_frame_len
    }

    /// Sends a prepared message. A server copies the frame that was made once.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(
        &mut self,
        prepared: &Prepared,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.check_between_messages()?;
        let Framed {
            start,
            payload,
            frame,
        } = &*self.prepared_frame(prepared);
        match self.role {
            Role::Server => {
                out.extend_from_slice(frame);
                self.count_frame(frame.len());
            }
            Role::Client => self.write_frames(*start, payload, out)?,
        }
        Ok(())
    }

    /// The bytes of a prepared message for this connection, to be written
    /// after the contents of `out` by the caller: a server shares the same memory
    /// with all others.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn share_prepared(&mut self, prepared: &Prepared) -> Result<Bytes, SendError> {
        self.check_between_messages()?;
        let form = self.prepared_frame(prepared);
        if self.role == Role::Server {
            self.count_frame(form.frame.len());
            return Ok(form.frame.clone());
        }
        let mut frame = Vec::new();
        self.write_frames(form.start, &form.payload, &mut frame)?;
        Ok(frame.into())
    }

    /// Sends a ping (§5.5.2) with a payload of at most 125 bytes. The pong is
    /// an [`Event::Pong`](crate::Event::Pong) with the same payload.
    ///
    /// # Errors
    ///
    /// If the connection is not open or the payload is longer.
    pub fn ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.check_open()?;
        self.send_control(Opcode::Ping, payload, out)
    }

    /// Sends a pong (§5.5.3): an unsolicited heartbeat, or the answer to a ping
    /// where [`auto_pong`](crate::Config::with_auto_pong) is off. Possible until the
    /// peer's close frame has come, also after [`close`](Self::close) (§5.5.2).
    ///
    /// # Errors
    ///
    /// If the connection is not open or the payload is longer than 125 bytes.
    pub fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        if !matches!(self.lifecycle.stage(), Some(Stage::Closing { .. })) {
            self.check_open()?;
        }
        self.send_control(Opcode::Pong, payload, out)
    }

    /// RFC 6455 §5.3: a fresh key for each frame of a client.
    #[inline]
    pub(super) fn masking_key(&mut self) -> Result<Option<MaskingKey>, SendError> {
        if self.role == Role::Server {
            return Ok(None);
        }
        let key = self.keys.next_key(&self.config.settings().entropy);
        key.map(|key| Some(key.into()))
            .map_err(|_| SendError::NoEntropy)
    }

    fn send_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if payload.len() > Header::MAX_CONTROL_PAYLOAD_LEN {
            return Err(SendError::ControlFrameTooLong);
        }
        self.write_control(opcode, payload, out)
    }

    #[inline]
    pub(super) fn write_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let key = self.masking_key()?;
        self.write_frame(Start::new(opcode, true), payload, key, out);
        let rare = self.rare();
        rare.sent.frames += 1;
        rare.sent.pings += u64::from(opcode == Opcode::Ping);
        Ok(())
    }

    #[inline]
    fn write_frame(
        &mut self,
        start: Start,
        payload: &[u8],
        key: Option<MaskingKey>,
        out: &mut Vec<u8>,
    ) {
        let len = encoder::write(start, payload, key, out);
        self.count_frame(len);
    }

    /// What of a prepared message this connection sends.
    #[cfg_attr(not(feature = "deflate"), allow(clippy::needless_pass_by_ref_mut))]
    fn prepared_frame<'p>(&mut self, prepared: &'p Prepared) -> Cow<'p, Framed> {
        #[cfg(feature = "deflate")]
        if let Some(compressed) = self.compressed_form(prepared) {
            return Cow::Owned(compressed);
        }
        Cow::Borrowed(prepared.plain())
    }

    #[inline]
    pub(super) fn write_message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.write_frames(Start::new(kind.opcode(), true), payload, out)
    }

    /// Writes a message in frames of allowed length, of which the first has
    /// this start.
    #[inline]
    pub(super) fn write_frames(
        &mut self,
        start: Start,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if payload.len() > self.config.settings().max_sent_frame_len {
            return self.write_fragments(start, payload, out);
        }
        let key = self.masking_key()?;
        self.write_frame(start, payload, key, out);
        Ok(())
    }

    fn write_fragments(
        &mut self,
        mut start: Start,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let (len, sent) = (out.len(), self.sent);
        let mut rest = payload.chunks(self.config.settings().max_sent_frame_len);
        let fragments = rest.len() as u64;
        while let Some(piece) = rest.next() {
            let Ok(key) = self.masking_key() else {
                out.truncate(len);
                self.sent = sent;
                return Err(SendError::NoEntropy);
            };
            start.fin = rest.len() == 0;
            self.write_frame(start, piece, key, out);
            start = Start::new(Opcode::Continuation, true);
        }
        self.rare().sent.frames += fragments - 1;
        Ok(())
    }

    pub(super) fn write_fragment(
        &mut self,
        fragment: Fragment<'_>,
        compressed: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let kind = fragment.payload.kind();
        let (sending, start) = match self.sending {
            None => {
                let rsv1 = compressed;
                let start = Start::new(kind.opcode(), fragment.fin);
                (PartialMessage { kind, compressed }, Start { rsv1, ..start })
            }
            Some(sending) if sending.kind == kind => {
                (sending, Start::new(Opcode::Continuation, fragment.fin))
            }
            Some(_) => return Err(SendError::UnfinishedMessage),
        };
        let key = self.masking_key()?;
        self.sending = (!fragment.fin).then_some(sending);
        if !fragment.fin {
            self.rare().sent.frames += 1;
        }
        let payload = fragment.payload.as_bytes();
        if !sending.compressed {
            self.write_frame(start, payload, key, out);
        }
        #[cfg(feature = "deflate")]
        if sending.compressed {
            self.write_compressed_fragment(start, payload, key, out);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_between_messages(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.sending.is_some() {
            return Err(SendError::UnfinishedMessage);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_open(&self) -> Result<(), SendError> {
        if self.lifecycle.is_open() {
            return Ok(());
        }
        self.check_half_closed()
    }

    #[cold]
    fn check_half_closed(&self) -> Result<(), SendError> {
        match self.lifecycle.stage() {
            Some(Stage::HalfClosed { .. }) => Ok(()),
            Some(Stage::Closing { .. } | Stage::Ended(_)) => Err(SendError::Closed),
            _ => Err(SendError::NotOpen),
        }
    }
}
