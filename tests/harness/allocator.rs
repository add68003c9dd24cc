//! A global allocator that counts what each thread holds.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted.
pub(crate) struct Counting;

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { calls: 0, held: 0, peak: 0 }) };
}

#[derive(Clone, Copy)]
struct Counts {
    calls: u64,
    held: isize,
    peak: isize,
}

/// What a piece of work did to the heap of its thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    /// How often memory was asked for.
    pub(crate) calls: u64,
    /// Bytes held afterwards that were not held before.
    pub(crate) held: isize,
    /// The most bytes held meanwhile above what was held before.
    pub(crate) peak: isize,
}

/// Does the work and returns what it used.
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (T, Used) {
    let before = COUNTS.get();
    COUNTS.set(Counts {
        peak: before.held,
        ..before
    });
    let result = work();
    let after = COUNTS.get();
    let used = Used {
        calls: after.calls - before.calls,
        held: after.held - before.held,
        peak: after.peak - before.held,
    };
    (result, used)
}

fn count(calls: u64, freed: usize, allocated: usize) {
    // A thread that ends frees what it held after its counts are gone.
    let _ = COUNTS.try_with(|counts| {
        let Counts {
            calls: so_far,
            held,
            peak,
        } = counts.get();
        let held = held + allocated as isize - freed as isize;
        counts.set(Counts {
            calls: so_far + calls,
            held,
            peak: peak.max(held),
        });
    });
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, 0, layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, layout.size(), 0);
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, layout.size(), size);
        unsafe { System.realloc(memory, layout, size) }
    }
}
