//! How a connection ends: the closing handshake, and failures.

use alloc::vec::Vec;

use super::Connection;
use super::lifecycle::{End, Lifecycle, Stage};
use crate::close::{Close, CloseCode, Ending, Initiator, MAX_DISCARDED_LEN, Outcome};
use crate::error::{ConnectionError, ProtocolError, SendError};
use crate::event::Event;
use crate::frame::Opcode;
use crate::handshake::Answer;
use crate::input::Input;

impl Connection {
    /// Sets whether the peer's close frame is answered at once (§5.5.1), which
    /// closes both directions. Defaults to `true`.
    ///
    /// When disabled, a close frame closes only the direction of its sender, like
    /// a FIN in TCP:
    ///
    /// - After [`Event::Close`], the connection
    ///   [`is_half_closed`](Self::is_half_closed). Messages can still be sent,
    ///   until the application answers with [`close`](Self::close), which echoes
    ///   the peer's code.
    /// - An endpoint that closed first still receives messages, until the peer's
    ///   close frame. Its [`close_timeout`](crate::Config::with_close_timeout)
    ///   restarts with each received byte, so that only a silent peer is given
    ///   up.
    ///
    /// Both endpoints must support this. §5.5.1 allows a peer to ignore what it
    /// receives after its own close frame, and most peers end the connection
    /// within seconds.
    ///
    /// If the application never answers, the connection ends by the keepalive,
    /// the [idle timeout](crate::Config::with_idle_timeout) or the peer's close
    /// timeout. If the peer keeps sending, none of these apply: the application
    /// must limit that time itself. More than 4 MiB after the peer's close frame,
    /// apart from pongs, fails the connection with
    /// [`ProtocolError::DataAfterClose`](crate::ProtocolError::DataAfterClose).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role};
    ///
    /// let config = Config::new();
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
    /// ws.auto_close(false);
    /// let (mut close, mut out) = (*b"\x88\x02\x03\xe8", Vec::new());
    /// let event = ws.receive(&mut Input::new(&mut close), &mut out);
    /// assert!(matches!(event, Some(Event::Close(_))) && out.is_empty());
    /// # if cfg!(feature = "std") {
    /// ws.send("the rest", &mut out)?;
    /// ws.close(1000, "", &mut out)?;
    /// # }
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn auto_close(&mut self, on: bool) {
        if on != self.answers_close() {
            self.rare().is_close_manual = !on;
        }
    }

    pub(super) fn answers_close(&self) -> bool {
        self.rare.as_ref().is_none_or(|rare| !rare.is_close_manual)
    }

