//! Real peers against the echo servers among the examples: a browser, the JDK,
//! Node `ws` and Python `websockets`.

use std::process::Command;

use crate::peers::{
    has_browser, has_node_package, installed, is_missing, is_program, run, run_in_browser, script,
};
use crate::server::Server;

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

#[test]
fn node_ws_is_served() {
    if is_missing("Node ws", has_node_package("ws")) {
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
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    for name in SERVERS.iter().chain(TLS_SERVERS) {
        let server = Server::start(name);
        run_in_browser("echo.mjs", &[&server.page()]);
    }
}
