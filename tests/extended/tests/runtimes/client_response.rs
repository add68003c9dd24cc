//! The server's response to the opening handshake: with every adapter under
//! the same names, and after a split.

use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use sansocket::adapter::{Connector, Error};
use sansocket::{Config, Event, Response, blocking, futures};

/// Accepts this many connections, with a header field, and waits for the end
/// of each.
fn serve(connections: usize) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().unwrap();
            let accepted = blocking::accept_with(stream, &Config::new(), |request| {
                request.accept().with_header("X-Node", "seven").unwrap()
            });
            let mut ws = accepted.unwrap().unwrap();
            assert!(ws.response().is_none(), "a server received none");
            while let Ok(Some(_)) = ws.next() {}
        }
    });
    (addr, thread)
}

fn check(name: &str, response: Option<&Response>) {
    let response = response.unwrap_or_else(|| panic!("{name}: no response"));
    assert_eq!(response.status(), 101, "{name}");
    assert_eq!(response.header("x-node"), Some("seven"), "{name}");
    assert_eq!(response.header("Upgrade"), Some("websocket"), "{name}");
}

/// Looks at the response, takes it, and finds that of another connection in
/// each half.
macro_rules! responses {
    ($name:literal, $connect:expr) => {
        let mut ws = $connect;
        check($name, ws.response());
        check($name, ws.take_response().as_ref());
        assert!(ws.response().is_none() && ws.take_response().is_none());
        drop(ws);
        let (mut reader, mut writer) = $connect.split();
        check($name, reader.take_response().as_ref());
        assert!(writer.take_response().is_none(), "{}", $name);
        drop((reader, writer));
        let (mut reader, mut writer) = $connect.split();
        check($name, writer.take_response().as_ref());
        assert!(reader.take_response().is_none(), "{}", $name);
        drop((reader, writer));
        let (reader, writer) = $connect.split();
        check($name, reader.reunite(writer).unwrap().response());
    };
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn response_is_kept_until_it_is_taken() {
    let config = Config::new();
    let (addr, thread) = serve(12);
    let url = format!("ws://{addr}/");
    responses!("blocking", blocking::connect(&*url, &config).unwrap());
    runtime().block_on(async {
        let connect = || async {
            let connected = sansocket::tokio::connect(&*url, &config).await;
            connected.unwrap()
        };
        responses!("tokio", connect().await);
    });
    smol::block_on(async {
        let connector = Connector::new(&config);
        let connect = || async {
            let dial = |host, port| smol::net::TcpStream::connect((host, port));
            let sleep = |duration| async move {
                smol::Timer::after(duration).await;
            };
            let connected = futures::connect_with(&*url, &connector, dial, sleep).await;
            connected.unwrap()
        };
        responses!("futures", connect().await);
    });
    thread.join().unwrap();
}

#[test]
fn every_handle_knows_the_address_of_the_peer() {
    let config = Config::new();
    let (addr, thread) = serve(2);
    let url = format!("ws://{addr}/");
    let ws = blocking::connect(&*url, &config).unwrap();
    assert_eq!(ws.peer_addr().unwrap(), addr);
    let (mut reader, writer) = ws.split();
    assert_eq!(reader.peer_addr().unwrap(), addr);
    assert_eq!(writer.peer_addr().unwrap(), addr);
    reader.close_and_drain(1000, "").unwrap();
    reader
        .close_and_drain(1000, "")
        .expect("nothing is left to do");
    assert!(reader.outcome().unwrap().clean);
    runtime().block_on(async {
        let ws = sansocket::tokio::connect(&*url, &config).await.unwrap();
        assert_eq!(ws.peer_addr().unwrap(), addr);
        let (mut reader, writer) = ws.split();
        assert_eq!(reader.peer_addr().unwrap(), addr);
        assert_eq!(writer.peer_addr().unwrap(), addr);
        reader.close_and_drain(1000, "").await.unwrap();
        reader
            .close_and_drain(1000, "")
            .await
            .expect("nothing is left to do");
        assert!(reader.outcome().unwrap().clean);
    });
    thread.join().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (near, far) = (
        std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap(),
        listener.accept().unwrap().0,
    );
    let addr = far.local_addr().unwrap();
    let (role, agreement) = (sansocket::Role::Server, sansocket::Agreement::default());
    let ws = blocking::WebSocket::upgraded(near, role, agreement, vec![], &config);
    assert_eq!(ws.peer_addr().unwrap(), addr);
    let (reader, writer) = ws.split();
    assert_eq!(reader.peer_addr().unwrap(), addr);
    assert_eq!(writer.peer_addr().unwrap(), addr);
}

// Whoever drives the handshake by events has the response in one of them; who
// asks for messages only finds it kept.
#[test]
fn response_of_a_handshake_that_is_driven_by_hand() {
    let (addr, thread) = serve(3);
    let request = sansocket::ClientRequest::to(&format!("ws://{addr}/")).unwrap();
    let connect = || {
        let stream = std::net::TcpStream::connect(addr).unwrap();
        blocking::WebSocket::client(stream, &request, &Config::new()).unwrap()
    };
    let mut ws = connect();
    let Some(Event::Open(response)) = ws.next_event().unwrap() else {
        panic!("not open")
    };
    check("event", Some(&response));
    assert!(ws.response().is_none());
    drop(ws);

    let mut ws = connect();
    assert!(ws.response().is_none(), "nothing was received");
    ws.get_ref()
        .set_read_timeout(Some(std::time::Duration::from_millis(200)))
        .unwrap();
    let waiting: Result<_, Error> = ws.next();
    assert!(waiting.is_err_and(|error| error.is_would_block()));
    check("next", ws.response());
    drop(ws);

    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
        let ws = sansocket::tokio::WebSocket::client(stream, &request, &Config::new());
        let mut ws = ws.unwrap();
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(200), ws.next());
        assert!(waiting.await.is_err(), "no message comes");
        check("polled", ws.response());
    });
    thread.join().unwrap();
}
