//! Deadlines on a virtual clock, through the public API: which deadline ends a silent,
//! slow or unwilling peer, when, and what is sent to it, and that a slow but healthy peer
//! is not ended.

use core::time::Duration;

use crate::clocked::{Clocked, GRACE, client, secs};
use crate::drive::{END, feed, open};
use crate::wire::{ROLES, config, frames, peer_of, wire};
use sansocket::frame::{Header, Opcode};
use sansocket::{
    Answer, ClientRequest, Config, Connection, ConnectionError, DeadlineReason, Delivery, Event,
    HandshakeError, Input, IoState, LimitError, Role, SendError,
};

/// How each deadline ends a peer that takes nothing.
const STALL: Option<ConnectionError> = Some(ConnectionError::Timeout(DeadlineReason::WriteStall));

// Requirement 15: nothing waits for the peer's goodwill, in any phase.
#[test]
fn silent_peer_is_given_up_in_every_phase() {
    use DeadlineReason::*;
    let config = config();
    let begun = |mut ws: Connection, bytes: &[u8]| {
        feed(&mut ws, [bytes]);
        Clocked::new(ws)
    };
    let closing = |role| {
        let mut clocked = Clocked::open(role, &config);
        clocked.ws.close(1000, "", &mut clocked.out).unwrap();
        clocked
    };
    let rows = [
        (
            "no request",
            Clocked::new(Connection::server(&config)),
            Handshake,
            secs(10),
        ),
        (
            "half a request",
            begun(Connection::server(&config), b"GET / HT"),
            Handshake,
            secs(10),
        ),
        (
            "no response",
            Clocked::new(client(&config)),
            Handshake,
            secs(10),
        ),
        (
            "half a response",
            begun(client(&config), b"HTTP/1.1 101"),
            Handshake,
            secs(10),
        ),
        (
            "half a refusal",
            begun(client(&config), b"HTTP/1.1 404 No\r\n\r\nbody"),
            Handshake,
            secs(10),
        ),
        (
            "open server",
            Clocked::open(Role::Server, &config),
            Pong,
            secs(40),
        ),
        (
            "open client",
            Clocked::open(Role::Client, &config),
            Pong,
            secs(40),
        ),
        (
            "half a frame",
            begun(open(Role::Client, &config), b"\x82\x7eff"),
            Pong,
            secs(40),
        ),
        (
            "server's close frame",
            closing(Role::Server),
            Close,
            secs(5),
        ),
        (
            "client's close frame",
            closing(Role::Client),
            Close,
            secs(5),
        ),
        (
            "stream that the server does not end",
            begun(open(Role::Client, &config), b"\x88\x02\x03\xe8"),
            Close,
            secs(5),
        ),
    ];
    for (name, mut clocked, reason, after) in rows {
        assert_eq!(clocked.wait(), (reason, after), "{name}");
        assert!(clocked.ws.is_closed(), "{name}");
        assert_eq!(
            clocked.pass(secs(1_000)),
            None,
            "{name}: there is no more to wait for"
        );
        let cause = clocked.ws.outcome().and_then(|outcome| outcome.cause);
        let expected = match name {
            "half a refusal" => Some(HandshakeError::Refused(404).into()),
            "stream that the server does not end" => None,
            _ => Some(ConnectionError::Timeout(reason)),
        };
        assert_eq!(cause, expected, "{name}");
        assert_eq!(clocked.error(), expected, "{name}");
    }
}

