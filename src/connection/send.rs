//! Sending: takes messages and commands, and appends bytes.

use alloc::vec::Vec;

use super::lifecycle::Stage;
use super::{Connection, PartialMessage};
use crate::close::Outcome;
#[cfg(feature = "deflate")]
use crate::deflate::Compress;
use crate::error::SendError;
use crate::frame::encoder::{self, Start};
use crate::frame::{Header, MaskingKey, Opcode, Role};
use crate::handshake::Answer;
use crate::message::{Fragment, MessageKind, MessageRef};

impl Connection {
    /// Answers the request of [`Event::Request`](crate::Event::Request).
    ///
    /// If the answer comes from [`Request::accept`](crate::Request::accept), the
    /// connection is open. Any other answer ends the connection, and the bytes
    /// after the request stay in the input. The answer to a HEAD request is sent
    /// without its body.
    ///
    /// # Errors
    ///
    /// [`SendError::NoRequest`] if there is no request to answer.
    ///
    /// ```
    /// use sansocket::{Answer, Config, Connection, Event, Input};
    ///
    /// let (mut ws, mut out) = (Connection::server(&Config::new()), Vec::new());
    /// let mut bytes = *b"GET /health HTTP/1.1\r\nHost: example.com\r\n\r\n";
    /// let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
    /// let Some(Event::Request(request)) = event else { panic!("{event:?}") };
    /// let answer = match request.path() {
    ///     "/health" => Answer::new(204),
    ///     _ => request.accept(),
    /// };
    /// ws.respond(answer, &mut out)?;
    /// assert!(out.starts_with(b"HTTP/1.1 204 "));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
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
            self.open(answer.into_agreement());
        } else {
            self.end(Outcome::refused(answer.status()), None);
        }
        Ok(())
    }

    /// Sends a text or binary message, by appending its frames to `out`.
    ///
    /// A message longer than
    /// [`max_sent_frame_len`](crate::Config::with_max_sent_frame_len) is
    /// fragmented. With permessage-deflate, the message is compressed according
    /// to `deflate::Compress::Auto`.
    ///
    /// # Errors
    ///
    /// Nothing was appended if this returns an error:
    ///
    /// - [`SendError::NotOpen`] before the opening handshake is complete.
    /// - [`SendError::Closed`] after a close frame or the end of the connection.
    /// - [`SendError::UnfinishedMessage`] if a message started with
    ///   [`send_fragment`](Self::send_fragment) is incomplete.
    /// - [`SendError::NoEntropy`] if a client has no masking key.
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

    /// Sends a fragment of a message, for messages that are produced piece by
    /// piece. The first fragment determines whether the message is text or
    /// binary. Pings, pongs and close frames can be sent between fragments.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), but [`SendError::UnfinishedMessage`] if the
    /// fragment is text within a binary message, or the reverse.
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

    /// Sends only the header of a message. The caller writes the payload of `len`
    /// bytes itself, directly after the contents of `out`: for large payloads and
    /// vectored writes, which avoid a copy.
    ///
    /// The caller must write the whole payload before anything else, and must
    /// ensure that text is UTF-8. A client must mask the payload with the returned
    /// key; for a server, this returns `None`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, MessageKind, Role};
    /// use std::io::{IoSlice, Write};
    ///
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &Config::new());
    /// let (mut out, payload) = (Vec::new(), vec![0; 100_000]);
    /// ws.send_header(MessageKind::Binary, payload.len(), &mut out)?;
    /// # let mut socket = Vec::new();
    /// // A real writer calls this again until everything is written.
    /// let n = socket.write_vectored(&[IoSlice::new(&out), IoSlice::new(&payload)])?;
    /// assert_eq!(n, 10 + 100_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Whether [`send`](Self::send) would write a message of this length in one frame
    /// and uncompressed, so that [`send_header`](Self::send_header) can do the same
    /// without a copy.
    #[cfg(feature = "std")]
    pub(crate) fn sends_whole(&self, len: usize) -> bool {
        #[cfg(feature = "deflate")]
        if self.compresses(len) {
            return false;
        }
        len <= self.config.settings().max_sent_frame_len
    }

    /// Sends a ping (§5.5.2) with a payload of at most 125 bytes. The peer's pong
    /// is an [`Event::Pong`](crate::Event::Pong) with the same payload.
    ///
    /// Not needed as a keepalive: [`handle_timeout`](Self::handle_timeout) sends
    /// pings by itself.
    ///
    /// # Errors
    ///
    /// [`SendError::ControlFrameTooLong`] if the payload is longer, and the errors
    /// of [`send`](Self::send) except `UnfinishedMessage`.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role, SendError};
    ///
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &Config::new());
    /// let mut out = Vec::new();
    /// ws.ping(b"42", &mut out)?;
    /// assert_eq!(out, b"\x89\x0242");
    /// assert_eq!(ws.ping(&[0; 126], &mut out), Err(SendError::ControlFrameTooLong));
    ///
    /// let mut pong = *b"\x8a\x82\0\0\0\x0042";
    /// let event = ws.receive(&mut Input::new(&mut pong), &mut out);
    /// assert_eq!(event, Some(Event::Pong(b"42".into())));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.check_open()?;
        self.send_control(Opcode::Ping, payload, out)
    }

    /// Sends a pong (§5.5.3) with a payload of at most 125 bytes: an unsolicited
    /// heartbeat, or the answer to a ping if
    /// [`auto_pong`](crate::Config::with_auto_pong) is off. Allowed until the
    /// peer's close frame is received, even after [`close`](Self::close)
    /// (§5.5.2).
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
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
        if opcode == Opcode::Ping {
            rare.sent.pings += 1;
            rare.unanswered_pings = rare.unanswered_pings.saturating_add(1);
        }
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

    #[inline]
    pub(super) fn write_message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.write_frames(Start::new(kind.opcode(), true), payload, out)
    }

    /// Writes a message in frames of allowed length, the first of which begins
    /// with `start`.
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
