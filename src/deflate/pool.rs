//! The pool of idle compression states.
//!
//! One for the process: every message that is compressed or decompressed
//! without context takeover borrows its state here.

use alloc::boxed::Box;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::compressor::{Compressor, CompressorSettings};
use super::decompressor::Decompressor;

/// The most compressors, and the most decompressors, that the pool keeps.
const MAX_STATES: usize = 16;

static POOL: Mutex<Pool> = Mutex::new(Pool {
    compressors: Vec::new(),
    decompressors: Vec::new(),
});

/// Reset states, the one that was returned last at the end.
#[derive(Debug)]
// Connections own the states in boxes, and pass them on as they are.
#[allow(clippy::vec_box)]
struct Pool {
    compressors: Vec<Box<Compressor>>,
    decompressors: Vec<Box<Decompressor>>,
}

/// Returns a compressor with these settings with an empty window.
pub(super) fn take_compressor(settings: CompressorSettings) -> Box<Compressor> {
    let pooled = lock().take_compressor(settings);
    pooled.unwrap_or_else(|| Compressor::new(settings))
}

/// Returns a compressor to the pool.
pub(super) fn put_compressor(mut compressor: Box<Compressor>) {
    compressor.reset();
    let evicted = put(&mut lock().compressors, compressor);
    drop(evicted);
}

/// Returns a decompressor with an empty window.
pub(super) fn take_decompressor() -> Box<Decompressor> {
    let pooled = lock().decompressors.pop();
    pooled.unwrap_or_else(Decompressor::new)
}

/// Returns a decompressor to the pool.
pub(super) fn put_decompressor(mut decompressor: Box<Decompressor>) {
    decompressor.reset();
    let evicted = put(&mut lock().decompressors, decompressor);
    drop(evicted);
}

impl Pool {
    fn take_compressor(&mut self, settings: CompressorSettings) -> Option<Box<Compressor>> {
        let compressors = &mut self.compressors;
        let index = compressors
            .iter()
            .rposition(|pooled| pooled.has_settings(settings))?;
        Some(compressors.remove(index))
    }
}

/// Adds a state. If there is no room, the oldest is returned, to be dropped
/// after the lock is released.
fn put<T>(states: &mut Vec<T>, state: T) -> Option<T> {
    let oldest = (states.len() >= MAX_STATES).then(|| states.remove(0));
    states.push(state);
    oldest
}

/// A panic cannot leave a state half changed: states change outside the lock.
fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}
