//! Any calls in any order, with a virtual clock: what is received is what the
//! model reads, what is sent are valid frames, events come in a legal order, a
//! failed call changes nothing, and the end is final.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::{
    Connection, ConnectionError, Deadline, Event, Fragment, Input, IoState, LimitError,
    MessageKind, Outcome, Prepared, Request, Role, SendError,
};
use sansocket_fuzz::model::{self, Seen};
use sansocket_fuzz::parser::Output;
use sansocket_fuzz::stream::Stream;
use sansocket_fuzz::{Cuts, Setup, peer_of, with_lines};

#[derive(Arbitrary, Debug)]
enum Call<'b> {
    Receive(Stream<'b>, Cuts),
    /// Lines of a head, or any bytes.
    ReceiveHead(&'b [u8]),
    ReceiveValidHead,
    ReceiveNothing,
    EndOfStream,
    Accept,
    Respond(u16),
    Send(bool, u16),
    SendFragment(bool, u8, bool),
    SendHeader(bool, u8),
    SendPrepared(bool, u8),
    Ping(u8),
    Pong(u8),
    Close(u16, u8),
    AutoClose(bool),
    Release,
    /// The driver moves the output into a queue of its own.
    Queue,
    /// The transport takes some of it.
    Write(u16),
    Pass(u32),
    Read(bool),
}

/// How far a connection is, told by its events.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Handshake,
    /// The application owes an answer.
    Asked,
    /// The answer was no; `Failed` follows.
    Refused,
    Open,
    /// A close frame was received.
    Closed,
    /// Nothing may follow.
    Over,
}

struct Driver {
    ws: Connection,
    setup: Setup,
    stage: Stage,
    now: Duration,
    io: IoState,
    out: Vec<u8>,
    output: Output,
    appended: u64,
    request: Option<Request>,
    /// What was received of frames, before the end.
    fed: Vec<u8>,
    seen: Vec<Seen>,
    /// The incomplete message of fragments.
    partial: Option<Seen>,
    end: Option<Outcome>,
}

impl Driver {
    fn new(setup: Setup) -> Self {
        let ws = setup.start();
        Self {
            stage: if ws.is_open() {
                Stage::Open
            } else {
                Stage::Handshake
            },
            output: Output::new(ws.role(), false),
            appended: ws.counters().sent.bytes,
            ws,
            setup,
            now: Duration::ZERO,
            io: IoState::reading(),
            out: Vec::new(),
            request: None,
            fed: Vec::new(),
            seen: Vec::new(),
            partial: None,
            end: None,
        }
    }

    fn call(&mut self, call: Call<'_>) {
        match call {
            Call::Receive(stream, cuts) => {
                let bytes = stream.bytes(peer_of(self.ws.role()));
                cuts.split(&bytes)
                    .into_iter()
                    .for_each(|piece| self.receive(piece));
            }
            Call::ReceiveHead(bytes) => self.receive_bytes(&with_lines(bytes)),
            Call::ReceiveValidHead => self.receive(self.valid_head()),
            Call::ReceiveNothing => self.receive_input(Input::none(), &[]),
            Call::EndOfStream => self.receive(&[]),
            Call::Accept => self.respond(None),
            Call::Respond(status) => self.respond(Some(status)),
            Call::Queue => self.io.buffered_len += std::mem::take(&mut self.out).len(),
            Call::Write(len) => self.write(len.into()),
            Call::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Call::Read(is_reading) => self.io.is_reading = is_reading,
            Call::AutoClose(on) => self.ws.auto_close(on),
            Call::Release => self.ws.release(),
            call => self.send(call),
        }
        self.check();
    }

    /// The calls that append frames.
    fn send(&mut self, call: Call<'_>) {
        let (counters, before) = (self.ws.counters(), self.out.clone());
        let Self { ws, out, .. } = self;
        let result = match call {
            Call::Send(true, len) => ws.send("x".repeat(len.into()), out),
            Call::Send(false, len) => ws.send(vec![0; len.into()], out),
            Call::SendFragment(true, len, fin) => {
                ws.send_fragment(fragment("x".repeat(len.into()).as_str().into(), fin), out)
            }
            Call::SendFragment(false, len, fin) => {
                ws.send_fragment(fragment(vec![0; len.into()].into(), fin), out)
            }
            Call::SendHeader(is_text, len) => send_header(ws, is_text, len.into(), out),
            Call::SendPrepared(true, len) => ws.send_prepared(&prepared_text(len), out),
            Call::SendPrepared(false, len) => {
                ws.send_prepared(&Prepared::new(vec![0; len.into()]), out)
            }
            Call::Ping(len) => ws.ping(&vec![1; len.into()], out),
            Call::Pong(len) => ws.pong(&vec![1; len.into()], out),
            Call::Close(code, len) => ws.close(code, &"y".repeat(len.into()), out),
            call => unreachable!("{call:?}"),
        };
        if result.is_err() {
            assert_eq!(self.out, before);
            assert_eq!(self.ws.counters(), counters);
        }
        self.take_output(before.len());
    }