#[test]
fn peer_is_told_which_deadline_passed() {
    let after = |mut clocked: Clocked, times: &[u64]| {
        for passed in times {
            clocked.written();
            clocked.pass(secs(*passed));
        }
        clocked.pass(GRACE);
        clocked.out
    };
    let out = after(Clocked::new(Connection::server(&config())), &[10]);
    assert!(out.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    let out = after(Clocked::new(client(&config())), &[10]);
    assert!(out.is_empty(), "a client says nothing");
    for role in ROLES {
        let out = after(Clocked::open(role, &config()), &[20, 20]);
        assert_eq!(frames(&out)[0].1, b"\x03\xf3", "1011 for a mute peer");
        let idle = config().with_idle_timeout(secs(3)).with_ping_interval(None);
        let out = after(Clocked::open(role, &idle), &[3]);
        assert_eq!(frames(&out)[0].1, b"\x03\xe9", "1001 for an idle one");
    }
}

// Requirement 16: any received byte is life, even of a frame that takes hours.
#[test]
fn slow_large_frame_survives_keepalive() {
    for role in ROLES {
        let payload = vec![0xab; 1024 * 1024];
        let bytes = wire(peer_of(role)).binary(&payload).bytes();
        let fragments = config()
            .with_ping_interval(secs(2))
            .with_pong_timeout(secs(2))
            .with_idle_timeout(secs(5))
            .with_delivery(Delivery::Fragments);
        let mut clocked = Clocked::open(role, &fragments);
        let mut received = 0;
        for piece in bytes.chunks(100) {
            clocked.pass(secs(1));
            clocked.receive(piece);
            assert!(clocked.written().is_empty(), "no ping: there is life");
            for event in clocked.events.drain(..) {
                let Event::Fragment(fragment) = event else {
                    panic!("{event:?}")
                };
                received += fragment.payload.len();
            }
        }
        assert_eq!(received, payload.len());
        assert!(clocked.ws.is_open());
    }
}

// Requirement 16: a mute peer is pinged once and ended on time.
#[test]
fn mute_peer_is_pinged_once_and_ended() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        assert_eq!(
            clocked.tick().map(|deadline| deadline.reason),
            Some(DeadlineReason::Ping)
        );
        clocked.pass(secs(20) - Duration::from_nanos(1));
        assert!(clocked.written().is_empty());
        clocked.pass(Duration::from_nanos(1));
        let [(header, payload)] = &frames(&clocked.written())[..] else {
            panic!()
        };
        assert_eq!((header.opcode, payload.len()), (Opcode::Ping, 4));
        clocked.pass(secs(20) - Duration::from_nanos(1));
        assert!(clocked.written().is_empty(), "one ping for each silence");
        assert!(clocked.ws.is_open());
        clocked.pass(Duration::from_nanos(1));
        assert!(
            clocked.ws.is_open(),
            "what came in time could still be read"
        );
        clocked.pass(2 * GRACE);
        assert!(clocked.ws.is_closed());
        assert_eq!(
            clocked.error(),
            Some(ConnectionError::Timeout(DeadlineReason::Pong))
        );
    }
}

#[test]
fn any_byte_answers_a_keepalive_ping() {
    for role in ROLES {
        let pong = wire(peer_of(role)).pong(b"").bytes();
        let half = wire(peer_of(role))
            .with_header(Header::new(Opcode::Binary, 9), b"x")
            .bytes();
        for life in [pong, half, wire(peer_of(role)).text("x").bytes()] {
            let mut clocked = Clocked::open(role, &config());
            for _ in 0..2 {
                clocked.pass(secs(20));
                let len = if role == Role::Client { 10 } else { 6 };
                assert_eq!(clocked.written().len(), len);
                clocked.pass(secs(19));
                let is_begun = clocked.ws.remaining_payload_len() > 0;
                clocked.receive(if is_begun { b"x" } else { &life });
            }
            assert!(clocked.ws.is_open());
        }
    }
}

// Requirement 15: the handshake has one deadline for all of it.
#[test]
fn trickled_handshake_ends_at_its_deadline() {
    let mut clocked = Clocked::new(Connection::server(&config()));
    let endless = b"GET / HTTP/1.1\r\nX: ".iter().chain([b'a'].iter().cycle());
    for (index, byte) in endless.enumerate() {
        if clocked.ws.is_closed() {
            assert_eq!(index, 11, "one byte each second");
            break;
        }
        clocked.pass(secs(1));
        clocked.receive(&[*byte]);
    }
    assert_eq!(
        clocked.error(),
        Some(ConnectionError::Timeout(DeadlineReason::Handshake))
    );
}

// Requirements 15 and 28: a peer that reads nothing is seen and cut.
#[test]
fn stalled_writes_end_the_connection() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[0; 1000], &mut clocked.out).unwrap();
        let stall = |clocked: &mut Clocked| {
            // It still talks, so that keepalive has no reason to end it.
            clocked.receive(&wire(peer_of(role)).pong(b"").bytes());
            clocked.pass(secs(15))
        };
        stall(&mut clocked);
        clocked.write(1);
        stall(&mut clocked);
        assert!(clocked.ws.is_open(), "some bytes left");
        stall(&mut clocked);
        clocked.pass(GRACE);
        assert!(clocked.ws.is_closed() && clocked.out.is_empty());
        assert_eq!(clocked.error(), STALL);
    }
}

#[test]
fn deadlines_can_be_switched_off() {
    let off = config()
        .with_handshake_timeout(None)
        .with_ping_interval(None)
        .with_pong_timeout(None)
        .with_idle_timeout(None)
        .with_close_timeout(None)
        .with_write_timeout(None);
    for role in ROLES {
        let mut clocked = Clocked::open(role, &off);
        clocked.ws.send("unsent", &mut clocked.out).unwrap();
        assert_eq!(clocked.pass(secs(1_000_000)), None);
        clocked.ws.close(1000, "", &mut clocked.out).unwrap();
        assert_eq!(clocked.pass(secs(1_000_000)), None);
        assert!(!clocked.ws.is_closed());
    }
    assert_eq!(Clocked::new(client(&off)).pass(secs(1_000_000)), None);
}

