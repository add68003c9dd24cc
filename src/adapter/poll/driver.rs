//! The loop of [`Connection`] as a set of polls, written once for all runtimes
//! and for both halves of a split.
//!
//! Knows how bytes and time pass between a transport and the state machine;
//! knows no rule of the protocol and no runtime.

use std::borrow::Cow;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec::Vec;

use bytes::Bytes;

use super::buffers;
use super::outgoing::Outgoing;
use super::transport::Transport;
use crate::adapter::Error;
use crate::adapter::incoming::Incoming;
use crate::connection::Connection;
use crate::error::{DeadlineReason, Error as Failure, SendError};
use crate::event::Event;
use crate::input::Input;
use crate::message::{Message, Prepared};

/// A connection over a transport.
#[derive(Debug)]
pub(super) struct Driver<T> {
    pub(super) io: T,
    pub(super) ws: Connection,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    max_unsent_len: usize,
    ending: Option<Ending>,
    /// Nothing is read or written any more.
    is_finished: bool,
    /// The pieces of a message that came so far, where they are to be joined.
    begun: Option<Message<'static>>,
}

/// The connection is closed: what is owed leaves, and then the last event is
/// told.
#[derive(Debug)]
struct Ending {
    last: Option<Event<'static>>,
    phase: Phase,
    /// When to give up.
    at: Option<Duration>,
}

/// How far an ending is.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Flush,
    Shutdown,
    /// A stream that is dropped with unread bytes is reset, and the close
    /// frame might be lost on the way: the peer reads it and ends the stream.
    Drain,
}

/// A payload of this many bytes leaves without being copied, where the
/// transport can write header and payload at once.
const LARGE: usize = 16 * 1024;

/// A prepared message of this many bytes is shared: copying fewer is faster.
const LARGE_SHARED: usize = 2 * 1024;

impl<T: Transport> Driver<T> {
    pub(super) fn new(io: T, ws: Connection, out: &[u8]) -> Self {
        let mut outgoing = Outgoing::default();
        outgoing.out().extend_from_slice(out);
        Self {
            io,
            max_unsent_len: ws.config().settings().max_unsent_len,
            ws,
            incoming: Incoming::default(),
            outgoing,
            ending: None,
            is_finished: false,
            begun: None,
        }
    }

