//! Every connection ends, whatever its application, its peer and its transport did
//! before.

use core::time::Duration;

use crate::clocked::{Clocked, client, secs};
use crate::drive::open;
use crate::wire::{config, peer_of, wire};
use proptest::prelude::*;
use sansocket::frame::Opcode;
use sansocket::{Answer, Connection, Event, Input, Request, Role};

/// What a driver, its application and its peer do.
#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Ping,
    Close,
    /// The application answers the request, if there is one.
    Answer,
    Receive(Vec<u8>),
    EndOfStream,
    /// The driver moves the output into a queue of its own.
    Queue,
    /// The transport takes some of it.
    Write(usize),
    Pass(u64),
    BeBusy(u64),
    Read(bool),
}

fn steps(role: Role) -> impl Strategy<Value = Vec<Step>> {
    let peer = move || wire(peer_of(role));
    let frames = vec![
        peer().text("hello").bytes(),
        peer().ping(b"ping").bytes(),
        peer().pong(b"pong").bytes(),
        peer().close(1000, "bye").bytes(),
        peer().frame(Opcode::Binary, false, b"begun").bytes(),
        b"\xff\xff\xff".to_vec(),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        b"HTTP/1.1 404 Not Found\r\n\r\nbody".to_vec(),
    ];
    let step = prop_oneof![
        (0..100_000_usize).prop_map(Step::Send),
        Just(Step::Ping),
        Just(Step::Close),
        Just(Step::Answer),
        proptest::sample::select(frames).prop_map(Step::Receive),
        Just(Step::EndOfStream),
        Just(Step::Queue),
        (0..50_000_usize).prop_map(Step::Write),
        (0..60_000_u64).prop_map(Step::Pass),
        (0..60_000_u64).prop_map(Step::BeBusy),
        any::<bool>().prop_map(Step::Read),
    ];
    proptest::collection::vec(step, 0..20)
}

/// A driver with a queue of its own, and a request that may wait.
struct RandomDriver {
    clocked: Clocked,
    request: Option<Request>,
}

impl RandomDriver {
    fn step(&mut self, step: Step) {
        let Clocked { ws, out, io, .. } = &mut self.clocked;
        match step {
            Step::Send(len) => {
                let _ = ws.send(vec![7; len], out);
            }
            Step::Ping => {
                let _ = ws.ping(b"", out);
            }
            Step::Close => {
                let _ = ws.close(1000, "", out);
            }
            Step::Answer => {
                if let Some(request) = self.request.take() {
                    let page = Answer::new(200).with_body(vec![7; 100_000]);
                    let accepts = request.headers().len() > 1;
                    let answer = if accepts { request.accept() } else { page };
                    let _ = ws.respond(answer, out);
                }
            }
            Step::Receive(bytes) => self.receive(bytes),
            Step::EndOfStream => self.receive(Vec::new()),
            Step::Queue => io.buffered_len += core::mem::take(out).len(),
            Step::Write(len) => {
                let queued = len.min(io.buffered_len);
                io.buffered_len -= queued;
                out.drain(..(len - queued).min(out.len()));
            }
            Step::Pass(millis) => {
                let _ = self.clocked.pass(Duration::from_millis(millis));
            }
            Step::BeBusy(millis) => self.clocked.be_busy(Duration::from_millis(millis)),
            Step::Read(is_reading) => io.is_reading = is_reading,
        }
        self.clocked.tick();
        if self.clocked.ws.is_stalled() {
            self.clocked.io.buffered_len = 0;
        }
    }

    fn receive(&mut self, mut bytes: Vec<u8>) {
        let mut input = Input::new(&mut bytes);
        while let Some(event) = self.clocked.ws.receive(&mut input, &mut self.clocked.out) {
            if let Event::Request(request) = event {
                self.request = Some(request);
            }
        }
    }

    fn is_over(&self) -> bool {
        let Clocked { ws, out, io, .. } = &self.clocked;
        ws.is_closed() && out.is_empty() && io.buffered_len == 0
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // Whatever happened before: from the moment that the application closes,
    // time alone ends the connection, whether the transport takes anything or
    // not, and nothing is left to be written.
    #[test]
    fn every_ending_is_reached(
        (role, begins_open, steps) in (any::<bool>(), any::<bool>()).prop_flat_map(
            |(server, begins_open)| {
                let role = if server { Role::Server } else { Role::Client };
                (Just(role), Just(begins_open), steps(role))
            }
        ),
        takes in any::<bool>(),
    ) {
        let config = config().with_idle_timeout(secs(100));
        let ws = match role {
            _ if begins_open => open(role, &config),
            Role::Server => Connection::server(&config),
            Role::Client => client(&config),
        };
        let mut driver = RandomDriver { clocked: Clocked::new(ws), request: None };
        for step in steps {
            driver.step(step);
        }
        driver.clocked.io.is_reading = true;
        driver.step(Step::Answer);
        driver.step(Step::Close);
        let mut waits = 0;
        while !driver.is_over() {
            let deadline = driver.clocked.tick();
            prop_assert!(deadline.is_some(), "nothing ends {:?}", driver.clocked.ws);
            driver.clocked.now = deadline.unwrap().at;
            driver.step(if takes { Step::Write(usize::MAX) } else { Step::Read(true) });
            waits += 1;
            prop_assert!(waits < 100, "{:?}", driver.clocked.ws);
        }
        prop_assert!(driver.clocked.ws.outcome().is_some());
    }
}