// Requirement 15: what is left to send must not keep a connection that is closing.
#[test]
fn close_deadline_ends_a_stall_without_a_write_deadline() {
    let config = config().with_write_timeout(None).with_ping_interval(None);
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config);
        clocked.ws.send("unsent", &mut clocked.out).unwrap();
        assert_eq!(clocked.pass(secs(1_000_000)), None);
        clocked.ws.close(1000, "", &mut clocked.out).unwrap();
        clocked.pass(secs(0));
        clocked.pass(secs(4));
        assert!(!clocked.ws.is_closed(), "the time counts from the close");
        clocked.pass(secs(2));
        clocked.pass(secs(1));
        let cause = clocked.ws.outcome().and_then(|outcome| outcome.cause);
        let stall = ConnectionError::Timeout(DeadlineReason::WriteStall);
        assert_eq!(cause, Some(stall), "{role:?}");
        assert!(clocked.ws.is_closed() && clocked.out.is_empty());
    }
}

// A driver that waits until its output has left, and reads meanwhile or not.
#[test]
fn close_deadline_ends_a_stall_while_draining() {
    let config = config().with_write_timeout(None).with_ping_interval(None);
    for role in ROLES {
        for io in [IoState::reading(), IoState::paused()] {
            let mut clocked = Clocked::open(role, &config);
            clocked.ws.auto_close(false);
            clocked.ws.send("unsent", &mut clocked.out).unwrap();
            clocked.pass(secs(1_000_000));
            clocked.ws.close(1000, "", &mut clocked.out).unwrap();
            clocked.io = io;
            clocked.pass(secs(0));
            clocked.pass(secs(4));
            assert!(!clocked.ws.is_closed(), "the time counts from the close");
            clocked.pass(secs(2));
            clocked.pass(secs(1));
            let cause = clocked.ws.outcome().and_then(|outcome| outcome.cause);
            let stall = ConnectionError::Timeout(DeadlineReason::WriteStall);
            assert_eq!(cause, Some(stall), "{role:?}, {io:?}");
        }
    }
}

// Requirements 13 and 22: more control frames than the limit in one second.
#[test]
fn flood_of_control_frames_is_ended() {
    for role in ROLES {
        for opcode in [Opcode::Ping, Opcode::Pong] {
            let limited = config().with_max_control_frames(10);
            let frame = wire(peer_of(role)).frame(opcode, true, b"").bytes();
            let mut clocked = Clocked::open(role, &limited);
            for _ in 0..3 {
                clocked.receive(&frame.repeat(10));
                assert!(clocked.ws.is_open(), "the limit itself is fine");
                clocked.written();
                clocked.pass(secs(1));
            }
            clocked.receive(&frame.repeat(11));
            let error = LimitError::TooManyControlFrames;
            assert_eq!(clocked.error(), Some(error.into()));
            assert_eq!(frames(&clocked.out).pop().unwrap().1, b"\x03\xf0", "1008");
        }
    }
}

#[test]
fn failure_by_deadline_is_reported_with_any_input() {
    for input in [true, false] {
        let mut clocked = Clocked::open(Role::Server, &config());
        clocked.pass(secs(20));
        clocked.written();
        clocked.pass(secs(20) + GRACE);
        let mut bytes = wire(Role::Client).text("too late").bytes();
        let mut input = if input {
            Input::new(&mut bytes)
        } else {
            Input::none()
        };
        let event = clocked.ws.receive(&mut input, &mut clocked.out);
        let error = ConnectionError::Timeout(DeadlineReason::Pong);
        assert_eq!(event, Some(Event::Failed(error)));
        assert!(input.remaining().is_empty(), "consumed after the end");
        assert_eq!(clocked.ws.receive(&mut input, &mut clocked.out), None);
    }
}

// A link of 20 kB/s is slow, not dead: our ping is queued after 4 MB, so its pong
// cannot arrive yet.
#[test]
fn slow_download_is_not_a_dead_peer() {
    for role in ROLES {
        for talks in [false, true] {
            for is_reading in [false, true] {
                let mut clocked = Clocked::open(role, &config());
                clocked.io.is_reading = is_reading;
                clocked.ws.send(&[7; 4_000_000], &mut clocked.out).unwrap();
                for _ in 0..215 {
                    clocked.pass(secs(1));
                    clocked.write(20_000);
                    if talks {
                        clocked.receive(&wire(peer_of(role)).ping(b"").bytes());
                    }
                    let seconds = clocked.now.as_secs() - 1_000_000;
                    assert_eq!(clocked.ws.outcome(), None, "{role:?} after {seconds} s");
                }
                assert!(clocked.out.len() < 1000, "all of it has left");
            }
        }
    }
}

