//! permessage-deflate (RFC 7692 §6, §7.2) against other implementations.

#![cfg(feature = "deflate")]

#[path = "../../../harness/allocator.rs"]
mod allocator;
#[expect(dead_code)]
#[path = "../../../harness/drive.rs"]
mod drive;
mod inflate;
#[expect(dead_code)]
#[path = "../../../harness/wire.rs"]
mod wire;

mod memory;
mod messages;
mod streams;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;
