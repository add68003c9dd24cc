//! Deadlines on a clock of the test's own: what a silent, slow or unwilling
//! peer is ended by, when, and what it is told.

mod common;

use core::time::Duration;

use common::{END, ROLES, config, feed, frames, open, peer_of, wire};
use sansocket::frame::{Header, Opcode};
use sansocket::{
    ClientRequest, Config, Connection, Deadline, DeadlineReason, Delivery, Error, Event, Input,
    LimitError, Role,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A connection, its clock and its unsent bytes.
struct Clocked {
    ws: Connection,
    now: Duration,
    out: Vec<u8>,
    events: Vec<Event<'static>>,
}

impl Clocked {
    fn new(ws: Connection) -> Self {
        // Any origin will do.
        let (now, out) = (secs(1_000_000), Vec::new());
        let mut clocked = Self {
            ws,
            now,
            out,
            events: Vec::new(),
        };
        clocked.tick(Duration::ZERO);
        clocked
    }

    fn open(role: Role, config: &Config) -> Self {
        Self::new(open(role, config))
    }

    /// Some time passes.
    fn tick(&mut self, passed: Duration) -> Option<Deadline> {
        self.now += passed;
        let deadline = self.ws.handle_timeout(self.now, &mut self.out);
        if let Some(deadline) = deadline {
            assert!(deadline.at > self.now, "{deadline:?} at {:?}", self.now);
        }
        deadline
    }

    /// Bytes come.
    fn receive(&mut self, bytes: &[u8]) {
        let told = feed(&mut self.ws, [bytes]);
        self.events.extend(told.events);
        self.out.extend(told.out);
        self.tick(Duration::ZERO);
    }

    /// The transport takes all that is unsent.
    fn written(&mut self) -> Vec<u8> {
        let written = core::mem::take(&mut self.out);
        self.tick(Duration::ZERO);
        written
    }

    /// Nothing happens until a deadline other than a ping passes. Tells which,
    /// and after how long.
    fn wait(&mut self) -> (DeadlineReason, Duration) {
        let start = self.now;
        let mut reason = None;
        while let Some(deadline) = self.tick(Duration::ZERO) {
            reason = Some(deadline.reason);
            self.tick(deadline.at - self.now);
            self.written();
        }
        (reason.expect("a deadline"), self.now - start)
    }

    /// What ended it, told whatever input comes next.
    fn error(&mut self) -> Option<Error> {
        self.receive(END);
        match self.events.last() {
            Some(Event::Failed(error)) => Some(*error),
            _ => None,
        }
    }
}

fn client(config: &Config) -> Connection {
    let request = ClientRequest::to("ws://h/").unwrap();
    Connection::client(&request, config, &mut Vec::new()).unwrap()
}

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
            clocked.tick(secs(1_000)),
            None,
            "{name}: there is no more to wait for"
        );
        let clean = clocked.ws.outcome().is_some_and(|outcome| outcome.clean);
        let expected = (!clean).then_some(Error::Timeout(reason));
        assert_eq!(clocked.error(), expected, "{name}");
    }
}

