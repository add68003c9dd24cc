//! The decompressor: takes compressed payload and returns payload (RFC 7692 §7.2.2),
//! piece by piece.
//!
//! ```text
//!           payload of the message                its last byte
//!   ┌─────────────────────────────────────────┐ ┌─────────────────┐
//!  Data ──► Data ──► … final block ──► AfterFinalBlock  Tail ──► Data, the next message
//!   └─────────────────────────────────────────────────┘
//! ```
//!
//! The result does not depend on how the bytes are split into pieces: input is taken in
//! steps of [`STEP_LEN`] bytes, counted from the first byte of the message, and the
//! compression ratio is checked between them.

use alloc::boxed::Box;
use core::fmt;

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use crate::error::ProtocolError;

/// Inflates the messages of one direction.
pub(crate) struct Decompressor {
    inflate: Inflate,
    /// Pending compressed bytes, from `taken` on.
    input: [u8; STEP_LEN],
    input_len: usize,
    taken: usize,
    phase: Phase,
    /// Whether these bytes are the message's last.
    ends_message: bool,
    /// Whether the output was filled, so that there may be more of it.
    is_full: bool,
    /// The bytes of this message, compressed and decompressed.
    compressed_len: u64,
    inflated_len: u64,
    /// A fault after bytes that have not been returned yet.
    fault: Option<ProtocolError>,
    output: [u8; OUTPUT_LEN],
}

/// The position of the stream within a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In its payload.
    Data,
    /// In its payload, directly after a block that was marked as the last.
    AfterFinalBlock,
    /// In the tail that RFC 7692 §7.2.2 appends: this many bytes of it are taken.
    Tail(usize),
    /// After its end.
    End,
}

/// Decompressed bytes.
#[derive(Debug)]
pub(crate) struct Inflated<'d> {
    /// The next bytes of the message, which can be empty.
    pub(crate) bytes: &'d mut [u8],
    /// Whether the message is complete.
    pub(crate) is_end: bool,
}

/// How many compressed bytes are taken between two checks of the ratio. They become at
/// most 1032 times as many bytes, which is the minimum length to which
/// [`Options::with_max_ratio`](super::Options::with_max_ratio) applies. Shorter steps
/// are slower: by 10 % at 1 KiB (bench `deflate`).
const STEP_LEN: usize = 4 * 1024;

/// How many decompressed bytes are returned at once.
const OUTPUT_LEN: usize = 16 * 1024;

/// RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of
/// the payload of the message." One byte more shows whether the stream is
/// then between two blocks: there the backend stops before it.
const TAIL: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];
const TAIL_LEN: usize = TAIL.len() - 1;

