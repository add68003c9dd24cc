//! Buffers for the connections that are not idle. Each thread keeps a few of them.

use std::cell::RefCell;
use std::thread::LocalKey;
use std::thread_local;
use std::vec;
use std::vec::Vec;

use crate::message::release_large;

/// The length of a read buffer: a message of 64 KiB with its header is read at once.
pub(super) const READ_LEN: usize = 68 * 1024;

/// How much is read at once of a large frame. Shorter reads take more system calls, and
/// what longer ones read is evicted from the cache before it is unmasked.
pub(super) const MAX_READ_LEN: usize = 128 * 1024;

/// How many buffers of each kind a thread keeps.
const MAX_KEPT_BUFFERS: usize = 4;

/// The maximum total capacity of the buffers of each kind. Large messages need large
/// buffers, and allocating them again each time is slow: without this, an echo of 1 MiB
/// takes four times as long.
const MAX_KEPT_CAPACITY: usize = 2 * 1024 * 1024;

type Buffers = RefCell<Vec<Vec<u8>>>;

thread_local! {
    static READ_BUFFERS: Buffers = const { RefCell::new(Vec::new()) };
    static LONG_READ_BUFFERS: Buffers = const { RefCell::new(Vec::new()) };
    static WRITE_BUFFERS: Buffers = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`READ_LEN`] bytes.
pub(super) fn take_read() -> Vec<u8> {
    take_of_len(&READ_BUFFERS, READ_LEN)
}

/// A buffer of [`MAX_READ_LEN`] bytes.
pub(super) fn take_long_read() -> Vec<u8> {
    take_of_len(&LONG_READ_BUFFERS, MAX_READ_LEN)
}

pub(super) fn put_read(buf: Vec<u8>) {
    match buf.len() {
        READ_LEN => put(&READ_BUFFERS, buf),
        MAX_READ_LEN => put(&LONG_READ_BUFFERS, buf),
        _ => {}
    }
}

fn take_of_len(kept: &'static LocalKey<Buffers>, len: usize) -> Vec<u8> {
    let kept = kept.try_with(|kept| kept.borrow_mut().pop());
    kept.ok().flatten().unwrap_or_else(|| vec![0; len])
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

fn put(kept: &'static LocalKey<Buffers>, buf: Vec<u8>) {
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
