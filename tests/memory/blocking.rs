//! What a connection of the blocking adapter holds: no more than its peer has sent, and a
//! small buffer. A peer that announces a large message has sent 14 bytes.

use std::io::{self, ErrorKind, Read, Write};

use sansocket::blocking::WebSocket;
use sansocket::{Agreement, Config, Role};

use crate::allocator::measure;
use crate::wire::wire;

/// Brings some bytes, a few at once, and then nothing.
struct Quiet<'b> {
    bytes: &'b [u8],
    at_once: usize,
}

impl Read for Quiet<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.len().min(self.at_once).min(buf.len());
        if len == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (first, rest) = self.bytes.split_at(len);
        buf[..len].copy_from_slice(first);
        self.bytes = rest;
        Ok(len)
    }
}

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes held by a server that has received these.
fn held(bytes: &[u8], at_once: usize) -> usize {
    let config = Config::new();
    let stream = Quiet { bytes, at_once };
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(stream, role, agreement, vec![], &config);
    let (received, used) = measure(|| {
        loop {
            match ws.next() {
                Ok(Some(_)) => {}
                ended => break ended,
            }
        }
    });
    assert!(received.unwrap_err().is_would_block());
    usize::try_from(used.held).unwrap()
}

/// The smallest read buffer, and what a state machine takes.
const SMALL: usize = 4096 + 1024;

// Requirement 22
#[test]
fn blocking_connection_holds_what_was_received() {
    // The thread's own state.
    held(b"", 1);
    let header = b"\x82\xff\0\0\0\0\0\x40\0\0\0\0\0\0";
    let partial = [&header[..], &[7; 1024]].concat();
    let large = [&header[..], &[7; 100_000]].concat();
    let hello = wire(Role::Client).text("hello").bytes();
    let whole = wire(Role::Client).binary(&[7; 1 << 20]).bytes();
    for (name, bytes, max) in [
        ("idle", &b""[..], SMALL),
        ("idle after a message", &hello, SMALL),
        ("idle after a large message", &whole, SMALL),
        ("half a header", &header[..7], SMALL),
        ("the header of a large message", header, SMALL),
        ("1 KiB of a large message", &partial, SMALL + 2 * 1024),
        ("100 KB of a large message", &large, SMALL + 2 * 100_000),
    ] {
        for at_once in [100, 5000, usize::MAX] {
            let held = held(bytes, at_once);
            println!("{name}, {at_once} bytes at once: {held}");
            assert!(held <= max, "{name}: {held}");
        }
    }
}
