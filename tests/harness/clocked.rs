//! A connection with a clock of the test's own.

use core::time::Duration;

use sansocket::{
    ClientRequest, Config, Connection, ConnectionError, Deadline, DeadlineReason, Event, Input,
    IoState, Role,
};

use crate::drive::open;

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A deadline takes effect this long after it has passed, at the earliest.
pub(crate) const GRACE: Duration = Duration::from_millis(10);

/// A connection, its clock and its unsent bytes: a driver that calls
/// `handle_timeout` as its documentation demands.
pub(crate) struct Clocked {
    pub(crate) ws: Connection,
    pub(crate) now: Duration,
    pub(crate) io: IoState,
    pub(crate) out: Vec<u8>,
    pub(crate) events: Vec<Event<'static>>,
}

impl Clocked {
    pub(crate) fn new(ws: Connection) -> Self {
        let mut clocked = Self {
            ws,
            // Any origin will do.
            now: secs(1_000_000),
            io: IoState::reading(),
            out: Vec::new(),
            events: Vec::new(),
        };
        clocked.tick();
        clocked
    }

    pub(crate) fn open(role: Role, config: &Config) -> Self {
        Self::new(open(role, config))
    }

    pub(crate) fn tick(&mut self) -> Option<Deadline> {
        let deadline = self.ws.handle_timeout(self.now, self.io, &mut self.out);
        if let Some(deadline) = deadline {
            assert!(deadline.at > self.now, "{deadline:?} at {:?}", self.now);
        }
        deadline
    }

    /// Some time passes: the driver wakes at each deadline.
    pub(crate) fn pass(&mut self, time: Duration) -> Option<Deadline> {
        let until = self.now + time;
        while let Some(deadline) = self.tick().filter(|deadline| deadline.at <= until) {
            self.now = deadline.at;
        }
        self.now = until;
        self.tick()
    }

    /// Some time passes in which the driver does nothing.
    pub(crate) fn be_busy(&mut self, time: Duration) {
        self.now += time;
        self.tick();
    }

    /// Bytes come.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.take(Input::new(&mut bytes));
    }

    pub(crate) fn take(&mut self, mut input: Input<'_>) {
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            if let Event::Request(request) = &event {
                let answer = request.accept();
                self.ws.respond(answer, &mut self.out).expect("a request");
            }
            self.events.push(event.into_owned());
        }
        assert!(input.remaining().is_empty(), "all input is consumed");
        self.tick();
    }

    /// The transport takes all that is unsent.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        let written = core::mem::take(&mut self.out);
        self.tick();
        written
    }

    /// The transport takes some of what is unsent.
    pub(crate) fn write(&mut self, len: usize) {
        self.out.drain(..len.min(self.out.len()));
        self.tick();
    }

    /// Nothing happens until a deadline other than a ping passes. Returns which,
    /// and after how long.
    pub(crate) fn wait(&mut self) -> (DeadlineReason, Duration) {
        self.written();
        let start = self.now;
        let mut reason = None;
        while let Some(deadline) = self.tick() {
            reason = Some(deadline.reason);
            self.now = deadline.at;
            self.tick();
            self.written();
        }
        let waited = self.now - start;
        (reason.expect("a deadline"), waited.saturating_sub(GRACE))
    }

    /// What ended it, reported without any input.
    pub(crate) fn error(&mut self) -> Option<ConnectionError> {
        self.take(Input::none());
        match self.events.last() {
            Some(Event::Failed(error)) => Some(*error),
            _ => None,
        }
    }
}

pub(crate) fn client(config: &Config) -> Connection {
    let request = ClientRequest::to("ws://h/").unwrap();
    Connection::client(&request, config, &mut Vec::new()).unwrap()
}
