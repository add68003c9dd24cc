//! Buffers for the connections that are not idle. Each thread keeps a few of them.

use std::cell::RefCell;
use std::thread::LocalKey;
use std::thread_local;
use std::vec;
use std::vec::Vec;

use crate::message::release_large;

/// The length of a read buffer.
pub(super) const READ_LEN: usize = 64 * 1024;

/// How many buffers of each kind a thread keeps.
const MAX_KEPT_BUFFERS: usize = 4;

/// The maximum total capacity of the buffers of each kind. Large messages need large
/// buffers, and allocating them again each time is slow: without this, an echo of 1 MiB
/// takes four times as long.
const MAX_KEPT_CAPACITY: usize = 2 * 1024 * 1024;

thread_local! {
    static READ_BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static WRITE_BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`READ_LEN`] bytes.
pub(super) fn take_read() -> Vec<u8> {
    let kept = READ_BUFFERS.try_with(|reads| reads.borrow_mut().pop());
    let kept = kept.ok().flatten();
    kept.unwrap_or_else(|| vec![0; READ_LEN])
}

pub(super) fn put_read(buf: Vec<u8>) {
    if buf.len() == READ_LEN {
        put(&READ_BUFFERS, buf);
    }
}

/// An empty buffer.
pub(super) fn take_write() -> Vec<u8> {
    let kept = WRITE_BUFFERS.try_with(|writes| writes.borrow_mut().pop());
    kept.ok().flatten().unwrap_or_default()
}

pub(super) fn put_write(mut buf: Vec<u8>) {
    buf.clear();
    if buf.capacity() > 0 {
        put(&WRITE_BUFFERS, buf);
    }
}

fn put(kept: &'static LocalKey<RefCell<Vec<Vec<u8>>>>, buf: Vec<u8>) {
    // Fails only if the thread is ending, where the buffer is dropped.
    let _ = kept.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        let capacity: usize = kept.iter().map(Vec::capacity).sum();
        if kept.len() < MAX_KEPT_BUFFERS && capacity + buf.capacity() <= MAX_KEPT_CAPACITY {
            kept.push(buf);
        } else {
            release_large(buf);
        }
    });
}
