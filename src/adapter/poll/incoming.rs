//! What was read and not taken yet.

use std::io;
use std::mem;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use super::buffers;
use super::transport::Transport;
use crate::connection::Connection;
use crate::event::Event;
use crate::input::Input;

/// Bytes between one read and the next. Holds no buffer while there are none.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    end_of_stream: bool,
}

impl Incoming {
    /// Bytes that somebody else read.
    pub(super) const fn read_ahead(buf: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: buf.len(),
            buf,
            end_of_stream: false,
        }
    }

    /// Reads once, if all that was read is taken.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        let mut buf = buffers::take_read();
        match io.poll_read(cx, &mut buf) {
            Poll::Ready(Ok(len)) => {
                (self.start, self.end) = (0, len.min(buf.len()));
                self.end_of_stream = len == 0;
                buffers::put_read(mem::replace(&mut self.buf, buf));
                Poll::Ready(Ok(()))
            }
            other => {
                buffers::put_read(buf);
                other.map_ok(|_| ())
            }
        }
    }

    /// Reads and forgets until the stream ends.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        while !self.end_of_stream {
            ready!(self.poll_read(cx, io))?;
        }
        Poll::Ready(Ok(()))
    }

    /// The next event in what was read.
    pub(super) fn receive(&mut self, ws: &mut Connection, out: &mut Vec<u8>) -> Option<Event<'_>> {
        let bytes = self.buf.get_mut(self.start..self.end).unwrap_or_default();
        // A connection that is closed may still have its failure to tell.
        if bytes.is_empty() && !self.end_of_stream && !ws.is_closed() {
            return None;
        }
        let len = bytes.len();
        let mut input = Input::new(bytes);
        let event = ws.receive(&mut input, out);
        self.start += len - input.remaining().len();
        event
    }

    /// Gives the buffer back if nothing is left in it.
    pub(super) fn release(&mut self) {
        if !self.has_rest() && self.buf.capacity() > 0 {
            buffers::put_read(mem::take(&mut self.buf));
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether there are bytes that were not taken.
    pub(super) const fn has_rest(&self) -> bool {
        self.start < self.end
    }

    /// The bytes that were not taken.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.buf.truncate(self.end);
        self.buf.split_off(self.start)
    }

    /// Heap bytes held.
    pub(super) const fn held_bytes(&self) -> usize {
        self.buf.capacity()
    }
}
