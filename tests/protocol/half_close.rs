//! One direction is closed, and the other goes on (§5.5.1): the core with
//! `auto_close` off. Its deadlines are in `deadlines`, tunnels in
//! tests/adapters/tunnel.rs.

use crate::drive::{END, every_cut, feed, open};
use crate::wire::{ROLES, config, frames, peer_of, wire};
use sansocket::frame::Opcode;
use sansocket::{
    Close, Config, Connection, ConnectionError, Event, Fragment, Initiator, Input, ProtocolError,
    Role, SendError,
};

fn start(role: Role, config: &Config) -> Connection {
    let mut ws = open(role, config);
    ws.auto_close(false);
    ws
}

/// One that has received this close frame after a message.
fn half_closed(role: Role, code: u16, reason: &str) -> Connection {
    let mut ws = start(role, &config());
    let bytes = wire(peer_of(role)).text("last").close(code, reason).bytes();
    let told = feed(&mut ws, [&*bytes]);
    assert!(matches!(told.events[..], [_, Event::Close(_)]));
    ws
}

/// The opcodes and payloads of what was sent.
fn sent(out: &[u8]) -> Vec<(Opcode, Vec<u8>)> {
    let frames = frames(out).into_iter();
    frames
        .map(|(header, payload)| (header.opcode, payload))
        .collect()
}

#[test]
fn close_frame_is_answered_when_the_application_closes() {
    for role in ROLES {
        let bytes = wire(peer_of(role)).text("last").close(4001, "bye").bytes();
        let told = every_cut(|| start(role, &config()), &bytes);
        let close = Close {
            code: 4001.into(),
            reason: "bye".into(),
        };
        assert_eq!(
            told.events,
            [Event::Message("last".into()), Event::Close(close)]
        );
        assert!(told.out.is_empty(), "no answer yet");

        let (mut ws, mut out) = (half_closed(role, 4001, "bye"), Vec::new());
        assert!(ws.is_open() && ws.is_half_closed());
        assert!(!ws.is_closed() && ws.outcome().is_none() && !ws.has_event());
        ws.send("more", &mut out).unwrap();
        ws.send_fragment(Fragment::more("in "), &mut out).unwrap();
        ws.ping(b"?", &mut out).unwrap();
        ws.send_fragment(Fragment::last("pieces"), &mut out)
            .unwrap();
        ws.close(1000, "ignored", &mut out).unwrap();
        let sent = sent(&out);
        assert_eq!(sent.len(), 5);
        assert_eq!(sent[0], (Opcode::Text, b"more".into()));
        assert_eq!(sent[3], (Opcode::Continuation, b"pieces".into()));
        let echo = 4001_u16.to_be_bytes().to_vec();
        assert_eq!(sent[4], (Opcode::Close, echo));

        let outcome = ws.outcome().unwrap();
        assert!(outcome.clean && outcome.cause.is_none());
        assert_eq!(
            (outcome.code, &*outcome.reason, outcome.initiator),
            (4001.into(), "bye", Initiator::Peer)
        );
        assert!(!ws.is_open() && !ws.is_half_closed());
        assert_eq!(ws.send("late", &mut out), Err(SendError::Closed));
        out.clear();
        ws.close(1000, "", &mut out).unwrap();
        assert!(out.is_empty(), "one answer");
    }
}

// RFC 6455 §7.1.1: the server ends the transport, and the client waits for it.
#[test]
fn server_ends_the_transport_after_a_late_answer() {
    let mut ws = half_closed(Role::Client, 1000, "");
    ws.close(1000, "", &mut Vec::new()).unwrap();
    assert!(!ws.is_closed());
    feed(&mut ws, [END]);
    assert!(ws.is_closed());

    // Pongs may be on their way: reading on keeps the transport from a reset.
    let mut ws = half_closed(Role::Server, 1000, "");
    ws.close(1000, "", &mut Vec::new()).unwrap();
    assert!(ws.is_closed() && ws.is_lingering());
    let pong = wire(Role::Client).pong(b"?").bytes();
    assert_eq!(feed(&mut ws, [&*pong]).events, []);
    assert!(ws.is_lingering());
    feed(&mut ws, [END]);
    assert!(ws.is_closed() && !ws.is_lingering());

    // Nothing would end the wait.
    let mut ws = start(Role::Server, &config().with_close_timeout(None));
    feed(&mut ws, [&*wire(Role::Client).close(1000, "").bytes()]);
    ws.close(1000, "", &mut Vec::new()).unwrap();
    assert!(ws.is_closed() && !ws.is_lingering());
}

// Requirement 22
#[test]
fn data_after_the_close_frame_is_bounded() {
    for role in ROLES {
        let (mut ws, mut out) = (half_closed(role, 4001, ""), Vec::new());
        let already_sent = ws.counters().sent.bytes;
        ws.ping(&[7; 125], &mut out).unwrap();
        let pong_len = (ws.counters().sent.bytes - already_sent) as usize;
        let chunk = vec![7; (4 << 20) + pong_len];
        assert_eq!(
            feed(&mut ws, [&*chunk]).events,
            [],
            "with room for the pong"
        );
        assert!(ws.is_half_closed());
        let told = feed(&mut ws, [&b"x"[..]]);
        assert_eq!(told.error(), Some(ProtocolError::DataAfterClose.into()));
        assert!(matches!(sent(&told.out)[..], [(Opcode::Close, _)]));
        assert!(ws.is_closed() && !ws.is_lingering(), "{role:?}");
        let outcome = ws.outcome().unwrap();
        assert_eq!((outcome.clean, outcome.code), (false, 4001.into()));
    }
}