#[test]
fn peer_is_told_which_deadline_passed() {
    let after = |mut clocked: Clocked, times: &[u64]| {
        for passed in times {
            clocked.out.clear();
            clocked.tick(secs(*passed));
        }
        clocked.out
    };
    let out = after(Clocked::new(Connection::server(&config())), &[10]);
    assert!(out.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    let out = after(Clocked::new(client(&config())), &[10]);
    assert!(out.is_empty(), "a client says nothing");
    for role in ROLES {
        let out = after(Clocked::open(role, &config()), &[20, 20]);
        assert_eq!(frames(&out)[0].1, b"\x03\xf3", "1011 for a mute peer");
        let idle = config().idle_timeout(secs(3)).ping_interval(None);
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
            .ping_interval(secs(2))
            .pong_timeout(secs(2))
            .idle_timeout(secs(5))
            .delivery(Delivery::Fragments);
        let mut clocked = Clocked::open(role, &fragments);
        let mut received = 0;
        for piece in bytes.chunks(100) {
            clocked.tick(secs(1));
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
            clocked.tick(Duration::ZERO).map(|deadline| deadline.reason),
            Some(DeadlineReason::Ping)
        );
        clocked.tick(secs(20) - Duration::from_nanos(1));
        assert!(clocked.written().is_empty());
        clocked.tick(Duration::from_nanos(1));
        let [(header, payload)] = &frames(&clocked.written())[..] else {
            panic!()
        };
        assert_eq!((header.opcode, &**payload), (Opcode::Ping, &b""[..]));
        clocked.tick(secs(20) - Duration::from_nanos(1));
        assert!(clocked.written().is_empty(), "one ping for each silence");
        assert!(clocked.ws.is_open());
        clocked.tick(Duration::from_nanos(1));
        assert!(clocked.ws.is_closed());
        assert_eq!(clocked.error(), Some(Error::Timeout(DeadlineReason::Pong)));
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
                clocked.tick(secs(20));
                assert_eq!(
                    clocked.written().len(),
                    if role == Role::Client { 6 } else { 2 }
                );
                clocked.tick(secs(19));
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
            assert_eq!(index, 10, "one byte each second");
            break;
        }
        clocked.tick(secs(1));
        clocked.receive(&[*byte]);
    }
    assert_eq!(
        clocked.error(),
        Some(Error::Timeout(DeadlineReason::Handshake))
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
            clocked.tick(secs(15))
        };
        stall(&mut clocked);
        clocked.out.drain(..1);
        stall(&mut clocked);
        assert!(clocked.ws.is_open(), "some bytes left");
        stall(&mut clocked);
        assert!(clocked.ws.is_closed());
        let error = Some(Error::Timeout(DeadlineReason::WriteStall));
        assert_eq!(clocked.error(), error);
    }
}

#[test]
fn deadlines_can_be_switched_off() {
    let off = config()
        .handshake_timeout(None)
        .ping_interval(None)
        .pong_timeout(None)
        .idle_timeout(None)
        .close_timeout(None)
        .write_timeout(None);
    for role in ROLES {
        let mut clocked = Clocked::open(role, &off);
        clocked.ws.send("unsent", &mut clocked.out).unwrap();
        assert_eq!(clocked.tick(secs(1_000_000)), None);
        clocked.ws.close(1000, "", &mut clocked.out).unwrap();
        assert_eq!(clocked.tick(secs(1_000_000)), None);
        assert!(!clocked.ws.is_closed());
    }
    assert_eq!(Clocked::new(client(&off)).tick(secs(1_000_000)), None);
}

// Requirements 13 and 22: more control frames than the limit in one second.
#[test]
fn flood_of_control_frames_is_ended() {
    for role in ROLES {
        for opcode in [Opcode::Ping, Opcode::Pong] {
            let limited = config().max_control_frames(10);
            let frame = wire(peer_of(role)).frame(opcode, true, b"").bytes();
            let mut clocked = Clocked::open(role, &limited);
            for _ in 0..3 {
                clocked.receive(&frame.repeat(10));
                assert!(clocked.ws.is_open(), "the limit itself is fine");
                clocked.written();
                clocked.tick(secs(1));
            }
            clocked.receive(&frame.repeat(11));
            let error = LimitError::TooManyControlFrames;
            assert_eq!(clocked.error(), Some(error.into()));
            assert_eq!(frames(&clocked.out).pop().unwrap().1, b"\x03\xf0", "1008");
        }
    }
}

#[test]
fn failure_by_deadline_is_told_with_any_input() {
    let mut clocked = Clocked::open(Role::Server, &config());
    clocked.tick(secs(20));
    clocked.tick(secs(20));
    let mut bytes = wire(Role::Client).text("too late").bytes();
    let mut input = Input::new(&mut bytes);
    let told = clocked.ws.receive(&mut input, &mut clocked.out);
    let error = Error::Timeout(DeadlineReason::Pong);
    assert_eq!(told, Some(Event::Failed(error)));
    assert_eq!(clocked.ws.receive(&mut input, &mut clocked.out), None);
}
