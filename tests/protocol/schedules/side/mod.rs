//! One side: a connection, its application, and a driver that follows the rules on the
//! page of `Connection`.

mod application;

use core::time::Duration;

use super::expected::{Call, Expected};
use super::line::{Line, Read};
use super::plan::SidePlan;
use super::random::Random;
use sansocket::{
    Connection, ConnectionError, DeadlineReason, Input, IoState, Message, Outcome, Request, Role,
};

/// How many reads a driver makes before others have their turn.
pub(super) const MAX_READS: usize = 16;

/// How many bytes of replies a full-duplex driver queues.
const MAX_REPLIES_LEN: u64 = 4096;

pub(super) struct Side {
    pub(super) ws: Connection,
    plan: SidePlan,
    random: Random,
    expected: Expected,
    out: Vec<u8>,
    /// What a full-duplex driver has taken out of `out`.
    queue: Vec<u8>,
    /// Replies of the connection since nothing was unsent.
    replies_len: u64,
    has_been_open: bool,
    close_end: u64,
    request: Option<(Duration, Request)>,
    /// What the connection did not take while a request waits.
    rest: Vec<u8>,
    /// When the application goes on, and when it reads again.
    acts_at: Duration,
    reads_at: Duration,
    part: Vec<Message>,
    part_sent: Vec<Message>,
    pub(super) sent: Vec<Message>,
    pub(super) received: Vec<Message>,
    last_event: Option<&'static str>,
    outcome: Option<Outcome>,
    at_end_of_stream: bool,
    /// What was reported at the last call.
    reports_reading: bool,
    is_shut: bool,
    /// The next time at which it polls for a deadline of the connection or of the
    /// application, and the one at which it will poll because something has happened.
    timer: Option<Duration>,
    pub(super) wakes_at: Option<Duration>,
    pub(super) is_frozen: bool,
    pub(super) done_at: Option<Duration>,
    pub(super) traces: bool,
    /// The length of the longest message on this link.
    longest: usize,
}

impl Side {
    pub(super) fn new(
        ws: Connection,
        out: Vec<u8>,
        plan: SidePlan,
        seed: u64,
        longest: usize,
    ) -> Self {
        Self {
            has_been_open: ws.is_open(),
            ws,
            expected: Expected::new(plan.timeouts.clone()),
            plan,
            random: Random::new(seed),
            out,
            queue: Vec::new(),
            replies_len: 0,
            close_end: 0,
            request: None,
            rest: Vec::new(),
            acts_at: Duration::ZERO,
            reads_at: Duration::ZERO,
            part: Vec::new(),
            part_sent: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            last_event: None,
            outcome: None,
            at_end_of_stream: false,
            reports_reading: false,
            is_shut: false,
            timer: None,
            wakes_at: Some(Duration::ZERO),
            is_frozen: false,
            done_at: None,
            traces: false,
            longest,
        }
    }

