//! The common case in one step: a complete unfragmented data frame.

use super::Role;
use super::mask::MaskingKey;
use crate::input::Input;

/// A complete unfragmented data frame at the start of the input.
#[derive(Debug)]
pub(crate) struct CompleteFrame<'i> {
    is_text: bool,
    key: Option<MaskingKey>,
    payload: &'i mut [u8],
    len: usize,
}

impl<'i> CompleteFrame<'i> {
    /// Splits it off. Returns `None` and leaves the input untouched if anything about
    /// it is unusual, wrong or incomplete: the decoder then finds out what.
    #[inline(always)]
    pub(crate) fn split(input: &mut Input<'i>, role: Role, max_len: usize) -> Option<Self> {
        let bytes = input.remaining();
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let is_text = match first {
            0x81 => true,
            0x82 => false,
            _ => return None,
        };
        let masked = role == Role::Server;
        if (second & 0x80 != 0) != masked {
            return None;
        }
        let (len, rest) = split_len(second & 0x7f, rest)?;
        let (key, rest) = if masked {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(MaskingKey::from(*key)), rest)
        } else {
            (None, rest)
        };
        if len > rest.len() || len > max_len {
            return None;
        }
        let head_len = bytes.len() - rest.len();
        let len = head_len + len;
        let payload = input.take(len).get_mut(head_len..)?;
        Some(Self {
            is_text,
            key,
            payload,
            len,
        })
    }

    /// The length of the frame, header and payload.
    #[inline(always)]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether it is text rather than binary.
    #[inline(always)]
    pub(crate) const fn is_text(&self) -> bool {
        self.is_text
    }

    /// The payload without its mask.
    #[inline(always)]
    pub(crate) fn into_payload(self) -> &'i [u8] {
        if let Some(key) = self.key {
            key.apply(self.payload);
        }
        self.payload
    }
}

/// The length, if it takes at most 16 bits and is minimal: longer frames are rarely
/// contained in one input.
#[inline(always)]
fn split_len(len7: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    match len7 {
        127 => None,
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = usize::from(u16::from_be_bytes(*len));
            (len > 125).then_some((len, rest))
        }
        len => Some((usize::from(len), rest)),
    }
}
