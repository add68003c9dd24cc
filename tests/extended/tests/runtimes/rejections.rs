//! Requests that break a rule, for each adapter: `accept` returns the fault after the
//! answer was sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use sansocket::Error;
use sansocket::{Config, HandshakeError, Request, blocking, futures};

/// Accepts a connection, opens it or not, and drops it.
type Adapter = (&'static str, fn(TcpStream) -> Result<bool, Error>);

const ADAPTERS: [Adapter; 5] = [
    ("blocking accept", |stream| {
        blocking::accept(stream, &Config::new()).map(|_| true)
    }),
    ("blocking accept_with", |stream| {
        let ws = blocking::accept_with(stream, &Config::new(), Request::accept)?;
        Ok(ws.is_some())
    }),
    ("tokio accept", |stream| {
        in_tokio(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let ws = sansocket::tokio::accept(stream, &Config::new()).await?;
            Ok(ws.connection().is_open())
        })
    }),
    ("tokio accept_on", |stream| {
        in_tokio(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let accept = Request::accept;
            let ws = sansocket::tokio::accept_on(stream, &Config::new(), accept).await?;
            Ok(ws.is_some())
        })
    }),
    ("futures accept_with", |stream| {
        smol::block_on(async {
            let stream = smol::net::TcpStream::try_from(stream)?;
            let ws = futures::WebSocket::server(stream, &Config::new());
            Ok(ws.accept_with(Request::accept).await?.is_some())
        })
    }),
];

fn in_tokio(work: impl Future<Output = Result<bool, Error>>) -> Result<bool, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// What the adapter returned, and all that the client received.
fn exchange((name, accept): Adapter, request: &'static str) -> (Result<bool, Error>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let (stream, _) = listener.accept().unwrap();
    stream
        .set_nonblocking(!name.starts_with("blocking"))
        .unwrap();
    let accepted = accept(stream);
    (accepted, client.join().unwrap())
}

#[test]
fn accept_returns_the_rejection_after_its_answer() {
    let foreign = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Origin: https://evil.example\r\n\r\n";
    let rows = [
        (foreign, HandshakeError::OriginNotAllowed, Some("/chat")),
        ("nonsense\r\n\r\n", HandshakeError::MalformedHead, None),
    ];
    for adapter in ADAPTERS {
        for (request, error, target) in rows {
            let (accepted, answer) = exchange(adapter, request);
            let Err(Error::Rejected(rejection)) = accepted else {
                panic!("{}: {accepted:?}", adapter.0)
            };
            assert_eq!(rejection.error(), error, "{}", adapter.0);
            assert_eq!(rejection.target(), target, "{}", adapter.0);
            let status = format!("HTTP/1.1 {} ", error.status());
            assert!(answer.starts_with(&status), "{}: {answer}", adapter.0);
            assert!(answer.ends_with('\n'), "{}: {answer}", adapter.0);
        }
    }
}

#[test]
fn accept_opens_what_keeps_the_rules() {
    let request = "\r\nGET http://h/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
    for adapter in ADAPTERS {
        let (accepted, answer) = exchange(adapter, request);
        assert!(matches!(accepted, Ok(true)), "{}: {accepted:?}", adapter.0);
        assert!(
            answer.starts_with("HTTP/1.1 101 "),
            "{}: {answer}",
            adapter.0
        );
    }
}
