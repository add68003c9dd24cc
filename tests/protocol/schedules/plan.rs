//! What happens in a schedule, drawn from its seed: the link, the two drivers, their
//! applications, the deadlines, and what goes wrong.

use core::time::Duration;

use super::line::Quality;
use super::random::Random;
use super::script::{self, Script};
use crate::wire;
use sansocket::{Config, Delivery};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing, and the deadlines leave the link, the drivers and the applications
    /// the time that they need: nothing may fail.
    Healthy,
    /// Nothing, but the deadlines may be too short.
    Hasty,
    /// A cable is cut, in one direction or in both.
    Cut,
    /// Nothing moves for a while.
    Stall,
    /// The connection is reset.
    Reset,
    /// A process exits, and its kernel ends the stream.
    Exit,
    /// A process is suspended, and its kernel goes on.
    Freeze,
}

#[derive(Clone)]
pub(super) struct Plan {
    pub(super) fate: Fate,
    pub(super) fate_at: Duration,
    /// The side that a fate is about.
    pub(super) victim: usize,
    pub(super) with_handshake: bool,
    /// From the client, and from the server.
    pub(super) lines: [Quality; 2],
    pub(super) sides: [SidePlan; 2],
    /// A time in which everything that is not dead is done.
    pub(super) everything: Duration,
}

/// Deadlines; `None` disables one.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeouts {
    pub(super) handshake: Option<Duration>,
    pub(super) ping: Option<Duration>,
    pub(super) pong: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) close: Option<Duration>,
    pub(super) write: Option<Duration>,
    pub(super) min_write_rate: u32,
}

