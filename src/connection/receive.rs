//! Bytes in, events out.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{Connection, Frame, Opening};
use crate::close::{Close, Closing};
use crate::config::Delivery;
use crate::error::{Error, HandshakeError, LimitError, ProtocolError};
use crate::event::Event;
use crate::frame::{Header, Mask, MaskingKey, Opcode, Part, Role, WholeFrame};
use crate::handshake::{Rejection, Reply};
use crate::input::Input;
use crate::message::assembler::{Piece, assemble};
use crate::message::{Fragment, Message, MessageKind, utf8};

impl Connection {
    /// Takes bytes from the input and tells the next event, or `None` when all
    /// of the input is consumed.
    ///
    /// Answers that the protocol demands (pongs, close frames, refusals) are
    /// appended to `out`. Never fails: a peer that breaks the rules is
    /// [`Event::Failed`], the last event, behind all that came before it.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Message};
    /// use sansocket::frame::Role;
    ///
    /// let config = Config::new();
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
    /// let (mut bytes, mut out) = (*b"\x81\x05Hello", Vec::new());
    /// let mut input = Input::new(&mut bytes);
    /// let Some(Event::Message(message)) = ws.receive(&mut input, &mut out) else { panic!() };
    /// assert_eq!(message, Message::from("Hello"));
    /// assert!(ws.receive(&mut input, &mut out).is_none());
    /// ```
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut Input<'i>, out: &mut Vec<u8>) -> Option<Event<'i>> {
        // The common case, a whole unfragmented message in one input, stays
        // in line; everything else is out of line.
        if self.lends
            && let Some(whole) = WholeFrame::split(input, self.role, self.max_lent_len())
        {
            self.received = true;
            return self.lend_whole(whole, out);
        }
        self.receive_any(input, out)
    }

    /// Whether the next frame may be lent whole: nothing is under way that it
    /// would have to be joined to.
    pub(super) fn may_lend(&self) -> bool {
        self.opening.is_none()
            && self.outcome().is_none()
            && self.config.settings().delivery == Delivery::Messages
            && self.decoder.is_between_frames()
            && self.sequence.kind().is_none()
    }

    #[inline]
    fn max_lent_len(&self) -> usize {
        let limits = &self.config.settings().message;
        limits.max_message_len.min(limits.max_frame_len)
    }

