//! The payloads: each names its connection, direction and number, and has a checksum.

use sansocket::{Message, MessageKind};

use crate::noise::Noise;
use crate::plan::Side;

/// Connection and direction, number, length and checksum, in hexadecimal digits.
const HEAD_LEN: usize = 8 + 8 + 8 + 16;

/// What identifies a message. Both ends know the length and the kind of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) connection: u64,
    pub(crate) sender: Side,
    pub(crate) number: u64,
}

/// Why a message is not the one that was expected.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected:?} of {len} bytes, received {received_len} bytes: {head}")]
pub(crate) struct Mismatch {
    expected: Name,
    len: usize,
    received_len: usize,
    head: String,
}

impl Name {
    fn noise(self) -> Noise {
        let direction = self.connection * 2 + self.sender as u64;
        Noise::new(direction.wrapping_shl(32) ^ self.number)
    }

    /// Mostly short, some longer than any buffer on the way, and a few of some MiB.
    fn len(self) -> usize {
        let mut noise = self.noise();
        let max = match noise.below(1000) {
            0..60 => return 0,
            60..600 => 128,
            600..850 => 4 * 1024,
            850..970 => 64 * 1024,
            970..998 => 512 * 1024,
            _ => 4 * 1024 * 1024,
        };
        noise.below(max) as usize
    }

    fn kind(self) -> MessageKind {
        match self.noise().next() % 2 {
            0 => MessageKind::Text,
            _ => MessageKind::Binary,
        }
    }

    pub(crate) fn message(self) -> Message {
        let mut bytes = self.body(self.len());
        let head = self.head(&bytes);
        let head_len = HEAD_LEN.min(bytes.len());
        bytes[..head_len].copy_from_slice(&head.as_bytes()[..head_len]);
        match self.kind() {
            MessageKind::Text => String::from_utf8(bytes).expect("ASCII").into(),
            MessageKind::Binary => bytes.into(),
        }
    }

    /// Whether it is this message.
    pub(crate) fn check(self, message: &Message) -> Result<(), Mismatch> {
        let (bytes, len) = (message.as_bytes(), self.len());
        let head = self.head(bytes);
        let head_len = HEAD_LEN.min(bytes.len());
        if message.kind() == self.kind()
            && bytes.len() == len
            && bytes[..head_len] == head.as_bytes()[..head_len]
        {
            return Ok(());
        }
        Err(Mismatch {
            expected: self,
            len,
            received_len: bytes.len(),
            head: String::from_utf8_lossy(&bytes[..head_len]).into_owned(),
        })
    }

    fn head(self, bytes: &[u8]) -> String {
        let direction = self.connection * 2 + self.sender as u64;
        let checksum = checksum(bytes.get(HEAD_LEN..).unwrap_or_default());
        let (number, len) = (self.number, bytes.len());
        format!("{direction:08x}{number:08x}{len:08x}{checksum:016x}")
    }

    /// Letters for text, which compress a little; any bytes for binary.
    fn body(self, len: usize) -> Vec<u8> {
        let mut noise = self.noise();
        let is_text = self.kind() == MessageKind::Text;
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            let word = noise.next();
            let letters = (word & 0x1f1f_1f1f_1f1f_1f1f) | 0x4040_4040_4040_4040;
            bytes.extend((if is_text { letters } else { word }).to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// Depends on the order of the bytes.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0, |sum: u64, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name {
        connection: 3,
        sender: Side::Server,
        number: 0,
    };

    fn names() -> impl Iterator<Item = Name> {
        (0..200).map(|number| Name { number, ..NAME })
    }

    #[test]
    fn message_is_the_one_of_its_name() {
        for name in names() {
            name.check(&name.message()).unwrap();
        }
    }

    #[test]
    fn other_message_is_found() {
        let long = names().filter(|name| name.len() >= HEAD_LEN);
        for name in long {
            let number = name.number + 1;
            name.check(&Name { number, ..name }.message()).unwrap_err();
            let sender = Side::Client;
            name.check(&Name { sender, ..name }.message()).unwrap_err();
            let mut bytes = name.message().into_bytes().to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            let changed = match name.kind() {
                MessageKind::Text => String::from_utf8(bytes).unwrap().into(),
                MessageKind::Binary => Message::from(bytes),
            };
            name.check(&changed).unwrap_err();
        }
    }
}
