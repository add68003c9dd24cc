//! The application of a side: goes through its script, echoes, and checks what it receives.

use core::mem;
use core::time::Duration;

use super::Side;
use crate::schedules::script::Step;
use sansocket::{ConnectionError, Event, Fragment, HandshakeError, Message, MessageRef, SendError};

impl Side {
    /// The application goes through its script.
    pub(super) fn act(&mut self, now: Duration) -> Result<(), String> {
        if let Some((_, request)) = self.request.take_if(|(at, _)| *at <= now) {
            let answered = self.ws.respond(request.accept(), &mut self.out);
            answered.map_err(|error| error.to_string())?;
            self.note_end();
            let rest = mem::take(&mut self.rest);
            if !rest.is_empty() {
                self.receive(now, rest)?;
            }
        }
        while self.ws.is_open() && self.acts_at <= now {
            let max_unsent_len = self.plan.script.max_unsent_len;
            let is_full = self.unsent_len() > max_unsent_len;
            let Some(step) = self.plan.script.steps.front() else {
                break;
            };
            if is_full && matches!(step, Step::Send(_) | Step::SendPart(..)) {
                break;
            }
            let step = self.plan.script.steps.pop_front().expect("a step");
            self.trace(now, || format!("{:.60}", format!("{step:?}")));
            self.step(now, step)?;
        }
        let is_done = self.plan.script.steps.is_empty();
        if is_done && self.ws.is_half_closed() {
            self.close()?;
        }
        Ok(())
    }

    fn step(&mut self, now: Duration, step: Step) -> Result<(), String> {
        match step {
            Step::Send(message) => self.send(MessageRef::from(&message))?,
            Step::SendPart(part, fin) => self.send_part(part, fin)?,
            Step::Ping => {
                let sent = self.ws.ping(b"are you there?", &mut self.out);
                sent.map_err(|error| error.to_string())?;
            }
            Step::Wait(time) => self.acts_at = now + time,
            Step::StopReading(time) => self.reads_at = now + time,
            Step::Close => self.close()?,
        }
        Ok(())
    }

    fn send_part(&mut self, part: Message, fin: bool) -> Result<(), String> {
        let payload = MessageRef::from(&part);
        let sent = self
            .ws
            .send_fragment(Fragment { payload, fin }, &mut self.out);
        sent.map_err(|error| error.to_string())?;
        self.part_sent.push(part);
        if fin {
            self.sent.push(join(&mem::take(&mut self.part_sent)));
        }
        Ok(())
    }

    fn send(&mut self, message: MessageRef<'_>) -> Result<(), String> {
        let is_open = self.ws.is_open();
        match self.ws.send(message.clone(), &mut self.out) {
            Ok(()) => self.sent.push(message.into_owned()),
            Err(SendError::Closed) if !is_open => {}
            Err(error) => return Err(format!("send: {error}")),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let closed = self.ws.close(1000, "done", &mut self.out);
        self.note_end();
        closed.map_err(|error| error.to_string())
    }

    pub(super) fn handle(&mut self, now: Duration, event: Event<'static>) -> Result<(), String> {
        match (self.last_event, &event) {
            (Some("failed"), event) => return Err(format!("{event:?} after a failure")),
            (Some("close"), Event::Message(_) | Event::Fragment(_) | Event::Close(_)) => {
                return Err(format!("{event:?} after a close frame"));
            }
            _ => {}
        }
        match event {
            Event::Request(request) => {
                self.request = Some((now + self.plan.script.decides_after, request));
            }
            Event::Message(message) => self.take_message(message.into_owned())?,
            Event::Fragment(fragment) => {
                self.part.push(fragment.payload.into_owned());
                if fragment.fin {
                    let parts = mem::take(&mut self.part);
                    self.take_message(join(&parts))?;
                }
            }
            Event::Close(_) => self.last_event = Some("close"),
            Event::Failed(error) => {
                self.last_event = Some("failed");
                self.check_cause(error)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_message(&mut self, message: Message) -> Result<(), String> {
        if self.plan.script.is_echo {
            self.send(MessageRef::from(&message))?;
        }
        self.received.push(message);
        Ok(())
    }

    /// Both sides keep the rules and the limits.
    fn check_cause(&self, error: ConnectionError) -> Result<(), String> {
        match error {
            ConnectionError::Timeout(_) => Ok(()),
            ConnectionError::UnexpectedEof if self.at_end_of_stream => Ok(()),
            // The server's handshake deadline.
            ConnectionError::Handshake(HandshakeError::Refused(408)) => Ok(()),
            error => Err(format!("failed with {error:?}")),
        }
    }

    /// Whether it has sent a part of a message.
    pub(in crate::schedules) fn is_within_message(&self) -> bool {
        !self.part_sent.is_empty()
    }
}

fn join(parts: &[Message]) -> Message {
    if let [part] = parts {
        return part.clone();
    }
    let bytes: Vec<u8> = parts.iter().flat_map(Message::as_bytes).copied().collect();
    match parts.first().is_some_and(|part| part.as_text().is_some()) {
        true => String::from_utf8(bytes).expect("text").into(),
        false => bytes.into(),
    }
}
