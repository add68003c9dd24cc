//! Every fault in tests/harness/faults.rs, noticed by the core.

use core::time::Duration;

use sansocket::frame::Opcode;
use sansocket::{
    ClientRequest, Connection, ConnectionError, Event, HandshakeError, Initiator, Input, IoState,
    Role,
};

use crate::drive::{END, every_cut, feed};
use crate::fault_table::{Fault, Reply, assert_complete, faults};
use crate::wire::frames;

/// The connection before the peer's part of the handshake, with a clock.
fn start(fault: &Fault) -> Connection {
    let mut ws = match fault.role {
        Role::Server => Connection::server(&fault.config),
        Role::Client => {
            let request = ClientRequest::to("ws://example.com/chat").unwrap();
            Connection::client(&request, &fault.config, &mut Vec::new()).unwrap()
        }
    };
    ws.handle_timeout(Duration::ZERO, IoState::reading(), &mut Vec::new());
    ws
}

/// The same after the handshake.
fn opened(fault: &Fault) -> Connection {
    let (mut ws, mut out) = (start(fault), Vec::new());
    let mut head = fault.head.clone();
    match ws.receive(&mut Input::new(&mut head), &mut out) {
        Some(Event::Request(request)) => ws.respond(request.accept(), &mut out).unwrap(),
        Some(Event::Open(_)) => {}
        event => panic!("{}: {event:?}", fault.name),
    }
    ws
}

fn reply_in(out: &[u8]) -> Reply {
    if let Some(status) = out.strip_prefix(b"HTTP/1.1 ") {
        let digits = str::from_utf8(&status[..3]).unwrap();
        return Reply::Status(digits.parse().unwrap());
    }
    match frames(out).pop() {
        Some((header, payload)) => {
            assert_eq!(header.opcode, Opcode::Close);
            Reply::Close(u16::from_be_bytes([payload[0], payload[1]]))
        }
        None => Reply::End,
    }
}

#[test]
fn every_error_has_a_fault() {
    assert_complete(&faults());
}

// Requirement 24
#[test]
fn fault_is_reported_to_both_ends() {
    for fault in faults() {
        let what = format!("{:?}, {}", fault.role, fault.name);
        let bytes = if fault.opens() {
            &fault.bytes
        } else {
            &fault.head
        };
        let before = || {
            if fault.opens() {
                opened(&fault)
            } else {
                start(&fault)
            }
        };
        if bytes.len() < 1000 {
            every_cut(before, bytes);
        }
        let mut ws = before();
        let mut told = feed(&mut ws, [&**bytes]);
        told.events.extend(feed(&mut ws, [END]).events);
        let is_refused = matches!(
            told.events.last(),
            Some(Event::Refused(_) | Event::Request(_))
        );
        assert!(
            told.error() == Some(fault.error) || is_refused,
            "{what}: {told:?}"
        );
        assert_eq!(reply_in(&told.out), fault.reply, "{what}");
        let outcome = ws.outcome().expect("the connection ended");
        assert_eq!(outcome.cause, Some(fault.error), "{what}");
        assert_eq!(u16::from(outcome.code), fault.outcome_code(), "{what}");
        assert!(!outcome.clean, "{what}");
        let is_ended_by_peer = match fault.error {
            ConnectionError::UnexpectedEof => true,
            ConnectionError::Handshake(HandshakeError::Refused(_)) => fault.role == Role::Client,
            _ => false,
        };
        let expected = if is_ended_by_peer {
            Initiator::Peer
        } else {
            Initiator::Local
        };
        assert_eq!(outcome.initiator, expected, "{what}");
    }
}
