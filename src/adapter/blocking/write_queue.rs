//! What is to be written, in its order.

use std::io::{self, Write};
use std::mem;
use std::vec::Vec;

/// Unsent bytes: those being written, then those that the state machine has
/// appended since. Nothing is moved when a part has left.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    /// What is being written, from this offset on. A thread that writes without
    /// a lock has it.
    front: Vec<u8>,
    start: usize,
    /// How many bytes of the front are unsent.
    front_len: usize,
    out: Vec<u8>,
    /// Something was written that the stream may have buffered.
    needs_flush: bool,
}

/// A buffer of more is freed once it is empty.
const MAX_KEPT_LEN: usize = 64 * 1024;

impl WriteQueue {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self {
            out,
            ..Self::default()
        }
    }

    /// Where the state machine appends.
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

    /// Whether everything has left.
    pub(super) const fn is_flushed(&self) -> bool {
        self.len() == 0 && !self.needs_flush
    }

    /// Drops everything: it will never leave.
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

    /// Takes out what is to be written next.
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

    /// Puts it back after a write.
    pub(super) fn put_front(&mut self, front: Front, written: &io::Result<bool>) {
        self.needs_flush = !matches!(written, Ok(true));
        self.front_len = front.bytes.len() - front.start.min(front.bytes.len());
        (self.front, self.start) = (front.bytes, front.start);
        if self.front_len == 0 {
            self.front.clear();
            self.start = 0;
            if self.front.capacity() > MAX_KEPT_LEN {
                self.front = Vec::new();
            }
        }
    }

    /// What is unsent, in two pieces.
    pub(super) fn unsent_slices(&self) -> [&[u8]; 2] {
        [self.front.get(self.start..).unwrap_or_default(), &self.out]
    }

    /// So many bytes of both pieces have left. Returns how many of them belong
    /// to what comes after the pieces.
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
