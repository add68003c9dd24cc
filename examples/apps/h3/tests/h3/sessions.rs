//! Sessions in memory: against each other, and against bare `quiche`.

use std::time::Duration;

use quiche::Shutdown;
use quiche::h3::Event;
use sansocket::deflate::Options;
use sansocket::{ClientRequest, Config, ConnectionError, DeadlineReason, HandshakeError, Message};
use sansocket_h3::{Error, STREAM_WINDOW};

use crate::link::{Nobody, Node, quic, until};
use crate::raw::Raw;

const MIB: usize = 1024 * 1024;
/// RFC 9114 §8.1
const REQUEST_CANCELLED: u64 = 0x10c;

fn request() -> ClientRequest {
    ClientRequest::to("wss://localhost/").unwrap()
}

fn pair() -> (Node, Node) {
    let (client, server) = quic();
    (
        Node::client(client, &Config::new()),
        Node::server(server, &Config::new()),
    )
}

/// A bare client that has opened a WebSocket, and its stream.
fn raw_client(config: &Config) -> (Raw, Node, u64) {
    let (mut client, mut server) = raw_connection(config);
    let id = client.extended_connect();
    until(&mut client, &mut server, |client, _| {
        client.status(id).is_some()
    });
    assert_eq!(client.status(id).as_deref(), Some("200"));
    (client, server, id)
}

fn raw_connection(config: &Config) -> (Raw, Node) {
    let (client, server) = quic();
    let (mut client, mut server) = (Raw::new(client), Node::server(server, config));
    until(&mut client, &mut server, |client, _| {
        let http = client.http.as_ref();
        http.is_some_and(quiche::h3::Connection::extended_connect_enabled_by_peer)
    });
    (client, server)
}

/// More than the server allows at once: streams that are over make room.
#[test]
fn many_sockets_share_a_connection() {
    let (mut client, mut server) = pair();
    (server.app.echoes, client.app.closes_after) = (true, Some(1));
    client.app.greetings = vec![Message::from("hello")];
    for _ in 0..300 {
        client.session.connect(request());
    }
    until(&mut client, &mut server, |client, server| {
        client.app.ended.len() == 300 && server.app.ended.len() == 300
    });
    assert!(
        client
            .app
            .messages
            .iter()
            .all(|(_, message)| message.as_bytes() == b"hello")
    );
    assert_eq!(
        (client.codes(), server.codes()),
        (vec![1000; 300], vec![1000; 300])
    );
}

/// Far more than the windows of a stream, on both sides at once.
#[test]
fn both_sides_send_at_once() {
    let (mut client, mut server) = pair();
    let large = Message::from(vec![7; 8 * MIB]);
    client.app.greetings = vec![large.clone(), large.clone()];
    server.app.greetings = client.app.greetings.clone();
    client.session.connect(request());
    until(&mut client, &mut server, |client, server| {
        client.app.messages.len() == 2 && server.app.messages.len() == 2
    });
    assert!(
        client
            .app
            .messages
            .iter()
            .all(|(_, message)| *message == large)
    );
    assert!(
        server
            .app
            .messages
            .iter()
            .all(|(_, message)| *message == large)
    );
}

/// The client has to read the first echo while it still sends.
#[test]
fn large_messages_are_echoed() {
    let (mut client, mut server) = pair();
    server.app.echoes = true;
    client.app.greetings = vec![Message::from(vec![7; 4 * MIB]); 3];
    client.session.connect(request());
    until(&mut client, &mut server, |client, _| {
        client.app.messages.len() == 3
    });
    assert!(
        client
            .app
            .messages
            .iter()
            .all(|(_, message)| message.as_bytes().len() == 4 * MIB)
    );
}

#[test]
fn subprotocol_and_compression_are_agreed_on() {
    let config = Config::new().with_deflate(Options::new().with_max_ratio(None));
    let (client, server) = quic();
    let (mut client, mut server) = (Node::client(client, &config), Node::server(server, &config));
    client.app.greetings = vec![Message::from("a".repeat(MIB))];
    (server.app.echoes, client.app.closes_after) = (true, Some(1));
    client
        .session
        .connect(request().with_subprotocol("chat").unwrap());
    until(&mut client, &mut server, |client, _| {
        !client.app.ended.is_empty()
    });
    assert_eq!(client.app.messages[0].1.as_bytes().len(), MIB);
    assert_eq!(client.codes(), [1000]);
    assert!(server.received_len < MIB / 4, "{}", server.received_len);
}

