//! From a URI to an open WebSocket, for each adapter: addresses, proxies, TLS,
//! redirects, and a peer that stops in the middle of each step.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::clients::{SERVER, connector, echo, echo_in_tls, head, impatient, step_of};
use rustls::{ServerConnection, StreamOwned};
use sansocket::adapter::{ConnectStep, Connector, Error, Tls};
use sansocket::{
    Config, ConnectionError, DeadlineReason, Message, RedirectError, blocking, futures,
};

/// What connecting and saying hello once came to.
type Outcome = Result<Option<Message>, Error>;

/// Connects, says hello, and hears the answer.
type Adapter = (&'static str, fn(&str, &Connector) -> Outcome);

const ADAPTERS: [Adapter; 3] = [
    ("blocking", with_blocking),
    ("tokio", with_tokio),
    ("futures", with_futures),
];

fn with_blocking(url: &str, connector: &Connector) -> Outcome {
    let mut ws = blocking::connect_with(url, connector)?;
    assert!(ws.stream().tcp().nodelay().unwrap());
    ws.send("hello")?;
    let message = ws.next()?;
    ws.close(1000, "")?;
    while ws.next()?.is_some() {}
    Ok(message)
}

fn with_tokio(url: &str, connector: &Connector) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut ws = sansocket::tokio::connect_with(url, connector).await?;
        assert!(ws.tcp().nodelay().unwrap());
        ws.send("hello").await?;
        let message = ws.next().await?;
        ws.close(1000, "").await?;
        while ws.next().await?.is_some() {}
        Ok(message)
    })
}

fn with_futures(url: &str, connector: &Connector) -> Outcome {
    smol::block_on(async {
        let dial = |host, port| smol::net::TcpStream::connect((host, port));
        let sleep = |duration| async move {
            smol::Timer::after(duration).await;
        };
        let mut ws = futures::connect_with(url, connector, dial, sleep).await?;
        ws.send("hello").await?;
        let message = ws.next().await?;
        ws.close(1000, "").await?;
        while ws.next().await?.is_some() {}
        Ok(message)
    })
}

/// Serves so many connections, one after the other.
fn serve(
    addr: &str,
    connections: usize,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(addr).unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        for _ in 0..connections {
            serve(listener.accept().unwrap().0);
        }
    });
    (addr, thread)
}

// Requirement 38: by name, by address, by bracketed IPv6; without delay.
#[test]
fn adapters_connect_by_any_name() {
    for (name, connect) in ADAPTERS {
        for (bind, host) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("127.0.0.1:0", "localhost"),
            ("[::1]:0", "[::1]"),
        ] {
            if TcpListener::bind(bind).is_err() {
                println!("skipped: no IPv6 on this machine");
                continue;
            }
            let (addr, thread) = serve(bind, 1, echo);
            let url = format!("ws://{host}:{}/", addr.port());
            assert_eq!(
                connect(&url, &connector()).unwrap(),
                Some("hello".into()),
                "{name} {host}"
            );
            thread.join().unwrap();
        }
    }
}

#[test]
fn adapters_connect_within_tls() {
    for (name, connect) in ADAPTERS {
        let (addr, thread) = serve("127.0.0.1:0", 1, echo_in_tls);
        let url = format!("wss://localhost:{}/", addr.port());
        assert_eq!(
            connect(&url, &connector()).unwrap(),
            Some("hello".into()),
            "{name}"
        );
        thread.join().unwrap();
    }
}

// Who is not trusted, or is another, is found in the TLS handshake.
#[test]
fn certificates_that_do_not_match_are_refused() {
    let cases = [
        (
            "localhost",
            Connector::new(&Config::new()).with_tls(Tls::bundled().unwrap()),
        ),
        ("127.0.0.1", connector()),
    ];
    for (name, connect) in ADAPTERS {
        for (host, connector) in &cases {
            let (addr, thread) = serve("127.0.0.1:0", 1, echo_in_tls);
            let outcome = connect(&format!("wss://{host}:{}/", addr.port()), connector);
            assert_eq!(
                step_of(outcome),
                Some((ConnectStep::Tls, ErrorKind::InvalidData)),
                "{name} {host}"
            );
            thread.join().unwrap();
        }
    }
}

