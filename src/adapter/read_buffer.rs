//! The bytes that were read from a stream and not consumed.

use std::mem;
use std::vec::Vec;

use crate::connection::Connection;
use crate::event::Event;
use crate::input::Input;

/// A read buffer, and what of it is still to be taken.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    end_of_stream: bool,
}

impl ReadBuffer {
    /// Bytes that somebody else read.
    pub(super) const fn read_ahead(buf: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: buf.len(),
            buf,
            end_of_stream: false,
        }
    }

    /// One read brought so many bytes of this buffer; none are the end of the
    /// stream.
    pub(super) fn fill(&mut self, buf: Vec<u8>, len: usize) {
        (self.start, self.end) = (0, len.min(buf.len()));
        self.end_of_stream = len == 0;
        self.buf = buf;
    }

    /// A buffer with nothing in it.
    pub(super) fn keep_empty(&mut self, buf: Vec<u8>) {
        (self.start, self.end) = (0, 0);
        self.buf = buf;
    }

    /// As if all of it had been taken.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) const fn discard(&mut self) {
        self.start = self.end;
    }

    /// The buffer, to be filled again, if all of it was taken.
    pub(super) fn take_buf(&mut self) -> Option<Vec<u8>> {
        if self.has_rest() {
            return None;
        }
        (self.start, self.end) = (0, 0);
        Some(mem::take(&mut self.buf))
    }

    /// The next event in what was read.
    pub(super) fn receive(&mut self, ws: &mut Connection, out: &mut Vec<u8>) -> Option<Event<'_>> {
        let bytes = self.buf.get_mut(self.start..self.end).unwrap_or_default();
        let len = bytes.len();
        let mut input = match len {
            1.. => Input::new(bytes),
            _ if self.end_of_stream => Input::new(bytes),
            // A deadline that has passed is an event without input.
            _ if ws.outcome().is_some() => Input::none(),
            _ => return None,
        };
        let event = ws.receive(&mut input, out);
        self.start += len - input.remaining().len();
        event
    }

    /// How many bytes were not taken.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) const fn rest_len(&self) -> usize {
        self.end - self.start
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
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) const fn memory_usage(&self) -> usize {
        self.buf.capacity()
    }
}