#[test]
fn ping_that_is_queued_starts_no_clock() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[7; 1000], &mut clocked.out).unwrap();
        clocked.pass(secs(20));
        assert!(
            clocked.out.len() > 1000,
            "the ping waits behind the message"
        );
        for _ in 0..10 {
            clocked.write(100);
            clocked.pass(secs(25));
        }
        assert!(clocked.ws.is_open());
        clocked.written();
        clocked.pass(secs(20));
        assert!(clocked.ws.is_open());
        clocked.pass(2 * GRACE);
        assert_eq!(
            clocked.error(),
            Some(ConnectionError::Timeout(DeadlineReason::Pong))
        );
    }
}

#[test]
fn close_behind_a_message_that_is_leaving_is_clean() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[7; 1_000_000], &mut clocked.out).unwrap();
        clocked.ws.close(1000, "done", &mut clocked.out).unwrap();
        while !clocked.out.is_empty() {
            clocked.pass(secs(1));
            clocked.write(100_000);
            assert_eq!(clocked.ws.outcome(), None, "{:?}", clocked.now);
        }
        clocked.pass(secs(4));
        clocked.receive(&wire(peer_of(role)).close(1000, "").bytes());
        assert!(clocked.ws.outcome().is_some_and(|outcome| outcome.clean));
    }
}

/// A connection with unsent bytes, in every state in which that is possible.
fn owing() -> Vec<(&'static str, Clocked)> {
    let mut rows = Vec::new();
    for role in ROLES {
        let peer = || wire(peer_of(role));
        let large = [7; 60_000];
        let sending = || {
            let mut clocked = Clocked::open(role, &config());
            clocked.ws.send(&large, &mut clocked.out).unwrap();
            clocked.tick();
            clocked
        };
        rows.push(("open", sending()));
        let mut closing = sending();
        closing.ws.close(1000, "", &mut closing.out).unwrap();
        rows.push(("after our close frame", closing));
        let mut closed = sending();
        closed.receive(&peer().close(1000, "").bytes());
        rows.push(("after the peer's close frame", closed));
        let mut failed = sending();
        failed.receive(&peer().raw(b"\xff\xff").bytes());
        rows.push(("after a failure", failed));
        let mut ended = sending();
        ended.receive(END);
        rows.push(("after the end of the stream", ended));
    }
    for page in [Answer::new(200), Answer::new(404)] {
        let mut clocked = Clocked::new(Connection::server(&config()));
        let mut request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
        let mut input = Input::new(&mut request);
        let event = clocked.ws.receive(&mut input, &mut clocked.out);
        assert!(matches!(event, Some(Event::Request(_))), "{event:?}");
        let page = page.with_body(vec![7; 1 << 20]);
        clocked.ws.respond(page, &mut clocked.out).unwrap();
        rows.push(("a large page", clocked));
    }
    let mut refused = Clocked::new(Connection::server(&config()));
    refused.receive(b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n");
    rows.push(("a refusal", refused));
    let mut asking = Clocked::new(Connection::server(&config()));
    let request = ClientRequest::to("ws://h/").unwrap();
    asking.ws = Connection::client(&request, &config(), &mut asking.out).unwrap();
    rows.push(("a request", asking));
    rows
}

// Requirement 15: whatever is owed, a peer that takes nothing is cut off, and
// nothing is left to wait for.
#[test]
fn peer_that_stops_reading_is_ended_in_every_state() {
    for (name, mut clocked) in owing() {
        assert!(!clocked.out.is_empty(), "{name}");
        for _ in 0..2 {
            // A trickle does not count as nothing.
            clocked.pass(secs(29));
            clocked.write(1);
        }
        let mut waited = Duration::ZERO;
        while !(clocked.ws.is_closed() && clocked.out.is_empty()) {
            assert!(waited <= secs(40), "{name}: {:?}", clocked.ws.outcome());
            clocked.pass(secs(1));
            waited += secs(1);
        }
        assert!(clocked.ws.is_stalled() || name == "a request", "{name}");
        assert_eq!(clocked.pass(secs(1000)), None, "{name}");
    }
}

#[test]
fn trickle_is_ended_where_a_minimum_rate_is_set() {
    for (rate, is_ended) in [(0, false), (1, true), (1000, true)] {
        for role in ROLES {
            let mut clocked = Clocked::open(role, &config().with_min_write_rate(rate));
            clocked.io = IoState::paused();
            clocked.ws.send(&[7; 1000], &mut clocked.out).unwrap();
            for _ in 0..20 {
                clocked.pass(secs(29));
                clocked.write(1);
            }
            assert_eq!(clocked.ws.is_closed(), is_ended, "{rate} B/s");
            assert_eq!(clocked.error(), STALL.filter(|_| is_ended));
        }
    }
}

#[test]
fn peer_that_keeps_the_minimum_rate_is_not_ended() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config().with_min_write_rate(1000));
        clocked.io = IoState::paused();
        clocked.ws.send(&[7; 1_000_000], &mut clocked.out).unwrap();
        for _ in 0..600 {
            clocked.pass(secs(1));
            clocked.write(1100);
        }
        assert!(clocked.ws.is_open());
        // Small messages that always leave are far below the rate.
        let mut clocked = Clocked::open(role, &config().with_min_write_rate(1000));
        clocked.io = IoState::paused();
        for _ in 0..600 {
            clocked.out.clear();
            clocked.ws.send("tick", &mut clocked.out).unwrap();
            clocked.pass(secs(1));
        }
        assert!(clocked.ws.is_open());
    }
}

