//! The closing handshake (§7, §5.5.1), and how connections end.

use core::time::Duration;

use crate::drive::{END, every_cut, feed, open};
use crate::wire::{FIXED, ROLES, Wire, config, peer_of, wire};
use sansocket::frame::Opcode;
use sansocket::{
    Agreement, CloseCode, Config, Connection, ConnectionError, DeadlineReason, Delivery, Event,
    Fragment, Initiator, Input, IoState, LimitError, MessageKind, Prepared, ProtocolError, Role,
    SendError,
};

/// Codes that must not stand in a close frame.
const INVALID_CODES: [u16; 10] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];

/// The close frame that an endpoint of this role sends; keys are fixed.
fn close_frame(role: Role, code: u16, reason: &str) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
    frame(role, 0x88, &payload)
}

fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u8;
    match role {
        Role::Server => [&[first, len], payload].concat(),
        Role::Client => {
            let masked: Vec<u8> = payload.iter().map(|byte| byte ^ FIXED).collect();
            [&[first, 0x80 | len][..], &[FIXED; 4], &masked].concat()
        }
    }
}

/// All but the last byte.
fn cut_off(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.pop();
    bytes
}

/// Receives these bytes, which must not cause an event.
fn assert_ignores(ws: &mut Connection, bytes: &[u8]) {
    let outcome = ws.outcome().cloned();
    let told = feed(ws, [bytes]);
    assert_eq!((told.events, told.out), (vec![], vec![]));
    assert_eq!(ws.outcome().cloned(), outcome, "the outcome stands");
}

/// How much is discarded after the end before the transport may be dropped.
const MAX_DISCARDED_LEN: usize = 4 << 20;

// Requirement 22: a peer that goes on sending is not read for as long as it likes.
#[test]
fn lingering_ends_after_a_number_of_bytes() {
    for at_once in [1000, 65_536, MAX_DISCARDED_LEN] {
        for role in ROLES {
            let mut ws = open(role, &config());
            let fault = wire(peer_of(role)).frame(Opcode::Binary, true, b"");
            let mut fault = fault.bytes();
            fault[0] |= 0x40;
            feed(&mut ws, [&*fault]);
            assert_eq!(ws.is_lingering(), role == Role::Server);
            assert_eq!(ws.is_closed(), role == Role::Server);
            let mut left = MAX_DISCARDED_LEN;
            while left > 0 {
                let len = at_once.min(left);
                assert_ignores(&mut ws, &vec![7; len]);
                left -= len;
            }
            assert_eq!(
                ws.is_lingering(),
                role == Role::Server,
                "as much as allowed"
            );
            assert_eq!(ws.is_closed(), role == Role::Server);
            assert_ignores(&mut ws, b"x");
            assert!(ws.is_closed() && !ws.is_lingering(), "{role:?}");
        }
    }
}

#[test]
fn endpoint_sends_close_with_code_and_reason() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.close(4001, "bye", &mut out).unwrap();
        assert_eq!(out, close_frame(role, 4001, "bye"));
        assert!(!ws.is_open() && !ws.is_closed() && ws.outcome().is_none());
        out.clear();
        assert_eq!(
            ws.close(1000, "", &mut out),
            Ok(()),
            "a second one is no mistake"
        );
        assert!(out.is_empty());

        let mut ws = open(role, &config());
        ws.close(CloseCode::NORMAL, "", &mut out).unwrap();
        assert_eq!(out, close_frame(role, 1000, ""));
    }
}

#[test]
fn endpoint_fails_invalid_close_frame() {
    let mut rows: Vec<(String, Vec<u8>, ProtocolError, u16)> = vec![
        (
            "one byte".into(),
            vec![3],
            ProtocolError::TruncatedCloseCode,
            1002,
        ),
        (
            "reason is not UTF-8".into(),
            b"\x03\xe8ok\xff".to_vec(),
            ProtocolError::InvalidUtf8,
            1007,
        ),
        (
            "reason is cut off".into(),
            b"\x03\xe8\xc3".to_vec(),
            ProtocolError::InvalidUtf8,
            1007,
        ),
    ];
    for name in ["1005", "1006", "1015"] {
        let code: u16 = name.parse().unwrap();
        rows.push((
            name.into(),
            code.to_be_bytes().to_vec(),
            ProtocolError::InvalidCloseCode,
            1002,
        ));
    }
    for code in INVALID_CODES {
        let payload = [&code.to_be_bytes()[..], b"why"].concat();
        rows.push((
            format!("{code} with a reason"),
            payload,
            ProtocolError::InvalidCloseCode,
            1002,
        ));
    }
    for role in ROLES {
        for (name, payload, error, code) in &rows {
            let bytes = wire(peer_of(role))
                .frame(Opcode::Close, true, payload)
                .bytes();
            let told = every_cut(|| open(role, &config()), &bytes);
            assert_eq!(told.events, [Event::Failed((*error).into())], "{name}");
            assert_eq!(told.out, close_frame(role, *code, ""), "{name}");
        }
    }
}