#[test]
fn adapters_connect_through_a_proxy() {
    for (name, connect) in ADAPTERS {
        for scheme in ["ws", "wss"] {
            let (addr, server) = match scheme {
                "ws" => serve("127.0.0.1:0", 1, echo),
                _ => serve("127.0.0.1:0", 1, echo_in_tls),
            };
            let (proxy_addr, proxy) = serve("127.0.0.1:0", 1, move |mut stream| {
                let asked = head(&mut stream);
                let target = format!("localhost:{}", addr.port());
                assert_eq!(
                    asked,
                    format!(
                        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\
                        Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
                    )
                );
                stream
                    .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    .unwrap();
                let server = TcpStream::connect(addr).unwrap();
                let (mut up, mut down) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
                let back = thread::spawn(move || {
                    let _ = std::io::copy(&mut &server, &mut down);
                    let _ = down.shutdown(std::net::Shutdown::Write);
                });
                let _ = std::io::copy(&mut stream, &mut up);
                let _ = up.shutdown(std::net::Shutdown::Write);
                back.join().unwrap();
            });
            let connector = connector()
                .with_proxy(&format!("http://{proxy_addr}"))
                .unwrap()
                // RFC 7617 §2: its example.
                .with_proxy_credentials("Aladdin", "open sesame");
            let outcome = connect(
                &format!("{scheme}://localhost:{}/", addr.port()),
                &connector,
            );
            assert_eq!(outcome.unwrap(), Some("hello".into()), "{name} {scheme}");
            proxy.join().unwrap();
            server.join().unwrap();
        }
    }
}

#[test]
fn proxy_that_refuses_is_told() {
    type Answer = (&'static str, fn(&Outcome) -> bool);
    let answers: [Answer; 4] = [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            |outcome| matches!(outcome, Err(Error::ProxyRefused(response)) if response.status() == 407),
        ),
        (
            "nonsense\r\n\r\n",
            |outcome| matches!(outcome, Err(Error::Connect { step: ConnectStep::Proxy, error }) if error.kind() == ErrorKind::InvalidData),
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nsmuggled",
            |outcome| matches!(outcome, Err(Error::Connect { step: ConnectStep::Proxy, error }) if error.kind() == ErrorKind::InvalidData),
        ),
        (
            "HTTP/1.1 200 O",
            |outcome| matches!(outcome, Err(Error::Connect { step: ConnectStep::Proxy, error }) if error.kind() == ErrorKind::UnexpectedEof),
        ),
    ];
    for (name, connect) in ADAPTERS {
        for (answer, is_told) in answers {
            let (addr, thread) = serve("127.0.0.1:0", 1, move |mut stream| {
                head(&mut stream);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let connector = connector().with_proxy(&format!("http://{addr}")).unwrap();
            let outcome = connect("ws://example.com/", &connector);
            assert!(is_told(&outcome), "{name} {answer}: {outcome:?}");
            thread.join().unwrap();
        }
    }
}

// Requirement 15: a deadline for each step.
#[test]
fn silent_peer_ends_at_the_deadline_of_the_step() {
    let silent = |stream: TcpStream| {
        let _ = (&stream).read_to_end(&mut Vec::new());
    };
    for (name, connect) in ADAPTERS {
        let (addr, thread) = serve("127.0.0.1:0", 3, silent);
        let through_proxy = impatient().with_proxy(&format!("http://{addr}")).unwrap();
        let outcome = connect("ws://example.com/", &through_proxy);
        assert_eq!(
            step_of(outcome),
            Some((ConnectStep::Proxy, ErrorKind::TimedOut)),
            "{name}"
        );
        let outcome = connect(
            &format!("wss://localhost:{}/", addr.port()),
            &impatient().with_tls(SERVER.1.clone()),
        );
        assert_eq!(
            step_of(outcome),
            Some((ConnectStep::Tls, ErrorKind::TimedOut)),
            "{name}"
        );
        let outcome = connect(&format!("ws://{addr}/"), &impatient());
        assert!(
            matches!(
                outcome,
                Err(Error::Failed(ConnectionError::Timeout(
                    DeadlineReason::Handshake
                )))
            ),
            "{name}: {outcome:?}"
        );
        thread.join().unwrap();
    }
}

// Requirement 15: the caller's own way to connect has a deadline too.
#[test]
fn dial_that_never_ends_ends_at_the_deadline() {
    let outcome: Outcome = smol::block_on(async {
        let dial = |_, _| std::future::pending::<std::io::Result<smol::net::TcpStream>>();
        let sleep = |duration| async move {
            smol::Timer::after(duration).await;
        };
        let ws = futures::connect_with("ws://example.com/", &impatient(), dial, sleep).await;
        ws.map(|_| None)
    });
    let expected = Some((ConnectStep::Tcp, ErrorKind::TimedOut));
    assert_eq!(step_of(outcome), expected);
}

#[test]
fn peer_that_ends_the_stream_is_told_with_its_step() {
    for (name, connect) in ADAPTERS {
        let (addr, thread) = serve("127.0.0.1:0", 2, |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
        });
        let outcome = connect(&format!("wss://localhost:{}/", addr.port()), &connector());
        let (step, _) = step_of(outcome).expect("a step");
        assert_eq!(step, ConnectStep::Tls, "{name}");
        let outcome = connect(&format!("ws://{addr}/"), &connector());
        assert!(
            matches!(outcome, Err(Error::Failed(ConnectionError::UnexpectedEof))),
            "{name}: {outcome:?}"
        );
        thread.join().unwrap();

        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let outcome = connect(&format!("ws://{closed}/"), &connector());
        assert_eq!(
            step_of(outcome),
            Some((ConnectStep::Tcp, ErrorKind::ConnectionRefused)),
            "{name}"
        );
    }
}

/// Redirects so many requests to the next path, then echoes.
fn redirecting(
    times: usize,
    location: impl Fn(usize) -> String + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let count = std::sync::atomic::AtomicUsize::new(0);
    serve("127.0.0.1:0", times + 1, move |mut stream| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if number < times {
            head(&mut stream);
            let location = location(number);
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        } else {
            echo(stream);
        }
    })
}