    /// Checks what was appended to output of this length.
    fn take_output(&mut self, before: usize) {
        let appended = &self.out[before..];
        self.appended += appended.len() as u64;
        if matches!(self.stage, Stage::Handshake | Stage::Asked) {
            assert!(appended.is_empty() || appended.starts_with(b"HTTP/1.1 "));
        } else {
            self.output.push(appended);
        }
    }

    fn respond(&mut self, status: Option<u16>) {
        let Some(request) = self.request.take() else {
            let answered = self.ws.respond(sansocket::Answer::new(404), &mut self.out);
            let expected = match self.end {
                Some(_) => SendError::Closed,
                None => SendError::NoRequest,
            };
            return assert_eq!(answered, Err(expected));
        };
        let answer = match status {
            None => request.accept(),
            Some(status) => request.reject(status),
        };
        let (is_open, before) = (answer.status() == 101, self.out.len());
        let answered = self.ws.respond(answer, &mut self.out);
        if self.end.is_some() {
            return assert_eq!(answered, Err(SendError::Closed));
        }
        assert_eq!(answered, Ok(()));
        self.take_output(before);
        self.stage = if is_open { Stage::Open } else { Stage::Over };
    }

    fn valid_head(&self) -> &'static [u8] {
        match self.ws.role() {
            Role::Server => {
                b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                  Sec-WebSocket-Version: 13\r\n\r\n"
            }
            Role::Client => {
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                  Connection: Upgrade\r\nSec-WebSocket-Accept: pT25h6EVFbWDyyinkmTBvzUVxQo=\r\n\r\n"
            }
        }
    }

    fn receive_bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.receive(bytes);
        }
    }

    fn receive(&mut self, piece: &[u8]) {
        self.receive_input(Input::new(&mut piece.to_vec()), piece);
    }

    /// Receives all of an input that has these bytes.
    fn receive_input(&mut self, mut input: Input<'_>, piece: &[u8]) {
        let mut frames = (self.stage == Stage::Open).then_some(piece);
        loop {
            let (before, ended) = (self.out.len(), self.ws.outcome().is_some());
            let event = self.ws.receive(&mut input, &mut self.out);
            self.take_output(before);
            assert!(!ended || self.out.len() == before, "output after the end");
            let Some(event) = event else { break };
            self.take_event(&event);
            if let Event::Open(_) = event {
                frames = Some(&piece[piece.len() - input.remaining().len()..]);
            }
        }
        let is_asked = self.stage == Stage::Asked && self.end.is_none();
        assert!(input.remaining().is_empty() || is_asked || self.stage == Stage::Over);
        if self.end.is_none() {
            self.fed.extend(frames.unwrap_or_default());
        }
    }

    fn take_event(&mut self, event: &Event<'_>) {
        let role = self.ws.role();
        let next = match (event, self.stage) {
            (Event::Request(request), Stage::Handshake) if role == Role::Server => {
                self.request = Some(request.clone());
                Stage::Asked
            }
            (Event::Rejected(_), Stage::Handshake) if role == Role::Server => Stage::Refused,
            (Event::Refused(_), Stage::Handshake) if role == Role::Client => Stage::Refused,
            (Event::Open(_), Stage::Handshake) if role == Role::Client => Stage::Open,
            (Event::Message(_) | Event::Fragment(_), Stage::Open) => Stage::Open,
            (Event::Ping(_) | Event::Pong(_), Stage::Open) => Stage::Open,
            (Event::Close(_), Stage::Open) if self.ws.is_half_closed() => Stage::Closed,
            (Event::Close(_), Stage::Open) => Stage::Over,
            (Event::Failed(_), Stage::Over) => panic!("{event:?} after the end"),
            (Event::Failed(_), _) => Stage::Over,
            (
                Event::Request(_)
                | Event::Rejected(_)
                | Event::Refused(_)
                | Event::Open(_)
                | Event::Message(_)
                | Event::Fragment(_)
                | Event::Ping(_)
                | Event::Pong(_)
                | Event::Close(_),
                stage,
            ) => panic!("{event:?} in {stage:?}"),
            (_, stage) => stage,
        };
        self.stage = next;
        if let Event::Fragment(fragment) = event {
            self.join(fragment);
        }
        self.seen.extend(Seen::of(event));
    }

    fn join(&mut self, fragment: &Fragment<'_>) {
        let is_text = fragment.payload.kind() == MessageKind::Text;
        let partial = self.partial.get_or_insert(match is_text {
            true => Seen::Text(Vec::new()),
            false => Seen::Binary(Vec::new()),
        });
        match partial {
            Seen::Text(bytes) if is_text => bytes.extend(fragment.payload.as_bytes()),
            Seen::Binary(bytes) if !is_text => bytes.extend(fragment.payload.as_bytes()),
            partial => panic!("{fragment:?} within {partial:?}"),
        }
        if fragment.fin {
            self.seen.extend(self.partial.take());
        }
    }

    fn write(&mut self, len: usize) {
        let queued = len.min(self.io.buffered_len);
        self.io.buffered_len -= queued;
        self.out.drain(..(len - queued).min(self.out.len()));
    }

    /// Time passes, first up to just before the deadline.
    fn pass(&mut self, time: Duration) {
        let first = self.tick();
        assert_eq!(self.tick(), first, "twice at the same time");
        let end = self.now + time;
        if let Some(first) = first {
            self.now = end.min(first.at - Duration::from_nanos(1));
            let second = self.tick();
            assert!(second.is_none_or(|second| second.at >= first.at));
        }
        self.now = end;
        self.tick();
    }

    fn tick(&mut self) -> Option<Deadline> {
        let before = self.out.len();
        let deadline = self.ws.handle_timeout(self.now, self.io, &mut self.out);
        if self.ws.is_stalled() {
            assert!(self.out.is_empty());
            self.appended = self.ws.counters().sent.bytes;
        } else {
            self.take_output(before);
        }
        assert!(deadline.is_none_or(|deadline| deadline.at > self.now));
        if self.ws.is_stalled() {
            self.io.buffered_len = 0;
        }
        deadline
    }

    fn check(&mut self) {
        let counters = self.ws.counters();
        assert_eq!(counters.sent.bytes, self.appended);
        assert!(counters.sent.messages <= counters.sent.frames);
        let received = usize::try_from(counters.received.bytes).expect("fits");
        assert!(self.ws.memory_usage() <= self.setup.max_memory_usage(received));
        if let Some(end) = &self.end {
            assert_eq!(self.ws.outcome(), Some(end), "the outcome has changed");
        }
        assert!(!self.ws.is_closed() || self.ws.outcome().is_some());
        assert!(self.ws.outcome().is_none() || !self.ws.is_open());
        if self.end.is_none() {
            self.compare();
        }
        self.end = self.ws.outcome().cloned();
    }

    /// Whether all that has arrived was reported, and nothing else.
    fn compare(&self) {
        let Some(rules) = self.setup.rules() else {
            return;
        };
        let expected = model::read(&self.fed, rules);
        let cause = self.ws.outcome().and_then(|outcome| outcome.cause);
        match cause {
            Some(ConnectionError::Limit(LimitError::TooManyControlFrames)) => {
                assert!(expected.seen.starts_with(&self.seen));
            }
            Some(error @ (ConnectionError::Protocol(_) | ConnectionError::Limit(_))) => {
                assert_eq!(self.seen, expected.seen);
                assert_eq!(model::verdict(error), expected.verdict);
            }
            _ => assert_eq!(self.seen, expected.seen),
        }
    }
}

fn fragment(payload: sansocket::Message, fin: bool) -> Fragment<'static> {
    let payload = payload.into();
    Fragment { payload, fin }
}

fn prepared_text(len: u8) -> Prepared {
    Prepared::new("x".repeat(len.into()).as_str())
}

/// A message whose payload the caller writes.
fn send_header(
    ws: &mut Connection,
    is_text: bool,
    len: usize,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    let kind = if is_text {
        MessageKind::Text
    } else {
        MessageKind::Binary
    };
    let key = ws.send_header(kind, len, out)?;
    let mut payload = vec![b'x'; len];
    key.inspect(|key| key.apply(&mut payload));
    out.extend(payload);
    Ok(())
}

fuzz_target!(|data: (Setup, Vec<Call<'_>>)| {
    let (setup, calls) = data;
    let mut driver = Driver::new(setup);
    for call in calls {
        driver.call(call);
    }
});
