//! The end-to-end suite: servers and clients, each in a process of its own on one core,
//! and what they talk to on another.

mod accept;
mod blocking;
pub mod clients;
mod command;
mod cores;
mod counterpart;
mod dialers;
mod framework;
pub mod handshakes;
pub mod idle;
mod load;
pub mod many;
mod obvious;
mod polled;
mod process;
mod runtime;
mod server;
mod spinner;

use std::io;
use std::time::Duration;

use crate::measure::median;
pub use command::{everything, run as command};
pub use load::Scenario;
use load::{Load, Sample};
use process::Process;
pub use server::Runtime;
use server::{Extra, Server};
use spinner::Spinners;

/// The conditions under which servers are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Each library in its best documented use, with nothing else in the runtime.
    Alone,
    /// The same, with an unrelated timer in the runtime.
    Timer,
    /// As `Alone`, but the cores may go idle.
    Sleepy,
    /// The obvious loop.
    Loop,
}

impl Setting {
    pub const ALL: [Self; 4] = [Self::Alone, Self::Timer, Self::Sleepy, Self::Loop];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Timer => "timer",
            Self::Sleepy => "sleepy",
            Self::Loop => "loop",
        }
    }

    fn servers(self) -> impl Iterator<Item = &'static Server> {
        let list = match self {
            Self::Loop => server::LOOP,
            _ => server::ECHO,
        };
        let is_for = move |server: &&Server| match self {
            Self::Alone | Self::Loop => true,
            Self::Timer | Self::Sleepy => server.runtime == Runtime::Tokio,
        };
        list.iter().filter(is_for)
    }

    fn includes(self, scenario: &Scenario) -> bool {
        match self {
            Self::Alone => true,
            Self::Timer => scenario.connections <= 64 || scenario.is_ping_pong(),
            Self::Sleepy => scenario.is_ping_pong() && scenario.is_small(),
            Self::Loop => scenario.window == 64,
        }
    }

    fn extra(self) -> Extra {
        match self {
            Self::Timer => Extra::Timer,
            _ => Extra::Nothing,
        }
    }
}

/// The medians of one server in one scenario.
pub struct Figure {
    pub name: &'static str,
    pub runtime: Runtime,
    /// Echoes a second.
    pub rate: f64,
    /// The difference between the fastest and the slowest round, relative to the median.
    pub spread: f64,
    pub p50: f64,
    pub p99: f64,
    /// CPU microseconds of the server for each message.
    pub cpu: f64,
}

/// The figures of one scenario in one setting.
pub struct Outcome {
    pub setting: Setting,
    pub scenario: Scenario,
    pub figures: Vec<Figure>,
}

/// How much time is spent.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    pub turn: Duration,
    /// Skips most scenarios with 1000 connections.
    pub is_quick: bool,
}

impl Effort {
    pub const FULL: Self = Self {
        rounds: 5,
        turn: Duration::from_millis(50),
        is_quick: false,
    };
    pub const QUICK: Self = Self {
        rounds: 1,
        turn: Duration::from_millis(30),
        is_quick: true,
    };

    fn scenarios(self) -> Vec<Scenario> {
        let mut scenarios = Scenario::all();
        scenarios.retain(|scenario| {
            !self.is_quick || scenario.connections <= 64 || scenario.len * scenario.window == 16
        });
        scenarios
    }
}

/// One server in one setting.
struct Lane {
    setting: Setting,
    server: &'static Server,
    process: Process,
    samples: Vec<Sample>,
}

impl Lane {
    fn start(setting: Setting, server: &'static Server) -> io::Result<Self> {
        Ok(Self {
            setting,
            server,
            process: Process::start(server, setting.extra())?,
            samples: Vec::new(),
        })
    }

    fn turn(&mut self, scenario: &Scenario, turn: Duration) -> io::Result<()> {
        let mut load = Load::connect(self.process.addr, scenario, self.server.is_raw())?;
        let before = self.process.usage()?.cpu;
        let mut sample = load.run(turn)?;
        sample.cpu = self.process.usage()?.cpu - before;
        self.samples.push(sample);
        Ok(())
    }

    fn figure(&mut self) -> Figure {
        let samples = std::mem::take(&mut self.samples);
        let all = |value: fn(&Sample) -> f64| samples.iter().map(value).collect::<Vec<_>>();
        let middle = |value| median(&mut all(value));
        let mut rates = all(|sample| sample.messages as f64 / sample.took.as_secs_f64());
        // `median` sorts.
        let rate = median(&mut rates);
        Figure {
            name: self.server.name,
            runtime: self.server.runtime,
            rate,
            spread: (rates[rates.len() - 1] - rates[0]) / rate,
            p50: middle(|sample| sample.p50.as_secs_f64() * 1e6),
            p99: middle(|sample| sample.p99.as_secs_f64() * 1e6),
            cpu: middle(|sample| sample.cpu as f64 / sample.messages.max(1) as f64),
        }
    }
}

/// Runs all scenarios. In each, the servers take turns.
pub fn run(
    settings: &[Setting],
    effort: Effort,
    mut tell: impl FnMut(&Outcome),
) -> io::Result<Vec<Outcome>> {
    cores::pin_load();
    let mut lanes = Vec::new();
    for &setting in settings {
        for server in setting.servers() {
            lanes.push(Lane::start(setting, server)?);
        }
    }
    let mut outcomes = Vec::new();
    for scenario in effort.scenarios() {
        for round in 0..effort.rounds {
            for &setting in settings.iter().filter(|it| it.includes(&scenario)) {
                let _spinners = (setting != Setting::Sleepy).then(Spinners::start);
                take_turns(&mut lanes, setting, round, &scenario, effort.turn)?;
            }
        }
        for &setting in settings.iter().filter(|it| it.includes(&scenario)) {
            let lanes = lanes.iter_mut().filter(|lane| lane.setting == setting);
            let outcome = Outcome {
                setting,
                scenario,
                figures: lanes.map(Lane::figure).collect(),
            };
            tell(&outcome);
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

/// Runs one round. Each begins with another server.
fn take_turns(
    lanes: &mut [Lane],
    setting: Setting,
    round: usize,
    scenario: &Scenario,
    turn: Duration,
) -> io::Result<()> {
    let lanes = lanes.iter_mut().filter(|lane| lane.setting == setting);
    let mut lanes: Vec<&mut Lane> = lanes.collect();
    let first = round % lanes.len();
    lanes.rotate_left(first);
    lanes
        .into_iter()
        .try_for_each(|lane| lane.turn(scenario, turn))
}