    fn trace(&self, now: Duration, what: impl FnOnce() -> String) {
        if self.traces {
            println!("{now:>16?} {:?}: {}", self.ws.role(), what());
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.done_at.is_none() && !self.is_frozen
    }

    fn unsent_len(&self) -> usize {
        self.out.len() + self.queue.len()
    }

    /// Rule 3. A full-duplex driver reads on, unless its application waits until it can
    /// send, or the peer does not read the answers that it provokes.
    fn is_reading(&self, now: Duration) -> bool {
        let is_blocked = if self.plan.is_duplex {
            let is_full = self.unsent_len() > self.plan.script.max_unsent_len;
            self.plan.script.is_echo && is_full || self.replies_len > MAX_REPLIES_LEN
        } else {
            self.unsent_len() > 0
        };
        // After the end, what is read is discarded.
        let is_paused = self.reads_at > now && self.ws.outcome().is_none();
        let is_over = self.ws.is_closed() && !self.ws.is_lingering() || self.at_end_of_stream;
        !is_blocked && !is_paused && !is_over && self.request.is_none()
    }

    /// Whether something has happened that this driver waits for.
    fn has_cause(&self, now: Duration, incoming: &Line, outgoing: &Line) -> bool {
        let reads = incoming.is_readable() && self.is_reading(now);
        let writes = self.unsent_len() > 0 && outgoing.space() > 0;
        reads || writes || self.timer.is_some_and(|at| at <= now)
    }

    /// The next time at which this side does something.
    pub(super) fn next(
        &mut self,
        now: Duration,
        incoming: &Line,
        outgoing: &Line,
    ) -> Option<Duration> {
        if !self.is_active() {
            return None;
        }
        if self.wakes_at.is_none() && self.has_cause(now, incoming, outgoing) {
            let late = self.random.below(self.plan.lateness.as_nanos() as u64 + 1);
            self.wakes_at = Some(now + Duration::from_nanos(late));
        }
        self.wakes_at.or(self.timer)
    }

    pub(super) fn poll(
        &mut self,
        now: Duration,
        incoming: &mut Line,
        outgoing: &mut Line,
    ) -> Result<(), String> {
        self.wakes_at = None;
        for round in 0..MAX_READS {
            self.act_and_write(now, outgoing)?;
            let is_first = round == 0 && !self.plan.is_clock_first;
            if !is_first || !self.is_reading(now) || !self.reports_reading {
                self.settle(now, incoming, outgoing)?;
            }
            if !self.is_reading(now) {
                break;
            }
            match incoming.read(self.plan.read_len) {
                Read::Bytes(bytes) => self.receive(now, bytes)?,
                Read::End => {
                    self.at_end_of_stream = true;
                    self.receive(now, Vec::new())?;
                }
                Read::Nothing => break,
            }
        }
        self.settle(now, incoming, outgoing)?;
        self.finish(now, incoming, outgoing);
        self.check_memory()
    }

    /// Writes, and calls `handle_timeout`, until there is nothing left to do.
    fn settle(
        &mut self,
        now: Duration,
        incoming: &Line,
        outgoing: &mut Line,
    ) -> Result<(), String> {
        loop {
            self.act_and_write(now, outgoing)?;
            let before = (self.ws.counters().sent.bytes, self.ws.outcome().is_some());
            let next = self.tick(now, incoming)?;
            if self.ws.has_event() {
                self.take(now, Input::none())?;
            }
            if before == (self.ws.counters().sent.bytes, self.ws.outcome().is_some()) {
                let request = self.request.as_ref().map(|(at, _)| *at);
                let app = [Some(self.acts_at), Some(self.reads_at), request];
                let app = app.into_iter().flatten().filter(|at| *at > now).min();
                self.timer = [next, app].into_iter().flatten().min();
                return Ok(());
            }
        }
    }

    fn tick(&mut self, now: Duration, incoming: &Line) -> Result<Option<Duration>, String> {
        let is_reading = self.is_reading(now);
        let io = if is_reading {
            IoState::reading()
        } else {
            IoState::paused()
        };
        let io = io.with_buffered_len(self.queue.len());
        let call = Call {
            now,
            is_reading,
            unsent_len: self.unsent_len(),
            has_been_open: self.has_been_open,
            is_deciding: self.request.is_some(),
            closes_by_hand: self.plan.script.closes_by_hand,
            close_end: self.close_end,
        };
        self.reports_reading = is_reading;
        self.expected.observe(&self.ws, call);
        let was_stalled = self.ws.is_stalled();
        let sent = self.ws.counters().sent.bytes;
        let next = self.ws.handle_timeout(now, io, &mut self.out);
        if self.ws.is_stalled() {
            self.queue.clear();
        }
        self.note_end();
        self.trace(now, || {
            let appended = self.ws.counters().sent.bytes - sent;
            let outcome = self.ws.outcome().map(|outcome| outcome.cause);
            format!(
                "tick({io:?}), {} unsent, +{appended}: {next:?} {outcome:?}",
                call.unsent_len
            )
        });
        let stalls = self.ws.is_stalled() && !was_stalled;
        self.expected.check(&self.ws, next, stalls)?;
        self.check_silence(incoming)?;
        self.check_outcome()?;
        Ok(next.map(|next| next.at))
    }

    /// What came in time was not overlooked.
    fn check_silence(&self, incoming: &Line) -> Result<(), String> {
        use DeadlineReason::{Idle, Pong};
        let cause = self.ws.outcome().and_then(|outcome| outcome.cause);
        let Some(ConnectionError::Timeout(reason @ (Pong | Idle))) = cause else {
            return Ok(());
        };
        let at = self.expected.passed_at(reason);
        match incoming.unread_since() {
            Some(since) if since < at && self.outcome.is_none() => Err(format!(
                "{cause:?}, but bytes arrived at {since:?} before {at:?}"
            )),
            _ => Ok(()),
        }
    }

    /// An outcome does not change.
    fn check_outcome(&mut self) -> Result<(), String> {
        let outcome = self.ws.outcome();
        if let (Some(before), now) = (&self.outcome, outcome)
            && Some(before) != now
        {
            return Err(format!("the outcome changed from {before:?} to {now:?}"));
        }
        self.outcome = outcome.cloned();
        let Some(outcome) = &self.outcome else {
            return Ok(());
        };
        let is_server = self.ws.role() == Role::Server;
        if is_server && outcome.clean && !self.ws.is_closed() {
            return Err("a server is closed once both close frames were exchanged".to_owned());
        }
        if self.at_end_of_stream && (!self.ws.is_closed() || self.ws.is_lingering()) {
            return Err("it waits for more after the end of the stream".to_owned());
        }
        Ok(())
    }

    /// The position of the close frame, as soon as it was appended.
    fn note_end(&mut self) {
        self.has_been_open |= self.ws.is_open();
        let is_closing = self.has_been_open && !self.ws.is_open() && self.close_end == 0;
        let ends = self.ws.outcome().is_some() && self.outcome.is_none();
        if is_closing || ends {
            self.close_end = self.ws.counters().sent.bytes;
        }
    }

    fn receive(&mut self, now: Duration, mut bytes: Vec<u8>) -> Result<(), String> {
        self.trace(now, || format!("receives {} bytes", bytes.len()));
        self.take(now, Input::new(&mut bytes))
    }

    fn take(&mut self, now: Duration, mut input: Input<'_>) -> Result<(), String> {
        loop {
            let before = self.ws.counters().sent.bytes;
            let event = self.ws.receive(&mut input, &mut self.out);
            self.replies_len += self.ws.counters().sent.bytes - before;
            let Some(event) = event else { break };
            self.note_end();
            self.check_outcome()?;
            self.trace(now, || format!("{:.120}", format!("{event:?}")));
            self.handle(now, event.into_owned())?;
        }
        self.note_end();
        self.rest.extend_from_slice(input.remaining());
        if !self.rest.is_empty() && self.request.is_none() {
            return Err(format!("{} bytes of input are left", self.rest.len()));
        }
        Ok(())
    }

    /// What is written makes room for more.
    fn act_and_write(&mut self, now: Duration, outgoing: &mut Line) -> Result<(), String> {
        loop {
            let before = self.plan.script.steps.len();
            self.act(now)?;
            self.write(outgoing);
            if self.plan.script.steps.len() == before {
                return Ok(());
            }
        }
    }

    fn write(&mut self, outgoing: &mut Line) {
        if self.plan.is_duplex {
            self.queue.append(&mut self.out);
            outgoing.write(&mut self.queue);
        } else {
            outgoing.write(&mut self.out);
        }
        if self.unsent_len() == 0 {
            self.replies_len = 0;
        }
    }

    /// Rule 4, with lingering.
    fn finish(&mut self, now: Duration, incoming: &mut Line, outgoing: &mut Line) {
        if !self.ws.is_closed() || self.unsent_len() > 0 {
            return;
        }
        if !self.is_shut {
            outgoing.shut();
            self.is_shut = true;
        }
        if !self.ws.is_lingering() {
            self.drop_socket(now, incoming, outgoing);
        }
    }

    pub(super) fn drop_socket(&mut self, now: Duration, incoming: &mut Line, outgoing: &mut Line) {
        self.trace(now, || "drops the socket".to_owned());
        outgoing.shut();
        incoming.deafen();
        self.done_at = Some(now);
    }
}

impl Side {
    /// The section "Memory" of `Connection`, and of `deflate`. A driver's output is what
    /// its application sent, and the replies to one read.
    fn check_memory(&self) -> Result<(), String> {
        let is_deflating = cfg!(feature = "deflate") && self.plan.with_deflate;
        let deflate = if is_deflating {
            // To decompress, to compress, the compressor's output, and the structs.
            (67 + 372 + 64 + 1) * 1024
        } else {
            0
        };
        let head = if self.ws.is_open() { 0 } else { 16 * 1024 };
        let held = self.ws.memory_usage();
        let allowed = 1024 + 2 * self.longest + 125 + deflate + head;
        if held > allowed {
            return Err(format!("holds {held} bytes, {allowed} are allowed"));
        }
        let replies = MAX_READS * (4 * self.plan.read_len + self.longest * 2) + 8192;
        let allowed = self.plan.script.max_unsent_len + 2 * self.longest + replies;
        let unsent = self.unsent_len();
        if unsent > allowed {
            return Err(format!("{unsent} bytes are unsent, {allowed} are allowed"));
        }
        Ok(())
    }

    pub(super) fn is_idle_below_1_kib(&self) -> bool {
        self.plan.with_deflate || !self.ws.is_open() || self.ws.memory_usage() < 1024
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.ws.outcome()
    }
}