// What leaves is progress, though as much comes in its place.
#[test]
fn progress_counts_though_the_output_does_not_shrink() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[7; 10_000], &mut clocked.out).unwrap();
        let len = wire(role).pong(b"").bytes().len();
        for _ in 0..100 {
            clocked.pass(secs(1));
            clocked.out.drain(..len);
            clocked.receive(&wire(peer_of(role)).ping(b"").bytes());
        }
        assert!(clocked.ws.is_open());
    }
}

// The driver's own queue and a transport that buffers are part of the account.
#[test]
fn buffered_bytes_are_unsent() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[7; 1000], &mut clocked.out).unwrap();
        let out = core::mem::take(&mut clocked.out);
        clocked.io = clocked.io.with_buffered_len(out.len());
        for _ in 0..9 {
            clocked.pass(secs(25));
            clocked.receive(&wire(peer_of(role)).ping(b"").bytes());
            clocked.io.buffered_len -= 100;
            clocked.out.clear();
        }
        assert!(clocked.ws.is_open());
        clocked.pass(secs(30) + GRACE);
        assert!(clocked.ws.is_stalled());
    }
}

// An application that takes its time is not the client's fault.
#[test]
fn slow_application_is_not_a_slow_client() {
    let mut clocked = Clocked::new(Connection::server(&config()));
    let mut request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n"
        .to_vec();
    let mut input = Input::new(&mut request);
    let event = clocked.ws.receive(&mut input, &mut clocked.out);
    let Some(Event::Request(request)) = event else {
        panic!("{event:?}")
    };
    clocked.pass(secs(60));
    assert!(clocked.out.is_empty(), "no 408");
    clocked
        .ws
        .respond(request.accept(), &mut clocked.out)
        .unwrap();
    assert!(clocked.ws.is_open());
    clocked.written();
    let deadline = clocked.tick().expect("a deadline");
    assert_eq!(deadline.reason, DeadlineReason::Ping);
    assert_eq!(deadline.at - clocked.now, secs(20));
}

#[test]
fn end_of_stream_while_a_request_waits_is_reported() {
    for request in [
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\nbehind it",
    ] {
        let (mut ws, mut out) = (Connection::server(&config()), Vec::new());
        let mut request = request.to_vec();
        let mut input = Input::new(&mut request);
        let event = ws.receive(&mut input, &mut out);
        let Some(Event::Request(request)) = event else {
            panic!("{event:?}")
        };
        let ended = ws.receive(&mut Input::new(&mut []), &mut out);
        assert_eq!(ended, Some(Event::Failed(ConnectionError::UnexpectedEof)));
        assert!(ws.is_closed());
        let answer = ws.respond(request.accept(), &mut out);
        assert_eq!(answer, Err(SendError::Closed));
        assert!(out.is_empty());
    }
}

// Who only sends does not know what the peer sent.
#[test]
fn endpoint_that_only_sends_for_an_hour_is_not_failed() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config().with_idle_timeout(secs(60)));
        clocked.io = IoState::paused();
        for _ in 0..3600 {
            clocked.ws.send("tick", &mut clocked.out).unwrap();
            clocked.written();
            clocked.pass(secs(1));
        }
        assert!(clocked.ws.is_open());
        // Then it reads: what had come counts, though it came long ago.
        clocked.io = IoState::reading();
        clocked.tick();
        assert!(clocked.ws.is_open());
        clocked.receive(&wire(peer_of(role)).pong(b"").bytes());
        clocked.pass(secs(19));
        assert!(clocked.ws.is_open());
    }
}

