//! Schedules: two connections over a link that is slow, narrow, cut, stalled or reset,
//! with drivers that are late and applications that do anything, on a virtual clock.
//! A schedule is a number, from which everything is drawn.
//!
//! In each of them: nothing healthy fails, nothing dead lives beyond its deadline, no
//! message is lost, doubled or changed, memory is bounded, and two healthy sides finish.
//! What the deadlines are is taken from the documentation (`expected`), what gets lost
//! from what a network can do (`line`).
//!
//! `SCHEDULES` is how many are run, and `SCHEDULE` runs a single one with a trace.

mod expected;
mod line;
mod plan;
mod random;
mod script;
mod side;

use core::time::Duration;
use std::env;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use line::Line;
use plan::{Fate, Plan};
use sansocket::{ClientRequest, Connection, Role};
use side::Side;

use crate::drive::open;

/// Any origin of the clock will do.
const START: Duration = Duration::from_secs(1_000_000);

/// Far more steps than a schedule has that gets anywhere.
const MAX_STEPS: usize = 200_000;

/// The client is side 0, and writes to line 0.
struct Simulation {
    plan: Plan,
    now: Duration,
    sides: [Side; 2],
    lines: [Line; 2],
    checked: [usize; 2],
    fate_is_due: bool,
}

impl Simulation {
    fn new(seed: u64, traces: bool) -> Self {
        let mut plan = Plan::new(seed);
        plan.shift(START);
        let mut outs = [Vec::new(), Vec::new()];
        let [client, server] = plan.sides.each_ref().map(|side| &side.config);
        let connections = if plan.with_handshake {
            let request = ClientRequest::to("ws://h/").expect("a URI");
            let client = Connection::client(&request, client, &mut outs[0]).expect("entropy");
            [client, Connection::server(server)]
        } else {
            [open(Role::Client, client), open(Role::Server, server)]
        };
        let longest = plan.sides.iter().map(|side| side.script.longest()).max();
        let mut outs = outs.into_iter();
        let mut plans = plan.sides.clone().into_iter();
        let mut index = 0;
        let sides = connections.map(|mut ws| {
            let side = plans.next().expect("a side");
            ws.auto_close(!side.script.closes_by_hand);
            index += 1;
            let out = outs.next().expect("output");
            let mut side = Side::new(ws, out, side, seed ^ index, longest.unwrap_or(0));
            side.traces = traces;
            side.wakes_at = Some(START);
            side
        });
        Self {
            lines: plan.lines.clone().map(Line::new),
            sides,
            plan,
            now: START,
            checked: [0; 2],
            fate_is_due: true,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        for _ in 0..MAX_STEPS {
            let Some(next) = self.next() else {
                return self.check_end();
            };
            self.now = next.max(self.now);
            self.meet_fate();
            for line in 0..2 {
                self.move_line(line);
            }
            for side in 0..2 {
                self.poll(side)?;
            }
        }
        Err("it does not end".to_owned())
    }

    fn next(&mut self) -> Option<Duration> {
        let [to_server, to_client] = &self.lines;
        let [client, server] = &mut self.sides;
        let times = [
            to_server.next(self.now),
            to_client.next(self.now),
            client.next(self.now, to_client, to_server),
            server.next(self.now, to_server, to_client),
            self.fate_is_due.then_some(self.plan.fate_at),
        ];
        times.into_iter().flatten().min()
    }

    fn meet_fate(&mut self) {
        if !self.fate_is_due || self.now < self.plan.fate_at {
            return;
        }
        self.fate_is_due = false;
        let victim = self.plan.victim;
        let [to_server, to_client] = &mut self.lines;
        match self.plan.fate {
            Fate::Reset => {
                to_server.reset_at = Some(self.now);
                to_client.reset_at = Some(self.now);
            }
            Fate::Freeze => self.sides[victim].is_frozen = true,
            Fate::Exit if self.sides[victim].is_active() => {
                let (incoming, outgoing) = match victim {
                    0 => (to_client, to_server),
                    _ => (to_server, to_client),
                };
                self.sides[victim].drop_socket(self.now, incoming, outgoing);
            }
            _ => {}
        }
    }

    /// Bytes that reach a socket which was dropped reset the connection.
    fn move_line(&mut self, index: usize) {
        let was_due = self.lines[index].reset_at;
        self.lines[index].advance(self.now);
        if was_due.is_some() && self.lines[index].reset_at.is_none() {
            self.lines[1 - index].break_off();
        }
        if self.lines[index].take_refusal() {
            let back = &mut self.lines[1 - index];
            back.reset_at = Some(self.now + back.quality.latency);
        }
    }

    fn poll(&mut self, index: usize) -> Result<(), String> {
        let side = &mut self.sides[index];
        let [to_server, to_client] = &mut self.lines;
        let (incoming, outgoing) = match index {
            0 => (to_client, to_server),
            _ => (to_server, to_client),
        };
        if side
            .next(self.now, incoming, outgoing)
            .is_some_and(|at| at <= self.now)
        {
            let polled = side.poll(self.now, incoming, outgoing);
            polled.map_err(|error| format!("{:?} at {:?}: {error}", side.ws.role(), self.now))?;
            return self.check_messages(index);
        }
        Ok(())
    }

    /// What arrives is what was sent, in order, and once.
    fn check_messages(&mut self, receiver: usize) -> Result<(), String> {
        let received = &self.sides[receiver].received;
        let sent = &self.sides[1 - receiver].sent;
        for (index, message) in received.iter().enumerate().skip(self.checked[receiver]) {
            if sent.get(index) != Some(message) {
                return Err(format!("message {index} to side {receiver} differs"));
            }
        }
        self.checked[receiver] = received.len();
        let is_idle = received.len() == sent.len() && !self.sides[1 - receiver].is_within_message();
        if is_idle && !self.sides[receiver].is_idle_below_1_kib() {
            return Err("an idle connection holds 1 KiB".to_owned());
        }
        Ok(())
    }

    /// Nothing more will ever happen.
    fn check_end(&self) -> Result<(), String> {
        for (index, side) in self.sides.iter().enumerate() {
            let is_victim = index == self.plan.victim;
            if is_victim && self.plan.fate == Fate::Freeze && side.is_frozen {
                continue;
            }
            self.check_side(index, side)?;
        }
        Ok(())
    }

    fn check_side(&self, index: usize, side: &Side) -> Result<(), String> {
        let Some(done_at) = side.done_at else {
            return Err(format!("side {index} hangs: {:?}", side.ws));
        };
        let is_victim = index == self.plan.victim && self.plan.fate == Fate::Exit;
        if is_victim && !side.ws.is_closed() {
            return Ok(());
        }
        let outcome = side.outcome().ok_or("closed without an outcome")?;
        let is_complete = side.received.len() == self.sides[1 - index].sent.len();
        if outcome.clean && !is_complete {
            return Err(format!(
                "side {index} closed cleanly, and a message is lost"
            ));
        }
        if self.plan.fate == Fate::Healthy && !(outcome.clean && outcome.cause.is_none()) {
            return Err(format!(
                "side {index} is healthy, and ended with {outcome:?}"
            ));
        }
        let limit = self.plan.limit(index);
        if done_at > limit {
            return Err(format!(
                "side {index} was done at {done_at:?}, after {limit:?}"
            ));
        }
        Ok(())
    }
}

fn run(seed: u64, traces: bool) -> Result<(), String> {
    let run = AssertUnwindSafe(|| Simulation::new(seed, traces).run());
    catch_unwind(run).unwrap_or_else(|_| Err("it panics".to_owned()))
}

/// The schedules that fail, but no more than a reader looks at.
fn failures(seeds: impl Iterator<Item = u64>) -> Vec<(u64, String)> {
    let run = |seed| Some((seed, run(seed, false).err()?));
    seeds.filter_map(run).take(3).collect()
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

// Requirements 12, 15, 16, 22 and 28
#[test]
fn schedules_end_as_documented() {
    if let Some(seed) = number("SCHEDULE") {
        Plan::new(seed).print();
        return run(seed, true).unwrap_or_else(|error| panic!("{error}"));
    }
    let count = number("SCHEDULES").unwrap_or(2000);
    let start = number("SCHEDULES_FROM").unwrap_or(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut failures: Vec<(u64, String)> = thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|thread| {
                let seeds = (start..start + count).skip(thread).step_by(threads);
                scope.spawn(move || failures(seeds))
            })
            .collect();
        let results = runs
            .into_iter()
            .flat_map(|run| run.join().expect("a thread"));
        results.collect()
    });
    failures.sort();
    let features = if cfg!(feature = "deflate") {
        "--features deflate "
    } else {
        ""
    };
    let rerun = format!("cargo test {features}--test protocol schedules:: -- --nocapture");
    for (seed, error) in &failures {
        println!("schedule {seed}: {error}\nwith a trace: SCHEDULE={seed} {rerun}");
    }
    assert!(failures.is_empty(), "failed: {failures:#?}");
}
