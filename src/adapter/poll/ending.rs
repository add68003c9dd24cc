//! How a connection ends: the unsent bytes are written, the write direction is shut
//! down, and the peer is read until it closes the other direction.

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
        // The outcome is the end of the stream; the error has the cause.
        self.ws
            .receive(&mut Input::new(&mut []), self.write_queue.out());
        self.finish();
        // Some servers reset the stream after the last close frame.
        if was_over { Ok(()) } else { Err(error.into()) }
    }

    /// Whether nothing more is received, so that only unsent bytes are left to write.
    pub(super) fn is_over(&self) -> bool {
        self.is_finished || self.ws.is_closed() || self.last_event.is_some() && !self.can_linger()
    }

    /// Whether to wait for the peer after a failure. Without a clock, nothing would end
    /// the wait.
    fn can_linger(&self) -> bool {
        self.io.now().is_some()
    }

    /// After both close frames were exchanged, waits for the end of the stream. If the
    /// transport is dropped earlier, with unread pongs, it is reset, and the peer can
    /// lose what was sent last.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_clean = self.ws.outcome().is_some_and(|outcome| outcome.clean);
        if !is_clean || !self.can_linger() {
            return Poll::Ready(());
        }
        // After the last event, received bytes are discarded.
        self.receive();
        if !self.is_over() && ready!(self.poll_fill(cx)).is_ok() {
            // Yields to other tasks, even if the peer goes on sending.
            return yield_now(cx);
        }
        self.poll_end(cx)
    }

    /// Writes the unsent bytes and shuts down the stream. After a failure, the peer may
    /// still be sending: it is read until it closes the stream too.
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
                // After the last event, received bytes are discarded.
                self.receive();
                // Yields to other tasks, even if the peer goes on sending.
                let _ = self.poll_deadline(cx, false);
                return yield_now(cx);
            } else {
                let late = self.poll_deadline(cx, true);
                // After the wait, there is no deadline that would wake the task.
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
            // If this fails, the stream has ended too.
            let _ = ready!(self.io.poll_shutdown(cx));
            self.shutdown = Shutdown::Done;
        }
        Poll::Ready(())
    }

    fn finish(&mut self) {
        self.is_finished = true;
        if !self.write_queue.is_flushed() {
            // A sender that waits is not told that its message has left.
            self.write_error.get_or_insert(io::ErrorKind::BrokenPipe);
        }
        self.write_queue.clear();
        self.read_buffer.discard();
        self.release();
    }

    /// The last event. A failure is returned as an error. No message will be complete
    /// any more.
    pub(super) fn take_last_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        self.partial = None;
        match self.last_event.take().map(|event| *event) {
            Some(Event::Failed(failure)) => Err(failure.into()),
            event => Ok(event),
        }
    }
}