    /// The next message; a request is accepted, and pieces are joined.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message<'static>>, Error>> {
        while let Some(event) = ready!(self.poll_event(cx))? {
            match event {
                Event::Request(request) => {
                    let response = request.accept();
                    self.ws.respond(response, self.outgoing.out())?;
                }
                Event::Refused(response) => return Poll::Ready(Err(Error::Refused(response))),
                event => {
                    if let Some(message) = event.into_message(&mut self.begun) {
                        return Poll::Ready(Ok(Some(message)));
                    }
                }
            }
        }
        Poll::Ready(Ok(None))
    }

    /// The next event, owned; `None` once the connection is closed.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event<'static>>, Error>> {
        loop {
            if self.ending.is_some() {
                return self.poll_ending(cx);
            }
            let event = self.incoming.receive(&mut self.ws, self.outgoing.out());
            let event = event.map(Event::into_owned);
            if self.is_finished {
                self.release();
                // Behind a refusal its error is told.
                return Poll::Ready(last(event));
            }
            if self.is_over(event.as_ref()) {
                self.end(event);
            } else if event.is_some() {
                return Poll::Ready(Ok(event));
            } else {
                ready!(self.poll_fill(cx))?;
            }
        }
    }

    /// One read and all events that it brings, lent. `false` once the
    /// connection is closed.
    pub(super) fn poll_drive(
        &mut self,
        cx: &mut Context<'_>,
        handle: &mut impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Poll<Result<bool, Error>> {
        if self.ending.is_none() && !self.is_finished {
            if !self.incoming.has_rest() {
                ready!(self.poll_fill(cx))?;
            }
            let out = self.outgoing.out();
            while let Some(event) = self.incoming.receive(&mut self.ws, out) {
                if let Event::Failed(error) = event {
                    self.end(Some(Event::Failed(error)));
                    break;
                }
                handle(&mut self.ws, event, out)?;
            }
            if self.ending.is_none() && self.ws.is_closed() {
                self.end(None);
            }
        }
        if self.ending.is_some() {
            ready!(self.poll_ending(cx))?;
        }
        Poll::Ready(Ok(!self.is_finished))
    }

    /// Writes and flushes all that is unsent.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Poll::Ready(flushed) = self.outgoing.poll_flush(cx, &mut self.io) {
                return Poll::Ready(flushed.map_err(Error::from));
            }
            self.ws.note_unread();
            let late = self.poll_deadline(cx);
            if let Some(Failure::Timeout(reason)) = self.cause() {
                return Poll::Ready(Err(Failure::Timeout(reason).into()));
            }
            ready!(late);
        }
    }

    /// Ready when there is room for a message of this length.
    pub(super) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        len: usize,
    ) -> Poll<Result<(), Error>> {
        let is_full = self.outgoing.len().saturating_add(len) > self.max_unsent_len;
        if is_full && !self.outgoing.is_empty() {
            return self.poll_flush(cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a message once there is room for it.
    pub(super) fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message<'_>>,
    ) -> Poll<Result<(), Error>> {
        let len = message.as_ref().map_or(0, Message::len);
        ready!(self.poll_room(cx, len))?;
        Poll::Ready(
            message
                .take()
                .map_or(Ok(()), |message| self.take(Some(cx), message)),
        )
    }

    /// Takes a message, to leave with what waits already. A large one of a
    /// server is shared if it is owned, and else leaves at once as far as it
    /// can.
    pub(super) fn take(
        &mut self,
        cx: Option<&mut Context<'_>>,
        message: Message<'_>,
    ) -> Result<(), Error> {
        let is_large = message.len() >= LARGE && self.io.is_vectored();
        if !is_large || !self.ws.sends_as_it_is(message.len()) {
            return Ok(self.ws.send(message, self.outgoing.out())?);
        }
        let (kind, len) = (message.kind(), message.len());
        self.ws.send_header(kind, len, self.outgoing.out())?;
        match into_shared(message) {
            Ok(payload) => self.outgoing.share(payload),
            Err(payload) => {
                let left = cx.map_or(0, |cx| self.write_through(cx, &payload));
                let rest = payload.get(left..).unwrap_or_default();
                self.outgoing.out().extend_from_slice(rest);
            }
        }
        Ok(())
    }

    /// Writes what waits and a payload behind it, as far as that goes at once.
    /// Tells how much of the payload left; `poll_flush` tells why no more.
    fn write_through(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> usize {
        let mut left = 0;
        while let Some(rest @ [_, ..]) = payload.get(left..)
            && let Poll::Ready(Ok(len)) = self.outgoing.poll_write(cx, &mut self.io, rest)
        {
            left += len;
        }
        left
    }

    /// Takes a prepared message, a long one by reference.
    pub(super) fn take_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        if prepared.payload().len() < LARGE_SHARED {
            return Ok(self.ws.send_prepared(prepared, self.outgoing.out())?);
        }
        let frame = self.ws.share_prepared(prepared)?;
        self.outgoing.share(frame);
        Ok(())
    }

    /// Heap bytes held, those of the transport left out.
    pub(super) fn held_bytes(&self) -> usize {
        self.ws.held_bytes() + self.incoming.held_bytes() + self.outgoing.held_bytes()
    }

    /// Reads once, while what is owed leaves.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.incoming.has_rest() {
            return Poll::Ready(Err(SendError::NotOpen.into()));
        }
        loop {
            if let Poll::Ready(Err(_)) = self.outgoing.poll_flush(cx, &mut self.io) {
                // The peer reads no more; what it had sent is still to be read.
                self.outgoing.clear();
            }
            let unsent_len = self.outgoing.len();
            let is_late = self.poll_deadline(cx).is_ready();
            if self.ws.is_closed() {
                return Poll::Ready(Ok(()));
            }
            // A deadline was told, or a ping was due.
            if is_late || self.outgoing.len() > unsent_len {
                continue;
            }
            // Who does not read is not read either.
            if unsent_len >= self.max_unsent_len.max(1) {
                return Poll::Pending;
            }
            let read = self.poll_read(cx);
            return match read {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => Poll::Ready(self.break_off(error)),
                Poll::Pending => {
                    self.release();
                    Poll::Pending
                }
            };
        }
    }

    /// Reads once, over what was taken, into a buffer of the thread's.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(buf) = self.incoming.take_buf() {
            buffers::put_read(buf);
        }
        let mut buf = buffers::take_read();
        let read = self.io.poll_read(cx, &mut buf);
        if let Poll::Ready(Ok(len)) = read {
            self.incoming.fill(buf, len);
        } else {
            buffers::put_read(buf);
        }
        read.map_ok(|_| ())
    }

    /// Reads and forgets until the stream ends. A peer that goes on sending
    /// gets one read in each turn: other tasks and the deadline have theirs.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.incoming.forget();
        ready!(self.poll_read(cx))?;
        if self.incoming.is_end_of_stream() {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the core the time. Ready if a deadline is there already.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(now) = self.io.now() else {
            return Poll::Pending;
        };
        if self.outgoing.take_written() {
            self.ws.note_written();
        }
        let queued = self.outgoing.shared_len();
        let out = self.outgoing.out();
        match self.ws.handle_timeout_behind(now, queued, out) {
            Some(deadline) => self.io.poll_deadline(cx, deadline.at),
            None => Poll::Pending,
        }
    }

    /// The stream broke: its end.
    fn break_off(&mut self, error: io::Error) -> Result<(), Error> {
        let was_over = self.ws.outcome().is_some();
        // The outcome is that of a stream that ended; the error tells why.
        self.ws
            .receive(&mut Input::new(&mut []), self.outgoing.out());
        self.outgoing.clear();
        self.is_finished = true;
        self.release();
        // There are servers that reset the stream behind the last close frame.
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    fn is_over(&self, event: Option<&Event<'_>>) -> bool {
        // A failure is the last that is told: what it owes leaves first.
        self.ws.is_closed() || matches!(event, Some(Event::Failed(_)))
    }

    fn end(&mut self, last: Option<Event<'static>>) {
        let timeout = self.ws.config().settings().timeouts.close;
        let at = self
            .io
            .now()
            .zip(timeout)
            .map(|(now, timeout)| now + timeout);
        if self.cause() == Some(Failure::Timeout(DeadlineReason::WriteStall)) {
            self.outgoing.clear();
        }
        let phase = Phase::Flush;
        self.ending = Some(Ending { last, phase, at });
    }

    /// Sees the ending through, and tells the last event.
    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event<'static>>, Error>> {
        let at = self.ending.as_ref().and_then(|ending| ending.at);
        // Without a clock there is no end to waiting for others.
        let is_late = at.is_some_and(|at| self.io.poll_deadline(cx, at).is_ready());
        if !is_late {
            ready!(self.poll_phases(cx, at.is_some()));
        }
        self.is_finished = true;
        self.outgoing.clear();
        self.release();
        Poll::Ready(last(self.ending.take().and_then(|ending| ending.last)))
    }

    /// An error of the stream ends it too.
    fn poll_phases(&mut self, cx: &mut Context<'_>, may_wait: bool) -> Poll<()> {
        loop {
            let Some(ending) = &mut self.ending else {
                return Poll::Ready(());
            };
            let (done, next) = match ending.phase {
                Phase::Flush => {
                    let flushed = ready!(self.outgoing.poll_flush(cx, &mut self.io));
                    (flushed, Some(Phase::Shutdown))
                }
                Phase::Shutdown => (ready!(self.io.poll_shutdown(cx)), Some(Phase::Drain)),
                Phase::Drain => (ready!(self.poll_drain(cx)), None),
            };
            match (done, next) {
                (Ok(()), Some(Phase::Drain)) if !may_wait || !self.owes_reading() => {
                    return Poll::Ready(());
                }
                (Ok(()), Some(next)) => {
                    if let Some(ending) = &mut self.ending {
                        ending.phase = next;
                    }
                }
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Whether the peer may be in the middle of sending.
    fn owes_reading(&self) -> bool {
        matches!(self.cause(), Some(Failure::Protocol(_) | Failure::Limit(_)))
    }

    fn cause(&self) -> Option<Failure> {
        self.ws.outcome()?.cause
    }

    fn release(&mut self) {
        if let Some(buf) = self.incoming.take_buf() {
            buffers::put_read(buf);
        }
        self.outgoing.release();
    }
}

/// The last event as it is told.
fn last(event: Option<Event<'static>>) -> Result<Option<Event<'static>>, Error> {
    match event {
        Some(Event::Failed(error)) => Err(error.into()),
        event => Ok(event),
    }
}

/// The payload as it can be shared, or as it is lent.
fn into_shared(message: Message<'_>) -> Result<Bytes, Cow<'_, [u8]>> {
    match message {
        Message::Text(Cow::Owned(text)) => Ok(text.into()),
        Message::Binary(Cow::Owned(bytes)) => Ok(bytes.into()),
        Message::Text(Cow::Borrowed(text)) => Err(Cow::Borrowed(text.as_bytes())),
        Message::Binary(Cow::Borrowed(bytes)) => Err(Cow::Borrowed(bytes)),
    }
}