// A driver that was busy reads what was received meanwhile before the connection fails.
#[test]
fn busy_driver_fails_nobody_for_its_own_silence() {
    for role in ROLES {
        let idle = config().with_idle_timeout(secs(30));
        let mut clocked = Clocked::open(role, &idle);
        clocked.pass(secs(20));
        clocked.written();
        clocked.be_busy(secs(100));
        assert!(clocked.ws.is_open());
        clocked.receive(&wire(peer_of(role)).pong(b"").bytes());
        clocked.pass(secs(1));
        assert!(clocked.ws.is_open());
        // And what could have left meanwhile is written.
        clocked.ws.send("unsent", &mut clocked.out).unwrap();
        clocked.tick();
        clocked.be_busy(secs(100));
        clocked.written();
        clocked.receive(&wire(peer_of(role)).pong(b"").bytes());
        clocked.pass(secs(1));
        assert!(clocked.ws.is_open());
    }
}

#[test]
fn refusal_with_endless_body_keeps_its_status() {
    let mut clocked = Clocked::new(client(&config()));
    clocked.receive(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\nplease");
    for _ in 0..11 {
        assert!(clocked.events.is_empty());
        clocked.pass(secs(1));
        clocked.receive(b".");
    }
    let [Event::Refused(refusal), Event::Failed(error)] = &clocked.events[..] else {
        panic!("{:?}", clocked.events)
    };
    assert_eq!((refusal.status(), refusal.is_truncated()), (401, true));
    assert!(refusal.headers().get("www-authenticate").is_some());
    assert!(refusal.body().starts_with(b"please...."));
    assert_eq!(*error, HandshakeError::Refused(401).into());
    assert!(clocked.ws.is_closed());
}

// RFC 6455 §5.5.2: "unless it already received a Close frame".
#[test]
fn pong_may_be_sent_until_the_close_frame_of_the_peer() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config().with_auto_pong(false)), Vec::new());
        ws.close(1000, "", &mut out).unwrap();
        out.clear();
        feed(&mut ws, [&*wire(peer_of(role)).ping(b"?").bytes()]);
        ws.pong(b"?", &mut out).unwrap();
        assert_eq!(frames(&out)[0].0.opcode, Opcode::Pong);
        feed(&mut ws, [&*wire(peer_of(role)).close(1000, "").bytes()]);
        assert_eq!(ws.pong(b"?", &mut out), Err(SendError::Closed));
    }
}

#[test]
fn latency_is_the_round_trip_of_a_keepalive_ping() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[7; 100], &mut clocked.out).unwrap();
        clocked.pass(secs(20));
        let sent = frames(&clocked.out);
        let (_, payload) = sent.last().unwrap();
        assert_eq!(clocked.ws.latency(), None);
        clocked.pass(secs(3));
        clocked.written();
        clocked.pass(Duration::from_millis(120));
        // Life, but no answer; and an answer to some other ping.
        clocked.receive(&wire(peer_of(role)).text("x").pong(b"other").bytes());
        assert_eq!(clocked.ws.latency(), None);
        clocked.pass(Duration::from_millis(30));
        clocked.receive(&wire(peer_of(role)).pong(payload).bytes());
        assert_eq!(clocked.ws.latency(), Some(Duration::from_millis(150)));
        // The next ping has another payload.
        clocked.pass(secs(20));
        assert_ne!(&frames(&clocked.out)[0].1, payload);
        assert_eq!(clocked.ws.latency(), Some(Duration::from_millis(150)));
    }
}

// The pause in which the driver did not read is no silence, however long it is.
#[test]
fn answer_to_a_long_upload_is_awaited() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config().with_idle_timeout(secs(60)));
        clocked.io = IoState::paused();
        for _ in 0..3600 {
            clocked.ws.send("chunk", &mut clocked.out).unwrap();
            clocked.pass(secs(1));
            clocked.written();
        }
        clocked.io = IoState::reading();
        clocked.pass(secs(50));
        assert!(clocked.ws.is_open(), "{:?}", clocked.ws.outcome());
        clocked.written();
        clocked.pass(secs(20));
        assert!(clocked.ws.is_closed(), "silence counts again");
    }
}