/// Backpressure: the server reads as much as it can write, and no more. A
/// WebSocket that is not read stalls no other.
#[test]
fn unread_echo_is_bounded_and_stalls_no_other() {
    let (mut client, mut server, id) = raw_client(&Config::new());
    server.app.echoes = true;
    // Frames of 60 KiB, masked with zeros.
    let frame = [&[0x82, 0xfe, 0xf0, 0, 0, 0, 0, 0][..], &[7; 0xf000]].concat();
    let mut stream = frame.iter().copied().cycle();
    let (mut sent, mut piece, mut rounds) = (0, Vec::new(), 0);
    until(&mut client, &mut server, |client, server| {
        piece.extend(stream.by_ref().take(16 * 1024 - piece.len()));
        let len = client.send_body(id, &piece, false);
        piece.drain(..len);
        sent += len as u64;
        let unsent = server
            .session
            .sockets()
            .map(|socket| socket.unsent_len())
            .max();
        assert!(unsent.unwrap() < 200 * 1024, "{unsent:?}");
        rounds = if len == 0 { rounds + 1 } else { 0 };
        rounds == 200
    });
    // What is on its way in each direction, and what the server holds.
    assert!(sent > STREAM_WINDOW && sent < 3 * STREAM_WINDOW, "{sent}");
    let other = client.extended_connect();
    until(&mut client, &mut server, |client, _| {
        client.status(other).is_some()
    });
    client.send_body(other, b"\x81\x82\0\0\0\0hi", false);
    until(&mut client, &mut server, |client, _| {
        client.body(other).ends_with(b"hi")
    });
    // It goes on once it is read.
    let mut received = 0;
    until(&mut client, &mut server, |client, _| {
        received += client.body(id).len() as u64;
        received > sent - 0xf000 - 8
    });
}

#[test]
fn fin_without_a_close_frame_is_the_end_of_the_stream() {
    let (mut client, mut server, id) = raw_client(&Config::new());
    client.send_body(id, b"\x81\x82\0\0\0\0hi", true);
    until(&mut client, &mut server, |client, _| {
        client.has(id, &Event::Finished)
    });
    assert_eq!(server.app.messages, [(id, Message::from("hi"))]);
    assert_eq!(
        server.app.ended[0].as_ref().unwrap().cause,
        Some(ConnectionError::UnexpectedEof)
    );
}

#[test]
fn close_frames_are_followed_by_fin() {
    let (mut client, mut server, id) = raw_client(&Config::new());
    client.send_body(id, b"\x88\x82\0\0\0\0\x03\xe8", false);
    until(&mut client, &mut server, |client, _| {
        client.body(id) == b"\x88\x02\x03\xe8"
    });
    until(&mut client, &mut server, |client, _| {
        client.has(id, &Event::Finished)
    });
    assert!(
        server.app.ended.is_empty(),
        "the other direction is still open"
    );
    client.send_body(id, b"", true);
    until(&mut client, &mut server, |_, server| {
        !server.app.ended.is_empty()
    });
    assert_eq!(server.codes(), [1000]);
}

#[test]
fn invalid_frame_is_answered_with_a_close_frame_and_fin() {
    let (mut client, mut server, id) = raw_client(&Config::new());
    client.send_body(id, b"\x81\x02hi", false);
    until(&mut client, &mut server, |client, _| {
        client.body(id) == b"\x88\x02\x03\xea"
    });
    until(&mut client, &mut server, |client, _| {
        client.has(id, &Event::Finished)
    });
}

#[test]
fn stream_that_is_reset_is_reset() {
    for writes in [true, false] {
        let direction = if writes {
            Shutdown::Write
        } else {
            Shutdown::Read
        };
        // Without a ping, nothing is sent that could fail.
        let (mut client, mut server, id) = raw_client(&Config::new().with_ping_interval(None));
        let other = client.extended_connect();
        until(&mut client, &mut server, |client, _| {
            client.status(other).is_some()
        });
        client
            .quic
            .stream_shutdown(id, direction, REQUEST_CANCELLED)
            .unwrap();
        until(&mut client, &mut server, |_, server| {
            !server.app.ended.is_empty()
        });
        let end = server.app.ended.remove(0);
        assert!(
            matches!(end, Err(Error::Reset(REQUEST_CANCELLED))),
            "{end:?}"
        );
        if writes {
            let reset = Event::Reset(REQUEST_CANCELLED);
            until(&mut client, &mut server, |client, _| client.has(id, &reset));
        }
        assert_eq!(server.session.sockets().count(), 1, "the other one is open");
    }
}

#[test]
fn server_without_extended_connect_is_an_error() {
    let (client, server) = quic();
    let (mut client, mut server) = (Node::client(client, &Config::new()), Raw::new(server));
    client.session.connect(request());
    until(&mut client, &mut server, |client, _| {
        !client.app.ended.is_empty()
    });
    let error = client.app.ended.remove(0).unwrap_err();
    assert!(matches!(error, Error::NoExtendedConnect));
    assert!(
        error
            .to_string()
            .contains("does not allow WebSockets over HTTP/3")
    );
    assert!(server.events.is_empty(), "no request was sent");
}

#[test]
fn refusal_is_an_error() {
    let (mut client, mut server) = pair();
    server.app.refuses_with = Some(403);
    client.session.connect(request());
    until(&mut client, &mut server, |client, _| {
        !client.app.ended.is_empty()
    });
    let error = client.app.ended.remove(0).unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::Refused(403))),
        "{error}"
    );
}

