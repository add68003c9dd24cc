//! Through a SOCKS proxy that is played by a script (RFC 1928, RFC 1929), for
//! each adapter.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;

use crate::clients::{OVER_STREAM, connector, echo, echo_in_tls, impatient, peer, silent, step_of};
use sansocket::adapter::{ConnectStep, Connector, Error, SocksError};
use sansocket::{blocking, futures};

const URL: &str = "ws://localhost:8080/";

/// The client's messages for that URL.
const METHODS: &[u8] = b"\x05\x01\0";
const REQUEST: &[u8] = b"\x05\x01\0\x03\x09localhost\x1f\x90";

/// The proxy's.
const METHOD: &[u8] = b"\x05\0";
const REPLY: &[u8] = b"\x05\0\0\x01\x7f\0\0\x01\x1f\x90";

fn through() -> Connector {
    connector().with_proxy("socks5://proxy.invalid").unwrap()
}

/// Expects each message of the client, and answers it in pieces of this many
/// bytes.
fn play(stream: &mut (impl Read + Write), script: &[(&[u8], &[u8])], piece_len: usize) {
    for (expected, answer) in script {
        let mut received = vec![0; expected.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, *expected);
        for piece in answer.chunks(piece_len) {
            // A client that gave up reads no more.
            if stream.write_all(piece).is_err() {
                return;
            }
        }
    }
}

#[test]
fn tunnel_opens_whatever_the_pieces_and_the_bound_address() {
    let addresses: [&[u8]; 4] = [
        b"\x01\x7f\0\0\x01",
        b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
        b"\x03\x0bbound.local",
        b"\x03\0",
    ];
    for (name, connect) in OVER_STREAM {
        for address in addresses {
            for piece_len in [1, usize::MAX] {
                let reply = [b"\x05\0\0", address, b"\x1f\x90"].concat();
                let (stream, thread) = peer(move |mut stream: UnixStream| {
                    let script = [(METHODS, METHOD), (REQUEST, &reply)];
                    play(&mut stream, &script, piece_len);
                    echo(stream);
                });
                let answer = connect(stream, URL, &through());
                assert_eq!(answer.unwrap(), "hello", "{name}: {address:?}");
                thread.join().unwrap();
            }
        }
    }
}

#[test]
fn tls_passes_through_the_tunnel() {
    for (name, connect) in OVER_STREAM {
        let (stream, thread) = peer(|mut stream: UnixStream| {
            let request = b"\x05\x01\0\x03\x09localhost\x01\xbb";
            play(&mut stream, &[(METHODS, METHOD), (request, REPLY)], 100);
            echo_in_tls(stream);
        });
        let answer = connect(stream, "wss://localhost/", &through());
        assert_eq!(answer.unwrap(), "hello", "{name}");
        thread.join().unwrap();
    }
}

// The proxy is dialled, and not the server, whose name only the proxy knows.
#[test]
fn proxy_is_dialled_instead_of_the_server() {
    type Dial = fn(&Connector);
    const UNKNOWN: &str = "ws://server.invalid:8080/";
    let adapters: [(&str, Dial); 3] = [
        ("blocking", |connector| {
            let mut ws = blocking::connect_with(UNKNOWN, connector).unwrap();
            ws.close_and_drain(1000, "").unwrap();
        }),
        ("tokio", |connector| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let ws = sansocket::tokio::connect_with(UNKNOWN, connector).await;
                ws.unwrap().close_and_drain(1000, "").await.unwrap();
            });
        }),
        ("futures", |connector| {
            smol::block_on(async {
                let dial = |host, port| smol::net::TcpStream::connect((host, port));
                let sleep = |duration| async move {
                    smol::Timer::after(duration).await;
                };
                let ws = futures::connect_with(UNKNOWN, connector, dial, sleep).await;
                ws.unwrap().close_and_drain(1000, "").await.unwrap();
            });
        }),
    ];
    for (name, connect) in adapters {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = b"\x05\x01\0\x03\x0eserver.invalid\x1f\x90";
            play(&mut stream, &[(METHODS, METHOD), (request, REPLY)], 100);
            echo(stream);
        });
        connect(&connector().with_proxy(&proxy).unwrap());
        assert!(thread.join().is_ok(), "{name}");
    }
}

// RFC 1929 §2
#[test]
fn credentials_are_sent_if_the_proxy_asks_for_them() {
    const BOTH: &[u8] = b"\x05\x02\0\x02";
    const LOGIN: &[u8] = b"\x01\x07Aladdin\x0bopen sesame";
    let with_login: &[(&[u8], &[u8])] =
        &[(BOTH, b"\x05\x02"), (LOGIN, b"\x01\0"), (REQUEST, REPLY)];
    let without: &[(&[u8], &[u8])] = &[(BOTH, METHOD), (REQUEST, REPLY)];
    let refused: &[(&[u8], &[u8])] = &[(BOTH, b"\x05\x02"), (LOGIN, b"\x01\x01")];
    for (name, connect) in OVER_STREAM {
        let through = through().with_proxy_credentials("Aladdin", "open sesame");
        for script in [with_login, without] {
            for piece_len in [1, 100] {
                let (stream, thread) = peer(move |mut stream: UnixStream| {
                    play(&mut stream, script, piece_len);
                    echo(stream);
                });
                let answer = connect(stream, URL, &through);
                assert_eq!(answer.unwrap(), "hello", "{name}");
                thread.join().unwrap();
            }
        }
        let (stream, thread) = peer(|mut stream: UnixStream| play(&mut stream, refused, 100));
        let outcome = connect(stream, URL, &through);
        let expected = SocksError::AuthenticationFailed;
        let is_told = matches!(&outcome, Err(Error::SocksRefused(error)) if *error == expected);
        assert!(is_told, "{name}: {outcome:?}");
        thread.join().unwrap();
    }
}

