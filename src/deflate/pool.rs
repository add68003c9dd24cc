//! States that wait for the next message of any connection.
//!
//! Knows how many are kept; knows nothing of what they do.

use alloc::boxed::Box;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::compressor::{Compressor, Kind};
use super::decompressor::Decompressor;

/// At most so many states of each kind.
#[derive(Debug)]
pub(super) struct Pool {
    max: usize,
    states: Mutex<States>,
}

#[derive(Debug, Default)]
// They go to connections and come back as they are.
#[allow(clippy::vec_box)]
struct States {
    compressors: Vec<Box<Compressor>>,
    decompressors: Vec<Box<Decompressor>>,
}

impl Pool {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            states: Mutex::default(),
        }
    }

    /// A compressor of this kind that remembers nothing.
    pub(super) fn take_compressor(&self, kind: Kind) -> Box<Compressor> {
        let compressors = &mut self.lock().compressors;
        let fitting = compressors.iter().rposition(|pooled| pooled.is(kind));
        let pooled = fitting.map(|index| compressors.swap_remove(index));
        pooled.unwrap_or_else(|| Compressor::new(kind))
    }

    pub(super) fn put_compressor(&self, mut compressor: Box<Compressor>) {
        compressor.reset();
        let compressors = &mut self.lock().compressors;
        if compressors.len() < self.max {
            compressors.push(compressor);
        }
    }

    /// A decompressor that remembers nothing.
    pub(super) fn take_decompressor(&self) -> Box<Decompressor> {
        let pooled = self.lock().decompressors.pop();
        pooled.unwrap_or_else(Decompressor::new)
    }

    pub(super) fn put_decompressor(&self, mut decompressor: Box<Decompressor>) {
        decompressor.reset();
        let decompressors = &mut self.lock().decompressors;
        if decompressors.len() < self.max {
            decompressors.push(decompressor);
        }
    }

    /// No state is left half changed by a panic of another thread.
    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
