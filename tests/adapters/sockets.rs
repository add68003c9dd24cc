//! The blocking adapter over TCP: connecting, deadlines, halves for two
//! threads, and an end that the peer can read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansocket::adapter::{ConnectStep, Error};
use sansocket::blocking::{self, Client};
use sansocket::{
    Answer, ClientRequest, CloseCode, Config, ConnectionError, DeadlineReason, Event,
    HandshakeError, Message, Request,
};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Soon enough for a test; nothing is asserted of how soon.
const SOON: Duration = Duration::from_millis(50);

/// Runs a server for one connection in a thread.
fn serve<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (
        addr,
        thread::spawn(move || serve(listener.accept().unwrap().0)),
    )
}

fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut ws = blocking::accept(stream, &Config::new())?;
    while let Some(message) = ws.next()? {
        ws.send(message)?;
    }
    Ok(())
}

fn connect(addr: SocketAddr) -> Client {
    blocking::connect(format!("ws://{addr}/"), &Config::new()).unwrap()
}

/// A peer that shakes hands and then does what the test wants.
fn raw_client(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

fn timeout_of<T>(result: Result<T, Error>) -> Option<DeadlineReason> {
    match result {
        Err(Error::Failed(ConnectionError::Timeout(reason))) => Some(reason),
        _ => None,
    }
}

#[test]
fn messages_of_all_sizes_are_echoed() {
    let (addr, server) = serve(echo);
    let mut ws = connect(addr);
    for len in [0, 1, 125, 126, 65_535, 65_536, 300_000, 5_000_000] {
        let message = Message::from(vec![7; len]);
        let (mut writer, expected) = (message.clone(), message);
        // Both ends send and read in turn, so a large message needs no thread.
        ws.send(std::mem::replace(&mut writer, "".into())).unwrap();
        assert!(ws.next().unwrap() == Some(expected), "{len} bytes");
    }
    ws.close(1000, "done").unwrap();
    assert_eq!(ws.next().unwrap(), None);
    assert!(ws.outcome().unwrap().clean);
    server.join().unwrap().unwrap();
}

// Requirement 38
#[test]
fn small_packets_are_not_delayed() {
    let (addr, server) = serve(|stream| {
        let ws = blocking::accept(stream, &Config::new()).unwrap();
        ws.stream().nodelay().unwrap()
    });
    assert!(connect(addr).stream().tcp().nodelay().unwrap());
    assert!(server.join().unwrap());
}

#[test]
fn bracketed_ipv6_address_is_connected_to() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: this machine has no IPv6 loopback");
        return;
    };
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut host = None;
        let stream = listener.accept().unwrap().0;
        blocking::accept_with(stream, &Config::new(), |request| {
            host = request.host().map(String::from);
            request.accept()
        })
        .unwrap();
        host
    });
    blocking::connect(format!("ws://{addr}"), &Config::new()).unwrap();
    assert_eq!(server.join().unwrap(), Some(addr.to_string()));
}

#[test]
fn connecting_fails_with_what_went_wrong() {
    let config = Config::new();
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = (ConnectStep::Tcp, ErrorKind::ConnectionRefused);
    let mut cases = vec![(format!("ws://{unused}"), refused)];
    if !cfg!(feature = "rustls") {
        // Before anything is dialled.
        let no_tls = (ConnectStep::Tls, ErrorKind::Unsupported);
        cases.push((format!("wss://{unused}"), no_tls));
    }
    for (url, expected) in cases {
        let Err(Error::Connect { step, error }) = blocking::connect(&url, &config) else {
            panic!("{url}")
        };
        assert_eq!((step, error.kind()), expected, "{url}");
    }
    assert!(matches!(
        blocking::connect("http://127.0.0.1", &config),
        Err(Error::Request(_))
    ));
}

// Requirements 18 and 29
#[test]
fn one_port_serves_pages_and_sockets() {
    let (addr, server) = serve(|stream| {
        blocking::accept_with(stream, &Config::new(), |request| {
            assert!(!request.is_upgrade());
            Answer::new(200).with_body("a page")
        })
    });
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\na page"));
    assert!(server.join().unwrap().unwrap().is_none());

    let (addr, server) = serve(|stream| {
        blocking::accept_with(stream, &Config::new(), |request| request.reject(403))
    });
    let refused = blocking::connect(format!("ws://{addr}"), &Config::new());
    let Err(Error::Refused(response)) = refused else {
        panic!("not refused")
    };
    assert_eq!(
        (response.status(), response.body()),
        (403, &b"403 Forbidden\n"[..])
    );
    assert!(server.join().unwrap().unwrap().is_none());
}

