//! How a connection ends: the closing handshake, and failures.

use alloc::vec::Vec;

use super::Connection;
use super::life::{End, Life, Stage};
use crate::close::{Close, CloseCode, Ending, Initiator, Outcome};
use crate::error::{Error, SendError};
use crate::event::Event;
use crate::frame::Opcode;
use crate::handshake::Answer;

impl Connection {
    /// Begins the closing handshake (§7.1.2). What the peer still sends is
    /// received until its close frame comes. Does nothing if the connection is
    /// closing or closed.
    ///
    /// A reason longer than 123 bytes is cut between two characters. With
    /// [`CloseCode::NO_STATUS`] and no reason, an empty close frame is sent.
    ///
    /// # Errors
    ///
    /// If the code must not be sent, or the connection was never open.
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
        self.write_close(&close, out)?;
        self.life = Life::at(Stage::Closing {
            sent: close,
            end: self.sent.bytes,
        });
        Ok(())
    }

    pub(super) fn finish_close<'i>(
        &mut self,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Event<'i>, Error> {
        let close = Close::parse(payload)?;
        let mut initiator = Initiator::Local;
        if self.life.is_open() {
            // RFC 6455 §5.5.1: an endpoint that has not sent a close frame
            // "MUST send a Close frame in response".
            self.write_close(&close.answer(), out)
                .map_err(|_| Error::NoEntropy)?;
            initiator = Initiator::Peer;
        }
        self.end(Outcome::closed(close.clone(), initiator), None);
        Ok(Event::Close(close))
    }

    /// The close frame that reports a failure, if there is one for it.
    fn send_close_for(&mut self, error: Error, out: &mut Vec<u8>) {
        if let Some(code) = error.close_code() {
            // Without a key there is no frame; the outcome still reports.
            let _ = self.write_close(&Close::without_reason(code), out);
        }
    }

    fn write_close(&mut self, close: &Close, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.write_control(Opcode::Close, &close.payload(), out)
    }

    /// Ends the connection and appends what the peer is to be told. The first
    /// failure counts, and none after the closing handshake does.
    pub(super) fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        if self.life.end().is_some() {
            return;
        }
        let mut sent = None;
        match self.life.take() {
            Some(Stage::Request(_) | Stage::Answer { .. }) => self.answer_failure(error, out),
            Some(Stage::Closing { sent: close, .. }) => sent = Some(close),
            None => self.send_close_for(error, out),
            _ => {}
        }
        self.end(Outcome::failed(error, sent), Some(error));
    }

    /// The HTTP response that a server owes a client that was too slow. What
    /// else is wrong with a request, its rejection answers.
    fn answer_failure(&mut self, error: Error, out: &mut Vec<u8>) {
        let before = out.len();
        if let Error::Timeout(_) = error {
            Answer::new(408).write(false, out);
        }
        self.count_sent(before, out);
    }

    /// The outcome is certain. No message will be received or sent, so what was
    /// held for them is given back.
    pub(super) fn end(&mut self, outcome: Outcome, failure: Option<Error>) {
        let can_wait = self.config.settings().timeouts.close.is_set();
        let is_multiplexed = self
            .agreement
            .as_ref()
            .is_some_and(|agreement| agreement.is_multiplexed());
        let ending = match Ending::after(self.role, outcome.cause) {
            // RFC 6455 §7.1.1 spares servers TIME_WAIT, which only TCP has.
            Ending::AwaitEnd if is_multiplexed => Ending::Drop,
            // Nothing would end the wait for a peer that failed us.
            _ if outcome.cause.is_some() && !can_wait => Ending::Drop,
            ending => ending,
        };
        self.life = Life::at(Stage::Ended(End {
            outcome,
            ending,
            output_end: self.sent.bytes,
            is_stalled: false,
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
        self.lends = false;
    }
}
