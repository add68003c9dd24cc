//! The `socketio` example, with the client from npm, and with what no client sends.

use std::process::Command;

use sansocket::blocking::{Client, Error, connect};
use sansocket::{Config, Message};

use crate::peers::{has_browser, has_node_package, is_missing, run, run_in_browser, script};
use crate::server::Server;

fn open(server: &Server) -> Client {
    let url = format!("{}socket.io/?EIO=4&transport=websocket", server.url);
    let mut ws = connect(url, &Config::new()).unwrap();
    assert!(text(&mut ws).starts_with("0{"));
    ws
}

fn text(ws: &mut Client) -> String {
    match ws.next().unwrap() {
        Some(Message::Text(text)) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_closed(ws: &mut Client, code: u16, reason: &str) {
    assert_eq!(ws.next().unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.code.into(), &*outcome.reason), (code, reason));
}

#[test]
fn socket_io_client_is_served() {
    if is_missing("socket.io-client", has_node_package("socket.io-client")) {
        return;
    }
    let server = Server::start_with("socketio", &["--ping-interval", "200"]);
    run(Command::new("node")
        .arg(script("socketio.mjs"))
        .arg(server.page()));
}

#[test]
fn page_shows_packets() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let server = Server::start("socketio");
    run_in_browser("socketio_page.mjs", &[&server.page()]);
}

#[test]
fn other_transports_are_refused() {
    let server = Server::start("socketio");
    for query in ["EIO=4&transport=polling", "EIO=3&transport=websocket", ""] {
        let url = format!("{}socket.io/?{query}", server.url);
        let error = connect(url, &Config::new()).unwrap_err();
        assert!(matches!(error, Error::Refused(response) if response.status() == 400));
    }
}

#[test]
fn broken_packets_end_the_connection() {
    let server = Server::start("socketio");
    let mut ws = open(&server);
    ws.send("40").unwrap();
    assert!(text(&mut ws).starts_with("40{\"pid\""));
    ws.send("42[").unwrap();
    is_closed(&mut ws, 1007, "parse error: InvalidData");
    // An event before the namespace was entered.
    let mut ws = open(&server);
    ws.send("42[\"echo\"]").unwrap();
    is_closed(&mut ws, 1008, "forced close");
}

#[test]
fn silent_clients_are_closed() {
    let server = Server::start_with("socketio", &["--ping-interval", "100"]);
    is_closed(&mut open(&server), 1008, "ping timeout");
}

#[test]
fn stop_closes_every_client() {
    let server = Server::start("socketio");
    let mut ws = open(&server);
    let stopping = std::thread::spawn(move || server.interrupt());
    is_closed(&mut ws, 1001, "the server stops");
    stopping.join().unwrap();
}