#[test]
fn plain_request_is_told_to_upgrade() {
    let (addr, server) = serve(|stream| blocking::accept(stream, &Config::new()).map(drop));
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
        "{answer}"
    );
    let expected = ConnectionError::from(HandshakeError::NotAnUpgrade);
    assert!(matches!(server.join().unwrap(), Err(Error::Failed(error)) if error == expected));
}

// Requirement 15
#[test]
fn silent_client_is_given_up_during_the_handshake() {
    let config = Config::new()
        .with_handshake_timeout(SOON)
        .with_close_timeout(SOON);
    let (addr, server) = serve(move |stream| blocking::accept(stream, &config).map(drop));
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    assert_eq!(
        timeout_of(server.join().unwrap()),
        Some(DeadlineReason::Handshake)
    );
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{answer}"
    );
}

// Requirement 15
#[test]
fn silent_server_is_given_up_during_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::new().with_handshake_timeout(SOON);
    let result = blocking::connect(format!("ws://{}", listener.local_addr().unwrap()), &config);
    assert_eq!(timeout_of(result), Some(DeadlineReason::Handshake));
}

// Requirement 16
#[test]
fn mute_peer_is_pinged_and_given_up() {
    let config = Config::new()
        .with_ping_interval(SOON)
        .with_pong_timeout(SOON)
        .with_close_timeout(SOON);
    let (addr, server) =
        serve(move |stream| blocking::accept(stream, &config).unwrap().next().map(drop));
    let mut stream = raw_client(addr);
    let mut seen = Vec::new();
    stream.read_to_end(&mut seen).unwrap();
    assert_eq!(
        seen, b"\x89\x04\0\0\0\x01\x88\x02\x03\xf3",
        "a ping, then a close frame with 1011"
    );
    assert_eq!(
        timeout_of(server.join().unwrap()),
        Some(DeadlineReason::Pong)
    );
}

// Requirement 16
#[test]
fn answering_peer_is_kept() {
    let config = Config::new()
        .with_ping_interval(Duration::from_millis(5))
        .with_pong_timeout(SOON * 100);
    let (addr, server) = serve(move |stream| {
        let mut ws = blocking::accept(stream, &config).unwrap();
        let mut pongs = 0;
        while let Ok(Some(event)) = ws.next_event() {
            pongs += usize::from(matches!(event, Event::Pong(_)));
            if pongs == 3 {
                ws.close(1000, "").unwrap();
            }
        }
        ws.outcome().unwrap().clone()
    });
    let mut ws = connect(addr);
    assert!(matches!(ws.next(), Ok(None)));
    assert!(server.join().unwrap().clean);
}

// Requirement 15
#[test]
fn unanswered_close_ends_at_its_deadline() {
    let config = Config::new().with_close_timeout(SOON);
    let (addr, server) = serve(move |stream| {
        let mut ws = blocking::accept(stream, &config).unwrap();
        ws.close(1000, "").unwrap();
        (timeout_of(ws.next()), ws.outcome().unwrap().clean)
    });
    let _stream = raw_client(addr);
    assert_eq!(server.join().unwrap(), (Some(DeadlineReason::Close), false));
}

