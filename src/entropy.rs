//! Where masking keys and nonces come from.
//!
//! Knows how to draw unpredictable bytes, from the system or from the caller;
//! knows nothing of what they mask.

use alloc::boxed::Box;
use core::fmt;

use thiserror::Error;

/// A source of unpredictable bytes for masking keys (§5.3) and nonces (§4.1).
///
/// The default with the feature `std` is the operating system's. Without it
/// there is none, and a client must name one in
/// [`Config::entropy`](crate::Config::entropy). Servers never draw from it.
///
/// A masking key that an attacker can predict lets a page choose the bytes on
/// the wire and so poison caches of proxies on the way (§10.3): a source that
/// is not cryptographically strong belongs in tests only.
///
/// ```
/// use sansocket::{Config, Entropy};
///
/// // Every transcript of this client is the same: for tests.
/// let config = Config::new().entropy(Entropy::new(|bytes| {
///     bytes.fill(0x2a);
///     Ok(())
/// }));
/// # let _ = config;
/// ```
#[derive(Clone, Copy)]
pub struct Entropy(fn(&mut [u8]) -> Result<(), NoEntropy>);

/// Error returned by an [`Entropy`] source that has nothing to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("no randomness")]
pub struct NoEntropy;

impl Entropy {
    /// A source that fills the whole slice with fresh bytes at each call.
    pub const fn new(fill: fn(&mut [u8]) -> Result<(), NoEntropy>) -> Self {
        Self(fill)
    }

    /// Fills the slice.
    pub(crate) fn fill(self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        (self.0)(bytes)
    }
}

impl Default for Entropy {
    #[cfg(feature = "std")]
    fn default() -> Self {
        Self(|bytes| getrandom::fill(bytes).map_err(|_| NoEntropy))
    }

    #[cfg(not(feature = "std"))]
    fn default() -> Self {
        Self(|_| Err(NoEntropy))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

/// Masking keys, drawn from the source some at a time because a system call
/// for each frame would cost more than the frame.
#[derive(Default)]
pub(crate) struct KeyPool {
    keys: Option<Box<[[u8; 4]; KEYS]>>,
    next: usize,
}

/// 128 keys, 512 bytes: one system call then costs about 2 ns a frame, and an
/// idle client stays below 1 KiB.
const KEYS: usize = 128;

impl KeyPool {
    /// A key that was never handed out before.
    #[inline]
    pub(crate) fn draw(&mut self, entropy: Entropy) -> Result<[u8; 4], NoEntropy> {
        if let Some(keys) = &self.keys
            && let Some(key) = keys.get(self.next)
        {
            self.next += 1;
            return Ok(*key);
        }
        self.refill(entropy)
    }

    /// Heap bytes held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| size_of_val(&**keys))
    }

    #[cold]
    fn refill(&mut self, entropy: Entropy) -> Result<[u8; 4], NoEntropy> {
        let keys = self.keys.get_or_insert_with(|| Box::new([[0; 4]; KEYS]));
        // Spent until the source has answered: a failure hands out no old key.
        self.next = KEYS;
        entropy.fill(keys.as_flattened_mut())?;
        self.next = 1;
        let [first, ..] = **keys;
        Ok(first)
    }
}

impl fmt::Debug for KeyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU8, Ordering};

    #[test]
    fn keys_are_used_once_each() {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let counting = Entropy::new(|bytes| {
            bytes.fill_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
            Ok(())
        });
        let mut pool = KeyPool::default();
        let mut expected = 0u8;
        for _ in 0..3 * KEYS {
            let key = pool.draw(counting).unwrap();
            let next = [0, 1, 2, 3].map(|i| expected.wrapping_add(i));
            assert_eq!(key, next);
            expected = expected.wrapping_add(4);
        }
    }

    #[test]
    fn failing_source_hands_out_no_key() {
        let mut pool = KeyPool::default();
        let failing = Entropy::new(|_| Err(NoEntropy));
        assert_eq!(pool.draw(failing), Err(NoEntropy));
        assert_eq!(pool.draw(failing), Err(NoEntropy));
    }
}
