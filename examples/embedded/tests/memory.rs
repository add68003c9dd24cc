//! How much memory one client costs on a device. The table in the guide on small
//! devices has these numbers: `cargo test --release -- --nocapture`

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use embassy_futures::block_on;
use embedded_io_async::{ErrorType, Read, Write};
use sansocket_embedded::{Clock, config, serve};

struct Counting;

thread_local! {
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The most bytes held since it was last asked.
fn peak() -> usize {
    let (held, peak) = HELD.get();
    HELD.set((held, held));
    peak
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (held, peak) = HELD.get();
        let held = held + layout.size();
        HELD.set((held, peak.max(held)));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let (held, peak) = HELD.get();
        HELD.set((held.saturating_sub(layout.size()), peak));
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: device.local\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nOrigin: http://device.local\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
    Accept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\nCache-Control: no-cache\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// Delivers one piece for each read, and notes what is held by then, and its peak since the last.
struct Script {
    pieces: Vec<Vec<u8>>,
    peaks: Vec<usize>,
    held: Vec<usize>,
    written: Vec<u8>,
}

impl ErrorType for Script {
    type Error = Infallible;
}

impl Read for Script {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        self.held.push(HELD.get().0);
        self.peaks.push(peak());
        // The first of them came before the first read.
        let Some(piece) = self.pieces.get(self.peaks.len() - 1) else {
            return Ok(0);
        };
        buf[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

impl Write for Script {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {
        pending().await
    }
}

/// Masked with zeros.
fn binary(len: u16) -> Vec<u8> {
    let mut frame = vec![0x82, 0xfe];
    frame.extend(len.to_be_bytes());
    frame.resize(8 + usize::from(len), 0);
    frame
}

#[test]
fn client_fits_into_a_few_kilobytes() {
    let config = config();
    let pieces = [binary(256), binary(2048)]
        .map(|frame| frame.chunks(512).map(Vec::from).collect::<Vec<_>>());
    let mut script = Script {
        pieces: [vec![REQUEST.to_vec()], pieces.concat()].concat(),
        peaks: Vec::with_capacity(64),
        held: Vec::with_capacity(64),
        written: Vec::with_capacity(8192),
    };
    peak();
    let before = HELD.get().0;
    let serving = serve(&mut script, &config, &Frozen);
    println!(
        "future, with the read buffer: {} bytes",
        size_of_val(&serving)
    );
    assert!(size_of_val(&serving) <= 1536);
    block_on(serving).unwrap();

    assert!(script.written.starts_with(b"HTTP/1.1 101"));
    let held = |peak: &usize| peak.saturating_sub(before);
    let handshake = held(&script.peaks[1]);
    let whole = held(&script.peaks[2]);
    let idle = held(script.held.last().unwrap());
    let in_pieces = held(script.peaks.iter().max().unwrap());
    println!(
        "heap: idle {idle}, at most: handshake {handshake}, message of 256 bytes {whole}, of 2048 bytes {in_pieces}"
    );
    assert!(idle <= 256);
    assert!(handshake <= 3 * 1024);
    assert!(whole <= 1024);
    assert!(in_pieces <= 8 * 1024);
}
