//! The server for all clients. It serves one connection at a time, and discards or
//! sends messages as the path of the request says.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use tungstenite::handshake::derive_accept_key;

use super::load::frame;

/// Starts it in a thread, on the core of the calling thread.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that disconnects is not an error.
            let _ = stream.and_then(serve);
        }
    });
    Ok(addr)
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let head = head(&mut stream)?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_key = name.eq_ignore_ascii_case("sec-websocket-key");
        is_key.then_some(value.trim())
    });
    let key = derive_accept_key(key.ok_or(ErrorKind::InvalidData)?.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\r\n"
    );
    stream.write_all(response.as_bytes())?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path.strip_prefix("/flood/").map(str::parse) {
        Some(len) => flood(stream, len.map_err(io::Error::other)?),
        None => discard(stream),
    }
}

fn head(stream: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut buf) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buf)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            len => head.extend_from_slice(&buf[..len]),
        }
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// Sends binary messages of this length until the client disconnects.
fn flood(mut stream: TcpStream, len: usize) -> io::Result<()> {
    let frames = frame(&vec![b'f'; len], None);
    let frames = frames.repeat((256 * 1024 / frames.len()).max(1));
    loop {
        stream.write_all(&frames)?;
    }
}

fn discard(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; 256 * 1024];
    while stream.read(&mut buf)? > 0 {}
    Ok(())
}
