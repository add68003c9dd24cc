//! One direction of a link: what a sender's kernel, the wire and the receiver's
//! kernel do with bytes.

use core::time::Duration;
use std::collections::VecDeque;

/// What a line is like.
#[derive(Clone, Debug)]
pub(super) struct Quality {
    pub(super) latency: Duration,
    /// Bytes per second.
    pub(super) rate: u64,
    /// The most bytes that leave at once.
    pub(super) segment_len: usize,
    /// How many bytes the sender's kernel takes before the first is on the wire, and
    /// the receiver's before the first is read.
    pub(super) send_buffer_len: usize,
    pub(super) receive_buffer_len: usize,
    /// While nothing leaves.
    pub(super) stall: Option<(Duration, Duration)>,
    /// From when on nothing leaves or arrives, and neither side notices.
    pub(super) cut_at: Option<Duration>,
}

impl Quality {
    pub(super) fn transfer_time(&self, len: usize) -> Duration {
        Duration::from_nanos(len as u64 * 1_000_000_000 / self.rate + 1)
    }
}

/// What a read returned.
#[derive(Debug)]
pub(super) enum Read {
    Bytes(Vec<u8>),
    /// Nothing more comes: a FIN, or a reset.
    End,
    Nothing,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) quality: Quality,
    /// Accepted from the sender.
    sending: VecDeque<u8>,
    /// When the wire is free for the next segment.
    free_at: Duration,
    /// On the wire, with the time of arrival. An empty one is a FIN.
    flying: VecDeque<(Duration, Vec<u8>)>,
    flying_len: usize,
    /// Not read yet, and since when.
    arrived: VecDeque<u8>,
    unread_since: Duration,
    /// Whether the sender has shut down this direction, and whether that has left and
    /// arrived.
    is_shut: bool,
    fin_has_left: bool,
    is_ended: bool,
    /// Whether the receiver has dropped its socket, and whether bytes have come since.
    is_deaf: bool,
    is_refused: bool,
    /// When a reset reaches the receiver.
    pub(super) reset_at: Option<Duration>,
    /// Whether the sender knows of a reset.
    is_broken: bool,
}

impl Line {
    pub(super) fn new(quality: Quality) -> Self {
        Self {
            quality,
            sending: VecDeque::new(),
            free_at: Duration::ZERO,
            flying: VecDeque::new(),
            flying_len: 0,
            arrived: VecDeque::new(),
            unread_since: Duration::ZERO,
            is_shut: false,
            fin_has_left: false,
            is_ended: false,
            is_deaf: false,
            is_refused: false,
            reset_at: None,
            is_broken: false,
        }
    }

    /// How many bytes the sender's kernel takes.
    pub(super) fn space(&self) -> usize {
        if self.is_broken {
            return usize::MAX;
        }
        self.quality
            .send_buffer_len
            .saturating_sub(self.sending.len())
    }

    /// Takes bytes from the front of `unsent`.
    pub(super) fn write(&mut self, unsent: &mut Vec<u8>) {
        assert!(!self.is_shut || unsent.is_empty(), "nothing after a FIN");
        let len = self.space().min(unsent.len());
        let bytes = unsent.drain(..len);
        if self.is_broken {
            return;
        }
        self.sending.extend(bytes);
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.arrived.is_empty() || self.is_ended
    }

    /// Since when there have been bytes to read.
    pub(super) fn unread_since(&self) -> Option<Duration> {
        (!self.arrived.is_empty()).then_some(self.unread_since)
    }

    pub(super) fn read(&mut self, max_len: usize) -> Read {
        let len = max_len.min(self.arrived.len());
        if len > 0 {
            return Read::Bytes(self.arrived.drain(..len).collect());
        }
        if self.is_ended {
            Read::End
        } else {
            Read::Nothing
        }
    }

    /// The sender shuts down this direction.
    pub(super) fn shut(&mut self) {
        self.is_shut = true;
    }

    /// The receiver drops its socket. Unread bytes cause a reset.
    pub(super) fn deafen(&mut self) {
        self.is_deaf = true;
        self.is_refused |= !self.arrived.is_empty();
        self.arrived.clear();
    }

    /// Whether bytes came to a socket that was dropped. Reported once.
    pub(super) fn take_refusal(&mut self) -> bool {
        core::mem::take(&mut self.is_refused)
    }

    /// The sender learns of a reset: what it writes is lost.
    pub(super) fn break_off(&mut self) {
        self.is_broken = true;
        self.sending.clear();
    }

    fn is_cut(&self, now: Duration) -> bool {
        self.quality.cut_at.is_some_and(|at| at <= now)
    }

    fn stall_end(&self, now: Duration) -> Option<Duration> {
        let (from, until) = self.quality.stall?;
        (from <= now && now < until).then_some(until)
    }

    /// How many bytes may leave at once: the receiver's kernel has room for them.
    fn window(&self) -> usize {
        let held = self.flying_len + self.arrived.len();
        self.quality.receive_buffer_len.saturating_sub(held)
    }

    fn next_segment_len(&self) -> usize {
        let len = self.quality.segment_len.min(self.sending.len());
        len.min(self.window())
    }

    fn sends_fin(&self) -> bool {
        self.is_shut && self.sending.is_empty() && !self.fin_has_left && !self.is_broken
    }

    /// When the line has something to do next, no earlier than `now`.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let arrival = self.flying.front().map(|(at, _)| *at);
        let is_moving = self.next_segment_len() > 0 || self.sends_fin();
        let departure = is_moving.then(|| self.stall_end(now).unwrap_or(now).max(self.free_at));
        let next = [arrival, departure].into_iter().flatten().min();
        let next = next.filter(|at| !self.is_cut(*at));
        let reset = self.reset_at.filter(|at| !self.is_cut(*at));
        [next, reset].into_iter().flatten().min()
    }

    /// Moves on to `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        if self.is_cut(now) {
            self.flying.clear();
            return;
        }
        if self.reset_at.is_some_and(|at| at <= now) {
            // Some systems discard what was not read yet.
            self.reset_at = None;
            self.is_ended = true;
            self.is_broken = true;
            self.arrived.clear();
            self.flying.clear();
            self.sending.clear();
        }
        self.depart(now);
        while self.flying.front().is_some_and(|(at, _)| *at <= now) {
            let (_, bytes) = self.flying.pop_front().expect("a segment");
            self.arrive(now, &bytes);
        }
    }

    fn depart(&mut self, now: Duration) {
        if self.free_at > now || self.stall_end(now).is_some() {
            return;
        }
        let len = self.next_segment_len();
        if len > 0 {
            let bytes: Vec<u8> = self.sending.drain(..len).collect();
            self.free_at = now + self.quality.transfer_time(len);
            self.flying_len += len;
            self.flying
                .push_back((self.free_at + self.quality.latency, bytes));
        } else if self.sends_fin() {
            self.fin_has_left = true;
            self.flying
                .push_back((now.max(self.free_at) + self.quality.latency, Vec::new()));
        }
    }

    fn arrive(&mut self, now: Duration, bytes: &[u8]) {
        self.flying_len -= bytes.len();
        if self.is_deaf {
            self.is_refused |= !bytes.is_empty();
        } else if bytes.is_empty() {
            self.is_ended = true;
        } else if !self.is_ended {
            if self.arrived.is_empty() {
                self.unread_since = now;
            }
            self.arrived.extend(bytes);
        }
    }
}
