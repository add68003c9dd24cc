//! Real peers against the echo servers among the examples: a browser, Node `ws`
//! and Python `websockets`.
//!
//! A peer that is not installed is skipped, and the test says so, unless
//! REQUIRE_INTEROP=1. `.ci/run` installs them: Chromium from the system, the
//! others below `target/interop`.

#![cfg(feature = "std")]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The servers of the adapters that are built.
const SERVERS: &[&str] = &[
    "echo_server",
    #[cfg(feature = "tokio")]
    "echo_tokio",
    #[cfg(feature = "futures")]
    "echo_smol",
    #[cfg(feature = "hyper")]
    "hyper",
    #[cfg(feature = "hyper")]
    "axum",
];

/// Those within TLS, one of them by HTTP/2 alone.
const TLS_SERVERS: &[&str] = &[
    #[cfg(feature = "tokio")]
    "wss_server",
    #[cfg(feature = "hyper")]
    "h2_echo",
];

/// A running server.
struct Server {
    child: Child,
    /// Where it listens.
    url: String,
}

impl Server {
    fn start(name: &str) -> Self {
        let mut child = Command::new(example(name))
            .arg("127.0.0.1:0")
            // Where one of TLS writes its certificate.
            .arg(env::temp_dir().join(format!("sansocket-{}.pem", std::process::id())))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().strip_prefix("listening on ").expect(&line);
        let url = format!("{url}/");
        Self { child, url }
    }

    /// Of its page.
    fn page(&self) -> String {
        self.url.replacen("ws", "http", 1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the tests.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples").join(name);
    if !built.exists() {
        let features = [
            ("deflate", cfg!(feature = "deflate")),
            ("tokio", cfg!(feature = "tokio")),
            ("futures", cfg!(feature = "futures")),
            ("hyper", cfg!(feature = "hyper")),
        ];
        let features = features.iter().filter(|(_, is_on)| *is_on);
        let features: Vec<_> = features.map(|(name, _)| *name).collect();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", name, "--features"])
            .arg(features.join(","))
            .status();
        assert!(built.unwrap().success());
    }
    built
}

/// The folder into which `.ci/run` installs peers.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop")
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
        .join("tests/interop")
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
