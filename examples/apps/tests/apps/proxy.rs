//! The `proxy` example: bytes pass untouched, and what passes is shown.

use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::peers::{has_node_package, is_missing, run, script};
use crate::server::Server;

/// A relay, and what it shows until it is dropped.
struct Proxy {
    server: Server,
    trace: JoinHandle<String>,
}

impl Proxy {
    fn to(upstream: &str) -> Self {
        let mut server = Server::start_with("proxy", &[upstream]);
        let mut stdout = server.take_stdout();
        let trace = thread::spawn(move || {
            let mut shown = String::new();
            while let Ok(1..) = stdout.read_line(&mut shown) {}
            shown
        });
        Self { server, trace }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.url.split('/').nth(2).unwrap()).unwrap();
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    fn end(self) -> String {
        drop(self.server);
        self.trace.join().unwrap()
    }
}

const REQUEST: &[u8] = b"GET /any HTTP/1.1\r\nhost:a \r\nUPGRADE: WebSocket\r\n\
    Cookie: token=secret\r\nSec-WebSocket-Extensions: x; y\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Any Words\r\nX: 1\r\n\r\n";

/// Sent together with the response.
const GREETING: &[u8] = b"\x81\x02hi";

/// Both ends of a connection through a relay, after the handshake.
fn joined() -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::to(&format!("ws://{}", listener.local_addr().unwrap()));
    let mut client = proxy.connect();
    client.write_all(REQUEST).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server
        .set_read_timeout(client.read_timeout().unwrap())
        .unwrap();
    passes(REQUEST, &mut client, &mut server, false);
    let response = [RESPONSE, GREETING].concat();
    passes(&response, &mut server, &mut client, true);
    (proxy, client, server)
}

/// The bytes are sent, unless they were already, and arrive as they are.
#[track_caller]
fn passes(bytes: &[u8], from: &mut TcpStream, to: &mut TcpStream, send: bool) {
    if send {
        from.write_all(bytes).unwrap();
    }
    let mut received = vec![0; bytes.len()];
    to.read_exact(&mut received).unwrap();
    assert_eq!(received, bytes);
}

#[test]
fn real_programs_talk_through_it() {
    if is_missing("Node ws", has_node_package("ws")) {
        return;
    }
    let echo = Server::start("echo_tokio");
    let proxy = Proxy::to(&echo.url);
    run(Command::new("node")
        .arg(script("node_ws.mjs"))
        .arg(&proxy.server.url));
    let trace = proxy.end();
    for shown in [
        "> GET / HTTP/1.1",
        "< HTTP/1.1 101 Switching Protocols",
        "< Sec-WebSocket-Protocol: echo",
        "< Sec-WebSocket-Extensions: permessage-deflate",
        "> text         fin                  12  \"grüße 🦀\"",
        "> binary       fin                   4  00 01 fe ff",
        "> binary       fin rsv1 ",
        "< binary       fin rsv1 ",
        "> text                               4  \"frag\"",
        "> ping         fin                   7  \"between\"",
        "> continuation fin                   5  \"ments\"",
        "< pong         fin                   7  \"between\"",
        "> close        fin                   8  4001 \"enough\"",
        "< close        fin                   2  4001 \"\"",
        "< end of stream\n",
    ] {
        assert!(trace.contains(shown), "{shown}: {trace}");
    }
}

#[test]
fn frames_pass_untouched() {
    let (proxy, mut client, mut server) = joined();
    // Reserved bits, a mask, a fragment, and masks on the wrong side.
    let frames = b"\x71\x83\x01\x02\x03\x04\x60\x60\x60\x80\x80\xff\xff\xff\xff\x8a\x01x";
    passes(frames, &mut client, &mut server, true);
    passes(frames, &mut server, &mut client, true);
    // A reserved opcode, a length that is not minimal, and anything after them.
    let broken = b"\x83\x00\x81\x7e\x00\x01xGET / HTTP/1.1\r\n";
    passes(broken, &mut client, &mut server, true);
    passes(frames, &mut server, &mut client, true);
    drop((client, server));
    let trace = proxy.end();
    assert!(
        trace.contains("> text         rsv1 rsv2 rsv3        3  61 62 63\n"),
        "{trace}"
    );
    assert!(trace.contains("> broken frame: reserved opcode"), "{trace}");
    let greeting = "< text         fin                   2  \"hi\"\n";
    assert!(trace.contains(greeting), "{trace}");
    assert!(!trace.contains("secret"));
}

#[test]
fn each_direction_ends_by_itself() {
    let (proxy, mut client, mut server) = joined();
    client.write_all(b"\x81\x05He").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"\x81\x05He");
    passes(b"\x81\x05Hello", &mut server, &mut client, true);
    drop(server);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    let trace = proxy.end();
    assert!(
        trace.contains("> end of stream within a frame\n"),
        "{trace}"
    );
}

#[test]
fn slow_reader_slows_down_the_sender() {
    // Far beyond what the system's buffers hold.
    const MAX_LEN: usize = 512 << 20;
    let (_proxy, mut client, mut server) = joined();
    client
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    client.write_all(b"\x82\x7f\0\0\0\x01\0\0\0\0").unwrap();
    let (chunk, mut sent) = ([0; 1 << 16], 10);
    loop {
        match client.write(&chunk) {
            Ok(len) => sent += len,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(sent < MAX_LEN, "it is held somewhere");
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(io::copy(&mut server, &mut io::sink()).unwrap(), sent as u64);
}

#[test]
fn pages_and_refusals_pass_too() {
    let echo = Server::start("echo_tokio");
    let proxy = Proxy::to(&echo.url);
    let mut client = proxy.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    client.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<title>"));
    let axum = Server::start("axum");
    let proxy = Proxy::to(&axum.url);
    let url = format!("{}chat", proxy.server.url);
    let error = sansocket::blocking::connect(url, &sansocket::Config::new()).unwrap_err();
    assert!(matches!(error, sansocket::Error::Refused(response) if response.status() == 401));
    assert!(proxy.end().contains("< HTTP/1.1 401 "));
}
