//! Servers end in order.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansocket::{Config, blocking};

use crate::server::Server;

/// Each with the path of its WebSocket, and what is said first.
const SERVERS: &[(&str, &str, Option<&str>)] = &[
    ("ticker", "compressed", None),
    ("http_vs_websocket", "websocket", None),
    ("collab", "room", Some(r#"{"hello":"Ada"}"#)),
    ("game", "arena", None),
    (
        "chat",
        "",
        Some(r#"{"type":"join","room":"a","name":"Ada"}"#),
    ),
];

#[test]
fn stop_closes_every_socket_with_1001() {
    for (name, path, greeting) in SERVERS {
        let server = Server::start(name);
        let url = format!("{}{path}", server.url);
        let mut ws = blocking::connect(url.as_str(), &Config::new()).unwrap();
        if let Some(greeting) = greeting {
            ws.send(*greeting).unwrap();
        }
        assert!(ws.next().unwrap().is_some(), "{name} is served");
        let stopping = std::thread::spawn(move || server.interrupt());
        while ws.next().unwrap().is_some() {}
        let outcome = ws.outcome().unwrap();
        assert_eq!((outcome.clean, outcome.code), (true, 1001.into()), "{name}");
        stopping.join().unwrap();
    }
}

/// The servers that close their WebSockets when they are interrupted.
const ORDERLY: &[&str] = &[
    "axum",
    "chat",
    "collab",
    "echo_server",
    "echo_smol",
    "echo_tokio",
    "game",
    "http_vs_websocket",
    "socketio",
    "ticker",
];

/// What peers have sent that never complete their handshake: nothing, half a head, and
/// half a TLS hello.
const UNFINISHED: [&[u8]; 3] = [
    b"",
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: webso",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
];

// Their deadlines come after 10 s, or never.
#[test]
fn stop_does_not_wait_for_handshakes() {
    for name in ORDERLY {
        let server = Server::start(name);
        let (_, addr) = server.url.split_once("://").unwrap();
        let addr = addr.trim_end_matches('/');
        let peers = UNFINISHED.map(|bytes| {
            let mut peer = TcpStream::connect(addr).unwrap();
            peer.write_all(bytes).unwrap();
            peer
        });
        // So that the server has accepted them.
        thread::sleep(Duration::from_millis(200));
        let (sender, stopped) = mpsc::channel();
        thread::spawn(move || {
            server.interrupt();
            sender.send(())
        });
        let stopped = stopped.recv_timeout(Duration::from_secs(5));
        assert!(stopped.is_ok(), "{name} waits");
        for mut peer in peers {
            peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut buf = [0; 1000];
            while let Ok(1..) = peer.read(&mut buf) {}
        }
    }
}