// What a transport sends of its own accord does not start the clock again.
#[test]
fn lingering_ends_though_the_transport_has_bytes_of_its_own() {
    let mut clocked = Clocked::open(Role::Server, &config());
    clocked.receive(b"\x81\x00");
    clocked.written();
    assert!(clocked.ws.is_lingering());
    for _ in 0..3 {
        clocked.pass(secs(1));
        clocked.io = IoState::reading().with_buffered_len(30);
        clocked.pass(secs(1));
        clocked.io = IoState::reading();
    }
    assert!(!clocked.ws.is_lingering());
}

#[test]
fn latency_is_unknown_where_nobody_saw_the_ping_leave() {
    let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
    ws.handle_timeout(secs(0), IoState::reading(), &mut out);
    ws.handle_timeout(secs(20), IoState::reading(), &mut out);
    let (_, payload) = frames(&out).pop().expect("a ping");
    out.clear();
    feed(&mut ws, [&*wire(Role::Client).pong(&payload).bytes()]);
    for seconds in 20..60 {
        ws.handle_timeout(secs(seconds), IoState::reading(), &mut out);
    }
    assert_eq!(ws.latency(), None);
}

// After a handler that took 20 s, what was received in 20 s is read at once.
#[test]
fn control_frames_are_limited_by_the_seconds_that_they_took() {
    for role in ROLES {
        let limited = config().with_max_control_frames(10);
        let pong = wire(peer_of(role)).pong(b"").bytes();
        let mut clocked = Clocked::open(role, &limited);
        clocked.be_busy(secs(20));
        clocked.receive(&pong.repeat(200));
        assert!(clocked.ws.is_open());
        clocked.receive(&pong);
        let error = LimitError::TooManyControlFrames;
        assert_eq!(clocked.error(), Some(error.into()));
    }
}

#[test]
fn failure_is_an_event_until_it_was_received() {
    let mut clocked = Clocked::open(Role::Server, &config());
    assert!(!clocked.ws.has_event());
    clocked.pass(secs(20));
    clocked.written();
    clocked.pass(secs(21));
    assert!(clocked.ws.is_closed() && clocked.ws.has_event());
    assert!(clocked.error().is_some() && !clocked.ws.has_event());
}

/// One that leaves the answer to a close frame to the application.
fn without_auto_close(role: Role, config: &Config) -> Clocked {
    let mut ws = open(role, config);
    ws.auto_close(false);
    Clocked::new(ws)
}

// The peer sends the rest for as long as it takes; then it is silent.
#[test]
fn close_deadline_runs_from_the_last_byte_without_auto_close() {
    let piece = |role| wire(peer_of(role)).binary(b"more").bytes();
    for role in ROLES {
        let mut end = without_auto_close(role, &config());
        end.ws.close(1000, "", &mut end.out).unwrap();
        end.written();
        for _ in 0..100 {
            end.pass(secs(4));
            end.receive(&piece(role));
        }
        assert_eq!(end.events.len(), 100);
        assert_eq!(end.wait(), (DeadlineReason::Close, secs(5)));
        assert_eq!(
            end.error(),
            Some(ConnectionError::Timeout(DeadlineReason::Close))
        );
        assert!(end.ws.is_closed());

        // With it, the whole handshake has that time.
        let mut end = Clocked::open(role, &config());
        end.ws.close(1000, "", &mut end.out).unwrap();
        end.written();
        end.pass(secs(4));
        end.receive(&piece(role));
        assert_eq!(end.wait(), (DeadlineReason::Close, secs(1)));
    }
}

#[test]
fn silent_peer_is_given_up_though_it_may_send_the_rest() {
    for role in ROLES {
        let mut end = without_auto_close(role, &config());
        end.ws.close(1000, "", &mut end.out).unwrap();
        // The close frame has not left yet.
        end.pass(secs(3));
        assert_eq!(end.wait(), (DeadlineReason::Close, secs(5)));
        let error = end.error();
        assert_eq!(error, Some(ConnectionError::Timeout(DeadlineReason::Close)));
        assert!(end.ws.is_closed() && !end.ws.is_lingering());
    }
}

// What the driver does not read, nobody can have sent.
#[test]
fn close_deadline_waits_while_the_rest_is_not_read() {
    for role in ROLES {
        let mut end = without_auto_close(role, &config());
        end.ws.close(1000, "", &mut end.out).unwrap();
        end.written();
        end.io = IoState::paused();
        assert_eq!(end.tick(), None);
        end.pass(secs(100));
        end.io = IoState::reading();
        end.tick();
        end.pass(secs(4));
        assert_eq!(end.error(), None);
        assert_eq!(end.wait(), (DeadlineReason::Close, secs(1)));
    }
}

