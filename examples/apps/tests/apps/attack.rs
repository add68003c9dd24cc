//! The attacks, with a few peers for a moment, and the verdicts of `attack`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use sansocket::{Config, blocking};

use crate::server::{Server, example};

/// What it prints with these arguments, and how it ends.
fn attack(args: &str) -> Output {
    let mut command = Command::new(example("attack"));
    command.arg("--no-build").args(args.split(' '));
    command.output().unwrap()
}

/// All that leave the server running.
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
    // The allocator may keep what the bombs held.
    let args = format!("--server {server} --peers 4 --seconds 0.2 --max-kept 128 --attack ");
    let output = attack(&(args + &attacks.join(" --attack ")));
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

// Requirement 15: no peer keeps a server from stopping.
#[test]
fn graceful_servers_stop_under_load() {
    let stop = |server| {
        example(server);
        attack(&format!(
            "--server {server} --attack stop --peers 10 --seconds 0.2"
        ))
    };
    let servers = ["echo_server", "echo_tokio", "echo_smol", "axum"];
    let stops = servers.map(|server| thread::spawn(move || stop(server)));
    for stop in stops {
        let output = stop.join().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn verdict_names_what_was_wrong() {
    let server = Server::start("echo_tokio");
    let (url, pid) = (&server.url, server.id());
    let args = format!("--url {url} --pid {pid} --attack silence --seconds 0.1");
    assert!(attack(&args).status.success());
    let output = attack(&format!("{args} --max-p99 0.001ms"));
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
    let output = attack(&format!("--url {url} --attack silence --seconds 2"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(
        table.contains("| client: a wrong echo of message 3"),
        "{table}"
    );
}

fn lose_third_message(stream: TcpStream) -> Result<(), sansocket::Error> {
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
    let output = attack("--url ws://192.0.2.1:9001");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("192.0.2.1:9001 is refused"), "{error}");
}

#[test]
fn guide_lists_every_attack_and_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("src/guide/attacks.md")).unwrap();
    let output = attack("--list");
    let lists = String::from_utf8(output.stdout).unwrap();
    let missing: Vec<_> = lists.lines().filter(|line| !guide.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
