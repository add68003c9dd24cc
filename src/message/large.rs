//! Messages so long that their memory goes back to the system when they are dropped.
//!
//! An allocator keeps freed memory for later. glibc keeps the more, the larger the
//! blocks are that are freed as a whole: after one of 16 MiB, up to 32 MiB in each of
//! its arenas, of which there are eight for each core. A block that is shrunk first is
//! returned to the system at once, and its length is forgotten.

use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use crate::budget::Reservation;

/// The length above which a message, or the capacity above which a buffer, is large.
const MIN_LEN: usize = 1024 * 1024;

/// What a buffer is shrunk to. A block of a few bytes would stay in the cache of the
/// thread, in the middle of what was freed: the next message of the same length would
/// not fit there, and would be copied when it grows.
const SHRUNK_LEN: usize = 4 * 1024;

/// The payload of a large message.
#[derive(Debug)]
struct Large {
    payload: Vec<u8>,
    /// It counts towards the budget until the application has dropped it.
    _reservation: Option<Reservation>,
}

/// Whether a message or buffer of this length is large.
#[inline]
pub(super) const fn is_large(len: usize) -> bool {
    len > MIN_LEN
}

/// Makes a large message out of its payload, without a copy.
pub(super) fn into_bytes(payload: Vec<u8>, reservation: Option<Reservation>) -> Bytes {
    Bytes::from_owner(Large {
        payload,
        _reservation: reservation,
    })
}

/// Drops a buffer that may be large.
pub(crate) fn release_large(mut payload: Vec<u8>) {
    if payload.capacity() > MIN_LEN {
        payload.clear();
        payload.shrink_to(SHRUNK_LEN);
    }
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        release_large(mem::take(&mut self.payload));
    }
}
