//! A transport that reads and writes in pieces, is interrupted, and fails.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use socket2::SockRef;

use crate::noise::Noise;
use crate::plan::{Fault, Plan, Side};
use crate::script::End;

/// What a transport does wrong. A server learns from the request which connection it
/// has accepted, and faults begin when both ends have opened it.
#[derive(Debug)]
pub(crate) struct Faults {
    noise: Mutex<Noise>,
    /// The end of which this is the transport, or with HTTP/2 the ends. The plan of the
    /// first one counts.
    ends: RwLock<Vec<End>>,
    /// How many bytes were read and written since the connection was opened.
    moved: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It moves at most so many bytes.
    Move(usize),
    /// It is not ready, or interrupted.
    Retry,
    Fail(ErrorKind),
}

/// A stream with faults.
#[derive(Debug)]
pub(crate) struct Faulty<S> {
    pub(crate) stream: S,
    pub(crate) faults: Arc<Faults>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            noise: Mutex::new(Noise::new(seed)),
            ends: RwLock::default(),
            moved: AtomicU64::new(0),
        })
    }

    /// From now on, this is the transport of this end.
    pub(crate) fn arm(&self, end: &End) {
        let mut ends = self.ends.write().unwrap_or_else(PoisonError::into_inner);
        ends.push(end.clone());
    }

    fn plan(&self) -> Option<(Plan, Side)> {
        let ends = self.ends.read().unwrap_or_else(PoisonError::into_inner);
        let end = ends.first().filter(|end| end.ledger.is_opened())?;
        Some((end.ledger.plan, end.side))
    }

    fn max_piece(&self) -> usize {
        self.plan()
            .map_or(1024, |(plan, side)| plan.manner(side).max_piece)
    }

    /// Bytes were read or written.
    fn count(&self, len: usize) {
        if self.plan().is_some() {
            self.moved.fetch_add(len as u64, Relaxed);
        }
        let ends = self.ends.read().unwrap_or_else(PoisonError::into_inner);
        for end in &*ends {
            end.ledger.touch();
        }
    }

    /// The fault, once it has come.
    fn present(&self) -> Option<Fault> {
        let (plan, side) = self.plan()?;
        let (fault, after) = plan.fault(side)?;
        (self.moved.load(Relaxed) >= after).then_some(fault)
    }

    fn next(&self, direction: Direction) -> Step {
        match (self.present(), direction) {
            (Some(Fault::Reset), _) => return Step::Fail(ErrorKind::ConnectionReset),
            (Some(Fault::Reads(kind)), Direction::Read) => return Step::Fail(kind),
            (Some(Fault::Writes(kind)), Direction::Write) => return Step::Fail(kind),
            _ => {}
        }
        let max_piece = self.max_piece();
        if max_piece == usize::MAX {
            return Step::Move(usize::MAX);
        }
        let mut noise = self.noise.lock().unwrap_or_else(PoisonError::into_inner);
        if noise.one_in(8) {
            return Step::Retry;
        }
        Step::Move(1 + noise.below(max_piece as u64) as usize)
    }
}

impl<S: AsFd> Faulty<S> {
    pub(crate) const fn new(stream: S, faults: Arc<Faults>) -> Self {
        Self { stream, faults }
    }

    /// Before a call.
    pub(crate) fn step(&self, direction: Direction) -> Step {
        self.faults.next(direction)
    }

    /// After a call.
    pub(crate) fn moved(&self, result: io::Result<usize>) -> io::Result<usize> {
        let was_present = self.faults.present().is_some();
        let len = result?;
        self.faults.count(len);
        if !was_present && let Some(fault) = self.faults.present() {
            self.begin(fault);
        }
        Ok(len)
    }

    /// Does to the socket what the other end sees.
    fn begin(&self, fault: Fault) {
        let socket = SockRef::from(&self.stream);
        // They fail if the other end was faster.
        match fault {
            Fault::Reset => {
                let _ = socket.set_linger(Some(Duration::ZERO));
                // Wakes who reads. The reset is sent when the socket is dropped.
                let _ = socket.shutdown(Shutdown::Read);
            }
            Fault::EndOfWrites | Fault::Writes(_) => {
                let _ = socket.shutdown(Shutdown::Write);
            }
            Fault::Reads(_) => {
                let _ = socket.shutdown(Shutdown::Read);
            }
        }
    }
}
