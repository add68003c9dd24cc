//! Receiving: messages and events, one step after the other.

use std::boxed::Box;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use super::driver::Driver;
use super::transport::Transport;
use crate::adapter::{Error, is_last};
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::Event;
use crate::message::Message;

/// What one step towards the next event has brought.
enum Step {
    /// The event; `None` once the connection is closed.
    Event(Option<Event<'static>>),
    /// More bytes, or their end.
    Read,
}

impl<T: Transport> Driver<T> {
    /// The next message; a request is accepted, and pieces are joined. Returns `None`
    /// after the peer's close frame, even if messages can still be sent.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        loop {
            if let Some(message) = self.receive_complete() {
                return Poll::Ready(Ok(Some(message)));
            }
            if self.ws.is_half_closed() {
                return Poll::Ready(Ok(None));
            }
            let message = match ready!(self.poll_step(cx))? {
                Step::Read => continue,
                Step::Event(None) => return Poll::Ready(Ok(None)),
                Step::Event(Some(event)) => self.handle_event(event)?,
            };
            if message.is_some() {
                return Poll::Ready(Ok(message));
            }
        }
    }

    /// The next event, owned; `None` once the connection is closed.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event<'static>>, Error>> {
        loop {
            if let Step::Event(event) = ready!(self.poll_step(cx))? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    /// Receives an event, or else reads once.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, Error>> {
        if self.turn.is_over() {
            return self.poll_yield(cx);
        }
        if self.last_event.is_none() {
            let event = self.receive();
            if matches!(event, Some(Event::Yield)) {
                return self.poll_yield(cx);
            }
            let is_last = is_last(&self.ws, event.as_ref());
            if !is_last && event.is_some() {
                // The application can take a long time to answer.
                self.release();
                return Poll::Ready(Ok(Step::Event(event)));
            }
            self.last_event = event.map(Box::new);
        }
        if let Some(Event::Failed(_)) = self.last_event.as_deref() {
            // Discards what follows, up to the end of the stream.
            self.receive();
        }
        if self.is_over() {
            ready!(self.poll_end(cx));
            return Poll::Ready(self.take_last_event().map(Step::Event));
        }
        self.poll_fill(cx).map_ok(|()| Step::Read)
    }

    /// Does what an application that awaits messages leaves to this. Returns the message
    /// that the event contains or completes.
    fn handle_event(&mut self, event: Event<'static>) -> Result<Option<Message>, Error> {
        match event {
            Event::Request(request) => {
                let response = request.accept();
                self.ws.respond(response, self.write_queue.out())?;
            }
            Event::Open(response) => self.response = Some(response),
            Event::Refused(response) => return Err(Error::Refused(response)),
            Event::Message(message) => return Ok(Some(message.into_owned())),
            Event::Fragment(fragment) => {
                let out = self.write_queue.out();
                return Ok(self.ws.join(fragment, &mut self.partial, out));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Reads once and passes each event to `handle`, borrowed. Returns `false` once the
    /// connection is closed.
    pub(super) fn poll_drive(
        &mut self,
        cx: &mut Context<'_>,
        handle: &mut impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Poll<Result<bool, Error>> {
        if self.turn.is_over() {
            return self.poll_yield(cx);
        }
        if !self.is_over() && !self.has_unreceived() {
            ready!(self.poll_fill(cx))?;
        }
        let before = self.ws.sent_len();
        let out = self.write_queue.out();
        let mut is_stuck = self.read_buffer.has_rest();
        while !self.turn.is_over()
            && let Some(event) = self.read_buffer.receive(&mut self.ws, out)
        {
            is_stuck = false;
            self.turn.count_frames(1);
            match event {
                Event::Yield => self.turn.end(),
                Event::Failed(_) => self.last_event = Some(Box::new(event.into_owned())),
                event => handle(&mut self.ws, event, out)?,
            }
        }
        self.count_auto_replies(before);
        if self.turn.is_over() && self.has_unreceived() {
            return self.poll_yield(cx);
        }
        if is_stuck && self.read_buffer.has_rest() {
            return Poll::Ready(Err(SendError::NotOpen.into()));
        }
        if self.is_over() {
            ready!(self.poll_end(cx));
            self.take_last_event()?;
        }
        self.release();
        Poll::Ready(Ok(!self.is_finished))
    }

    /// The next message, if it has been read and is complete and unfragmented. It is not
    /// made an event first, which is larger.
    #[inline]
    fn receive_complete(&mut self) -> Option<Message> {
        if self.turn.is_over() || self.last_event.is_some() {
            return None;
        }
        let out = self.write_queue.kept_out();
        let message = self.read_buffer.receive_complete(&mut self.ws, out)?;
        self.turn.count_frames(1);
        if !self.read_buffer.has_rest() {
            // The application can take a long time to answer.
            self.release();
        }
        Some(message)
    }

    /// The next event in the bytes that were read.
    pub(super) fn receive(&mut self) -> Option<Event<'static>> {
        if !self.read_buffer.has_event(&self.ws) {
            return None;
        }
        let (sent_len, frames) = (self.ws.sent_len(), self.ws.received_frames());
        let event = self
            .read_buffer
            .receive(&mut self.ws, self.write_queue.out());
        let event = event.map(Event::into_owned);
        self.count_auto_replies(sent_len);
        self.turn.count_frames(self.ws.received_frames() - frames);
        event
    }

    /// Whether there is something to receive before more is read.
    fn has_unreceived(&self) -> bool {
        let has_end = self.read_buffer.is_end_of_stream() && self.ws.outcome().is_none();
        has_end || self.read_buffer.has_rest() || self.ws.has_event()
    }
}
