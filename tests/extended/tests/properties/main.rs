//! What holds whatever the peer sends, the transport does and the application
//! wants.

#[expect(dead_code)]
#[path = "../../../harness/clocked.rs"]
mod clocked;
#[expect(dead_code)]
#[path = "../../../harness/drive.rs"]
mod drive;
#[expect(dead_code)]
#[path = "../../../harness/wire.rs"]
mod wire;

mod any_bytes;
mod deadlines;
#[cfg(feature = "tokio")]
mod replies;
#[cfg(feature = "tokio")]
mod tunnels;
