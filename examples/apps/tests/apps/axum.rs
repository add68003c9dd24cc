//! The examples within axum: who is let in, what is said, and how it ends.

use std::time::Duration;

use sansocket::blocking::{Error, connect};
use sansocket::{ClientRequest, Config, Event, Message, RequestError};

use crate::server::Server;

type Socket = sansocket::blocking::Client;

fn to(server: &Server, path: &str) -> Result<ClientRequest, RequestError> {
    ClientRequest::to(&format!("{}{path}", server.url.trim_end_matches('/')))
}

#[track_caller]
fn open(request: Result<ClientRequest, RequestError>) -> Socket {
    let ws = connect(request.unwrap(), &Config::new()).unwrap();
    let limit = Some(Duration::from_secs(10));
    ws.stream().tcp().set_read_timeout(limit).unwrap();
    ws
}

#[track_caller]
fn hears(ws: &mut Socket, text: &str) {
    assert_eq!(ws.next().unwrap(), Some(Message::from(text)));
}

#[test]
fn token_may_stand_in_any_of_four_places() {
    let server = Server::start("axum");
    let chat = || to(&server, "/chat");
    let offered = |token: &str| chat()?.with_subprotocol("chat")?.with_subprotocol(token);
    open(
        chat()
            .unwrap()
            .with_header("Authorization", "Bearer secret"),
    );
    open(chat().unwrap().with_cookie("token", "secret"));
    open(to(&server, "/chat?a=b&token=secret"));
    let ws = open(offered("token.secret"));
    assert_eq!(ws.subprotocol(), Some("chat"), "never the token itself");
    let rows = [
        chat(),
        to(&server, "/chat?token=other"),
        chat().unwrap().with_cookie("other", "secret"),
        offered("token.other"),
    ];
    for request in rows {
        let error = connect(request.unwrap(), &Config::new()).unwrap_err();
        assert!(matches!(error, Error::Refused(response) if response.status() == 401));
    }
}

#[test]
fn foreign_pages_are_refused() {
    let server = Server::start("axum");
    let request = to(&server, "/")
        .unwrap()
        .with_origin("https://evil.example");
    let error = connect(request.unwrap(), &Config::new()).unwrap_err();
    assert!(matches!(error, Error::Refused(response) if response.status() == 403));
}

// Requirement 33: an orderly stop.
#[test]
fn stop_closes_every_socket_and_waits() {
    let server = Server::start("axum");
    let mut sockets = [
        open(to(&server, "/")),
        open(to(&server, "/chat?token=secret")),
    ];
    // Both are in their loops.
    sockets[0].send("here").unwrap();
    hears(&mut sockets[0], "here");
    sockets[1].send("here").unwrap();
    hears(&mut sockets[1], "here");
    let stopping = std::thread::spawn(move || server.interrupt());
    for ws in &mut sockets {
        assert_eq!(ws.next().unwrap(), None);
        let outcome = ws.outcome().unwrap();
        assert_eq!((outcome.clean, outcome.code.into()), (true, 1001_u16));
    }
    stopping.join().unwrap();
}

#[test]
fn chat_tells_all_who_comes_speaks_and_leaves() {
    let server = Server::start("axum_chat");
    let mut ada = open(to(&server, "/chat"));
    ada.send("Ada").unwrap();
    hears(&mut ada, "Ada joined.");
    let mut twin = open(to(&server, "/chat"));
    twin.send("Ada").unwrap();
    hears(&mut twin, "Username already taken.");
    assert_eq!(twin.next().unwrap(), None);
    let mut bob = open(to(&server, "/chat"));
    bob.send("Bob").unwrap();
    hears(&mut bob, "Bob joined.");
    bob.send("hello").unwrap();
    for text in ["Bob joined.", "Bob: hello"] {
        hears(&mut ada, text);
    }
    bob.close(1000, "").unwrap();
    hears(&mut ada, "Bob left.");
    // The name is free again.
    let mut bob = open(to(&server, "/chat"));
    bob.send("Bob").unwrap();
    hears(&mut bob, "Bob joined.");
}

#[test]
fn greeting_begins_with_a_ping_and_ends_in_order() {
    let server = Server::start("axum_chat");
    let mut ws = open(to(&server, "/greet"));
    assert!(matches!(ws.next_event().unwrap(), Some(Event::Ping(ping)) if *ping == [1, 2, 3]));
    for count in 1..5 {
        hears(&mut ws, &format!("Hi {count} times!"));
    }
    for number in 0..20 {
        hears(&mut ws, &format!("Server message {number} ..."));
    }
    assert_eq!(ws.next().unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.clean, &*outcome.reason), (true, "Goodbye"));
}
