//! Any driver, application and peer: deadlines come later than they are asked
//! for, counters only grow, and once the application closes, time alone ends
//! the connection and leaves nothing to be written.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sansocket::{Connection, Event, Input, IoState, Request};
use sansocket_fuzz::Setup;

#[derive(Arbitrary, Debug)]
enum Step<'b> {
    Send(u16),
    Ping(u8),
    Close(u16),
    Answer,
    Receive(&'b [u8]),
    EndOfStream,
    /// The driver moves the output into a queue of its own.
    Queue,
    /// The transport takes some of it.
    Write(u16),
    Pass(u32),
    Read(bool),
}

struct Driver {
    ws: Connection,
    now: Duration,
    io: IoState,
    out: Vec<u8>,
    request: Option<Request>,
}

impl Driver {
    fn step(&mut self, step: Step<'_>) {
        let Self { ws, io, out, .. } = self;
        match step {
            Step::Send(len) => drop(ws.send(vec![7; len.into()], out).is_ok()),
            Step::Ping(len) => drop(ws.ping(&vec![7; len.into()], out).is_ok()),
            Step::Close(code) => drop(ws.close(code, "why", out).is_ok()),
            Step::Answer => {
                if let Some(request) = self.request.take() {
                    let _ = ws.respond(request.accept(), out);
                }
            }
            Step::Receive(bytes) => self.receive(bytes),
            Step::EndOfStream => self.receive(&[]),
            Step::Queue => io.buffered_len += std::mem::take(out).len(),
            Step::Write(len) => {
                let queued = usize::from(len).min(io.buffered_len);
                io.buffered_len -= queued;
                out.drain(..(usize::from(len) - queued).min(out.len()));
            }
            Step::Pass(millis) => self.now += Duration::from_millis(millis.into()),
            Step::Read(is_reading) => io.is_reading = is_reading,
        }
        self.tick();
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes);
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            if let Event::Request(request) = event {
                self.request = Some(request);
            }
        }
        assert!(input.remaining().is_empty() || self.request.is_some());
    }

    fn tick(&mut self) -> Option<Duration> {
        let before = self.ws.counters();
        let deadline = self.ws.handle_timeout(self.now, self.io, &mut self.out)?;
        assert!(deadline.at > self.now, "{deadline:?}");
        let after = self.ws.counters();
        assert!(after.sent.bytes >= before.sent.bytes);
        assert!(after.sent.messages <= after.sent.frames);
        assert!(after.received.messages <= after.received.frames);
        Some(deadline.at)
    }

    fn is_over(&mut self) -> bool {
        if self.ws.is_stalled() {
            self.io.buffered_len = 0;
        }
        self.ws.is_closed() && self.out.is_empty() && self.io.buffered_len == 0
    }
}

fuzz_target!(|data: (Setup, bool, Vec<Step<'_>>)| {
    let (setup, takes, steps) = data;
    let mut driver = Driver {
        ws: setup.start(),
        now: Duration::ZERO,
        io: IoState::reading(),
        out: Vec::new(),
        request: None,
    };
    for step in steps {
        driver.step(step);
        driver.is_over();
    }
    driver.step(Step::Read(true));
    driver.step(Step::Answer);
    driver.step(Step::Close(1000));
    let mut waits = 0;
    while !driver.is_over() {
        driver.now = driver.tick().expect("a deadline");
        if takes {
            (driver.io.buffered_len, driver.out) = (0, Vec::new());
        }
        driver.tick();
        waits += 1;
        assert!(waits < 1000, "{:?}", driver.ws);
    }
    assert!(driver.ws.outcome().is_some());
});
