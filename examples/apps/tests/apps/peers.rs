//! Programs by others that the tests talk to.
//!
//! A peer that is not installed is skipped, and the test says so, unless
//! REQUIRE_INTEROP=1. `.ci/run` installs them: Chromium and the JDK from the
//! system, packages of npm and Python below `target/interop`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder into which `.ci/run` installs peers.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop")
}

/// Whether the test must be skipped, for which it says why.
pub(crate) fn is_missing(what: &str, is_there: bool) -> bool {
    if !is_there {
        assert!(
            env::var("REQUIRE_INTEROP").is_err(),
            "{what} is not installed"
        );
        println!("skipped: {what} is not installed");
    }
    !is_there
}

/// A script of the folder `tests/peers`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(name)
}

/// Whether Node has this package of npm.
pub(crate) fn has_node_package(name: &str) -> bool {
    is_program("node") && node_modules().join(name).exists()
}

/// Whether pages can be opened in Chromium, which a script of Node drives.
pub(crate) fn has_browser() -> bool {
    is_program("chromium") && has_node_package("ws")
}

pub(crate) fn is_program(name: &str) -> bool {
    Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok()
}

fn node_modules() -> PathBuf {
    installed().join("node_modules")
}

/// A script that uses pages in Chromium by `peers/browser.mjs`, with arguments.
pub(crate) fn run_in_browser(name: &str, args: &[&str]) {
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let profile = env::temp_dir().join(format!("sansocket-browser-{process}-{thread:?}"));
    run(Command::new("node")
        .arg(script(name))
        .args(args)
        .env("PROFILE", &profile));
    let _ = std::fs::remove_dir_all(profile);
}

/// Runs it to its end, which must be a success, and prints what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = command
        .env("NODE_MODULES", node_modules())
        .output()
        .unwrap();
    let (out, err) = (output.stdout, output.stderr);
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    );
    assert!(output.status.success(), "{printed}");
    println!("{printed}");
}