#[derive(Clone)]
pub(super) struct SidePlan {
    /// Whether the driver reads while it writes, with a queue of its own.
    pub(super) is_duplex: bool,
    pub(super) read_len: usize,
    /// How late it is at most when something has happened.
    pub(super) lateness: Duration,
    /// Whether it calls `handle_timeout` before it reads, too.
    pub(super) is_clock_first: bool,
    pub(super) script: Script,
    pub(super) timeouts: Timeouts,
    pub(super) config: Config,
    pub(super) with_deflate: bool,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let lines = line_pair(random);
        let reads = [
            random.scaled(1, 65_536) as usize,
            random.scaled(1, 65_536) as usize,
        ];
        let max_len = max_message_len(&lines, reads);
        let sides = script::pair(random, max_len);
        let fate = fate(random);
        let mut plan = Self {
            fate,
            fate_at: Duration::ZERO,
            victim: random.below(2) as usize,
            with_handshake: random.percent(50),
            lines,
            sides: [0, 1].map(|side| side_plan(random, reads[side], sides[side].clone())),
            everything: Duration::ZERO,
        };
        if fate == Fate::Healthy {
            plan.avoid_deadlock(random);
        }
        plan.everything = plan.pauses() + plan.transfers() + plan.hiccup();
        plan.fate_at = random.time(plan.everything);
        plan.set_faults(random);
        plan.set_deadlines(random);
        plan
    }

    pub(super) fn print(&self) {
        let Self { fate, victim, .. } = self;
        println!("{fate:?} of side {victim} after {:?}", self.fate_at);
        for (line, side) in self.lines.iter().zip(&self.sides) {
            let SidePlan {
                is_duplex,
                read_len,
                lateness,
                is_clock_first,
                ..
            } = side;
            println!(
                "{line:?}\nis_duplex: {is_duplex}, read_len: {read_len}, is_clock_first: {is_clock_first}, late by {lateness:?}, {:?}",
                side.timeouts
            );
            let Script {
                is_echo,
                closes_by_hand,
                takes_fragments,
                max_unsent_len,
                ..
            } = &side.script;
            println!(
                "is_echo: {is_echo}, closes_by_hand: {closes_by_hand}, takes_fragments: {takes_fragments}, max_unsent_len: {max_unsent_len}"
            );
        }
    }

    /// Moves everything to a clock that starts at `start`.
    pub(super) fn shift(&mut self, start: Duration) {
        self.fate_at += start;
        for line in &mut self.lines {
            line.cut_at = line.cut_at.map(|at| at + start);
            line.stall = line
                .stall
                .map(|(from, until)| (from + start, until + start));
        }
    }

    /// When this side is done, at the latest. On a link that is dead, all deadlines may
    /// follow upon one another.
    pub(super) fn limit(&self, side: usize) -> Duration {
        let side = &self.sides[side];
        let times = &side.timeouts;
        let deadlines = [
            times.handshake,
            times.ping,
            times.pong,
            times.close,
            times.write,
        ];
        let sum: Duration = deadlines.into_iter().flatten().sum();
        let start = Duration::from_secs(1_000_000);
        let until = match self.fate {
            Fate::Cut if self.lines.iter().all(|line| line.cut_at.is_some()) => {
                self.fate_at + self.pauses()
            }
            _ => start.max(self.fate_at) + self.everything,
        };
        until + 3 * sum + 30 * side.lateness + Duration::from_secs(1)
    }

    /// Two drivers that do not read while they write wait for one another forever.
    fn avoid_deadlock(&mut self, random: &mut Random) {
        let blocks = |side: &SidePlan| !side.is_duplex || side.script.is_echo;
        let is_small = |line: &Quality| line.send_buffer_len.min(line.receive_buffer_len) < 4096;
        let sends = self.sides.iter().filter(|side| side.script.sends()).count();
        if sends < 2 && !self.lines.iter().any(is_small) {
            return;
        }
        if self.sides.iter().all(blocks) {
            let echo = self.sides.iter().position(|side| side.script.is_echo);
            let other = echo.map_or_else(|| random.below(2) as usize, |echo| 1 - echo);
            self.sides[other].is_duplex = true;
        }
    }

    fn set_faults(&mut self, random: &mut Random) {
        let at = self.fate_at;
        match self.fate {
            Fate::Cut => {
                let both = random.percent(70);
                self.lines[self.victim].cut_at = Some(at);
                self.lines[1 - self.victim].cut_at = both.then_some(at);
            }
            Fate::Stall => {
                let end = at + random.time(Duration::from_secs(60));
                let both = random.percent(50);
                self.lines[self.victim].stall = Some((at, end));
                self.lines[1 - self.victim].stall = both.then_some((at, end));
                self.everything += end;
            }
            _ => {}
        }
    }

    fn set_deadlines(&mut self, random: &mut Random) {
        // The rest is the same without the feature.
        let is_drawn = random.percent(40) && self.with_handshake;
        let with_deflate = cfg!(feature = "deflate") && is_drawn;
        for side in 0..2 {
            let timeouts = if self.fate == Fate::Healthy {
                self.sufficient(random)
            } else {
                any_timeouts(random)
            };
            let plan = &mut self.sides[side];
            plan.config = config(random, &timeouts, &plan.script);
            if with_deflate {
                plan.config = deflated(&mut random.clone(), plan.config.clone());
            }
            plan.with_deflate = with_deflate;
            plan.timeouts = timeouts;
        }
    }

    /// Deadlines that no healthy connection misses.
    fn sufficient(&self, random: &mut Random) -> Timeouts {
        let blocks = |side: &SidePlan| !side.is_duplex || side.script.is_echo;
        let mut gap = self.hiccup();
        if self.sides.iter().any(blocks) {
            gap += self.transfers();
        }
        let mut above = |least: Duration| {
            let factor = 100 + random.scaled(5, 1000) as u32;
            (factor < 1000).then(|| least * factor / 100)
        };
        Timeouts {
            handshake: above(self.everything),
            pong: above(gap),
            idle: above(self.everything),
            // Without it, a server does not linger, see `expected`.
            close: above(self.everything).or(Some(10 * self.everything)),
            write: above(gap),
            // More often, and pings and pongs alone would fill a narrow link.
            ping: above(self.hiccup()),
            min_write_rate: 0,
        }
    }

    /// How long the applications do nothing, or do not read.
    fn pauses(&self) -> Duration {
        self.sides.iter().map(|side| side.script.pauses()).sum()
    }

    /// How long all bytes take from one application to the other.
    fn transfers(&self) -> Duration {
        let len = |side: usize| {
            let echoed = self.sides[1 - side].script.len();
            let is_echo = self.sides[side].script.is_echo;
            2048 + self.sides[side].script.len() + if is_echo { echoed } else { 0 }
        };
        self.passage(0, len(0)) + self.passage(1, len(1))
    }

    /// How long nothing may be seen of a peer that does its best.
    fn hiccup(&self) -> Duration {
        let held = |line: &Quality| line.send_buffer_len + line.receive_buffer_len + 1024;
        let lens = [held(&self.lines[0]), held(&self.lines[1])];
        let longest = |side: &SidePlan| side.script.longest_pause();
        let paused: Duration = self.sides.iter().map(longest).sum();
        self.passage(0, lens[0]) + self.passage(1, lens[1]) + paused + Duration::from_millis(100)
    }

    fn passage(&self, side: usize, len: usize) -> Duration {
        let (line, sender, receiver) =
            (&self.lines[side], &self.sides[side], &self.sides[1 - side]);
        let read_len = (receiver.read_len * super::side::MAX_READS).min(line.receive_buffer_len);
        let windows = (len / line.receive_buffer_len + 3) as u32;
        let (reads, writes) = (
            (len / read_len + 4) as u32,
            (len / line.send_buffer_len + 4) as u32,
        );
        line.transfer_time(len)
            + 2 * windows * line.latency
            + (windows + reads) * receiver.lateness
            + writes * (sender.lateness + receiver.lateness)
    }
}