impl Decompressor {
    /// How many compressed bytes can be taken at once, at most.
    pub(super) const MAX_CHUNK_LEN: usize = STEP_LEN;

    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            // Always the largest window: a smaller one saves nothing, and whether
            // it accepts a distance would depend on how the bytes are split.
            inflate: Inflate::new(false, 15),
            input: [0; STEP_LEN],
            input_len: 0,
            taken: 0,
            phase: Phase::Data,
            ends_message: false,
            is_full: false,
            compressed_len: 0,
            inflated_len: 0,
            fault: None,
            output: [0; OUTPUT_LEN],
        })
    }

    /// Clears the window and all other state.
    pub(super) fn reset(&mut self) {
        self.inflate.reset(false);
        self.begin_message();
    }

    fn begin_message(&mut self) {
        (self.input_len, self.taken) = (0, 0);
        (self.compressed_len, self.inflated_len) = (0, 0);
        (self.ends_message, self.is_full) = (false, false);
        self.phase = Phase::Data;
        self.fault = None;
    }

    /// How many compressed bytes may be given at once.
    pub(crate) const fn max_chunk_len(&self) -> usize {
        match self.phase {
            Phase::End => STEP_LEN,
            _ => STEP_LEN - (self.compressed_len % STEP_LEN as u64) as usize,
        }
    }

    /// How many compressed bytes of the incomplete message were given.
    pub(super) fn compressed_len(&self) -> u64 {
        match self.phase {
            Phase::End => 0,
            _ => self.compressed_len,
        }
    }

    /// Takes the next compressed bytes, at most `max_chunk_len`, once the previous
    /// ones are decompressed.
    pub(crate) fn push_input(&mut self, chunk: &[u8], ends_message: bool) {
        if self.phase == Phase::End {
            self.begin_message();
        }
        debug_assert!(!self.has_more() && chunk.len() <= self.max_chunk_len());
        if let Some(input) = self.input.get_mut(..chunk.len()) {
            input.copy_from_slice(chunk);
        }
        (self.input_len, self.taken) = (chunk.len(), 0);
        self.ends_message = ends_message;
        self.compressed_len += chunk.len() as u64;
    }

    /// Whether there is something to decompress or report before more is taken.
    pub(crate) fn has_more(&self) -> bool {
        let is_ending = self.ends_message && self.phase != Phase::End;
        self.has_data() || is_ending || self.fault.is_some()
    }

    /// Whether the message is more than `ratio` times longer than its
    /// compressed form.
    pub(crate) fn exceeds_ratio(&self, ratio: u32) -> bool {
        const FLOOR: u64 = 4 * 1024 * 1024;
        let allowed = self.compressed_len.saturating_mul(u64::from(ratio));
        let is_step = self.compressed_len.is_multiple_of(STEP_LEN as u64) && !self.has_data();
        is_step && self.inflated_len > allowed.max(FLOOR)
    }

    /// The next bytes of the message.
    pub(crate) fn inflate(&mut self) -> Result<Inflated<'_>, ProtocolError> {
        let mut len = 0;
        while len < OUTPUT_LEN && self.fault.is_none() && self.has_more() {
            self.fault = self.step(&mut len).err();
        }
        if len == 0
            && let Some(fault) = self.fault
        {
            return Err(fault);
        }
        self.inflated_len += len as u64;
        Ok(Inflated {
            bytes: self.output.get_mut(..len).unwrap_or_default(),
            is_end: self.phase == Phase::End,
        })
    }

    fn step(&mut self, len: &mut usize) -> Result<(), ProtocolError> {
        match self.phase {
            _ if self.has_data() => return self.step_data(len),
            // A block that is marked as final ends the stream, and no tail follows.
            // Neither does one follow an empty payload, which some peers send for
            // an empty message.
            Phase::AfterFinalBlock => self.phase = Phase::End,
            _ if self.compressed_len == 0 => self.phase = Phase::End,
            Phase::Data => self.phase = Phase::Tail(0),
            Phase::Tail(taken) => return self.step_tail(taken),
            Phase::End => {}
        }
        Ok(())
    }

    fn step_data(&mut self, len: &mut usize) -> Result<(), ProtocolError> {
        let input = self.input.get(self.taken..self.input_len);
        let output = self.output.get_mut(*len..).unwrap_or_default();
        let room = output.len();
        let done = run(
            &mut self.inflate,
            input.unwrap_or_default(),
            output,
            InflateFlush::NoFlush,
        );
        self.taken += done.taken;
        *len += done.written;
        self.is_full = done.written == room;
        match done.status {
            Ok(Status::StreamEnd) => {
                // RFC 7692 §7.2.3.4: a final block may be followed by others.
                // After the end of a stream the next begins with an empty window.
                self.inflate.reset(false);
                (self.phase, self.is_full) = (Phase::AfterFinalBlock, false);
            }
            Ok(_) if done.taken > 0 => self.phase = Phase::Data,
            Ok(_) if done.written > 0 || !self.has_data() => {}
            _ => return Err(ProtocolError::InvalidDeflate),
        }
        Ok(())
    }

    fn step_tail(&mut self, taken: usize) -> Result<(), ProtocolError> {
        let rest = TAIL.get(taken..).unwrap_or_default();
        // The tail of a complete message is an empty block.
        let mut nothing = [0];
        let done = run(&mut self.inflate, rest, &mut nothing, InflateFlush::Block);
        let taken = taken + done.taken;
        if done.status.is_err() || done.written > 0 || done.taken == 0 || taken > TAIL_LEN {
            return Err(ProtocolError::InvalidDeflate);
        }
        self.phase = if taken == TAIL_LEN {
            Phase::End
        } else {
            Phase::Tail(taken)
        };
        Ok(())
    }

    fn has_data(&self) -> bool {
        self.taken < self.input_len || self.is_full
    }

    /// Heap bytes held, this included.
    pub(super) const fn memory_usage() -> usize {
        /// The backend: a window, and tables for the codes of a block.
        const BACKEND: usize = 46 * 1024 + 512;
        BACKEND + size_of::<Self>()
    }
}

/// The result of one call of the backend.
struct Progress {
    taken: usize,
    written: usize,
    status: Result<Status, InflateError>,
}

fn run(inflate: &mut Inflate, input: &[u8], output: &mut [u8], flush: InflateFlush) -> Progress {
    let (taken, written) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, output, flush);
    Progress {
        taken: (inflate.total_in() - taken) as usize,
        written: (inflate.total_out() - written) as usize,
        status,
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
