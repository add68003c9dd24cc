//! The common case in one step: a data frame that is contained in the input.

use super::Role;
use super::mask::MaskingKey;
use crate::input::Input;

/// A complete data frame at the start of the input.
#[derive(Debug)]
pub(crate) struct CompleteFrame<'i> {
    first: u8,
    key: Option<MaskingKey>,
    payload: &'i mut [u8],
    len: usize,
}

impl<'i> CompleteFrame<'i> {
    /// Splits off an unfragmented message of at most this many bytes.
    #[inline(always)]
    pub(crate) fn split_message(input: &mut Input<'i>, role: Role, max_len: usize) -> Option<Self> {
        Self::split(input, role, max_len, |first| matches!(first, 0x81 | 0x82))
    }

    /// Splits off the first fragment of a message.
    #[inline(always)]
    pub(crate) fn split_first_fragment(input: &mut Input<'i>, role: Role) -> Option<Self> {
        Self::split(input, role, usize::MAX, |first| matches!(first, 1 | 2))
    }

    /// Splits off a continuation frame.
    #[inline(always)]
    pub(crate) fn split_continuation(input: &mut Input<'i>, role: Role) -> Option<Self> {
        Self::split(input, role, usize::MAX, |first| matches!(first, 0 | 0x80))
    }

    /// Splits it off. Returns `None` and leaves the input untouched if anything about
    /// it is unusual, wrong or incomplete: the decoder then finds out what.
    #[inline(always)]
    fn split(
        input: &mut Input<'i>,
        role: Role,
        max_len: usize,
        is_expected: impl FnOnce(u8) -> bool,
    ) -> Option<Self> {
        let bytes = input.remaining();
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        if !is_expected(first) {
            return None;
        }
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
            first,
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

    /// The length of the payload.
    #[inline(always)]
    pub(crate) const fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Whether it is text rather than binary.
    #[inline(always)]
    pub(crate) const fn is_text(&self) -> bool {
        self.first & 0x0f == 1
    }

    /// Whether it is the last frame of its message.
    #[inline(always)]
    pub(crate) const fn is_last(&self) -> bool {
        self.first & 0x80 != 0
    }

    /// The payload, still masked with the key if there is one.
    #[inline(always)]
    pub(crate) fn into_parts(self) -> (&'i mut [u8], Option<MaskingKey>) {
        (self.payload, self.key)
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
