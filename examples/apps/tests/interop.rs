//! Real peers against the echo servers among the examples: a browser, the JDK,
//! Node `ws` and Python `websockets`.
//!
//! A peer that is not installed is skipped, and the test says so, unless
//! REQUIRE_INTEROP=1. `.ci/run` installs them: Chromium and the JDK from the
//! system, the others below `target/interop`.

mod common;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::Server;

/// One server for each adapter.
const SERVERS: &[&str] = &[
    "echo_server",
    "io_uring",
    "echo_tokio",
    "echo_smol",
    "hyper",
    "axum",
];

/// Those within TLS, one of them by HTTP/2 alone.
const TLS_SERVERS: &[&str] = &["wss_server", "h2_echo"];

/// The folder into which `.ci/run` installs peers.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop")
}

fn is_missing(what: &str, is_there: bool) -> bool {
    if !is_there {
        assert!(
            env::var("REQUIRE_INTEROP").is_err(),
            "{what} is not installed"
        );
        println!("skipped: {what} is not installed");
    }
    !is_there
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(name)
}

fn node_modules() -> PathBuf {
    installed().join("node_modules")
}

fn is_program(name: &str) -> bool {
    Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok()
}

fn run(command: &mut Command) {
    let output = command
        .env("NODE_MODULES", node_modules())
        .output()
        .unwrap();
    let (out, err) = (output.stdout, output.stderr);
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    );
    assert!(output.status.success(), "{told}");
    println!("{told}");
}

#[test]
fn node_ws_is_served() {
    let is_there = is_program("node") && node_modules().join("ws").exists();
    if is_missing("Node ws", is_there) {
        return;
    }
    for name in SERVERS {
        let server = Server::start(name);
        run(Command::new("node")
            .arg(script("node_ws.mjs"))
            .arg(&server.url));
    }
}

#[test]
fn python_websockets_is_served() {
    let python = installed().join("venv/bin/python");
    if is_missing("Python websockets", python.exists()) {
        return;
    }
    for name in SERVERS {
        let server = Server::start(name);
        run(Command::new(&python)
            .arg(script("python_websockets.py"))
            .arg(&server.url));
    }
}

#[test]
fn jdk_is_served() {
    if is_missing("a JDK", is_program("javac")) {
        return;
    }
    for name in SERVERS {
        let server = Server::start(name);
        run(Command::new("java")
            .arg(script("Jdk.java"))
            .arg(&server.url));
    }
}

#[test]
fn chromium_shows_the_echo() {
    let is_there =
        is_program("chromium") && is_program("node") && node_modules().join("ws").exists();
    if is_missing("Chromium or Node ws", is_there) {
        return;
    }
    for name in SERVERS.iter().chain(TLS_SERVERS) {
        let server = Server::start(name);
        let profile = env::temp_dir().join(format!("sansocket-{name}-{}", std::process::id()));
        run(Command::new("node")
            .arg(script("chromium.mjs"))
            .arg("chromium")
            .arg(server.page())
            .arg(&profile));
        let _ = std::fs::remove_dir_all(profile);
    }
}