// An application that never closes its direction, and a peer that is gone.
#[test]
fn half_closed_connection_is_pinged_and_ended() {
    for role in ROLES {
        let close = wire(peer_of(role)).close(4001, "bye").bytes();
        let mut end = without_auto_close(role, &config());
        end.receive(&close);
        end.pass(secs(20));
        assert_eq!(frames(&end.written())[0].0.opcode, Opcode::Ping);
        // The pong counts, though nothing is received after a close frame.
        end.pass(secs(10));
        end.receive(&wire(peer_of(role)).pong(b"\0\0\0\x01").bytes());
        end.pass(secs(15));
        assert_eq!(end.error(), None, "the ping was answered");
        let (reason, _) = end.wait();
        assert_eq!(reason, DeadlineReason::Pong);
        end.error();
        let outcome = end.ws.outcome().unwrap();
        let cause = ConnectionError::Timeout(DeadlineReason::Pong);
        assert_eq!((outcome.clean, outcome.cause), (false, Some(cause)));
        assert_eq!(outcome.code, 4001.into(), "that of the peer's close frame");

        let mut end = without_auto_close(role, &config().with_idle_timeout(secs(7)));
        end.receive(&close);
        end.pass(secs(8));
        let close = &frames(&end.out)[0];
        assert_eq!(close.1, 1001_u16.to_be_bytes(), "the answer tells it");
        assert_eq!(
            end.error(),
            Some(ConnectionError::Timeout(DeadlineReason::Idle)),
            "{role:?}"
        );
    }
}

#[test]
fn extreme_times_do_not_panic() {
    let always = config()
        .with_handshake_timeout(Duration::MAX)
        .with_ping_interval(Duration::MAX)
        .with_idle_timeout(Duration::MAX)
        .with_close_timeout(Duration::MAX)
        .with_write_timeout(Duration::MAX)
        .with_min_write_rate(u32::MAX);
    for config in [
        always,
        config(),
        config().with_ping_interval(Duration::ZERO),
    ] {
        for role in ROLES {
            let (mut ws, mut out) = (open(role, &config), Vec::new());
            for now in [Duration::MAX, Duration::ZERO, secs(1), Duration::MAX] {
                let _ = ws.send("x", &mut out);
                ws.handle_timeout(
                    now,
                    IoState::reading().with_buffered_len(usize::MAX),
                    &mut out,
                );
            }
        }
    }
}

// A peer that sends slowly and reads more slowly cannot make them pile up.
#[test]
fn one_ping_waits_to_be_sent() {
    for role in ROLES {
        let mut clocked = Clocked::open(role, &config());
        clocked.ws.send(&[7; 1000], &mut clocked.out).unwrap();
        let before = clocked.out.len();
        for _ in 0..10 {
            clocked.pass(secs(25));
            clocked.receive(&wire(peer_of(role)).pong(b"").bytes());
            clocked.write(1);
        }
        let ping = if role == Role::Client { 10 } else { 6 };
        assert_eq!(clocked.out.len(), before - 10 + ping);
        clocked.written();
        clocked.pass(secs(20));
        assert_eq!(clocked.written().len(), ping, "the next silence");
    }
}

// A driver that was busy until after the deadline, and then pauses, reads what came in
// time only after the pause.
#[test]
fn deadline_takes_effect_only_after_a_pause() {
    for role in ROLES {
        let idle = config().with_ping_interval(None).with_idle_timeout(secs(5));
        let mut clocked = Clocked::open(role, &idle);
        clocked.be_busy(secs(6));
        clocked.io.is_reading = false;
        clocked.tick();
        clocked.be_busy(secs(60));
        clocked.io.is_reading = true;
        clocked.tick();
        assert!(clocked.ws.is_open());
        clocked.receive(&wire(peer_of(role)).pong(b"").bytes());
        clocked.pass(secs(4));
        assert!(clocked.ws.is_open());
        clocked.pass(secs(1) + 2 * GRACE);
        let error = ConnectionError::Timeout(DeadlineReason::Idle);
        assert_eq!(clocked.error(), Some(error));
    }
}

#[test]
fn control_frames_are_counted_over_the_pause_before_them() {
    for role in ROLES {
        let limited = config().with_max_control_frames(10);
        let frame = wire(peer_of(role)).ping(b"").bytes();
        let mut clocked = Clocked::open(role, &limited);
        clocked.io.is_reading = false;
        for _ in 0..5 {
            clocked.be_busy(secs(1));
        }
        clocked.io.is_reading = true;
        clocked.tick();
        clocked.receive(&frame.repeat(50));
        assert!(clocked.ws.is_open());
        clocked.receive(&frame);
        let error = LimitError::TooManyControlFrames;
        assert_eq!(clocked.error(), Some(error.into()));
    }
}