#[test]
fn endpoint_sends_no_data_after_close() {
    let prepared = Prepared::new("x");
    for role in ROLES {
        for is_answer in [false, true] {
            let (mut ws, mut out) = (open(role, &config()), Vec::new());
            ws.send_fragment(Fragment::more("begun"), &mut out).unwrap();
            if is_answer {
                feed(&mut ws, [&*wire(peer_of(role)).close(1000, "").bytes()]);
            } else {
                ws.close(1000, "", &mut out).unwrap();
            }
            out.clear();
            let closed = Err(SendError::Closed);
            assert_eq!(ws.send("x", &mut out), closed);
            assert_eq!(ws.send_fragment(Fragment::last("x"), &mut out), closed);
            assert_eq!(
                ws.send_header(MessageKind::Text, 1, &mut out).map(drop),
                closed
            );
            assert_eq!(ws.send_prepared(&prepared, &mut out), closed);
            assert_eq!(ws.share_prepared(&prepared).map(drop), closed);
            assert_eq!(ws.ping(b"", &mut out), closed);
            assert!(out.is_empty());
        }
    }
}

#[test]
fn endpoint_delivers_nothing_after_close_frame() {
    for role in ROLES {
        for delivery in [Delivery::Messages, Delivery::Fragments] {
            let peer = || wire(peer_of(role));
            let behind = peer().text("late").ping(b"").raw(b"\xff\xff\xff").bytes();
            let bytes = [peer().close(1000, "").bytes(), behind.clone()].concat();
            let mut ws = open(role, &config().with_delivery(delivery));
            let told = feed(&mut ws, [&*bytes]);
            assert!(
                matches!(&told.events[..], [Event::Close(_)]),
                "{:?}",
                told.events
            );
            assert_eq!(told.out, close_frame(role, 1000, ""));
            assert_ignores(&mut ws, &behind);
        }
    }
}

#[test]
fn endpoint_answers_close_frame_once() {
    for role in ROLES {
        let peer = || wire(peer_of(role));
        let told = every_cut(|| open(role, &config()), &peer().close(4001, "why").bytes());
        assert_eq!(told.out, close_frame(role, 4001, ""));
        let told = every_cut(
            || open(role, &config()),
            &peer().frame(Opcode::Close, true, b"").bytes(),
        );
        assert_eq!(
            told.out,
            frame(role, 0x88, b""),
            "an empty one for an empty one"
        );

        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.close(1000, "", &mut out).unwrap();
        let told = feed(&mut ws, [&*peer().close(1001, "").bytes()]);
        assert!(told.out.is_empty(), "the frames crossed");
    }
}

#[test]
fn server_is_closed_after_both_close_frames() {
    for initiator in [Initiator::Local, Initiator::Peer] {
        let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
        if initiator == Initiator::Local {
            ws.close(4000, "mine", &mut out).unwrap();
            assert!(!ws.is_closed());
        }
        feed(&mut ws, [&*wire(Role::Client).close(4001, "yours").bytes()]);
        assert!(ws.is_closed());
        let outcome = ws.outcome().unwrap();
        assert!(outcome.clean);
        assert_eq!(
            (outcome.code, &*outcome.reason),
            (CloseCode::from(4001), "yours")
        );
        assert_eq!((outcome.initiator, outcome.cause), (initiator, None));
    }
}

/// Lets time pass until there is no deadline. Returns those that there were.
fn wait(ws: &mut Connection, out: &mut Vec<u8>) -> Vec<DeadlineReason> {
    let (mut now, mut reasons) = (Duration::ZERO, Vec::new());
    while let Some(deadline) = ws.handle_timeout(now, IoState::reading(), out) {
        assert!(!ws.is_closed());
        now = deadline.at;
        reasons.push(deadline.reason);
    }
    reasons
}

#[test]
fn client_is_closed_at_end_of_stream_or_deadline() {
    for ends in [true, false] {
        let (mut ws, mut out) = (open(Role::Client, &config()), Vec::new());
        feed(&mut ws, [&*wire(Role::Server).close(1000, "").bytes()]);
        assert!(!ws.is_closed() && ws.outcome().unwrap().clean);
        if ends {
            assert!(feed(&mut ws, [END]).events.is_empty());
        } else {
            assert_eq!(wait(&mut ws, &mut out), [DeadlineReason::Close; 2]);
        }
        assert!(ws.is_closed() && ws.outcome().unwrap().clean);
        assert_ignores(&mut ws, END);
    }
}