// Requirement 15
#[test]
fn server_that_keeps_the_stream_open_is_left_at_the_deadline() {
    let (addr, server) = serve(|mut stream| {
        let mut ws = blocking::accept(stream.try_clone().unwrap(), &Config::new()).unwrap();
        assert!(ws.next().unwrap().is_none());
        std::mem::forget(ws);
        // Neither drops the stream nor sends anything: reads until the client leaves.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    });
    let config = Config::new().with_close_timeout(SOON);
    let mut ws = blocking::connect(format!("ws://{addr}"), &config).unwrap();
    ws.close(1000, "").unwrap();
    assert!(matches!(ws.next(), Ok(None)));
    assert!(ws.outcome().unwrap().clean, "both close frames have passed");
    drop(ws);
    server.join().unwrap();
}

// Requirements 15 and 28
#[test]
fn peer_that_reads_nothing_is_given_up() {
    let config = Config::new().with_write_timeout(SOON);
    let (addr, server) = serve(move |stream| {
        let mut ws = blocking::accept(stream, &config).unwrap();
        let stalled = loop {
            if let Err(error) = ws.send(vec![0; 100_000]) {
                break error;
            }
        };
        (
            timeout_of(Err::<(), _>(stalled)),
            timeout_of(ws.next()),
            ws.next().unwrap(),
        )
    });
    let _stream = raw_client(addr);
    let stall = Some(DeadlineReason::WriteStall);
    assert_eq!(server.join().unwrap(), (stall, stall, None));
}

// Requirement 17
#[test]
fn close_frame_reaches_a_peer_that_is_still_sending() {
    let config = Config::new().with_max_message_len(1000);
    let (addr, server) =
        serve(move |stream| blocking::accept(stream, &config).unwrap().next().map(drop));
    let mut stream = raw_client(addr);
    stream
        .write_all(b"\x82\xff\0\0\0\0\x00\x40\0\0\0\0\0\0")
        .unwrap();
    // Unread bytes at the server's end would make its system reset the
    // connection, and the close frame be lost on the way.
    for _ in 0..64 {
        stream.write_all(&[0; 65_536]).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut seen = Vec::new();
    stream.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, b"\x88\x02\x03\xf1");
    assert!(matches!(
        server.join().unwrap(),
        Err(Error::Failed(ConnectionError::Limit(_)))
    ));
}

// Requirement 10
// Requirement 17, where the caller waits until the stream is ready.
#[test]
fn peer_that_is_still_sending_is_read_from_a_stream_that_does_not_block() {
    let (addr, server) = serve(|stream| {
        let config = Config::new().with_max_message_len(1000);
        let mut ws = blocking::accept(stream, &config).unwrap();
        ws.stream().set_nonblocking(true).unwrap();
        loop {
            match ws.next() {
                Err(error) if error.is_would_block() => thread::sleep(SOON / 10),
                ended => return ended.map(drop),
            }
        }
    });
    let mut stream = raw_client(addr);
    stream
        .write_all(b"\x82\xff\0\0\0\0\x00\x40\0\0\0\0\0\0")
        .unwrap();
    let mut close = [0; 4];
    stream.read_exact(&mut close).unwrap();
    assert_eq!(close, *b"\x88\x02\x03\xf1");
    // A server that is gone resets the connection.
    thread::sleep(SOON);
    for _ in 0..64 {
        stream.write_all(&[0; 65_536]).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(
        server.join().unwrap(),
        Err(Error::Failed(ConnectionError::Limit(_)))
    ));
}

#[test]
fn halves_work_in_two_threads() {
    let (addr, server) = serve(echo);
    let (mut reader, mut writer) = connect(addr).split();
    let sender = thread::spawn(move || {
        for i in 0..1000_u32 {
            writer.feed(&i.to_be_bytes()).unwrap();
        }
        writer.flush().unwrap();
        writer.send(vec![1; 1_000_000]).unwrap();
        writer.close(1000, "").unwrap();
    });
    for i in 0..1000_u32 {
        assert_eq!(
            reader.next().unwrap(),
            Some(i.to_be_bytes().to_vec().into())
        );
    }
    assert_eq!(
        reader.next().unwrap().map(|message| message.len()),
        Some(1_000_000)
    );
    assert_eq!(reader.next().unwrap(), None);
    assert!(reader.outcome().unwrap().clean);
    sender.join().unwrap();
    server.join().unwrap().unwrap();
}

// Requirement 10
#[test]
fn ping_is_answered_while_the_writer_is_blocked_or_idle() {
    let (addr, server) = serve(|stream| {
        let (mut reader, mut writer) = blocking::accept(stream, &Config::new()).unwrap().split();
        let sender = thread::spawn(move || {
            let mut sent = 0;
            while writer.send(vec![0; 100_000]).is_ok() {
                sent += 1;
            }
            sent
        });
        while let Ok(Some(_)) = reader.next() {}
        sender.join().unwrap()
    });
    let mut ws = connect(addr);
    // The server's writer is blocked by now, or soon will be.
    thread::sleep(SOON);
    ws.ping(b"are you there?").unwrap();
    let mut messages = 0;
    loop {
        match ws.next_event().unwrap().unwrap() {
            Event::Pong(payload) => break assert_eq!(&*payload, b"are you there?"),
            Event::Message(_) => messages += 1,
            _ => {}
        }
    }
    ws.close(1000, "").unwrap();
    while ws.next().unwrap().is_some() {
        messages += 1;
    }
    assert!(server.join().unwrap() >= messages);
}

// Requirement 15
#[test]
fn split_halves_keep_deadlines() {
    let config = Config::new()
        .with_write_timeout(SOON)
        .with_close_timeout(SOON);
    let (addr, server) = serve(move |stream| {
        let (mut reader, mut writer) = blocking::accept(stream, &config).unwrap().split();
        let sender = thread::spawn(move || {
            loop {
                if let Err(error) = writer.send(vec![0; 100_000]) {
                    return timeout_of(Err::<(), _>(error));
                }
            }
        });
        let received = timeout_of(reader.next());
        (sender.join().unwrap(), received, reader.next().unwrap())
    });
    let _stream = raw_client(addr);
    let stall = Some(DeadlineReason::WriteStall);
    assert_eq!(server.join().unwrap(), (stall, stall, None));
}

#[test]
fn subprotocol_is_settled_on_both_ends() {
    let (addr, server) = serve(|stream| {
        let answer = |request: &Request| request.accept().with_subprotocol("echo").unwrap();
        let ws = blocking::accept_with(stream, &Config::new(), answer)
            .unwrap()
            .unwrap();
        ws.subprotocol().map(String::from)
    });
    let request = ClientRequest::to(&format!("ws://{addr}")).unwrap();
    let request = request
        .with_subprotocol("chat")
        .unwrap()
        .with_subprotocol("echo")
        .unwrap();
    let ws = blocking::connect(request, &Config::new()).unwrap();
    assert_eq!(ws.subprotocol(), Some("echo"));
    assert_eq!(server.join().unwrap().as_deref(), Some("echo"));
}

#[test]
fn close_code_and_reason_are_told_to_both_ends() {
    let (addr, server) = serve(|stream| {
        let mut ws = blocking::accept(stream, &Config::new()).unwrap();
        assert!(ws.next().unwrap().is_none());
        ws.outcome().unwrap().clone()
    });
    let mut ws = connect(addr);
    ws.close(4001, "enough").unwrap();
    assert!(ws.next().unwrap().is_none());
    let told = server.join().unwrap();
    assert_eq!(
        (told.code, &*told.reason),
        (CloseCode::from(4001), "enough")
    );
    assert_eq!(ws.outcome().unwrap().code, CloseCode::from(4001));
}

// Requirement 16: what leaves is progress, though as much comes in its place.
#[test]
fn sender_whose_peer_reads_is_not_given_up() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let (addr, sending) = serve(|stream| {
        let config = Config::new().with_write_timeout(TIMEOUT);
        let mut ws = blocking::accept(stream, &config)?;
        let start = Instant::now();
        while start.elapsed() < 3 * TIMEOUT {
            ws.send(&[0; 1000][..])?;
        }
        ws.close(1000, "")?;
        ws.next()
    });
    let mut ws = connect(addr);
    while ws.next().unwrap().is_some() {}
    assert_eq!(sending.join().unwrap().unwrap(), None);
}

// Requirement 15: sends in between are no sign of life.
#[test]
fn silent_peer_is_given_up_though_there_is_something_to_send() {
    let (addr, serving) = serve(|stream| {
        let config = Config::new()
            .with_ping_interval(SOON)
            .with_pong_timeout(SOON);
        let mut ws = blocking::accept(stream, &config).unwrap();
        ws.stream().set_nonblocking(true).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            match ws.next() {
                Err(error) if error.is_would_block() => thread::sleep(SOON / 10),
                ended => return timeout_of(ended),
            }
            let _ = ws.send("tick");
        }
        None
    });
    let _silent = raw_client(addr);
    assert_eq!(serving.join().unwrap(), Some(DeadlineReason::Pong));
}

