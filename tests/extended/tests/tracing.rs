//! The events of the feature `tracing`: one for each step in the life of a
//! connection, none for messages, and no secrets.

#![cfg(feature = "tracing")]

#[expect(dead_code)]
#[path = "../../harness/drive.rs"]
mod drive;
#[expect(dead_code)]
#[path = "../../harness/wire.rs"]
mod wire;

use std::fmt::{Debug, Write};
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::drive::{END, feed, open};
use crate::wire::{config, wire};
use sansocket::{
    Answer, ClientRequest, Config, Connection, Event, Input, IoState, OriginPolicy, Request, Role,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Metadata, Subscriber};

/// Writes each event as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sansocket"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let line = format!("{} {}", event.metadata().level(), line.0);
        self.0.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        panic!("no spans")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The events of what this does.
fn events(act: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    with_default(lines.clone(), act);
    let mut lines = lines.0.lock().unwrap();
    mem::take(&mut *lines)
}

/// What a client sends, with all that must not be logged.
fn request(target: &str) -> ClientRequest {
    let request = ClientRequest::to(&format!("ws://example.com{target}")).unwrap();
    let request = request
        .with_header("Authorization", "Bearer secret")
        .unwrap();
    let request = request.with_header("Cookie", "session=secret").unwrap();
    request
        .with_subprotocol("chat")
        .and_then(|request| request.with_subprotocol("secret"))
        .unwrap()
}

/// One handshake, in which a server gives this answer.
fn handshake(config: &Config, answer: impl FnOnce(&Request) -> Answer) -> [Connection; 2] {
    let mut asked = Vec::new();
    let request = request("/room?token=secret");
    let mut client = Connection::client(&request, config, &mut asked).unwrap();
    let (mut server, mut answered) = (Connection::server(config), Vec::new());
    let mut input = Input::new(&mut asked);
    let event = server.receive(&mut input, &mut answered);
    if let Some(Event::Request(request)) = event {
        server.respond(answer(&request), &mut answered).unwrap();
    }
    feed(&mut client, [&*answered]);
    [client, server]
}

fn accept(request: &Request) -> Answer {
    request.accept().with_subprotocol("chat").unwrap()
}

const OPENED: [&str; 2] = [
    r#"DEBUG handshake completed role="server" path="/room" subprotocol="chat" compression=false"#,
    r#"DEBUG handshake completed role="client" host="example.com" subprotocol="chat" compression=false"#,
];

#[test]
fn both_ends_of_a_handshake_are_reported() {
    let events = events(|| drop(handshake(&config(), accept)));
    assert_eq!(events, OPENED);
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_reported() {
    let config = config().with_deflate(sansocket::deflate::Options::default());
    let events = events(|| drop(handshake(&config, accept)));
    assert_eq!(
        events,
        OPENED.map(|event| event.replace("compression=false", "compression=true"))
    );
}

#[test]
fn refusals_are_reported_with_their_reason() {
    let by_application = events(|| drop(handshake(&config(), |_| Answer::new(404))));
    let expected = [
        r#"DEBUG handshake refused role="server" path="/room" status=404 error=refused with HTTP status 404"#,
        r#"DEBUG handshake refused role="client" host="example.com" status=404 error=refused with HTTP status 404"#,
    ];
    assert_eq!(by_application, expected);

    let by_itself = events(|| {
        let config = config().with_origin(OriginPolicy::SameOrigin);
        let mut asked = Vec::new();
        let request = request("/room").with_header("Origin", "https://secret.example");
        Connection::client(&request.unwrap(), &config, &mut asked).unwrap();
        feed(&mut Connection::server(&config), [&*asked]);
    });
    let expected = r#"DEBUG handshake refused role="server" path="/room" status=403 error=origin is not allowed (RFC 6455 section 10.2)"#;
    assert_eq!(by_itself, [expected]);

    let malformed = events(|| {
        feed(&mut Connection::server(&config()), [&b"secret\r\n\r\n"[..]]);
    });
    let expected =
        r#"DEBUG handshake refused role="server" status=400 error=malformed HTTP head (RFC 9112)"#;
    assert_eq!(malformed, [expected]);
}

#[test]
fn page_on_the_same_port_is_no_refusal() {
    let events = events(|| {
        let mut ws = Connection::server(&config());
        let mut head = *b"GET /page?secret HTTP/1.1\r\nHost: h\r\n\r\n";
        let mut out = Vec::new();
        let event = ws.receive(&mut Input::new(&mut head), &mut out);
        assert!(matches!(event, Some(Event::Request(_))));
        ws.respond(Answer::new(200), &mut out).unwrap();
    });
    let expected = r#"DEBUG plain request answered path="/page" status=200"#;
    assert_eq!(events, [expected]);
}

#[test]
fn closing_is_reported_with_who_began() {
    let closed = events(|| {
        let (mut server, mut out) = (open(Role::Server, &config()), Vec::new());
        server.close(1001, "going", &mut out).unwrap();
        feed(
            &mut server,
            [&*wire(Role::Client).close(1001, "ok\n").bytes()],
        );
        let mut server = open(Role::Server, &config());
        feed(
            &mut server,
            [&*wire(Role::Client).close(4000, "bye").bytes()],
        );
        // Nothing that comes later is another end.
        feed(&mut server, [&b"\xff"[..], END]);
    });
    let opened = r#"DEBUG handshake completed role="server" compression=false"#;
    let expected = [
        opened,
        r#"DEBUG connection closed role="server" code=1001 reason="ok\n" initiator=Local"#,
        opened,
        r#"DEBUG connection closed role="server" code=4000 reason="bye" initiator=Peer"#,
    ];
    assert_eq!(closed, expected);
}

#[test]
fn failures_are_reported() {
    let failed = events(|| {
        let mut server = open(Role::Server, &config());
        feed(&mut server, [&b"\x81\x00"[..]]);
        feed(&mut open(Role::Client, &config()), [END]);
        let (mut now, mut out) = (Duration::ZERO, Vec::new());
        let mut server = open(
            Role::Server,
            &config()
                .with_ping_interval(None)
                .with_idle_timeout(Duration::from_secs(60)),
        );
        while let Some(next) = server.handle_timeout(now, IoState::reading(), &mut out) {
            now = next.at;
            out.clear();
        }
    });
    let failed: Vec<_> = failed.iter().filter(|e| e.contains("failed")).collect();
    let expected = [
        r#"DEBUG connection failed role="server" code=1002 initiator=Local error=protocol: unmasked frame from a client (RFC 6455 section 5.1)"#,
        r#"DEBUG connection failed role="client" code=1006 initiator=Peer error=the stream ended without a closing handshake"#,
        r#"DEBUG connection failed role="server" code=1001 initiator=Local error=deadline passed: idle"#,
    ];
    assert_eq!(failed, expected);
}

#[test]
fn messages_are_not_reported() {
    let mut ends = None;
    let opened = events(|| ends = Some(handshake(&config(), accept)));
    assert_eq!(opened.len(), 2);
    let [mut client, mut server] = ends.unwrap();
    let events = events(|| {
        for _ in 0..1000 {
            let mut sent = Vec::new();
            client.send("hello", &mut sent).unwrap();
            client.ping(b"", &mut sent).unwrap();
            let received = feed(&mut server, [&*sent]);
            assert_eq!(received.messages().len(), 1);
            let mut echo = received.out;
            server.send("hello", &mut echo).unwrap();
            assert_eq!(feed(&mut client, [&*echo]).messages().len(), 1);
            server.handle_timeout(Duration::ZERO, IoState::reading(), &mut echo);
        }
    });
    assert!(events.is_empty(), "{events:?}");
}