fn fate(random: &mut Random) -> Fate {
    use Fate::{Cut, Exit, Freeze, Hasty, Healthy, Reset, Stall};
    random.pick(&[
        Healthy, Healthy, Healthy, Healthy, Hasty, Cut, Cut, Stall, Reset, Exit, Freeze,
    ])
}

fn line_pair(random: &mut Random) -> [Quality; 2] {
    let (latency, rate) = (
        random.time(Duration::from_secs(2)),
        random.scaled(100, 100_000_000),
    );
    let mut line = || Quality {
        latency,
        rate: if random.percent(50) {
            rate
        } else {
            random.scaled(100, 100_000_000)
        },
        segment_len: random.scaled(1, 65_536) as usize,
        send_buffer_len: random.scaled(1, 262_144) as usize,
        receive_buffer_len: random.scaled(1, 262_144) as usize,
        stall: None,
        cut_at: None,
    };
    [line(), line()]
}

/// So long that a schedule takes no more than some thousand steps.
fn max_message_len(lines: &[Quality; 2], reads: [usize; 2]) -> u64 {
    let least = |line: &Quality| {
        let buffers = line.send_buffer_len.min(line.receive_buffer_len);
        buffers.min(line.segment_len)
    };
    let lens = [least(&lines[0]), least(&lines[1]), reads[0], reads[1]];
    let least = lens.into_iter().min().unwrap_or(1) as u64;
    (least * 100).clamp(100, 200_000)
}

fn side_plan(random: &mut Random, read_len: usize, script: Script) -> SidePlan {
    let lateness = if random.percent(50) {
        Duration::ZERO
    } else {
        random.time(Duration::from_secs(5))
    };
    SidePlan {
        is_duplex: random.percent(60),
        read_len,
        lateness,
        is_clock_first: random.percent(50),
        script,
        timeouts: Timeouts::default(),
        config: Config::new(),
        with_deflate: false,
    }
}

/// Deadlines of any length. All but the idle one are there, so that whatever is dead
/// ends.
fn any_timeouts(random: &mut Random) -> Timeouts {
    let mut time = || Some(random.time(Duration::from_secs(60)) + Duration::from_millis(20));
    Timeouts {
        handshake: time(),
        ping: time(),
        pong: time(),
        close: time(),
        write: time(),
        idle: time().filter(|time| time.as_micros().is_multiple_of(2)),
        min_write_rate: random.pick(&[0, 0, 1, 1000]),
    }
}

fn config(random: &mut Random, timeouts: &Timeouts, script: &Script) -> Config {
    let max_frame_len = random.scaled(20, 1_000_000) as usize;
    let delivery = if script.takes_fragments {
        Delivery::Fragments
    } else {
        Delivery::Messages
    };
    wire::config()
        .with_handshake_timeout(timeouts.handshake)
        .with_ping_interval(timeouts.ping)
        .with_pong_timeout(timeouts.pong)
        .with_idle_timeout(timeouts.idle)
        .with_close_timeout(timeouts.close)
        .with_write_timeout(timeouts.write)
        .with_min_write_rate(timeouts.min_write_rate)
        .with_max_sent_frame_len(max_frame_len)
        .with_delivery(delivery)
}

#[cfg(feature = "deflate")]
fn deflated(random: &mut Random, config: Config) -> Config {
    let options = sansocket::deflate::Options::new().with_threshold(random.below(200) as usize);
    config.with_deflate(options.with_context_takeover(random.percent(50)))
}

#[cfg(not(feature = "deflate"))]
fn deflated(_: &mut Random, config: Config) -> Config {
    config
}
