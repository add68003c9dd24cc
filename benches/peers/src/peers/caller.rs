//! What the caller of a core that knows only frames does himself, as RFC 6455
//! asks for it.

use bytes::Bytes;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use sansocket::Role;

use super::{MAX_LEN, sink};
use crate::memory::Memory;

/// Begins what is said when the caller finds a fault, not the library.
pub const BY_CALLER: &str = "by the caller: ";

/// RFC 6455 §8.1.
pub fn check_text(message: &[u8]) {
    assert!(
        simdutf8::basic::from_utf8(message).is_ok(),
        "{BY_CALLER}text that is not UTF-8"
    );
}

/// The header of a frame, as far as messages are concerned.
pub struct Head {
    pub opcode: u8,
    pub fin: bool,
    pub is_masked: bool,
    pub len: usize,
}

/// Joins the fragments of a message.
#[derive(Default)]
pub struct Joiner {
    /// Of the message that has begun.
    opcode: Option<u8>,
    joined: Vec<u8>,
}

impl Joiner {
    /// Checks what a server must, when a frame begins.
    pub fn begin(&mut self, head: &Head) {
        // RFC 6455 §5.1.
        assert!(head.is_masked, "{BY_CALLER}no mask");
        if head.opcode >= 8 {
            // RFC 6455 §5.5.
            assert!(head.fin && head.len <= 125, "{BY_CALLER}a control frame");
            return;
        }
        // RFC 6455 §5.4.
        let goes_on = head.opcode == 0;
        assert!(goes_on == self.opcode.is_some(), "{BY_CALLER}a fragment");
        assert!(
            head.len <= MAX_LEN - self.joined.len(),
            "{BY_CALLER}a length"
        );
        self.opcode.get_or_insert(head.opcode);
    }

    /// A piece that does not stay where it is.
    pub fn push(&mut self, piece: &[u8]) {
        self.joined.extend_from_slice(piece);
    }

    /// Hands over the message: where its only piece lies, or joined.
    pub fn finish(&mut self, last: &[u8], handle: impl FnOnce(&[u8])) {
        let message = if self.joined.is_empty() {
            last
        } else {
            self.joined.extend_from_slice(last);
            &self.joined
        };
        if self.opcode == Some(1) {
            check_text(message);
        }
        handle(message);
        self.joined.clear();
        self.opcode = None;
    }
}

/// Masking keys for cores that are given them, unpredictable as RFC 6455 §5.3
/// asks for.
pub struct Keys(Option<ChaCha8Rng>);

impl Keys {
    pub fn of(role: Role) -> Self {
        Self((role == Role::Client).then(|| ChaCha8Rng::from_seed([7; 32])))
    }

    /// Another for each frame of a client.
    pub fn next(&mut self) -> Option<[u8; 4]> {
        Some(self.0.as_mut()?.next_u32().to_le_bytes())
    }
}

/// Copies small frames into one write, and passes large payloads by reference
/// unless they are masked.
pub struct Outgoing {
    out: Vec<u8>,
    sink: Memory,
}

const AT_ONCE: usize = 16 * 1024;

impl Outgoing {
    pub fn new() -> Self {
        Self {
            out: Vec::new(),
            sink: sink(),
        }
    }

    pub fn frame(&mut self, header: &[u8], payload: &Bytes, mask: Option<impl FnOnce(&mut [u8])>) {
        self.out.extend_from_slice(header);
        if mask.is_none() && payload.len() >= AT_ONCE {
            self.sink.write_pair(&self.out, payload);
            self.out.clear();
            return;
        }
        let start = self.out.len();
        self.out.extend_from_slice(payload);
        if let Some(mask) = mask {
            mask(&mut self.out[start..]);
        }
        if self.out.len() >= AT_ONCE {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        self.sink.write_whole(&self.out);
        self.out.clear();
    }
}
