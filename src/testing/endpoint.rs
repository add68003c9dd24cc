//! One side of a connection in memory.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::log::LogEntry;
use crate::close::CloseCode;
use crate::connection::{Connection, IoState};
use crate::error::SendError;
use crate::event::Event;
use crate::handshake::{Answer, Request};
use crate::input::Input;
use crate::message::{Message, MessageRef};

/// One side of a [`Pair`](super::Pair), or the side that a
/// [`ScriptedPeer`](super::ScriptedPeer) talks to: a connection, its unsent bytes, and
/// its events.
#[derive(Debug)]
pub struct Endpoint {
    ws: Connection,
    out: Vec<u8>,
    /// Bytes that have left, and have not arrived yet.
    on_the_way: Vec<u8>,
    /// How many bytes arrived at the other side.
    arrived_len: usize,
    events: Vec<Event<'static>>,
    log: Vec<LogEntry>,
    now: Duration,
    is_reading: bool,
}

impl Endpoint {
    pub(super) const fn new(ws: Connection, out: Vec<u8>) -> Self {
        Self {
            ws,
            out,
            on_the_way: Vec::new(),
            arrived_len: 0,
            events: Vec::new(),
            log: Vec::new(),
            now: Duration::ZERO,
            is_reading: true,
        }
    }

    /// Sends a message. It arrives with the next [`deliver`](super::Pair::deliver).
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), SendError> {
        self.ws.send(message, &mut self.out)
    }

    /// Begins the closing handshake.
    ///
    /// # Errors
    ///
    /// As [`Connection::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), SendError> {
        self.ws.close(code, reason, &mut self.out)
    }

    /// Calls any other method of the connection, with the unsent bytes.
    ///
    /// ```
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// use sansocket::{Config, Event, testing::Pair};
    ///
    /// let mut pair = Pair::new(&Config::new());
    /// pair.client.with(|ws, out| ws.ping(b"?", out))?;
    /// // The server is sent bytes that no connection would send.
    /// pair.client.with(|_, out| out.extend(b"\xff\xff"));
    /// pair.deliver();
    /// let events = pair.server.take_events();
    /// assert!(matches!(events[..], [Event::Ping(_), Event::Failed(_)]));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        act(&mut self.ws, &mut self.out)
    }

    /// Sets whether this side reads. While it does not, the bytes of the other side of a
    /// [`Pair`](super::Pair) stay unsent. What a [`ScriptedPeer`](super::ScriptedPeer)
    /// sends is received nevertheless, and only the deadlines for silence stop.
    pub fn set_reading(&mut self, is_reading: bool) {
        self.is_reading = is_reading;
    }

    /// Ends the stream that this side reads, as a peer does that closes TCP.
    pub fn end_stream(&mut self) {
        self.receive(Input::new(&mut []));
    }

    /// Returns the connection, for its state.
    pub const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// Returns how many bytes wait to leave, because the peer does not read.
    pub const fn unsent_len(&self) -> usize {
        self.out.len()
    }

    /// Takes the events since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Event<'static>> {
        mem::take(&mut self.events)
    }

    /// Takes the messages since the last call, and discards other events.
    pub fn take_messages(&mut self) -> Vec<Message> {
        let message = |event| match event {
            Event::Message(message) => Some(message.into_owned()),
            _ => None,
        };
        self.take_events().into_iter().filter_map(message).collect()
    }

    pub(super) fn depart(&mut self) {
        self.on_the_way.append(&mut self.out);
    }

    pub(super) const fn arrived_len(&self) -> usize {
        self.arrived_len
    }

    pub(super) fn take_log(&mut self) -> Vec<LogEntry> {
        mem::take(&mut self.log)
    }

    /// Moves bytes to the other side, if it reads, up to `cut_at` if there is more.
    /// Returns whether there were none.
    pub(super) fn send_piece(
        &mut self,
        max_len: usize,
        cut_at: usize,
        receiver: &mut Self,
        answer: &mut impl FnMut(&Request) -> Answer,
    ) -> Result<bool, SendError> {
        if receiver.is_reading {
            self.depart();
        }
        if self.on_the_way.is_empty() || !receiver.is_reading {
            return Ok(true);
        }
        let mut len = self.on_the_way.len().min(max_len);
        if self.arrived_len < cut_at {
            len = len.min(cut_at - self.arrived_len);
        }
        self.arrived_len += len;
        let mut piece: Vec<u8> = self.on_the_way.drain(..len).collect();
        receiver.receive_answering(Input::new(&mut piece), answer)?;
        Ok(false)
    }

    /// A request is accepted.
    pub(super) fn receive(&mut self, input: Input<'_>) {
        // The answer to a request that was received is valid.
        let _ = self.receive_answering(input, &mut Request::accept);
    }

    fn receive_answering(
        &mut self,
        mut input: Input<'_>,
        answer: &mut impl FnMut(&Request) -> Answer,
    ) -> Result<(), SendError> {
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            if let Event::Request(request) = &event {
                self.ws.respond(answer(request), &mut self.out)?;
            }
            // It depends on how the bytes are cut.
            if !matches!(event, Event::Yield) {
                self.record(event.into_owned());
            }
        }
        Ok(())
    }

    fn record(&mut self, event: Event<'static>) {
        self.log.push(LogEntry {
            at: self.now,
            role: self.ws.role(),
            event: event.clone(),
        });
        self.events.push(event);
    }

    /// Reports the time, and takes the failure of a deadline that has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Option<Duration> {
        self.now = now;
        let io = if self.is_reading {
            IoState::reading()
        } else {
            IoState::paused()
        };
        let deadline = self.ws.handle_timeout(now, io, &mut self.out);
        self.receive(Input::none());
        deadline.map(|deadline| deadline.at)
    }
}