// RFC 6455 §5.5.2: who has sent a close frame still answers pings. If its pong meets a
// closed socket, the reset takes away what it has not read.
#[test]
fn server_lingers_for_pongs_after_the_close_frame() {
    let close = wire(Role::Client).close(1000, "").bytes();
    let answered = wire(Role::Client).pong(b"1").pong(b"2").bytes();
    let table = [(0, 0, false), (1, 0, true), (2, 1, true), (2, 2, false)];
    let table = table
        .into_iter()
        .flat_map(|row| [(row, false), (row, true)]);
    for ((pings, pongs, lingers), closes_first) in table {
        let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
        for _ in 0..pings {
            ws.ping(b"?", &mut out).unwrap();
        }
        let answers = answered.chunks(answered.len() / 2).take(pongs);
        feed(&mut ws, answers);
        // Two close frames can cross.
        if closes_first {
            ws.close(1000, "", &mut out).unwrap();
        }
        feed(&mut ws, [&*close]);
        assert!(ws.is_closed() && ws.outcome().unwrap().clean);
        assert_eq!(ws.is_lingering(), lingers, "{pongs} pongs of {pings}");
        feed(&mut ws, [&*answered]);
        assert_eq!(ws.is_lingering(), lingers);
        feed(&mut ws, [END]);
        assert!(!ws.is_lingering());
    }
}

#[test]
fn empty_close_frame_is_echoed() {
    for role in ROLES {
        let mut ws = start(role, &config());
        let close = wire(peer_of(role)).frame(Opcode::Close, true, b"").bytes();
        feed(&mut ws, [&*close]);
        let mut out = Vec::new();
        ws.close(1000, "", &mut out).unwrap();
        assert_eq!(sent(&out), [(Opcode::Close, vec![])]);
    }
}

#[test]
fn nothing_is_received_after_the_close_frame_of_the_peer() {
    for role in ROLES {
        let bytes = wire(peer_of(role)).close(1000, "");
        let bytes = bytes.text("late").ping(b"").raw(b"\xff\xff").bytes();
        let told = every_cut(|| start(role, &config()), &bytes);
        assert!(matches!(told.events[..], [Event::Close(_)]));
        assert!(told.out.is_empty());
    }
}

#[test]
fn end_of_stream_fails_a_half_closed_connection() {
    for role in ROLES {
        let mut ws = half_closed(role, 4001, "bye");
        let told = feed(&mut ws, [END]);
        assert_eq!(told.events, [Event::Failed(ConnectionError::UnexpectedEof)]);
        assert!(told.out.is_empty(), "nobody reads it");
        let outcome = ws.outcome().unwrap();
        assert!(!outcome.clean);
        assert_eq!(outcome.cause, Some(ConnectionError::UnexpectedEof));
        // §7.1.5: the code is that of the close frame.
        assert_eq!(
            (outcome.code, &*outcome.reason, outcome.initiator),
            (4001.into(), "bye", Initiator::Peer)
        );
        assert_eq!(ws.send("late", &mut Vec::new()), Err(SendError::Closed));
    }
}

#[test]
fn endpoint_that_closed_first_receives_the_rest() {
    for role in ROLES {
        let start = || {
            let mut ws = start(role, &config());
            ws.close(4001, "bye", &mut Vec::new()).unwrap();
            ws
        };
        let bytes = wire(peer_of(role)).text("the").binary(b"rest").ping(b"?");
        let bytes = bytes.close(4001, "").bytes();
        let told = every_cut(start, &bytes);
        assert_eq!(told.messages(), ["the".into(), b"rest".into()]);
        assert_eq!(sent(&told.out), [(Opcode::Pong, b"?".into())]);
        let mut ws = start();
        feed(&mut ws, [&*bytes]);
        let outcome = ws.outcome().unwrap();
        assert!(outcome.clean && outcome.initiator == Initiator::Local);
        // If the close frames crossed, what was sent last is on its way.
        assert_eq!(ws.is_lingering(), role == Role::Server);
    }
}

#[test]
fn invalid_close_frame_is_no_half_close() {
    for role in ROLES {
        let bytes = wire(peer_of(role)).close(1005, "").bytes();
        let told = every_cut(|| start(role, &config()), &bytes);
        let error = ConnectionError::Protocol(ProtocolError::InvalidCloseCode);
        assert_eq!(told.events, [Event::Failed(error)]);
    }
}

// The switch is about close frames to come.
#[test]
fn switching_back_on_leaves_the_answer_to_the_application() {
    for role in ROLES {
        let (mut ws, mut out) = (half_closed(role, 1000, ""), Vec::new());
        ws.auto_close(true);
        assert!(ws.receive(&mut Input::none(), &mut out).is_none());
        assert!(out.is_empty() && ws.is_half_closed());
        ws.close(1000, "", &mut out).unwrap();
        assert!(ws.outcome().unwrap().clean);
    }
}
