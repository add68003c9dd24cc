//! The example servers leave no socket open: not that of a client that is silent,
//! that goes away, or that resets the connection.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::Server;

/// One server for each adapter, and more.
const SERVERS: &[&str] = &[
    "echo_server",
    "mio_echo",
    "io_uring",
    "echo_tokio",
    "broadcast",
    "wss_server",
    "echo_smol",
    // Not `axum`: `axum::serve` has no deadline for a request.
    "hyper",
    "h2_echo",
    "socketio",
    "ticker",
    "http_vs_websocket",
    "collab",
    "game",
    "chat",
];

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn sockets(server: &Server) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("it runs");
    let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

fn connect(server: &Server) -> TcpStream {
    let addr = server.url.split('/').nth(2).expect("an authority");
    let stream = TcpStream::connect(addr).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a socket");
    stream
}

/// Clients that say nothing, half of a request, and all of one, after which they
/// go away. The first two stay until the server ends them.
fn attack(name: &'static str) {
    let server = Server::start(name);
    let before = sockets(&server);
    let silent: Vec<_> = (0..10).map(|_| connect(&server)).collect();
    let mut halfway: Vec<_> = (0..10).map(|_| connect(&server)).collect();
    for stream in &mut halfway {
        let _ = stream.write_all(&REQUEST[..40]);
    }
    for _ in 0..10 {
        let mut stream = connect(&server);
        let _ = stream.write_all(REQUEST);
        let _ = stream.read(&mut [0; 12]);
    }
    let start = Instant::now();
    let limit = Duration::from_secs(25);
    while sockets(&server) > before && start.elapsed() < limit {
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(sockets(&server), before, "{name} keeps sockets");
    drop((silent, halfway));
}

#[test]
fn servers_leave_no_socket_open() {
    let attacks: Vec<_> = SERVERS
        .iter()
        .map(|name| (name, thread::spawn(|| attack(name))))
        .collect();
    let failed: Vec<_> = attacks
        .into_iter()
        .filter_map(|(name, attack)| attack.join().err().map(|_| name))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}
