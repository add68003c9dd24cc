//! A server without std: links the core, `alloc` and nothing else. A panic
//! handler of its own would clash with that of std, so that this builds is the
//! proof.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use sansocket::{Config, Connection, Event, Input};

/// Hands out no memory: this is linked, never run.
struct NoMemory;

unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// One turn of the loop. Tells how many bytes are to be written.
#[unsafe(no_mangle)]
pub extern "C" fn echo(byte: u8) -> usize {
    let (mut buf, mut out) = ([byte], Vec::new());
    let mut ws = Connection::server(&Config::new());
    let mut input = Input::new(&mut buf);
    while let Some(event) = ws.receive(&mut input, &mut out) {
        let _ = match event {
            Event::Request(request) => ws.respond(request.accept(), &mut out),
            Event::Message(message) => ws.send(message, &mut out),
            _ => Ok(()),
        };
    }
    out.len()
}
