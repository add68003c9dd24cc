//! The unsent bytes, in order.

use std::io::{self, Write};
use std::mem;
use std::vec::Vec;

use crate::message::release_large;

/// Unsent bytes: those being written, then those that the state machine has appended
/// since. Nothing is moved after a partial write.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    /// The bytes being written, from this offset on. Taken by a thread that writes
    /// without the lock.
    front: Vec<u8>,
    start: usize,
    /// How many bytes of the front are unsent.
    front_len: usize,
    out: Vec<u8>,
    /// Whether the stream may have buffered something.
    needs_flush: bool,
}

/// A larger buffer is freed once it is empty.
const MAX_KEPT_LEN: usize = 64 * 1024;

impl WriteQueue {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self {
            out,
            ..Self::default()
        }
    }

    /// The buffer that the state machine appends to.
    pub(super) const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes are unsent.
    pub(super) const fn len(&self) -> usize {
        self.front_len + self.out.len()
    }

    /// How many of them are not in [`out`](Self::out); a pending flush is one.
    pub(super) const fn buffered_len(&self) -> usize {
        self.front_len + self.needs_flush as usize
    }

    /// Whether everything was written and flushed.
    pub(super) const fn is_flushed(&self) -> bool {
        self.len() == 0 && !self.needs_flush
    }

    /// Discards all unsent bytes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Writes once, and flushes the stream after the last byte.
    pub(super) fn write(&mut self, stream: impl Write) -> io::Result<()> {
        let mut front = self.take_front();
        let written = front.write(stream);
        self.put_front(front, &written);
        written.map(drop)
    }

    /// Takes the bytes to write next.
    pub(super) fn take_front(&mut self) -> Front {
        if self.front_len == 0 {
            mem::swap(&mut self.front, &mut self.out);
            (self.start, self.front_len) = (0, self.front.len());
        }
        self.needs_flush = true;
        Front {
            bytes: mem::take(&mut self.front),
            start: self.start,
        }
    }

    /// Puts them back after a write.
    pub(super) fn put_front(&mut self, front: Front, written: &io::Result<bool>) {
        self.needs_flush = !matches!(written, Ok(true));
        self.front_len = front.bytes.len() - front.start.min(front.bytes.len());
        (self.front, self.start) = (front.bytes, front.start);
        if self.front_len == 0 {
            self.front.clear();
            self.start = 0;
            if self.front.capacity() > MAX_KEPT_LEN {
                release_large(mem::take(&mut self.front));
            }
        }
    }

    /// The unsent bytes, in two slices.
    pub(super) fn unsent_slices(&self) -> [&[u8]; 2] {
        [self.front.get(self.start..).unwrap_or_default(), &self.out]
    }

    /// Removes bytes that were written. Returns how many of them belong to what follows
    /// the unsent bytes.
    pub(super) fn advance(&mut self, len: usize) -> usize {
        self.needs_flush = true;
        let of_front = len.min(self.front_len);
        self.front_len -= of_front;
        self.start += of_front;
        if self.front_len == 0 {
            self.front.clear();
            self.start = 0;
        }
        let of_out = (len - of_front).min(self.out.len());
        self.out.drain(..of_out);
        len - of_front - of_out
    }
}

/// The bytes that are being written.
#[derive(Debug)]
pub(super) struct Front {
    bytes: Vec<u8>,
    start: usize,
}

impl Front {
    /// Writes once, and flushes the stream after the last byte. Returns whether
    /// it was flushed.
    pub(super) fn write(&mut self, mut stream: impl Write) -> io::Result<bool> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        if !rest.is_empty() {
            let len = stream.write(rest)?;
            if len == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.start += len;
            if len < rest.len() {
                return Ok(false);
            }
        }
        stream.flush()?;
        Ok(true)
    }
}
