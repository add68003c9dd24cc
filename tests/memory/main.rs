//! What connections and sockets hold, by a counting allocator.

#[path = "../harness/allocator.rs"]
mod allocator;
#[expect(dead_code)]
#[path = "../harness/drive.rs"]
mod drive;
#[expect(dead_code)]
#[path = "../harness/wire.rs"]
mod wire;

#[cfg(feature = "std")]
mod blocking;
mod connections;
mod handshake;
#[cfg(feature = "tokio")]
mod sockets;
mod total;
mod worst_case;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;
