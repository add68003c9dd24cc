//! What the two applications do.

use core::time::Duration;
use std::collections::VecDeque;

use super::random::Random;
use sansocket::Message;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Message),
    /// A part of a message, and whether it is the last one.
    SendPart(Message, bool),
    Ping,
    /// The application does nothing for a while.
    Wait(Duration),
    /// It goes on, but does not read.
    StopReading(Duration),
    Close,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) steps: VecDeque<Step>,
    /// Sends back what it receives, and reads no more than it can send.
    pub(super) is_echo: bool,
    /// Answers a close frame once it has sent everything.
    pub(super) closes_by_hand: bool,
    pub(super) takes_fragments: bool,
    /// How many bytes may be unsent before a message.
    pub(super) max_unsent_len: usize,
    /// How long a request waits for its answer.
    pub(super) decides_after: Duration,
}

impl Script {
    pub(super) fn sends(&self) -> bool {
        self.is_echo || self.len() > 0
    }

    /// The bytes of all messages, frames included.
    pub(super) fn len(&self) -> usize {
        let len = |step: &Step| match step {
            // Frames may be as short as 20 bytes.
            Step::Send(message) => message.as_bytes().len() * 17 / 10 + 64,
            Step::SendPart(part, _) => part.as_bytes().len() + 64,
            _ => 0,
        };
        self.steps.iter().map(len).sum()
    }

    pub(super) fn pauses(&self) -> Duration {
        let pause = |step: &Step| match step {
            Step::Wait(time) | Step::StopReading(time) => *time,
            _ => Duration::ZERO,
        };
        self.steps.iter().map(pause).sum::<Duration>() + self.decides_after
    }

    /// How long it does not read at most.
    pub(super) fn longest_pause(&self) -> Duration {
        let stops = self.steps.iter().filter_map(|step| match step {
            Step::StopReading(time) => Some(*time),
            _ => None,
        });
        stops.sum::<Duration>() + self.decides_after
    }

    /// The length of the longest message.
    pub(super) fn longest(&self) -> usize {
        let mut part = 0;
        let len = |step: &Step| match step {
            Step::Send(message) => message.as_bytes().len(),
            Step::SendPart(next, is_last) => {
                part += next.as_bytes().len();
                let len = part;
                part = if *is_last { 0 } else { part };
                len
            }
            _ => 0,
        };
        self.steps.iter().map(len).max().unwrap_or(0)
    }
}

/// The scripts of both sides, one of which closes at some point.
pub(super) fn pair(random: &mut Random, max_len: u64) -> [Script; 2] {
    let echo = random.percent(30).then(|| random.below(2));
    let closer = random.below(3);
    let by_hand = random.percent(25);
    [0, 1].map(|side| {
        let mut script = script(random, max_len, echo == Some(side));
        script.closes_by_hand = by_hand;
        if closer != side {
            script.steps.push_back(Step::Close);
        }
        script
    })
}

fn script(random: &mut Random, max_len: u64, is_echo: bool) -> Script {
    let mut steps = VecDeque::new();
    let pace = random.time(Duration::from_secs(100));
    for _ in 0..random.scaled(0, 30) {
        let is_send = !is_echo && random.percent(60);
        match random.below(5) {
            0 if is_send => send_parts(random, max_len, &mut steps),
            _ if is_send => steps.push_back(Step::Send(message(random, max_len))),
            0 => steps.push_back(Step::Ping),
            1 => steps.push_back(Step::StopReading(random.time(pace))),
            2 => steps.push_back(Step::Wait(random.time(pace))),
            _ => {}
        }
    }
    let thinks = random.percent(20);
    Script {
        steps,
        is_echo,
        closes_by_hand: false,
        takes_fragments: random.percent(25),
        max_unsent_len: random.scaled(1, 100_000) as usize,
        decides_after: if thinks {
            random.time(pace)
        } else {
            Duration::ZERO
        },
    }
}

/// No two messages are alike, unless they are short.
fn message(random: &mut Random, max_len: u64) -> Message {
    let len = random.scaled(0, max_len) as usize;
    match random.below(3) {
        0 => format!("{:016x}", random.next()).repeat(len / 16).into(),
        1 => (0..len)
            .map(|_| random.next() as u8)
            .collect::<Vec<u8>>()
            .into(),
        _ => random.next().to_be_bytes().repeat(len / 8 + 1).into(),
    }
}

fn send_parts(random: &mut Random, max_len: u64, steps: &mut VecDeque<Step>) {
    let parts = random.below(4);
    let is_text = random.percent(50);
    for part in 0..=parts {
        let len = random.scaled(0, max_len / (parts + 1)) as usize;
        let payload = if is_text {
            format!("{:016x}", random.next()).repeat(len / 16).into()
        } else {
            random.next().to_be_bytes().repeat(len / 8).into()
        };
        steps.push_back(Step::SendPart(payload, part == parts));
        if random.percent(20) {
            steps.push_back(Step::Ping);
        }
    }
}
