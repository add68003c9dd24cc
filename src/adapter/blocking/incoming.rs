//! What was read from a stream and not taken yet.

use std::io::{self, Read};
use std::vec::Vec;

use crate::connection::Connection;
use crate::event::Event;
use crate::input::Input;

/// A read buffer, made at the first read.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    end_of_stream: bool,
}

const MIN_READ_LEN: usize = 16 * 1024;
const MAX_READ_LEN: usize = 128 * 1024;

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

    /// Reads once, over what was taken. While a large frame is under way the
    /// buffer grows, as `wanted` bytes of it are still to come.
    pub(super) fn read(&mut self, mut stream: impl Read, wanted: u64) -> io::Result<()> {
        let len = usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .clamp(MIN_READ_LEN, MAX_READ_LEN);
        if self.buf.len() < len {
            self.buf.resize(len, 0);
        }
        let read_len = stream.read(&mut self.buf)?;
        (self.start, self.end) = (0, read_len);
        self.end_of_stream = read_len == 0;
        Ok(())
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

    /// Whether there are bytes that were not taken.
    pub(super) const fn has_rest(&self) -> bool {
        self.start < self.end
    }

    /// The bytes that were not taken.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.buf.truncate(self.end);
        self.buf.split_off(self.start)
    }
}
