//! Within axum. The programs in `programs.rs` are compiled and tested twice: with
//! axum's own WebSockets, and, the import changed, with the library's. What the
//! library adds is tested below `ours`.

mod ours;
pub(crate) mod server;
mod theirs;

mod configured;
mod rejected;
mod stopped;
