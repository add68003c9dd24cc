//! The attacks, with a few peers for a moment, and the verdicts of `attack`.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use sansocket::{Config, blocking};

use crate::server::{Server, example};

fn attack(args: &[&str]) -> Output {
    let mut command = Command::new(example("attack"));
    command.arg("--no-build").args(args).output().unwrap()
}

/// All that leave the server running, and take no time to recover from.
fn assert_unharmed(server: &str) {
    example(server);
    let attacks = [
        "silence",
        "slow-heads",
        "slow-bodies",
        "pings",
        "no-reading",
        "fragments",
        "bombs",
        "resets",
        "closes",
        "descriptors",
    ];
    let mut args = vec!["--server", server, "--peers", "4", "--seconds", "0.2"];
    args.extend(attacks.iter().flat_map(|attack| ["--attack", attack]));
    // The allocator of the test build may keep what the bombs held.
    args.extend(["--max-kept", "128"]);
    let output = attack(&args);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{table}\n{output:?}");
    assert_eq!(table.matches("| ok |").count(), attacks.len(), "{table}");
}

// Requirements 22 and 28: attackers harm nobody else, on threads.
#[test]
fn blocking_server_withstands_attacks() {
    assert_unharmed("echo_server");
}

// Requirements 22 and 28: attackers harm nobody else, on tokio.
#[test]
fn tokio_server_withstands_attacks() {
    assert_unharmed("echo_tokio");
}

#[test]
fn verdict_names_what_was_wrong() {
    let server = Server::start("echo_tokio");
    let (url, pid) = (&*server.url, &*server.id().to_string());
    let slow = [
        "--url",
        url,
        "--pid",
        pid,
        "--attack",
        "silence",
        "--seconds",
        "0.1",
    ];
    assert!(attack(&slow).status.success());
    let output = attack(&[&slow[..], &["--max-p99", "0.001ms"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("| p99 is too long |"));
}

#[test]
fn verdict_notices_a_lost_message() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(|| lose_third_message(stream.unwrap()));
        }
    });
    let output = attack(&["--url", &url, "--attack", "silence", "--seconds", "0.3"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(
        table.contains("| client: a wrong echo of message 3"),
        "{table}"
    );
}

fn lose_third_message(stream: std::net::TcpStream) -> Result<(), sansocket::Error> {
    let mut ws = blocking::accept(stream, &Config::new())?;
    let mut number = 0;
    while let Some(message) = ws.next()? {
        number += 1;
        if number != 3 {
            ws.send(message)?;
        }
    }
    Ok(())
}

#[test]
fn only_this_machine_is_attacked() {
    // TEST-NET-1: documentation only (RFC 5737).
    let output = attack(&["--url", "ws://192.0.2.1:9001"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("192.0.2.1:9001 is refused"), "{error}");
}

#[test]
fn guide_lists_every_attack_and_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("src/guide/attacks.md")).unwrap();
    let output = attack(&["--list"]);
    let lists = String::from_utf8(output.stdout).unwrap();
    let missing: Vec<_> = lists.lines().filter(|line| !guide.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