// Requirement 38: a value by default, followed on request, up to a limit.
#[test]
fn redirects_are_followed_on_request_and_bounded() {
    for (name, connect) in ADAPTERS {
        let (addr, thread) = redirecting(2, |number| format!("/next/{number}"));
        let outcome = connect(&format!("ws://{addr}/"), &connector().with_max_redirects(2));
        assert_eq!(outcome.unwrap(), Some("hello".into()), "{name}");
        thread.join().unwrap();

        let (addr, _thread) = redirecting(10, |_| "/".into());
        let outcome = connect(&format!("ws://{addr}/"), &connector().with_max_redirects(3));
        assert!(
            matches!(&outcome, Err(Error::TooManyRedirects(response)) if response.status() == 307),
            "{name}: a loop ends: {outcome:?}"
        );
        let outcome = connect(&format!("ws://{addr}/"), &connector());
        assert!(
            matches!(&outcome, Err(Error::Refused(response)) if response.header("location") == Some("/")),
            "{name}: {outcome:?}"
        );
        let (addr, thread) = redirecting(1, |_| "ftp://elsewhere/".into());
        let outcome = connect(&format!("ws://{addr}/"), &connector().with_max_redirects(3));
        assert!(
            matches!(
                outcome,
                Err(Error::Redirect(RedirectError::InvalidLocation(_)))
            ),
            "{name}"
        );
        drop(thread);
    }
}

// Requirement 38: never from wss to ws.
#[test]
fn redirect_does_not_leave_tls() {
    let (addr, thread) = serve("127.0.0.1:0", 1, |stream| {
        let session = ServerConnection::new(SERVER.0.clone()).unwrap();
        let mut tls = StreamOwned::new(session, stream);
        let _ = tls.read(&mut [0; 4096]);
        let _ = tls.write_all(
            b"HTTP/1.1 301 Moved\r\nLocation: ws://localhost/\r\nContent-Length: 0\r\n\r\n",
        );
        let _ = tls.read(&mut [0; 4096]);
    });
    let outcome = with_blocking(
        &format!("wss://localhost:{}/", addr.port()),
        &connector().with_max_redirects(3),
    );
    assert!(
        matches!(outcome, Err(Error::Redirect(RedirectError::Downgrade))),
        "{outcome:?}"
    );
    thread.join().unwrap();
}
