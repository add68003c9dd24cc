//! The kit for tests, `sansocket::testing`: pairs, cuts, scripted peers and the log.

use crate::clocked::{client, secs};
use crate::drive::open;
use crate::wire::{ROLES, config, peer_of, wire};
use sansocket::frame::{Header, Opcode};
use sansocket::testing::{Frame, Frames, LogEntry, Pair, ScriptedPeer};
use sansocket::{
    Connection, ConnectionError, DeadlineReason, Delivery, Event, Message, ProtocolError, Role,
    SendError,
};

fn failure(peer: &mut ScriptedPeer) -> Option<ConnectionError> {
    match peer.endpoint.take_events().pop() {
        Some(Event::Failed(error)) => Some(error),
        _ => None,
    }
}

// Each direction is cut at each of its positions, whole, and byte by byte.
#[test]
fn every_cut_is_tried() {
    let new = || Pair::new(&config().with_delivery(Delivery::Fragments));
    let mut pieces = Vec::new();
    let cut = Pair::every_cut(new, |pair| -> Result<(), SendError> {
        pair.client.send(b"abc")?;
        pair.deliver();
        let mut lens = Vec::new();
        for event in pair.server.take_events() {
            if let Event::Fragment(fragment) = event {
                lens.push(fragment.payload.as_bytes().len());
            }
        }
        assert_eq!(lens.iter().sum::<usize>(), 3);
        pieces.push(lens);
        Ok(())
    });
    assert_eq!(cut, Ok(()));
    // A header of 6 bytes comes first.
    let uncut = vec![vec![3]; 6];
    let expected = [
        vec![vec![3], vec![1; 3]],
        uncut,
        vec![vec![1, 2], vec![2, 1]],
    ];
    assert_eq!(pieces, expected.concat());

    let error = Pair::every_cut(new, |pair| {
        pair.client.send("before")?;
        pair.client.close(1000, "")?;
        pair.client.send("after")
    });
    assert_eq!(error, Err(SendError::Closed));
}

#[test]
fn log_has_both_sides_in_order() {
    let mut pair = Pair::new(&config());
    pair.client.with(|ws, out| ws.ping(b"?", out)).unwrap();
    pair.deliver();
    pair.advance(secs(3));
    pair.client.send("hi").unwrap();
    pair.deliver();
    pair.client.end_stream();
    let log = pair.take_log();
    let rows: Vec<_> = log.iter().map(|entry| (entry.at, entry.role)).collect();
    let (client, server) = (Role::Client, Role::Server);
    let expected = [(0, server), (0, client), (3, server), (3, client)];
    assert_eq!(rows, expected.map(|(at, role)| (secs(at), role)));
    let LogEntry { event, .. } = &log[2];
    assert_eq!(*event, Event::Message("hi".into()));
    assert_eq!(pair.take_log(), [], "taken once");
    assert_eq!(pair.server.take_messages(), [Message::from("hi")]);
}

#[test]
fn peer_sends_what_no_connection_would() {
    for role in ROLES {
        let mut peer = ScriptedPeer::new(open(role, &config()));
        peer.send(&peer.frames().text("valid").frame(Opcode::Ping, false, b""));
        let error = ProtocolError::FragmentedControlFrame;
        assert_eq!(failure(&mut peer), Some(error.into()));
        let [
            Frame {
                header, payload, ..
            },
        ] = &peer.receive().unwrap()[..]
        else {
            panic!()
        };
        assert_eq!(
            (header.opcode, &payload[..]),
            (Opcode::Close, &b"\x03\xea"[..])
        );
        assert_eq!(peer.receive(), Ok(vec![]), "received once");
    }
}

#[test]
fn peer_that_reads_slowly_is_not_one_that_does_not_read() {
    for role in ROLES {
        let mut peer = ScriptedPeer::new(open(role, &config().with_ping_interval(None)));
        peer.set_reading(false);
        peer.endpoint.send(b"a message").unwrap();
        for _ in 0..5 {
            peer.advance(secs(25));
            peer.read(1);
        }
        assert_eq!(peer.now(), secs(125));
        assert!(peer.endpoint.connection().is_open());
        assert_eq!(peer.receive_bytes().len(), 5);
        peer.advance(secs(31));
        let stall = ConnectionError::Timeout(DeadlineReason::WriteStall);
        assert_eq!(failure(&mut peer), Some(stall));
        assert_eq!(peer.endpoint.unsent_len(), 0);
    }
}

#[test]
fn peer_is_silent() {
    let mut peer = ScriptedPeer::new(Connection::server(&config()));
    peer.send_bytes(b"GET / HTTP/1.1\r\n");
    peer.advance(secs(11));
    assert!(peer.receive_bytes().starts_with(b"HTTP/1.1 408 "));

    let mut peer = ScriptedPeer::new(client(&config()));
    peer.end_stream();
    assert_eq!(failure(&mut peer), Some(ConnectionError::UnexpectedEof));

    // Its pings are read, and not answered.
    let mut peer = ScriptedPeer::new(open(Role::Server, &config()));
    peer.advance(secs(30));
    let frames = peer.receive().unwrap();
    assert_eq!(frames[0].header.opcode, Opcode::Ping);
    peer.send(&peer.frames().pong(&frames[0].payload));
    assert!(matches!(peer.endpoint.take_events()[..], [Event::Pong(_)]));
}

// The frames of the kit are those that the tests of the protocol write.
#[test]
fn frames_are_written_and_read() {
    for role in ROLES {
        let payload = b"payload";
        let header = Header::new(Opcode::Binary, 9);
        let frames = Frames::new(role)
            .text("t")
            .binary(b"b")
            .ping(b"p")
            .pong(b"q");
        let frames = frames.close(1000, "c").frame(Opcode::Text, false, b"f");
        let frames = frames.frame_with(header, payload);
        let expected = wire(role).text("t").binary(b"b").ping(b"p").pong(b"q");
        let expected = expected.close(1000, "c").frame(Opcode::Text, false, b"f");
        let expected = expected.with_header(header, payload).bytes();
        assert_eq!(frames.as_bytes(), expected);

        let frames = Frame::split(frames.into_bytes()).unwrap();
        let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
        let expected: [&[u8]; 7] = [b"t", b"b", b"p", b"q", b"\x03\xe8c", b"f", payload];
        assert_eq!(payloads, expected);
        assert_eq!(frames[6].header.payload_len, 9, "incomplete");
        let invalid = Frames::new(peer_of(role)).raw(b"\x83\x00").into_bytes();
        assert!(Frame::split(invalid).is_err());
    }
}
