//! Receiving: takes bytes and returns events.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::lifecycle::Stage;
use super::{Connection, Frame};
use crate::error::{ConnectionError, HandshakeError, LimitError};
use crate::event::Event;
use crate::frame::{Header, Mask, Opcode, Part, Rules};
use crate::handshake::{Rejection, Reply};
use crate::input::Input;
use crate::message::{Piece, Received, Taken};

/// How many frames are received between two [`Event::Yield`]s of one input, at most,
/// besides borrowed messages. They take less than 0.1 ms, as does the equivalent in
/// inflated bytes.
pub(super) const MAX_WORK: u32 = 256;

impl Connection {
    /// Takes bytes from `input` and returns the next event, or `None` when all of
    /// the input is consumed.
    ///
    /// The replies that the protocol requires (pongs, close frames, refusals) are
    /// appended to `out`. A message that is contained in `input` is borrowed from
    /// it, without a copy.
    ///
    /// This never fails. If the peer breaks a rule, the last event is
    /// [`Event::Failed`], after every message received before the fault.
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
    /// assert_eq!(message.as_text(), Some("Hello"));
    /// assert!(ws.receive(&mut input, &mut out).is_none());
    /// ```
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut Input<'i>, out: &mut Vec<u8>) -> Option<Event<'i>> {
        // The common case, a complete unfragmented message in one input, is
        // inlined; everything else is out of line.
        match self.split_complete(input) {
            Some(whole) => self.receive_borrowed(whole, out),
            None => self.receive_any(input, out),
        }
    }

