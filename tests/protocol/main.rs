//! The protocol through the public API of the core: bytes in, events and bytes
//! out, without I/O.

#[path = "../harness/clocked.rs"]
mod clocked;
#[path = "../harness/drive.rs"]
mod drive;
#[path = "../harness/faults.rs"]
mod fault_table;
#[path = "../harness/wire.rs"]
mod wire;

mod bulk;
mod closing;
mod deadlines;
#[cfg(feature = "deflate")]
mod deflate_negotiation;
mod exhaustive;
#[cfg(feature = "std")]
mod extended_connect;
mod faults;
mod framing;
mod half_close;
mod handshake_client;
mod handshake_server;
mod messages;
mod payloads;
mod real_heads;
mod schedules;
mod testing;
mod total_memory;
mod transcript;
mod turns;
mod vectors;