    /// Starts the closing handshake (§7.1.2) by sending a close frame. Messages
    /// are still received until the peer's close frame arrives. Does nothing if
    /// the connection is closing or closed.
    ///
    /// If the connection [`is_half_closed`](Self::is_half_closed), this answers
    /// the peer's close frame, with the peer's code instead of `code` and without
    /// a reason.
    ///
    /// A reason longer than 123 bytes is truncated at a character boundary. With
    /// [`CloseCode::NO_STATUS`] and no reason, an empty close frame is sent.
    ///
    /// # Errors
    ///
    /// - [`SendError::InvalidCloseCode`] if the code must not be sent, see
    ///   [`CloseCode::is_sendable`].
    /// - [`SendError::NotOpen`] if the opening handshake is not complete.
    /// - [`SendError::NoEntropy`] if a client has no masking key.
    ///
    /// ```
    /// use sansocket::{Agreement, CloseCode, Config, Connection, Input, Role};
    ///
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &Config::new());
    /// let mut out = Vec::new();
    /// ws.close(CloseCode::GOING_AWAY, "restart", &mut out)?;
    /// assert_eq!(out, b"\x88\x09\x03\xe9restart");
    /// assert!(!ws.is_closed());
    ///
    /// let mut answer = *b"\x88\x82\0\0\0\0\x03\xe9";
    /// ws.receive(&mut Input::new(&mut answer), &mut out);
    /// assert!(ws.is_closed());
    /// assert!(ws.outcome().is_some_and(|outcome| outcome.clean));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let close = Close::to_send(code.into(), reason)?;
        match self.check_open() {
            Err(SendError::Closed) => return Ok(()),
            open => open?,
        }
        if let Some(Stage::HalfClosed { received, .. }) = self.lifecycle.stage() {
            let received = received.clone();
            return self.answer_close(received, out);
        }
        self.write_close(&close, out)?;
        self.lifecycle = Lifecycle::at(Stage::Closing {
            sent: close,
            end: self.sent.bytes,
        });
        Ok(())
    }

    /// Answers the peer's close frame once the application has sent everything.
    fn answer_close(&mut self, received: Close, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.write_close(&received.answer(), out)?;
        self.end(Outcome::closed(received, Initiator::Peer), None);
        self.linger();
        Ok(())
    }

    fn expects_pongs(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.unanswered_pings > 0)
    }

    /// The last bytes may still be in flight, and dropping the transport would reset
    /// it: a TCP connection if a pong is unread, a stream of HTTP/2 or HTTP/3 always.
    fn linger(&mut self) {
        let has_close_timeout = self.has_close_timeout();
        let end = self.lifecycle.end_mut().filter(|_| has_close_timeout);
        if let Some(end) = end.filter(|end| end.ending == Ending::Drop) {
            end.ending = Ending::Linger;
        }
    }

    pub(super) fn finish_close<'i>(
        &mut self,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Event<'i>, ConnectionError> {
        let close = Close::parse(payload)?;
        let mut initiator = Initiator::Local;
        if self.lifecycle.is_open() && !self.answers_close() {
            // RFC 6455 §5.5.1: "An endpoint MAY delay sending a Close frame until
            // its current message is sent".
            self.receiver.discard();
            let received = close.clone();
            self.lifecycle = Lifecycle::at(Stage::HalfClosed {
                received,
                discarded_len: 0,
            });
            return Ok(Event::Close(close));
        }
        if self.lifecycle.is_open() {
            // RFC 6455 §5.5.1: an endpoint that has not sent a close frame
            // "MUST send a Close frame in response".
            self.write_close(&close.answer(), out)
                .map_err(|_| ConnectionError::NoEntropy)?;
            initiator = Initiator::Peer;
        }
        self.end(Outcome::closed(close.clone(), initiator), None);
        // RFC 6455 §5.5.2: a peer that has sent a close frame must still answer the
        // pings that arrive before the answer to it.
        if !self.answers_close() || self.expects_pongs() {
            self.linger();
        }
        Ok(Event::Close(close))
    }

    /// RFC 6455 §5.5.1: there is no data after a close frame. Anything received,
    /// such as a pong, still shows that the peer is alive.
    pub(super) fn receive_half_closed<'i>(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Event<'i>> {
        let len = input.take(usize::MAX).len() as u64;
        if input.is_end_of_stream() {
            return self.fail_now(ConnectionError::UnexpectedEof, out);
        }
        // Each ping that is sent allows for its pong.
        let max_len = MAX_DISCARDED_LEN.saturating_add(self.sent.bytes);
        let Some(Stage::HalfClosed { discarded_len, .. }) = self.lifecycle.stage_mut() else {
            return None;
        };
        *discarded_len = discarded_len.saturating_add(len);
        if *discarded_len <= max_len {
            return None;
        }
        self.fail_now(ProtocolError::DataAfterClose.into(), out)
    }

    /// RFC 6455 §1.4: what follows a close frame or a failure is discarded.
    pub(super) fn receive_after_end<'i>(&mut self, input: &mut Input<'_>) -> Option<Event<'i>> {
        let len = input.take(usize::MAX).len() as u64;
        let end = self.lifecycle.end_mut()?;
        end.discarded_len = end.discarded_len.saturating_add(len);
        if input.is_end_of_stream() || end.discarded_len > MAX_DISCARDED_LEN {
            end.ending = Ending::Drop;
        }
        let event = end.event.take();
        event.or_else(|| end.failure.take().map(Event::Failed))
    }

    /// The close frame that reports a failure, if there is one for it.
    fn write_close_for(&mut self, error: ConnectionError, out: &mut Vec<u8>) {
        if let Some(code) = error.close_code() {
            // Without a masking key no frame can be sent; the outcome still
            // reports the failure.
            let _ = self.write_close(&Close::without_reason(code), out);
        }
    }

    fn write_close(&mut self, close: &Close, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.write_control(Opcode::Close, &close.payload(), out)
    }

    /// Ends the connection and appends the close frame or HTTP response that
    /// reports the failure to the peer. Only the first failure counts, and only
    /// before the closing handshake is complete.
    pub(super) fn fail(&mut self, error: ConnectionError, out: &mut Vec<u8>) {
        if self.lifecycle.end().is_some() {
            return;
        }
        let mut outcome = Outcome::failed(error, None);
        match self.lifecycle.take() {
            Some(Stage::Request(_) | Stage::Answer { .. }) => {
                self.write_timeout_response(error, out);
            }
            Some(Stage::Closing { sent, .. }) => outcome = Outcome::failed(error, Some(sent)),
            Some(Stage::HalfClosed { received, .. }) => {
                self.write_close_for(error, out);
                outcome = Outcome::unanswered(error, received);
            }
            None => self.write_close_for(error, out),
            _ => {}
        }
        self.end(outcome, Some(error));
    }

    /// The HTTP response to a client that was too slow. All other faults of a
    /// request are answered by its rejection.
    fn write_timeout_response(&mut self, error: ConnectionError, out: &mut Vec<u8>) {
        let before = out.len();
        if let ConnectionError::Timeout(_) = error {
            Answer::new(408).write(false, out);
        }
        self.count_sent(before, out);
    }

    /// Records the outcome. No message will be received or sent any more, so
    /// the memory held for messages is released.
    pub(super) fn end(&mut self, outcome: Outcome, failure: Option<ConnectionError>) {
        self.trace_end(&outcome);
        let ending = match Ending::after(self.role, outcome.cause) {
            // RFC 6455 §7.1.1 spares servers TIME_WAIT, which only TCP has. But a
            // stream that a client drops early is reset, with what it has not sent.
            Ending::AwaitEnd if self.is_multiplexed() => match self.has_close_timeout() {
                true => Ending::Linger,
                false => Ending::Drop,
            },
            // Without a close deadline, nothing would end the wait for the peer.
            _ if outcome.cause.is_some() && !self.has_close_timeout() => Ending::Drop,
            ending => ending,
        };
        self.lifecycle = Lifecycle::at(Stage::Ended(End {
            outcome,
            ending,
            output_end: self.sent.bytes,
            is_stalled: false,
            discarded_len: 0,
            event: None,
            failure,
        }));
        #[cfg(feature = "deflate")]
        {
            self.codec = None;
        }
        self.receiver.discard();
        if let Some(rare) = &mut self.rare {
            rare.control = Vec::new();
        }
        self.borrows = false;
    }

    /// Whether the transport is a stream of HTTP/2 or HTTP/3.
    fn is_multiplexed(&self) -> bool {
        let agreement = self.agreement.as_ref();
        agreement.is_some_and(|agreement| agreement.is_multiplexed())
    }

    /// Whether a deadline would end a wait for the peer.
    fn has_close_timeout(&self) -> bool {
        self.config.settings().timeouts.close.is_set()
    }
}
