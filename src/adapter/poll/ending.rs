//! How a connection ends: what is owed leaves, the outgoing direction is ended,
//! and a peer that may still be sending is read until it ends the other one.

use std::io;
use std::task::{Context, Poll, ready};

use super::driver::{Driver, Shutdown};
use super::transport::Transport;
use super::wakers::yield_now;
use crate::adapter::Error;
use crate::event::Event;
use crate::input::Input;

impl<T: Transport> Driver<T> {
    /// Handles an error of the stream as its end.
    pub(super) fn end_with_error(&mut self, error: io::Error) -> Result<(), Error> {
        let was_over = self.ws.outcome().is_some();
        // The outcome is that of a stream that ended; the error says why.
        self.ws
            .receive(&mut Input::new(&mut []), self.write_queue.out());
        self.finish();
        // Some servers reset the stream after the last close frame.
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// Whether nothing more is received: what is owed leaves, and that is all.
    pub(super) fn is_over(&self) -> bool {
        self.is_finished || self.ws.is_closed() || self.last_event.is_some() && !self.can_linger()
    }

    /// Whether the peer is waited for after a failure: without a clock nothing
    /// would end that.
    fn can_linger(&self) -> bool {
        self.io.now().is_some()
    }

    /// Sees a closing handshake in which both close frames have passed to the end
    /// of the stream: a transport that is dropped earlier, with pongs unread, is
    /// reset, and the peer may lose what was sent last.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_clean = self.ws.outcome().is_some_and(|outcome| outcome.clean);
        if !is_clean || !self.can_linger() {
            return Poll::Ready(());
        }
        // After the last event: what comes is discarded.
        self.receive();
        if !self.is_over() && ready!(self.poll_fill(cx)).is_ok() {
            // A peer that goes on sending leaves others their turn.
            return yield_now(cx);
        }
        self.poll_end(cx)
    }

    /// Writes what is owed and ends the stream. After a failure the peer may be
    /// in the middle of sending: it is read until it ends the stream too.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_finished {
            let is_shut = self.poll_write(cx).is_ready() && self.poll_shutdown(cx).is_ready();
            let waits = self.ws.is_lingering() && self.can_linger();
            if is_shut && !waits || self.ws.is_stalled() {
                self.finish();
            } else if waits && let Poll::Ready(read) = self.poll_read(cx) {
                if read.is_err() {
                    self.finish();
                }
                // After the last event: what comes is discarded.
                self.receive();
                // A peer that goes on sending leaves others their turn.
                let _ = self.poll_deadline(cx, false);
                return yield_now(cx);
            } else {
                let late = self.poll_deadline(cx, true);
                // At the end of the wait there is no deadline that would wake.
                let has_waited = waits && !self.ws.is_lingering();
                if !has_waited {
                    ready!(late);
                }
            }
        }
        Poll::Ready(())
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.shutdown != Shutdown::Done {
            self.shutdown = Shutdown::Pending;
            // An error of the stream ends it too.
            let _ = ready!(self.io.poll_shutdown(cx));
            self.shutdown = Shutdown::Done;
        }
        Poll::Ready(())
    }

    fn finish(&mut self) {
        self.is_finished = true;
        self.write_queue.clear();
        self.read_buffer.discard();
        self.release();
    }

    /// The last event; a failure is an error.
    pub(super) fn take_last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        match self.last_event.take().map(|event| *event) {
            Some(Event::Failed(failure)) => Err(failure.into()),
            event => Ok(event),
        }
    }
}
