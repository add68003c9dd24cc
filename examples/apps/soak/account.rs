//! The accounts: what each end of a connection has sent and received, and whether
//! the two agree.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sansocket::{Error, Initiator, Outcome};

use crate::plan::{Plan, Side};

/// One connection.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) id: u64,
    pub(crate) plan: Plan,
    client: Page,
    server: Page,
    /// Whether the client has opened it.
    is_opened: AtomicBool,
    begun: Instant,
    /// When something happened last, in milliseconds after `begun`.
    progress: AtomicU64,
}

/// One end of it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Messages that `send` has accepted.
    pub(crate) sent: AtomicU64,
    /// A message for which `send` failed, so that it may be sent or not.
    pub(crate) doubtful: AtomicU64,
    pub(crate) received: AtomicU64,
    report: Mutex<Option<Report>>,
}

/// How it ended for one end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) errors: Vec<Error>,
    pub(crate) confirmed: Confirmed,
}

/// What a closing handshake confirms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Confirmed {
    #[default]
    Nothing,
    /// The close frame of the peer was received, and so all that it sent before.
    Received,
    /// The peer has answered a close frame, and so received all that was sent before.
    Both,
}

impl From<Option<&Outcome>> for Confirmed {
    fn from(outcome: Option<&Outcome>) -> Self {
        match outcome.filter(|outcome| outcome.clean) {
            None => Self::Nothing,
            Some(outcome) if outcome.initiator == Initiator::Local => Self::Both,
            Some(_) => Self::Received,
        }
    }
}

impl Ledger {
    pub(crate) const fn page(&self, side: Side) -> &Page {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    pub(crate) fn open(&self) {
        self.is_opened.store(true, Relaxed);
    }

    pub(crate) fn is_opened(&self) -> bool {
        self.is_opened.load(Relaxed)
    }

    pub(crate) fn touch(&self) {
        let now = self.begun.elapsed().as_millis() as u64;
        self.progress.store(now, Relaxed);
    }

    fn idle(&self) -> Duration {
        let progress = Duration::from_millis(self.progress.load(Relaxed));
        self.begun.elapsed().saturating_sub(progress)
    }

    fn is_settled(&self) -> bool {
        [&self.client, &self.server].map(|page| lock(&page.report).is_some()) == [true; 2]
    }

    /// What is wrong with one direction.
    fn fault(&self, sender: Side) -> Option<&'static str> {
        let (from, to) = (self.page(sender), self.page(sender.other()));
        let (sent, received) = (from.sent.load(Relaxed), to.received.load(Relaxed));
        let confirmed = |page: &Page| lock(&page.report).as_ref().map(|report| report.confirmed);
        let (by_sender, by_receiver) = (confirmed(from), confirmed(to));
        // Two close frames that cross confirm nothing.
        let is_answered = !self.plan.closes(sender.other());
        let is_confirmed = is_answered && by_sender == Some(Confirmed::Both)
            || by_receiver.is_some_and(|confirmed| confirmed != Confirmed::Nothing);
        if received > sent + from.doubtful.load(Relaxed) {
            Some("received more than was sent")
        } else if is_confirmed && received < sent {
            Some("lost a message although the closing handshake confirmed it")
        } else if self.plan.is_orderly() && !is_confirmed {
            Some("no closing handshake")
        } else {
            None
        }
    }

    /// How many messages were sent in one direction, and how many have arrived.
    fn counts(&self, sender: Side) -> (u64, u64) {
        let sent = self.page(sender).sent.load(Relaxed);
        let received = self.page(sender.other()).received.load(Relaxed);
        // What arrived was sent, although `send` may have failed.
        (sent.max(received), received)
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Books {
    open: Mutex<HashMap<u64, Arc<Ledger>>>,
    totals: Mutex<Totals>,
    faults: Mutex<Vec<String>>,
}

/// Sums over the connections that have ended; `received` counts the others too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) connections: u64,
    /// Those without a closing handshake.
    pub(crate) aborted: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) received_bytes: u64,
    pub(crate) lost: u64,
    /// How often each expected error was seen.
    pub(crate) errors: BTreeMap<String, u64>,
}

impl Books {
    pub(crate) fn open(&self, id: u64, plan: Plan) -> Arc<Ledger> {
        let ledger = Arc::new(Ledger {
            id,
            plan,
            client: Page::default(),
            server: Page::default(),
            is_opened: AtomicBool::new(false),
            begun: Instant::now(),
            progress: AtomicU64::new(0),
        });
        lock(&self.open).insert(id, ledger.clone());
        ledger
    }

    /// The connection with the number in this path.
    pub(crate) fn find(&self, path: &str) -> Option<Arc<Ledger>> {
        let id = path.trim_start_matches('/').parse().ok()?;
        lock(&self.open).get(&id).cloned()
    }

    pub(crate) fn received(&self, len: usize) {
        let mut totals = lock(&self.totals);
        totals.received += 1;
        totals.received_bytes += len as u64;
    }

    /// One end is over. With the second one the account is settled.
    pub(crate) fn close(&self, ledger: &Ledger, side: Side, report: Report) {
        ledger.touch();
        for error in &report.errors {
            self.expect(ledger, side, error);
        }
        let mut open = lock(&self.open);
        *lock(&ledger.page(side).report) = Some(report);
        if ledger.is_settled() && open.remove(&ledger.id).is_some() {
            drop(open);
            self.settle(ledger);
        }
    }

    /// It was never opened.
    pub(crate) fn strike(&self, ledger: &Ledger, error: &dyn Display) {
        lock(&self.open).remove(&ledger.id);
        self.fault(format!("not opened: {error}: {ledger:?}"));
    }

    pub(crate) fn fault(&self, fault: String) {
        eprintln!("fault: {fault}");
        lock(&self.faults).push(fault);
    }

    pub(crate) fn is_balanced(&self) -> bool {
        lock(&self.faults).is_empty()
    }

    pub(crate) fn open_len(&self) -> usize {
        lock(&self.open).len()
    }

    pub(crate) fn totals(&self) -> Totals {
        lock(&self.totals).clone()
    }

    /// A connection on which nothing has happened for this long.
    pub(crate) fn stalled(&self, limit: Duration) -> Option<Arc<Ledger>> {
        let open = lock(&self.open);
        open.values().find(|ledger| ledger.idle() > limit).cloned()
    }

    fn expect(&self, ledger: &Ledger, side: Side, error: &Error) {
        if ledger.plan.expects(side, error) {
            *lock(&self.totals)
                .errors
                .entry(error.to_string())
                .or_default() += 1;
        } else {
            self.fault(format!("{side:?}: {error}: {ledger:?}"));
        }
    }

    fn settle(&self, ledger: &Ledger) {
        let sides = [Side::Client, Side::Server];
        for side in sides {
            if let Some(fault) = ledger.fault(side) {
                self.fault(format!("from {side:?}: {fault}: {ledger:?}"));
            }
        }
        let is_clean = |side| {
            let report = lock(&ledger.page(side).report);
            report.as_ref().map(|report| report.confirmed) != Some(Confirmed::Nothing)
        };
        let mut totals = lock(&self.totals);
        totals.connections += 1;
        totals.aborted += u64::from(!sides.into_iter().all(is_clean));
        for side in sides {
            let (sent, received) = ledger.counts(side);
            totals.sent += sent;
            totals.lost += sent - received;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