    #[inline(always)]
    fn lend_whole<'i>(&mut self, whole: WholeFrame<'i>, out: &mut Vec<u8>) -> Option<Event<'i>> {
        let is_text = whole.is_text();
        let payload = whole.into_payload();
        if !is_text {
            return Some(Event::Message(Message::Binary(Cow::Borrowed(payload))));
        }
        match utf8::validate(payload) {
            Ok(text) => Some(Event::Message(Message::Text(Cow::Borrowed(text)))),
            Err(_) => self.receive_invalid_text(payload, out),
        }
    }

    #[cold]
    fn receive_invalid_text<'i>(
        &mut self,
        payload: &'i [u8],
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        if self.config.settings().allow_invalid_utf8 {
            return Some(Event::Message(Message::Text(utf8::replace_invalid(
                payload,
            ))));
        }
        self.fail_now(ProtocolError::InvalidUtf8.into(), out)
    }

    #[inline(never)]
    fn receive_any<'i>(&mut self, input: &mut Input<'i>, out: &mut Vec<u8>) -> Option<Event<'i>> {
        self.received |= !input.remaining().is_empty();
        let event = if self.outcome().is_some() {
            self.receive_after_end(input)
        } else if self.opening.is_some() {
            self.receive_handshake(input, out)
        } else {
            self.receive_frames(input, out)
        };
        self.lends = self.may_lend();
        event
    }

    /// RFC 6455 §1.4: what follows a close frame or a failure is discarded.
    fn receive_after_end<'i>(&mut self, input: &mut Input<'_>) -> Option<Event<'i>> {
        if !self.is_closed {
            self.is_closed = input.is_end_of_stream();
            input.take(usize::MAX);
        }
        self.failure.take().map(Event::Failed)
    }

    fn receive_handshake<'i>(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        let settings = self.config.settings();
        let opening = self.opening.as_deref_mut()?;
        let answer = match opening {
            Opening::Answer { .. } => return None,
            Opening::Request(reader) => match reader.read(input, &settings.handshake) {
                Ok(Some(request)) => {
                    let is_to_head = request.is_head();
                    *opening = Opening::Answer { is_to_head };
                    return Some(Event::Request(request));
                }
                Ok(None) => Ok(None),
                Err(rejection) => return Some(self.reject(rejection, out)),
            },
            Opening::Response(reader) => reader.read(input, &settings.handshake),
        };
        match answer {
            Err(error) => self.fail_now(error.into(), out),
            Ok(Some(Reply::Open(response))) => {
                self.open(response.agreement().clone());
                Some(Event::Open(response))
            }
            Ok(Some(Reply::Refused(response))) => {
                let refused = HandshakeError::Refused(response.status());
                self.fail(refused.into(), out);
                Some(Event::Refused(response))
            }
            Ok(None) if input.is_end_of_stream() => self.fail_now(Error::UnexpectedEof, out),
            Ok(None) => None,
        }
    }

    /// A server refuses a request by itself. [`Event::Failed`] follows.
    fn reject<'i>(&mut self, rejection: Rejection, out: &mut Vec<u8>) -> Event<'i> {
        rejection.write(out);
        self.fail(Error::Handshake(rejection.error()), out);
        Event::Rejected(rejection)
    }

    fn receive_frames<'i>(
        &mut self,
        input: &mut Input<'i>,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        loop {
            #[cfg(feature = "deflate")]
            while self.has_compressed() {
                match self.take_inflated(out) {
                    Ok(None) => {}
                    Ok(event) => return event,
                    Err(error) => return self.fail_now(error, out),
                }
            }
            let event = match self.decoder.decode_at_most(input, self.max_chunk_len()) {
                Ok(Some(Part::Header(header))) => self.begin_frame(&header, out),
                Ok(Some(Part::Payload(chunk))) => self.take_payload(chunk, out),
                Ok(None) if input.is_end_of_stream() => Err(Error::UnexpectedEof),
                Ok(None) => return None,
                Err(error) => Err(error.into()),
            };
            match event {
                Ok(None) => {}
                Ok(event) => return event,
                Err(error) => return self.fail_now(error, out),
            }
        }
    }

    fn max_chunk_len(&self) -> usize {
        if self.frame.opcode.is_control() {
            return usize::MAX;
        }
        #[cfg(feature = "deflate")]
        if self.sequence.is_compressed() {
            return self.max_compressed_len();
        }
        // A character that was begun is completed by itself, so that what
        // follows can be lent.
        match (self.config.settings().delivery, self.utf8.missing()) {
            (Delivery::Fragments, missing @ 1..) => missing,
            _ => usize::MAX,
        }
    }

    fn begin_frame<'i>(
        &mut self,
        header: &Header,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        let settings = self.config.settings();
        // RFC 6455 §5.2: reserved bits "MUST be 0 unless an extension is
        // negotiated that defines meanings for non-zero values".
        let rsv1 = header.rsv1 && !self.may_be_compressed(header.opcode);
        if rsv1 || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::ReservedBits.into());
        }
        if !settings.allow_unmasked {
            check_mask(self.role, header.masking_key)?;
        }
        if header.opcode.is_control() {
            self.count_control_frame()?;
        } else {
            self.sequence.begin_frame(header, &settings.message)?;
        }
        let mask = header.masking_key.map(Mask::new);
        self.frame = Frame {
            opcode: header.opcode,
            fin: header.fin,
            mask,
        };
        if header.payload_len == 0 {
            self.take_payload(&mut [], out)
        } else {
            Ok(None)
        }
    }

    /// RFC 7692 §6: the first frame of a message has RSV1 set if it is
    /// compressed, and no other frame has.
    const fn may_be_compressed(&self, opcode: Opcode) -> bool {
        #[cfg(feature = "deflate")]
        let is_agreed = self.codec.is_some();
        #[cfg(not(feature = "deflate"))]
        let is_agreed = false;
        is_agreed && matches!(opcode, Opcode::Text | Opcode::Binary)
    }

    fn count_control_frame(&mut self) -> Result<(), LimitError> {
        self.control_frames = self.control_frames.saturating_add(1);
        let limit = self.config.settings().max_control_frames;
        if self.timer.is_some() && self.control_frames > limit {
            return Err(LimitError::TooManyControlFrames);
        }
        Ok(())
    }

    fn take_payload<'i>(
        &mut self,
        chunk: &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        let frame_ends = self.decoder.remaining_payload_len() == 0;
        if self.frame.opcode.is_control() {
            return self.take_control(chunk, frame_ends, out);
        }
        let message_ends = frame_ends && self.frame.fin;
        #[cfg(feature = "deflate")]
        if self.sequence.is_compressed() {
            self.take_compressed(chunk, message_ends);
            return Ok(None);
        }
        let event = match self.config.settings().delivery {
            Delivery::Messages => self.take_message(chunk, message_ends)?.map(Event::Message),
            Delivery::Fragments => self.take_fragment(chunk, message_ends, out)?,
        };
        if message_ends {
            self.sequence.end_message();
        }
        Ok(event)
    }

    fn take_message<'i>(
        &mut self,
        chunk: &'i mut [u8],
        ends: bool,
    ) -> Result<Option<Message<'i>>, Error> {
        let Some(kind) = self.sequence.kind() else {
            return Ok(None);
        };
        let lossy = self.config.settings().allow_invalid_utf8;
        if ends && self.assembler.is_none() {
            self.unmask(chunk);
            return Ok(Some(lend(kind, chunk, lossy)?));
        }
        let max_rest = if self.frame.fin {
            usize::try_from(self.decoder.remaining_payload_len()).unwrap_or(usize::MAX)
        } else {
            usize::MAX
        };
        let piece = Piece {
            bytes: chunk,
            mask: self.frame.mask.as_mut(),
            max_rest,
            ends,
        };
        let whole = assemble(&mut self.assembler, kind, piece, &mut self.utf8, lossy);
        Ok(whole?)
    }

    fn take_fragment<'i>(
        &mut self,
        chunk: &'i mut [u8],
        fin: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        self.unmask(chunk);
        let chunk: &'i [u8] = chunk;
        let payload = match self.sequence.kind() {
            Some(MessageKind::Text) => match self.take_text(chunk, fin) {
                Ok(text) => Message::Text(text),
                Err((prefix, error)) => {
                    // What was valid before the fault is delivered before it.
                    self.fail(error.into(), out);
                    let prefix = Fragment::more(prefix);
                    return Ok(Some(if prefix.payload.is_empty() {
                        self.failure = None;
                        Event::Failed(error.into())
                    } else {
                        Event::Fragment(prefix)
                    }));
                }
            },
            _ => Message::Binary(Cow::Borrowed(chunk)),
        };
        let is_nothing = payload.is_empty() && !fin;
        Ok((!is_nothing).then_some(Event::Fragment(Fragment { payload, fin })))
    }

    /// The text of a chunk; on a fault, what of it was valid.
    fn take_text<'i>(
        &mut self,
        chunk: &'i [u8],
        fin: bool,
    ) -> Result<Cow<'i, str>, (&'i str, ProtocolError)> {
        if self.config.settings().allow_invalid_utf8 {
            return Ok(Cow::Owned(self.utf8.push_lossy(chunk, fin)));
        }
        let begun = self.utf8.missing() > 0;
        let valid = || if begun { "" } else { utf8::valid_prefix(chunk) };
        let (completed, text) = self.utf8.push(chunk).map_err(|error| (valid(), error))?;
        if fin {
            self.utf8.end().map_err(|error| (valid(), error))?;
        }
        // A completed character comes alone, see `max_chunk_len`.
        Ok(completed.map_or(Cow::Borrowed(text), |completed| {
            Cow::Owned(completed.into())
        }))
    }

    fn take_control<'i>(
        &mut self,
        chunk: &'i mut [u8],
        ends: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        self.unmask(chunk);
        if ends && self.control.is_empty() {
            return self.finish_control(Cow::Borrowed(chunk), out).map(Some);
        }
        let mut payload = core::mem::take(&mut self.control).into_vec();
        payload.extend_from_slice(chunk);
        if ends {
            return self.finish_control(Cow::Owned(payload), out).map(Some);
        }
        self.control = payload.into_boxed_slice();
        Ok(None)
    }

    fn finish_control<'i>(
        &mut self,
        payload: Cow<'i, [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Event<'i>, Error> {
        match self.frame.opcode {
            Opcode::Close => self.finish_close(&payload, out),
            Opcode::Ping => {
                // RFC 6455 §5.5.3: the pong has the ping's payload.
                if self.config.settings().auto_pong {
                    self.write_control(Opcode::Pong, &payload, out)
                        .map_err(|_| Error::NoEntropy)?;
                }
                Ok(Event::Ping(payload))
            }
            _ => Ok(Event::Pong(payload)),
        }
    }

    fn finish_close<'i>(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<Event<'i>, Error> {
        let close = Close::parse(payload)?;
        // RFC 6455 §5.5.1: an endpoint that has not sent a close frame "MUST
        // send a Close frame in response", typically with the same code.
        if matches!(self.closing, Closing::Open) {
            self.write_close(close.code, "", out)
                .map_err(|_| Error::NoEntropy)?;
        }
        self.closing.receive(&close);
        self.is_closed = self.role == Role::Server;
        self.discard();
        Ok(Event::Close(close))
    }

    /// Fails the connection and tells it at once.
    fn fail_now<'i>(&mut self, error: Error, out: &mut Vec<u8>) -> Option<Event<'i>> {
        self.fail(error, out);
        self.failure.take().map(Event::Failed)
    }

    pub(super) fn unmask(&mut self, chunk: &mut [u8]) {
        if let Some(mask) = &mut self.frame.mask {
            mask.apply(chunk);
        }
    }
}

/// RFC 6455 §5.1: "a client MUST mask all frames", "A server MUST NOT mask any
/// frames", and whoever sees the opposite closes the connection.
const fn check_mask(role: Role, key: Option<MaskingKey>) -> Result<(), ProtocolError> {
    match (role, key) {
        (Role::Server, None) => Err(ProtocolError::MissingMask),
        (Role::Client, Some(_)) => Err(ProtocolError::UnexpectedMask),
        _ => Ok(()),
    }
}

/// A message that lies whole in the input.
pub(super) fn lend(
    kind: MessageKind,
    payload: &[u8],
    lossy: bool,
) -> Result<Message<'_>, ProtocolError> {
    Ok(match kind {
        MessageKind::Text if lossy => Message::Text(utf8::replace_invalid(payload)),
        MessageKind::Text => Message::Text(Cow::Borrowed(utf8::validate(payload)?)),
        MessageKind::Binary => Message::Binary(Cow::Borrowed(payload)),
    })
}