/// What was negotiated does not make the transport a stream of HTTP/2.
#[test]
fn client_with_a_subprotocol_awaits_the_end_of_the_stream() {
    let agreement = Agreement::default().with_subprotocol("chat");
    let mut ws = Connection::upgraded(Role::Client, agreement, &config());
    feed(&mut ws, [&*wire(Role::Server).close(1000, "").bytes()]);
    assert!(!ws.is_closed());
    feed(&mut ws, [END]);
    assert!(ws.is_closed());
}

#[test]
fn client_closes_on_failure() {
    for ends in [true, false] {
        let (mut ws, mut out) = (
            open(Role::Client, &config().with_max_message_len(1)),
            Vec::new(),
        );
        let told = feed(&mut ws, [&*wire(Role::Server).text("long").bytes()]);
        assert_eq!(told.error(), Some(LimitError::MessageTooLong.into()));
        assert_eq!(told.out, close_frame(Role::Client, 1009, ""));
        assert!(!ws.is_closed());
        if ends {
            feed(&mut ws, [END]);
        } else {
            assert_eq!(wait(&mut ws, &mut out), [DeadlineReason::Close; 2]);
        }
        assert!(ws.is_closed());
    }
    // Where nobody is left to answer, there is nothing to wait for.
    let mut ws = open(Role::Client, &config());
    feed(&mut ws, [END]);
    assert!(ws.is_closed());
}

/// A connection of this role that failed for each reason there is a code for.
fn failures(role: Role) -> Vec<(ConnectionError, u16, Connection, Vec<u8>)> {
    let peer = || wire(peer_of(role));
    let by_bytes = |config: Config, bytes: Vec<u8>| {
        let mut ws = open(role, &config);
        let told = feed(&mut ws, [&*bytes]);
        (told.error().unwrap(), ws, told.out)
    };
    let by_time = |config: Config, reason| {
        let (mut ws, mut out) = (open(role, &config), Vec::new());
        let mut at = Duration::ZERO;
        while !ws.is_closed() {
            out.clear();
            at = ws
                .handle_timeout(at, IoState::reading(), &mut out)
                .map_or(at, |deadline| deadline.at);
        }
        (ConnectionError::Timeout(reason), ws, out)
    };
    let by_control = {
        let mut ws = open(role, &config().with_max_control_frames(1));
        ws.handle_timeout(Duration::ZERO, IoState::reading(), &mut Vec::new());
        let told = feed(&mut ws, [&*peer().pong(b"").pong(b"").bytes()]);
        (told.error().unwrap(), ws, told.out)
    };
    let empty = |fin| move |wire: Wire| wire.frame(Opcode::Continuation, fin, b"");
    let rows = vec![
        (1002, by_bytes(config(), empty(true)(peer()).bytes())),
        (
            1007,
            by_bytes(config(), peer().frame(Opcode::Text, true, b"\xff").bytes()),
        ),
        (
            1009,
            by_bytes(config().with_max_frame_len(1), peer().binary(b"ab").bytes()),
        ),
        (
            1009,
            by_bytes(
                config().with_max_message_len(1),
                peer().binary(b"ab").bytes(),
            ),
        ),
        (
            1008,
            by_bytes(
                config().with_max_fragments(1),
                empty(true)(peer().frame(Opcode::Text, false, b"")).bytes(),
            ),
        ),
        (1008, by_control),
        (1011, by_time(config(), DeadlineReason::Pong)),
        (
            1001,
            by_time(
                config().with_idle_timeout(Duration::from_secs(1)),
                DeadlineReason::Idle,
            ),
        ),
    ];
    rows.into_iter()
        .map(|(code, (error, ws, out))| (error, code, ws, out))
        .collect()
}

#[test]
fn server_closes_on_failure() {
    for role in ROLES {
        for (error, code, ws, out) in failures(role) {
            assert_eq!(error.close_code(), Some(CloseCode::from(code)), "{error:?}");
            assert_eq!(out, close_frame(role, code, ""), "{error:?}");
            let outcome = ws.outcome().unwrap();
            assert_eq!((outcome.clean, outcome.cause), (false, Some(error)));
            assert_eq!(outcome.initiator, Initiator::Local);
            assert!(ws.is_closed() || role == Role::Client);
        }
    }
    let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
    ws.close(1000, "", &mut out).unwrap();
    let told = feed(&mut ws, [&b"\x81\x00"[..]]);
    assert_eq!(told.error(), Some(ProtocolError::MissingMask.into()));
    assert!(told.out.is_empty(), "one close frame is enough");
}

#[test]
fn endpoint_reads_nothing_after_failure() {
    for role in ROLES {
        let peer = || wire(peer_of(role));
        let behind = peer().text("late").ping(b"").close(1000, "").bytes();
        let fault = peer().frame(Opcode::Continuation, true, b"").bytes();
        let mut ws = open(role, &config());
        let told = feed(&mut ws, [&*[fault, behind.clone()].concat()]);
        assert_eq!(
            told.events,
            [Event::Failed(ProtocolError::UnexpectedContinuation.into())]
        );
        assert_eq!(told.out, close_frame(role, 1002, ""));
        assert_ignores(&mut ws, &behind);
    }
}

