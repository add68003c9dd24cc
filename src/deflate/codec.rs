//! Both directions of one connection: which state is kept with the connection,
//! and which is borrowed from the pool.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::compressor::{Compressor, CompressorSettings};
use super::decompressor::Decompressor;
use super::{Compress, Options, Parameters, pool};
use crate::frame::Role;

/// The compression state of a connection that negotiated permessage-deflate.
#[derive(Debug)]
pub(crate) struct Codec {
    options: Options,
    outgoing: Direction,
    incoming: Direction,
    compressor: Option<Box<Compressor>>,
    decompressor: Option<Box<Decompressor>>,
}

/// The negotiated parameters of one direction.
#[derive(Clone, Copy, Debug)]
struct Direction {
    takeover: bool,
    window_bits: u8,
}

impl Codec {
    pub(crate) fn new(role: Role, parameters: Parameters, options: &Options) -> Box<Self> {
        let direction = |of| Direction {
            takeover: parameters.context_takeover(of),
            window_bits: parameters.max_window_bits(of),
        };
        let (mut outgoing, incoming) = match role {
            Role::Server => (direction(Role::Server), direction(Role::Client)),
            Role::Client => (direction(Role::Client), direction(Role::Server)),
        };
        // Context takeover that the peer allows is optional for the sender.
        outgoing.takeover &= options.takeover;
        outgoing.window_bits = outgoing.window_bits.min(options.window_bits);
        Box::new(Self {
            options: options.clone(),
            outgoing,
            incoming,
            compressor: None,
            decompressor: None,
        })
    }

    /// Whether a message of this length is to be compressed.
    pub(crate) const fn should_compress(&self, len: usize, choice: Compress) -> bool {
        match choice {
            Compress::Always => true,
            Compress::Never => false,
            Compress::Auto if self.outgoing.takeover => len > 0,
            Compress::Auto => self.is_long(len),
        }
    }

    /// Whether the compressed form of a message may be discarded, because no
    /// later message refers to it.
    pub(crate) const fn may_discard(&self, choice: Compress) -> bool {
        matches!(choice, Compress::Auto) && !self.outgoing.takeover
    }

    /// The next part of a message that is sent, compressed.
    pub(crate) fn compress(&mut self, payload: &[u8], ends_message: bool) -> &[u8] {
        let settings = self.settings();
        let compressor = self
            .compressor
            .get_or_insert_with(|| pool::take_compressor(settings));
        compressor.compress(payload, ends_message)
    }

    /// A message compressed with an empty window, if that makes it shorter.
    pub(crate) fn compress_alone(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut compressor = pool::take_compressor(self.settings());
        let compressed = compressor.compress(payload, true).to_vec();
        pool::put_compressor(compressor);
        Some(compressed).filter(|compressed| compressed.len() < payload.len())
    }

    /// The parameters that determine the result of
    /// [`compress_alone`](Self::compress_alone): connections with the same
    /// variant produce the same bytes.
    pub(crate) fn variant(&self) -> [u8; 3] {
        self.settings().to_bytes()
    }

    /// Ends a compressed message that was written to the output.
    pub(crate) fn end_sending(&mut self) {
        match &mut self.compressor {
            Some(compressor) if self.outgoing.takeover => compressor.trim(),
            _ => self.reset_compressor(),
        }
    }

    /// Starts the next message with an empty window, which is always allowed.
    /// Required after a message that bypassed the compressor, and after a
    /// compressed one that was not sent.
    pub(crate) fn reset_compressor(&mut self) {
        if let Some(compressor) = self.compressor.take() {
            pool::put_compressor(compressor);
        }
    }

    /// The state that decompresses the peer's messages.
    pub(crate) fn decompressor(&mut self) -> &mut Decompressor {
        self.decompressor
            .get_or_insert_with(pool::take_decompressor)
    }

    /// Whether there is data to decompress before more input is taken.
    pub(crate) fn has_more(&self) -> bool {
        self.decompressor
            .as_ref()
            .is_some_and(|decompressor| decompressor.has_more())
    }

    /// How many compressed bytes may be taken at once.
    pub(crate) fn max_chunk_len(&self) -> usize {
        self.decompressor
            .as_ref()
            .map_or(Decompressor::MAX_CHUNK_LEN, |decompressor| {
                decompressor.max_chunk_len()
            })
    }

    /// How many compressed bytes of the incomplete message were received.
    pub(crate) fn compressed_len(&self) -> u64 {
        self.decompressor
            .as_ref()
            .map_or(0, |decompressor| decompressor.compressed_len())
    }

    /// Whether the message in progress exceeds the maximum compression ratio.
    pub(crate) fn exceeds_ratio(&self) -> bool {
        match (&self.decompressor, self.options.max_ratio) {
            (Some(decompressor), Some(ratio)) => decompressor.exceeds_ratio(ratio),
            _ => false,
        }
    }

    /// Ends a compressed message that was received.
    pub(crate) fn end_receiving(&mut self) {
        if !self.incoming.takeover {
            self.reset_decompressor();
        }
    }

    fn reset_decompressor(&mut self) {
        if let Some(decompressor) = self.decompressor.take() {
            pool::put_decompressor(decompressor);
        }
    }

    /// Heap bytes held, including this value.
    pub(crate) fn memory_usage(&self) -> usize {
        let compressor = self.compressor.as_ref();
        let decompressor = self.decompressor.as_ref();
        size_of::<Self>()
            + compressor.map_or(0, |compressor| compressor.memory_usage())
            + decompressor.map_or(0, |_| Decompressor::memory_usage())
    }

    /// Whether a message of this length is worth compressing without context
    /// takeover.
    pub(crate) const fn is_long(&self, len: usize) -> bool {
        len > 0 && len >= self.options.threshold
    }

    fn settings(&self) -> CompressorSettings {
        CompressorSettings::new(self.outgoing.window_bits, &self.options)
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        self.reset_compressor();
        self.reset_decompressor();
    }
}