    #[inline(never)]
    fn receive_any<'i>(&mut self, input: &mut Input<'i>, out: &mut Vec<u8>) -> Option<Event<'i>> {
        let before = input.remaining().len();
        let event = match self.lifecycle.stage() {
            None | Some(Stage::Closing { .. }) => match self.check_memory() {
                Ok(()) => self.receive_frames(input, out),
                Err(error) => self.fail_now(error.into(), out),
            },
            Some(Stage::Ended(_)) => self.receive_after_end(input),
            Some(Stage::HalfClosed { .. }) => self.receive_half_closed(input, out),
            Some(_) => self.receive_handshake(input, out),
        };
        self.received.bytes += (before - input.remaining().len()) as u64;
        self.borrows = self.can_borrow();
        if event.is_none() {
            self.receiver.work = 0;
        }
        event
    }

    /// Whether the incomplete message is too large for the memory budget by now.
    #[inline]
    pub(super) fn check_memory(&self) -> Result<(), LimitError> {
        let settings = &self.config.settings().message;
        self.receiver.check_memory(settings)
    }

    fn receive_handshake<'i>(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        let settings = &self.config.settings().handshake;
        let stage = self.lifecycle.stage_mut()?;
        let answer = match stage {
            Stage::Request(reader) => match reader.read(input, settings) {
                Ok(Some(request)) => {
                    let is_to_head = request.is_head();
                    *stage = Stage::Answer { is_to_head };
                    self.trace_subject(|| request.path());
                    return Some(Event::Request(request));
                }
                Ok(None) => Ok(None),
                Err(rejection) => return Some(self.reject(rejection, out)),
            },
            Stage::Response(reader) => reader.read(input, settings),
            _ => Ok(None),
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
            Ok(None) if input.is_end_of_stream() => {
                self.fail_now(ConnectionError::UnexpectedEof, out)
            }
            Ok(None) => None,
        }
    }

    /// A server refuses a request by itself. [`Event::Failed`] follows.
    fn reject<'i>(&mut self, rejection: Rejection, out: &mut Vec<u8>) -> Event<'i> {
        let before = out.len();
        if let Some(request) = rejection.request() {
            self.trace_subject(|| request.path());
        }
        rejection.write(out);
        self.count_sent(before, out);
        self.fail(ConnectionError::Handshake(rejection.error()), out);
        Event::Rejected(rejection)
    }

    fn receive_frames<'i>(
        &mut self,
        input: &mut Input<'i>,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        loop {
            if self.ends_turn(input) {
                return Some(Event::Yield);
            }
            #[cfg(feature = "deflate")]
            if self.has_compressed() {
                match self.take_inflated(out) {
                    Ok(None) => continue,
                    Ok(event) => return event,
                    Err(error) => return self.fail_now(error, out),
                }
            }
            if self.is_joining(input) {
                match self.join_fragments(input) {
                    Ok(None) if self.receiver.work >= MAX_WORK => continue,
                    Ok(None) => {}
                    Ok(Some(message)) => return Some(Event::Message(message.into())),
                    Err(error) => return self.fail_now(error, out),
                }
            }
            let event = match self.decoder.decode_at_most(input, self.max_chunk_len()) {
                Ok(Some(Part::Header(header))) => self.begin_frame(&header, out),
                Ok(Some(Part::Payload(chunk))) => self.take_payload(chunk, out),
                Ok(None) if input.is_end_of_stream() => Err(ConnectionError::UnexpectedEof),
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

    /// Whether enough was done for one turn, and there is more to do.
    #[inline]
    fn ends_turn(&mut self, input: &Input<'_>) -> bool {
        if self.receiver.work < MAX_WORK {
            return false;
        }
        self.receiver.work = 0;
        self.has_compressed() || !input.remaining().is_empty()
    }

    /// Whether there is data to inflate before more input is taken.
    #[cfg_attr(not(feature = "deflate"), allow(clippy::unused_self))]
    #[inline]
    pub(super) fn has_compressed(&self) -> bool {
        #[cfg(feature = "deflate")]
        if let Some(codec) = &self.codec {
            return codec.has_more();
        }
        false
    }

    #[cfg_attr(not(feature = "deflate"), allow(clippy::unused_self))]
    #[inline]
    fn max_chunk_len(&self) -> usize {
        #[cfg(feature = "deflate")]
        if self.receiver.is_compressed() && !self.frame.opcode.is_control() {
            return self.max_compressed_len();
        }
        usize::MAX
    }

    #[inline]
    fn begin_frame<'i>(
        &mut self,
        header: &Header,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, ConnectionError> {
        self.rules().check(header)?;
        self.receiver.work += 1;
        if header.opcode.is_control() {
            self.count_control_frame()?;
        } else {
            let limits = &self.config.settings().message.limits;
            self.receiver.begin_frame(header, limits)?;
            #[cfg(feature = "deflate")]
            self.check_compressed(header)?;
        }
        self.frame = Frame {
            opcode: header.opcode,
            fin: header.fin,
            mask: header.masking_key.map(Mask::new),
        };
        if header.payload_len == 0 {
            self.take_payload(&mut [], out)
        } else {
            Ok(None)
        }
    }

    #[inline]
    fn rules(&self) -> Rules {
        #[cfg(feature = "deflate")]
        let allow_compressed = self.codec.is_some();
        #[cfg(not(feature = "deflate"))]
        let allow_compressed = false;
        Rules {
            role: self.role,
            allow_unmasked: self.config.settings().allow_unmasked,
            allow_compressed,
        }
    }

    fn count_control_frame(&mut self) -> Result<(), ConnectionError> {
        let limit = self.config.settings().max_control_frames;
        // Without `handle_timeout`, there is no measure of time.
        if let Some(window) = self.timer.as_ref().map(|timer| timer.window_secs()) {
            self.rare().control_rate.count(limit, window)?;
        }
        Ok(())
    }

    /// Counts a frame that was received completely.
    #[inline]
    fn count_received(&mut self) {
        self.received.frames += 1;
        let (opcode, fin) = (self.frame.opcode, self.frame.fin);
        if opcode.is_control() || !fin {
            let rare = self.rare();
            rare.received.frames += 1;
            rare.received.pings += u64::from(opcode == Opcode::Ping);
        }
    }

    #[inline]
    fn take_payload<'i>(
        &mut self,
        chunk: &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, ConnectionError> {
        let frame_ends = self.decoder.remaining_payload_len() == 0;
        if frame_ends {
            self.count_received();
        }
        if self.frame.opcode.is_control() {
            self.unmask(chunk);
            return if frame_ends && self.has_whole_control() {
                self.finish_control(Cow::Borrowed(chunk), out).map(Some)
            } else {
                self.take_control(chunk, frame_ends, out)
            };
        }
        let ends_message = frame_ends && self.frame.fin;
        #[cfg(feature = "deflate")]
        if self.receiver.is_compressed() {
            self.take_compressed(chunk, ends_message);
            return Ok(None);
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
            ends_message,
        };
        let taken = self.receiver.take(piece, &self.config.settings().message);
        self.deliver(taken, out)
    }

    /// Payload received before a fault is delivered before the fault is reported.
    #[inline]
    pub(super) fn deliver<'i>(
        &mut self,
        taken: Taken<'i>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, ConnectionError> {
        match taken.fault {
            Some(fault) if taken.received.is_none() => return Err(fault),
            Some(fault) => self.fail(fault, out),
            None => {}
        }
        Ok(taken.received.map(|received| match received {
            Received::Message(message) => Event::Message(message),
            Received::Fragment(fragment) => Event::Fragment(fragment),
        }))
    }

    /// Whether this chunk is the first one of the control frame.
    #[inline]
    fn has_whole_control(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_none_or(|rare| rare.control.is_empty())
    }

    /// Takes a piece of a control frame's payload.
    #[cold]
    fn take_control<'i>(
        &mut self,
        chunk: &[u8],
        frame_ends: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, ConnectionError> {
        let rare = self.rare();
        rare.control.extend_from_slice(chunk);
        if !frame_ends {
            return Ok(None);
        }
        let payload = core::mem::take(&mut rare.control);
        self.finish_control(Cow::Owned(payload), out).map(Some)
    }

    #[inline(always)]
    fn finish_control<'i>(
        &mut self,
        payload: Cow<'i, [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Event<'i>, ConnectionError> {
        match self.frame.opcode {
            Opcode::Close => self.finish_close(&payload, out),
            Opcode::Ping => {
                // RFC 6455 §5.5.3: the pong has the ping's payload.
                if self.config.settings().auto_pong {
                    self.write_control(Opcode::Pong, &payload, out)
                        .map_err(|_| ConnectionError::NoEntropy)?;
                }
                Ok(Event::Ping(payload))
            }
            _ => {
                let rare = self.rare();
                rare.unanswered_pings = rare.unanswered_pings.saturating_sub(1);
                if let Some(timer) = &mut self.timer {
                    timer.receive_pong(&payload);
                }
                Ok(Event::Pong(payload))
            }
        }
    }

    /// Fails the connection and reports it at once.
    pub(super) fn fail_now<'i>(
        &mut self,
        error: ConnectionError,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        self.fail(error, out);
        let failure = self.lifecycle.end_mut()?.failure.take();
        failure.map(Event::Failed)
    }

    pub(super) fn unmask(&mut self, chunk: &mut [u8]) {
        if let Some(mask) = &mut self.frame.mask {
            mask.apply(chunk);
        }
    }
}
