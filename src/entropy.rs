//! The source of masking keys and nonces: the operating system, or the caller.

#[cfg(feature = "std")]
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

#[cfg(feature = "std")]
use chacha20::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use thiserror::Error;

/// A source of unpredictable bytes for masking keys (§5.3) and nonces (§4.1).
///
/// With the feature `std`, the default is the operating system. Nonces come
/// directly from it; masking keys come from a ChaCha8 generator that each client
/// connection seeds from it, because a system call for each frame would cost more
/// than the frame. Without `std` there is no default: a client must set a source
/// with [`Config::with_entropy`](crate::Config::with_entropy), which is then called
/// for each key. Servers need no entropy.
///
/// If masking keys are predictable, a malicious page can choose the bytes on the
/// wire, and so poison the cache of a proxy (§10.3). Use a source that is not
/// cryptographically secure only in tests.
///
/// ```
/// use sansocket::{Config, Entropy};
///
/// // For tests: the same output in every run.
/// let config = Config::new().with_entropy(Entropy::new(|bytes| {
///     bytes.fill(0x2a);
///     Ok(())
/// }));
/// # let _ = config;
/// ```
///
/// A source can have state, such as a generator in a mutex, which is shared by all
/// connections with that [`Config`](crate::Config):
///
/// ```
/// use std::sync::Mutex;
/// use sansocket::{Config, Entropy};
///
/// # struct Generator;
/// # impl Generator { fn fill(&mut self, bytes: &mut [u8]) { bytes.fill(0x2a) } }
/// let generator = Mutex::new(Generator);
/// let config = Config::new().with_entropy(Entropy::new(move |bytes| {
///     generator.lock().expect("no panic while locked").fill(bytes);
///     Ok(())
/// }));
/// # let _ = config;
/// ```
#[derive(Clone, Default)]
pub struct Entropy(Option<Arc<Fill>>);

type Fill = dyn Fn(&mut [u8]) -> Result<(), NoEntropy> + Send + Sync;

/// Error returned by an [`Entropy`] source that has no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("no randomness")]
#[expect(clippy::exhaustive_structs, reason = "sources of entropy return it")]
pub struct NoEntropy;

impl Entropy {
    /// Creates a source from a function that fills the whole slice with fresh
    /// random bytes at each call.
    pub fn new(fill: impl Fn(&mut [u8]) -> Result<(), NoEntropy> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(fill)))
    }

    /// Fills the slice.
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        match &self.0 {
            Some(fill) => fill(bytes),
            None => system(bytes),
        }
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(feature = "std")]
fn system(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}

#[cfg(not(feature = "std"))]
fn system(_: &mut [u8]) -> Result<(), NoEntropy> {
    Err(NoEntropy)
}

/// Draws the masking keys of one connection.
#[derive(Default)]
pub(crate) struct MaskingKeys {
    #[cfg(feature = "std")]
    generator: Option<Box<ChaCha8Rng>>,
}

impl MaskingKeys {
    /// Returns a fresh key.
    #[inline]
    #[cfg_attr(not(feature = "std"), allow(clippy::needless_pass_by_ref_mut))]
    pub(crate) fn next_key(&mut self, entropy: &Entropy) -> Result<[u8; 4], NoEntropy> {
        #[cfg(feature = "std")]
        if entropy.0.is_none() {
            return self.generate();
        }
        let mut key = [0; 4];
        entropy.fill(&mut key)?;
        Ok(key)
    }

    /// Heap bytes held.
    pub(crate) fn memory_usage(&self) -> usize {
        #[cfg(feature = "std")]
        return self
            .generator
            .as_ref()
            .map_or(0, |generator| size_of_val(&**generator));
        #[cfg(not(feature = "std"))]
        0
    }
}

#[cfg(feature = "std")]
impl MaskingKeys {
    #[inline]
    fn generate(&mut self) -> Result<[u8; 4], NoEntropy> {
        let generator = match &mut self.generator {
            Some(generator) => generator,
            none => none.insert(seeded_generator()?),
        };
        Ok(generator.next_u32().to_le_bytes())
    }
}

#[cfg(feature = "std")]
#[cold]
fn seeded_generator() -> Result<Box<ChaCha8Rng>, NoEntropy> {
    let mut seed = [0; 32];
    system(&mut seed)?;
    Ok(Box::new(ChaCha8Rng::from_seed(seed)))
}

impl fmt::Debug for MaskingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskingKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_source_are_what_it_gives() {
        let source = Entropy::new(|bytes| {
            bytes.fill(7);
            Ok(())
        });
        assert_eq!(MaskingKeys::default().next_key(&source), Ok([7; 4]));
    }

    #[test]
    fn source_may_have_state() {
        use core::sync::atomic::{AtomicU8, Ordering};
        let calls = AtomicU8::new(0);
        let source = Entropy::new(move |bytes| {
            bytes.fill(calls.fetch_add(1, Ordering::Relaxed));
            Ok(())
        });
        let mut keys = MaskingKeys::default();
        let shared = source.clone();
        assert_eq!(keys.next_key(&source), Ok([0; 4]));
        assert_eq!(keys.next_key(&shared), Ok([1; 4]));
        assert_eq!(keys.next_key(&source), Ok([2; 4]));
    }

    #[test]
    fn failing_source_hands_out_no_key() {
        let failing = Entropy::new(|_| Err(NoEntropy));
        assert_eq!(MaskingKeys::default().next_key(&failing), Err(NoEntropy));
    }

    #[cfg(feature = "std")]
    #[test]
    fn generators_are_seeded_apart() {
        let first_keys = || {
            let mut keys = MaskingKeys::default();
            [(); 4].map(|()| keys.next_key(&Entropy::default()))
        };
        assert_ne!(first_keys(), first_keys());
    }
}