#[test]
fn credentials_that_cannot_be_sent_are_an_error() {
    let longer = "x".repeat(256);
    for (name, connect) in OVER_STREAM {
        for (user, password) in [("", "p"), ("u", ""), (&*longer, "p"), ("u", &*longer)] {
            let (stream, thread) = peer(silent);
            let through = through().with_proxy_credentials(user, password);
            let outcome = connect(stream, URL, &through);
            let expected = Some((ConnectStep::Proxy, ErrorKind::InvalidInput));
            assert_eq!(step_of(outcome), expected, "{name}");
            thread.join().unwrap();
        }
    }
}

// RFC 1928 §3 and §6
#[test]
fn refusal_says_why() {
    let replies = [
        (1, SocksError::GeneralFailure),
        (2, SocksError::NotAllowed),
        (3, SocksError::NetworkUnreachable),
        (4, SocksError::HostUnreachable),
        (5, SocksError::ConnectionRefused),
        (6, SocksError::TtlExpired),
        (7, SocksError::CommandNotSupported),
        (8, SocksError::AddressTypeNotSupported),
        (9, SocksError::Other(9)),
        (255, SocksError::Other(255)),
    ];
    let told = |outcome: Result<String, Error>| match outcome {
        Err(Error::SocksRefused(error)) => error,
        outcome => panic!("{outcome:?}"),
    };
    for (name, connect) in OVER_STREAM {
        for (reply, expected) in replies {
            // With an address, or none, as some proxies refuse.
            for address in [&b"\0\x01\0\0\0\0\0\0"[..], b""] {
                let (stream, thread) = peer(move |mut stream: UnixStream| {
                    let refusal = [&[5, reply], address].concat();
                    play(&mut stream, &[(METHODS, METHOD), (REQUEST, &refusal)], 100);
                });
                let error = told(connect(stream, URL, &through()));
                assert_eq!(error, expected, "{name}");
                assert!(!error.to_string().is_empty());
                thread.join().unwrap();
            }
        }
        let (stream, thread) =
            peer(|mut stream: UnixStream| play(&mut stream, &[(METHODS, b"\x05\xff")], 100));
        let error = told(connect(stream, URL, &through()));
        assert_eq!(error, SocksError::NoAcceptableMethod, "{name}");
        thread.join().unwrap();
    }
}

#[test]
fn malformed_messages_are_refused() {
    let scripts: [&[(&[u8], &[u8])]; 9] = [
        // HTTP, SOCKS 4, a method that was not offered or does not exist.
        &[(METHODS, b"HTTP/1.1 400 Bad Request\r\n\r\n")],
        &[(METHODS, b"\x04\0")],
        &[(METHODS, b"\x05\x02")],
        &[(METHODS, b"\x05\x01")],
        // More than one message at once.
        &[(METHODS, b"\x05\0\x05")],
        // A reply of another version, with an address of no type.
        &[(METHODS, METHOD), (REQUEST, b"\x04\0\0\x01")],
        &[(METHODS, METHOD), (REQUEST, b"\x05\0\0\x02")],
        &[(METHODS, METHOD), (REQUEST, b"\x05\0\0\0\0\0\0\0\0\0")],
        // Somebody who speaks before the client does.
        &[(METHODS, METHOD), (REQUEST, b"\x05\0\0\x03\0\0\0smuggled")],
    ];
    for (name, connect) in OVER_STREAM {
        for script in scripts {
            let (stream, thread) = peer(|mut stream: UnixStream| play(&mut stream, script, 100));
            let outcome = connect(stream, URL, &through());
            let expected = Some((ConnectStep::Proxy, ErrorKind::InvalidData));
            assert_eq!(step_of(outcome), expected, "{name}: {script:?}");
            thread.join().unwrap();
        }
    }
}

#[test]
fn proxy_that_ends_the_stream_is_an_error() {
    for (name, connect) in OVER_STREAM {
        for len in 0..REPLY.len() {
            let (stream, thread) = peer(move |mut stream: UnixStream| {
                let script = [(METHODS, METHOD), (REQUEST, &REPLY[..len])];
                play(&mut stream, &script, 100);
            });
            let outcome = connect(stream, URL, &through());
            let expected = Some((ConnectStep::Proxy, ErrorKind::UnexpectedEof));
            assert_eq!(step_of(outcome), expected, "{name}: {len}");
            thread.join().unwrap();
        }
    }
}

// Requirement 15: silent from the start, or after each message.
#[test]
fn silent_proxy_ends_at_the_deadline() {
    let impatient = impatient().with_proxy("socks5://proxy.invalid").unwrap();
    let impatient = impatient.with_proxy_credentials("u", "p");
    let whole: [(&[u8], &[u8]); 3] = [
        (b"\x05\x02\0\x02", b"\x05\x02"),
        (b"\x01\x01u\x01p", b"\x01\0"),
        (REQUEST, b"\x05\0\0"),
    ];
    for (name, connect) in OVER_STREAM {
        for len in 0..=whole.len() {
            let (stream, thread) = peer(move |mut stream: UnixStream| {
                play(&mut stream, &whole[..len], 100);
                silent(stream);
            });
            let outcome = connect(stream, URL, &impatient);
            let expected = Some((ConnectStep::Proxy, ErrorKind::TimedOut));
            assert_eq!(step_of(outcome), expected, "{name}: {len}");
            thread.join().unwrap();
        }
    }
}
