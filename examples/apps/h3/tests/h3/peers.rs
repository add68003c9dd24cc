//! Python's aioquic, which `.ci/run` installs.

use std::env;
use std::path::Path;
use std::process::Command;

/// A script of `tests/peers`, or `None` if aioquic is not installed: then the
/// test is skipped, unless REQUIRE_INTEROP is set.
pub(crate) fn aioquic(script: &str) -> Option<Command> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(package.join("../../../target/interop/venv/bin/python"));
    let found = Command::new(python.get_program())
        .args(["-c", "import aioquic"])
        .output();
    if !found.is_ok_and(|found| found.status.success()) {
        assert!(
            env::var_os("REQUIRE_INTEROP").is_none(),
            "aioquic is not installed"
        );
        println!("skipped: aioquic is not installed");
        return None;
    }
    python.arg(package.join("tests/peers").join(script));
    Some(python)
}