#[test]
fn other_requests_are_refused() {
    let (mut client, mut server) = raw_connection(&Config::new());
    let (https, path) = ((":scheme", "https"), (":path", "/"));
    let get = client.request(&[(":method", "GET"), https, path]);
    let webtransport = (":protocol", "webtransport");
    let other = client.request(&[(":method", "CONNECT"), webtransport, https, path]);
    let websocket = (":protocol", "websocket");
    let twice = client.request(&[(":method", "CONNECT"), websocket, https, path, path]);
    let malformed = Event::Reset(0x10e);
    until(&mut client, &mut server, |client, _| {
        client.has(twice, &malformed)
    });
    assert_eq!(client.status(get).as_deref(), Some("404"));
    assert_eq!(client.status(other).as_deref(), Some("501"));
    assert!(client.has(get, &Event::Finished) && client.has(other, &Event::Finished));
}

/// Nobody answers, or nobody answers the request.
#[test]
fn silent_server_is_given_up() {
    let short = Duration::from_millis(200);
    let (client, _) = quic();
    let mut client = Node::client(client, &Config::new());
    client.session = client.session.with_opening_timeout(short);
    client.session.connect(request());
    until(&mut client, &mut Nobody, |client, _| {
        !client.app.ended.is_empty()
    });
    assert!(matches!(client.app.ended[0], Err(Error::Timeout)));
}

#[test]
fn silent_client_is_failed_with_1011() {
    let short = Duration::from_millis(200);
    let config = Config::new()
        .with_ping_interval(short)
        .with_pong_timeout(short);
    let (mut client, mut server, id) = raw_client(&config);
    let mut received = Vec::new();
    until(&mut client, &mut server, |client, server| {
        received.extend(client.body(id));
        // A driver that sleeps so long is in time.
        let timeout = server.session.timeout().unwrap();
        assert!(timeout <= short, "{timeout:?}");
        !received.is_empty()
    });
    assert_eq!(received[0], 0x89, "a ping");
    until(&mut client, &mut server, |client, _| {
        received.extend(client.body(id));
        client.has(id, &Event::Finished)
    });
    assert!(received.ends_with(b"\x88\x02\x03\xf3"), "{received:x?}");
    client.send_body(id, b"", true);
    until(&mut client, &mut server, |_, server| {
        !server.app.ended.is_empty()
    });
    let cause = server.app.ended[0].as_ref().unwrap().cause;
    assert_eq!(cause, Some(ConnectionError::Timeout(DeadlineReason::Pong)));
}

#[test]
fn client_that_reads_nothing_is_reset() {
    let short = Duration::from_millis(300);
    let config = Config::new().with_write_timeout(short);
    let (client, server) = quic();
    let (mut client, mut server) = (Raw::new(client), Node::server(server, &config));
    server.app.greetings = vec![Message::from(vec![7; MIB])];
    until(&mut client, &mut server, |client, _| {
        let http = client.http.as_ref();
        http.is_some_and(quiche::h3::Connection::extended_connect_enabled_by_peer)
    });
    let id = client.extended_connect();
    until(&mut client, &mut server, |_, server| {
        !server.app.ended.is_empty()
    });
    let cause = server.app.ended[0].as_ref().unwrap().cause;
    assert_eq!(
        cause,
        Some(ConnectionError::Timeout(DeadlineReason::WriteStall))
    );
    let reset = Event::Reset(REQUEST_CANCELLED);
    until(&mut client, &mut server, |client, _| {
        client.body(id);
        client.has(id, &reset)
    });
}

#[test]
fn shutdown_closes_all_with_1001() {
    let (mut client, mut server) = pair();
    for _ in 0..3 {
        client.session.connect(request());
    }
    until(&mut client, &mut server, |client, _| client.app.opened == 3);
    server.session.shut_down();
    until(&mut client, &mut server, |client, server| {
        client.app.ended.len() == 3 && server.app.ended.len() == 3
    });
    assert_eq!(
        (client.codes(), server.codes()),
        (vec![1001; 3], vec![1001; 3])
    );
    client.session.connect(request());
    until(&mut client, &mut server, |client, _| {
        client.app.ended.len() == 4
    });
    let end = client.app.ended.remove(3);
    assert!(
        matches!(end, Err(Error::GoingAway | Error::Connection(_))),
        "{end:?}"
    );
    until(&mut client, &mut server, |client, server| {
        client.session.is_closed() && server.session.is_closed()
    });
}

/// RFC 9114 §5.2: what comes after GOAWAY was not processed.
#[test]
fn request_during_shutdown_is_rejected() {
    let (mut client, mut server, id) = raw_client(&Config::new());
    server.session.shut_down();
    let late = client.extended_connect();
    let rejected = Event::Reset(0x10b);
    until(&mut client, &mut server, |client, _| {
        client.has(late, &rejected)
    });
    assert!(client.body(id).ends_with(b"\x88\x02\x03\xe9"), "1001");
}
