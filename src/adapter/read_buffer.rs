//! The bytes that were read from a stream and not consumed.

use std::mem;
use std::vec::Vec;

use crate::connection::Connection;
use crate::event::Event;
#[cfg(any(feature = "futures", feature = "tokio"))]
use crate::frame::Header;
use crate::input::Input;
#[cfg(any(feature = "futures", feature = "tokio"))]
use crate::message::{Message, MessageRef};

/// A read buffer, and which part of it has not been consumed.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    end_of_stream: bool,
}

impl ReadBuffer {
    /// Bytes that another library read.
    pub(super) const fn read_ahead(buf: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: buf.len(),
            buf,
            end_of_stream: false,
        }
    }

    /// Sets the result of one read: this many bytes of this buffer. 0 is the end of the
    /// stream.
    pub(super) fn fill(&mut self, buf: Vec<u8>, len: usize) {
        (self.start, self.end) = (0, len.min(buf.len()));
        self.end_of_stream = len == 0;
        self.buf = buf;
    }

    /// Keeps an empty buffer.
    pub(super) fn keep_empty(&mut self, buf: Vec<u8>) {
        (self.start, self.end) = (0, 0);
        self.buf = buf;
    }

    /// Marks all bytes as consumed.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) const fn discard(&mut self) {
        self.start = self.end;
    }

    /// Whether the last read filled the buffer, so that there may be more.
    pub(super) const fn is_filled(&self) -> bool {
        self.end > 0 && self.end == self.buf.len()
    }

    /// Returns the buffer for the next read, if all bytes were consumed.
    pub(super) fn take_buf(&mut self) -> Option<Vec<u8>> {
        if self.has_rest() {
            return None;
        }
        (self.start, self.end) = (0, 0);
        Some(mem::take(&mut self.buf))
    }

    /// Whether `receive` has something to do.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) fn has_event(&self, ws: &Connection) -> bool {
        self.has_rest() || self.end_of_stream || ws.has_event()
    }

    /// The next event in the bytes that were read.
    pub(super) fn receive(&mut self, ws: &mut Connection, out: &mut Vec<u8>) -> Option<Event<'_>> {
        let bytes = self.buf.get_mut(self.start..self.end).unwrap_or_default();
        let len = bytes.len();
        let mut input = match len {
            1.. => Input::new(bytes),
            _ if self.end_of_stream => Input::new(bytes),
            // The failure after a deadline, or the rest of a compressed message.
            _ if ws.has_event() => Input::none(),
            _ => return None,
        };
        let event = ws.receive(&mut input, out);
        self.start += len - input.remaining().len();
        event
    }

    /// The next message, if the rest begins with one that is complete and unfragmented.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) fn receive_complete(
        &mut self,
        ws: &mut Connection,
        out: &mut Vec<u8>,
    ) -> Option<Message> {
        let bytes = self.buf.get_mut(self.start..self.end)?;
        let len = bytes.len();
        if len == 0 {
            return None;
        }
        let mut input = Input::new(bytes);
        let message = ws.receive_complete(&mut input, out);
        self.start += len - input.remaining().len();
        message.map(MessageRef::into_owned)
    }

    /// How many bytes have not been consumed.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) const fn rest_len(&self) -> usize {
        self.end - self.start
    }

    /// Whether all bytes that have not been consumed belong to one data frame.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) fn is_one_data_frame(&self, ws: &Connection) -> bool {
        let rest = self.buf.get(self.start..self.end).unwrap_or_default();
        let frame_len = match (ws.remaining_payload_len(), Header::parse(rest)) {
            (0, Ok(Some((header, len)))) if !header.opcode.is_control() => {
                header.payload_len.saturating_add(len as u64)
            }
            (len, _) => len,
        };
        frame_len >= rest.len() as u64
    }

    /// Whether the last read found the end of the stream.
    #[cfg(any(feature = "futures", feature = "tokio"))]
    pub(super) const fn is_end_of_stream(&self) -> bool {
        self.end_of_stream
    }

    /// Whether some bytes have not been consumed.
    pub(super) const fn has_rest(&self) -> bool {
        self.start < self.end
    }

    /// The bytes that have not been consumed.
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