// Requirement 15: neither are those of another thread.
#[test]
fn silent_peer_is_given_up_though_the_other_half_sends() {
    let (addr, serving) = serve(|stream| {
        let config = Config::new()
            .with_ping_interval(SOON)
            .with_pong_timeout(SOON);
        let ws = blocking::accept(stream, &config).unwrap();
        let (mut reader, mut writer) = ws.split();
        let start = Instant::now();
        let sending = thread::spawn(move || {
            while start.elapsed() < Duration::from_secs(3) && writer.send("tick").is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let ended = timeout_of(reader.next());
        let elapsed = start.elapsed();
        drop(reader);
        sending.join().unwrap();
        (ended, elapsed)
    });
    let _silent = raw_client(addr);
    let (ended, elapsed) = serving.join().unwrap();
    assert_eq!(ended, Some(DeadlineReason::Pong));
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

// The peer of a rejected request ends the stream at once: the failure comes all
// the same.
#[test]
fn failure_comes_though_the_peer_ends_the_stream() {
    for by_event in [true, false] {
        let (addr, server) = serve(move |stream| {
            let mut ws = blocking::WebSocket::server(stream, &Config::new())
                .with_socket(blocking::Socket::tcp());
            if by_event {
                let event = ws.next_event().unwrap();
                assert!(matches!(event, Some(Event::Rejected(_))), "{event:?}");
            }
            ws.next()
        });
        let mut stream = TcpStream::connect(addr).unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n")
            .unwrap();
        let mut refusal = Vec::new();
        stream.read_to_end(&mut refusal).unwrap();
        assert!(refusal.starts_with(b"HTTP/1.1 400 "));
        drop(stream);
        assert!(server.join().unwrap().is_err(), "the handshake failed");
    }
}
