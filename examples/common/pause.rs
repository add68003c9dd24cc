//! How the servers keep going when `accept` fails.

use std::io::{self, ErrorKind};
use std::sync::Once;
use std::time::Duration;

/// Returns how long to wait before the next `accept`. An error of one connection
/// needs no pause. Any other, such as too many open files, is reported once, and
/// passes when connections end: until then, `accept` would fail in a busy loop.
pub(crate) fn after(error: &io::Error) -> Duration {
    static REPORT: Once = Once::new();
    match error.kind() {
        ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionRefused => Duration::ZERO,
        _ => {
            REPORT.call_once(|| eprintln!("new connections must wait: {error}"));
            Duration::from_millis(100)
        }
    }
}
