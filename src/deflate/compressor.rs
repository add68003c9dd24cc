//! The compressor: takes payload and returns compressed payload (RFC 7692 §7.2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Method, Status, Strategy};

use super::Options;

/// Compresses the messages of one direction.
pub(crate) struct Compressor {
    deflate: Deflate,
    settings: CompressorSettings,
    /// The compressed form of the last payload, and room for the next.
    output: Vec<u8>,
}

/// The settings of a compressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompressorSettings {
    window_bits: u8,
    level: u8,
    mem_level: u8,
}

/// The end of a flush, which is removed at the end of a message
/// (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// An empty block without its tail (RFC 7692 §7.2.3.6).
const EMPTY_BLOCK: &[u8] = &[0x00];

/// The least room that the backend is given: more than its tail, because it
/// starts another tail if the first one just fits.
const MIN_ROOM: usize = 256;

/// The largest output buffer that is kept between messages, in bytes.
const MAX_KEPT_LEN: usize = 64 * 1024;

impl CompressorSettings {
    pub(super) fn new(window_bits: u8, options: &Options) -> Self {
        Self {
            // The backend has no window of 8 bits. In a window of 9 bits it
            // refers back less than 256 bytes, which is within 8 bits.
            window_bits: window_bits.max(9),
            level: options.level,
            mem_level: options.mem_level,
        }
    }

    pub(super) const fn to_bytes(self) -> [u8; 3] {
        [self.window_bits, self.level, self.mem_level]
    }
}

impl Compressor {
    pub(super) fn new(settings: CompressorSettings) -> Box<Self> {
        let config = DeflateConfig {
            level: i32::from(settings.level),
            method: Method::Deflated,
            // Negative for a stream without a head.
            window_bits: -i32::from(settings.window_bits),
            mem_level: i32::from(settings.mem_level),
            strategy: Strategy::Default,
        };
        Box::new(Self {
            deflate: Deflate::new_with_config(config),
            settings,
            output: Vec::new(),
        })
    }

    pub(super) fn has_settings(&self, settings: CompressorSettings) -> bool {
        self.settings == settings
    }

    /// Empties the window, so that the next message refers to nothing before
    /// it, and trims the output buffer.
    pub(super) fn reset(&mut self) {
        self.deflate.reset();
        self.trim();
    }

    /// Shrinks a large output buffer. Called at the end of each message.
    pub(super) fn trim(&mut self) {
        self.output.truncate(MAX_KEPT_LEN);
        self.output.shrink_to(MAX_KEPT_LEN);
    }

    /// Compresses the next part of a message and flushes it, so that the peer
    /// can decompress all of it.
    pub(super) fn compress(&mut self, payload: &[u8], ends_message: bool) -> &[u8] {
        if payload.is_empty() {
            // The parts before it were flushed to a byte boundary.
            return if ends_message { EMPTY_BLOCK } else { &[] };
        }
        let len = self.flush(payload).unwrap_or_else(|| self.store(payload));
        let compressed = self.output.get(..len).unwrap_or_default();
        // RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff)
        // from the tail end."
        match compressed.strip_suffix(&TAIL) {
            Some(stripped) if ends_message => stripped,
            _ => compressed,
        }
    }

    /// Writes the whole payload and a tail to `output`. Returns the length, or
    /// `None` if the backend fails, which is not expected while the output
    /// grows.
    fn flush(&mut self, payload: &[u8]) -> Option<usize> {
        let (start_in, start_out) = (self.deflate.total_in(), self.deflate.total_out());
        loop {
            let taken = (self.deflate.total_in() - start_in) as usize;
            let len = (self.deflate.total_out() - start_out) as usize;
            if self.output.len() - len < MIN_ROOM {
                let room = MIN_ROOM.max(payload.len() / 2).max(len);
                self.output.resize(len + room, 0);
            }
            let rest = payload.get(taken..).unwrap_or_default();
            let room = self.output.get_mut(len..).unwrap_or_default();
            let status = self.deflate.compress(rest, room, DeflateFlush::SyncFlush);
            let len = (self.deflate.total_out() - start_out) as usize;
            match status {
                // Room is left: there was no more to write.
                Ok(Status::Ok | Status::BufError) if len < self.output.len() => {
                    let flushed = self.output.get(..len).unwrap_or_default();
                    return flushed.ends_with(&TAIL).then_some(len);
                }
                Ok(Status::Ok) => {}
                _ => return None,
            }
        }
    }

    /// Writes the payload in stored blocks (RFC 1951 §3.2.4), and empties the
    /// window.
    fn store(&mut self, payload: &[u8]) -> usize {
        self.deflate.reset();
        self.output.clear();
        for chunk in payload.chunks(usize::from(u16::MAX)).chain([&[][..]]) {
            let len = chunk.len() as u16;
            self.output.push(0);
            self.output.extend_from_slice(&len.to_le_bytes());
            self.output.extend_from_slice(&(!len).to_le_bytes());
            self.output.extend_from_slice(chunk);
        }
        self.output.len()
    }

    /// Heap bytes held, including this value.
    pub(super) fn memory_usage(&self) -> usize {
        const HASH_TABLE: usize = 128 * 1024;
        const STATE: usize = 3 * 1024;
        let window = 4 << self.settings.window_bits;
        let symbols = 7 << (self.settings.mem_level + 6);
        size_of::<Self>() + HASH_TABLE + STATE + window + symbols + self.output.capacity()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::decompressor::Decompressor;
    use super::*;

    #[test]
    fn payload_can_be_stored() {
        let payload: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let mut compressor = Compressor::new(CompressorSettings::new(15, &Options::default()));
        let len = compressor.store(&payload);
        let compressed = compressor.output[..len].strip_suffix(&TAIL).unwrap();

        let mut decompressor = Decompressor::new();
        let mut inflated = Vec::new();
        let mut chunks = compressed.chunks(Decompressor::MAX_CHUNK_LEN);
        while let Some(chunk) = chunks.next() {
            decompressor.push_input(chunk, chunks.len() == 0);
            while decompressor.has_more() {
                inflated.extend_from_slice(decompressor.inflate().unwrap().bytes);
            }
        }
        assert!(inflated == payload);
    }
}