#[test]
fn endpoint_fails_at_unexpected_end_of_stream() {
    for role in ROLES {
        let peer = || wire(peer_of(role));
        let rows = [
            ("between frames", vec![], false),
            ("in a header", b"\x82".to_vec(), false),
            ("in a frame", cut_off(peer().binary(b"abc").bytes()), false),
            (
                "in a message",
                peer().frame(Opcode::Text, false, b"a").bytes(),
                false,
            ),
            ("behind own close", vec![], true),
        ];
        for (name, bytes, is_closing) in rows {
            let (mut ws, mut out) = (open(role, &config()), Vec::new());
            if is_closing {
                ws.close(4000, "", &mut out).unwrap();
            }
            let told = feed(
                &mut ws,
                [&*bytes].into_iter().filter(|b| !b.is_empty()).chain([END]),
            );
            assert_eq!(
                told.events,
                [Event::Failed(ConnectionError::UnexpectedEof)],
                "{name}"
            );
            assert!(told.out.is_empty() && ws.is_closed(), "{name}");
            let outcome = ws.outcome().unwrap();
            let code = if is_closing {
                CloseCode::from(4000)
            } else {
                CloseCode::ABNORMAL
            };
            assert_eq!((outcome.clean, outcome.code), (false, code), "{name}");
        }
    }
    let mut ws = Connection::server(&config());
    let told = feed(&mut ws, [b"GET / HT", END]);
    assert_eq!(told.events, [Event::Failed(ConnectionError::UnexpectedEof)]);
    assert!(told.out.is_empty() && ws.is_closed());
}

#[test]
fn endpoint_refuses_invalid_close_code() {
    let mut rows = vec![
        // Without a reason it is how the API says that there is no code.
        ("1005 with a reason", 1005, "why"),
        ("1006 without a reason", 1006, ""),
        ("1015 without a reason", 1015, ""),
    ];
    rows.extend(INVALID_CODES.map(|code| ("with a reason", code, "why")));
    for role in ROLES {
        for (name, code, reason) in &rows {
            let (mut ws, mut out) = (open(role, &config()), Vec::new());
            let closed = ws.close(*code, reason, &mut out);
            assert_eq!(closed, Err(SendError::InvalidCloseCode), "{code} {name}");
            assert!(out.is_empty() && ws.is_open(), "{code} {name}");
        }
    }
}

#[test]
fn endpoint_sends_close_without_a_code() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.close(CloseCode::NO_STATUS, "", &mut out).unwrap();
        assert_eq!(out, frame(role, 0x88, b""));
        let told = feed(&mut open(peer_of(role), &config()), [&*out]);
        let [Event::Close(close)] = &told.events[..] else {
            panic!("{:?}", told.events)
        };
        assert_eq!(close.code, CloseCode::NO_STATUS);
    }
}

#[test]
fn long_reason_is_cut_between_characters() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.close(4000, &"\u{e9}".repeat(100), &mut out).unwrap();
        assert_eq!(out, close_frame(role, 4000, &"\u{e9}".repeat(61)));
    }
}

#[test]
fn endpoint_never_sends_reserved_close_code() {
    for role in ROLES {
        let mut sent: Vec<Vec<u8>> = failures(role).into_iter().map(|(.., out)| out).collect();
        let empty = wire(peer_of(role)).frame(Opcode::Close, true, b"").bytes();
        sent.push(feed(&mut open(role, &config()), [&*empty]).out);
        sent.push(feed(&mut open(role, &config()), [END]).out);
        for out in sent {
            let reserved = [1005, 1006, 1015].map(|code| close_frame(role, code, ""));
            assert!(!reserved.contains(&out), "{}", out.escape_ascii());
        }
    }
}

// Requirement 32
#[test]
fn input_that_is_left_is_taken_later() {
    let mut bytes = wire(Role::Client)
        .text("one")
        .text("two")
        .close(1000, "")
        .bytes();
    let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
    let mut input = Input::new(&mut bytes);
    assert_eq!(
        ws.receive(&mut input, &mut out),
        Some(Event::Message("one".into()))
    );
    ws.send("between", &mut out).unwrap();
    assert_eq!(
        ws.receive(&mut input, &mut out),
        Some(Event::Message("two".into()))
    );
    assert!(matches!(
        ws.receive(&mut input, &mut out),
        Some(Event::Close(_))
    ));
    let expected = [
        b"\x81\x07between".to_vec(),
        close_frame(Role::Server, 1000, ""),
    ]
    .concat();
    assert_eq!(out, expected);
}
