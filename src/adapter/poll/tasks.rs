//! The tasks that wait on one connection: of an unsplit one those that receive
//! and send, mostly the same, and of a split one a task for each half.
//!
//! A transport keeps one waker for each direction, and each task may make it
//! read and write: automatic replies leave with any call, and TLS may have to
//! write before it can read. So where there is more than one task, the
//! transport is given a waker that wakes all that wait, and no wake-up can be
//! lost.

use std::boxed::Box;
use std::sync::{Arc, PoisonError};
#[cfg(not(sansocket_loom))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

#[cfg(sansocket_loom)]
use loom::sync::{Mutex, MutexGuard};

/// The tasks that wait.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<Vec<Slot>>);

/// One task's. Without a waker it does not wait.
#[derive(Debug, Default)]
struct Slot {
    is_taken: bool,
    waker: Option<Waker>,
    /// It waits for nothing but the end of the connection.
    awaits_end: bool,
}

/// A place among the tasks, given back when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    tasks: Arc<Tasks>,
    index: usize,
}

impl Tasks {
    /// Remembers the waker of a task that is about to be polled. First: what
    /// happens during the poll must not be missed.
    fn wait(&self, index: usize, waker: &Waker, awaits_end: bool) {
        let known = self.with(index, |slot| {
            slot.awaits_end = awaits_end;
            match &slot.waker {
                Some(known) if known.will_wake(waker) => None,
                _ => slot.waker.replace(waker.clone()),
            }
        });
        // Not under the lock: it may be the last of a task that is dropped.
        drop(known);
    }

    /// The task does not wait any more, and is not woken for nothing.
    fn leave(&self, index: usize) {
        drop(self.with(index, |slot| slot.waker.take()));
    }

    /// Wakes the tasks that this lets through, each once.
    fn wake_where(&self, lets_through: impl Fn(usize, &Slot) -> bool) {
        let len = self.lock().len();
        for index in 0..len {
            let waker = self.with(index, |slot| {
                let is_woken = lets_through(index, slot);
                slot.waker.take_if(|_| is_woken)
            });
            // Not under the lock: a task may be polled right here.
            waker.inspect(Waker::wake_by_ref);
        }
    }

    fn with<R>(&self, index: usize, act: impl FnOnce(&mut Slot) -> Option<R>) -> Option<R> {
        self.lock().get_mut(index).and_then(act)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_where(|_, slot| !slot.awaits_end);
    }
}

impl Registration {
    /// A place among new tasks.
    pub(super) fn new() -> Self {
        Self::among(&Arc::default())
    }

    /// Another place among the same tasks.
    pub(super) fn another(&self) -> Self {
        Self::among(&self.tasks)
    }

    fn among(tasks: &Arc<Tasks>) -> Self {
        let mut slots = tasks.lock();
        let free = slots.iter().position(|slot| !slot.is_taken);
        let index = free.unwrap_or(slots.len());
        let slot = Slot {
            is_taken: true,
            ..Slot::default()
        };
        match slots.get_mut(index) {
            Some(free) => *free = slot,
            None => slots.push(slot),
        }
        drop(slots);
        Self {
            tasks: tasks.clone(),
            index,
        }
    }

    /// A waker of all tasks that wait for the transport.
    pub(super) fn waker_of_all(&self) -> Waker {
        self.tasks.clone().into()
    }

    /// This task is about to be polled.
    pub(super) fn wait(&self, waker: &Waker) {
        self.tasks.wait(self.index, waker, false);
    }

    /// This task waits for the end of the connection alone.
    pub(super) fn wait_for_end(&self, waker: &Waker) {
        self.tasks.wait(self.index, waker, true);
    }

    /// This task does not wait any more.
    pub(super) fn leave(&self) {
        self.tasks.leave(self.index);
    }

    /// Wakes all others: the connection has changed.
    pub(super) fn wake_others(&self) {
        self.tasks.wake_where(|index, _| index != self.index);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let waker = self.tasks.with(self.index, |slot| {
            slot.is_taken = false;
            slot.waker.take()
        });
        drop(waker);
    }
}

/// The side of an unsplit connection that a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Reader,
    Writer,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Reader => Self::Writer,
            Self::Writer => Self::Reader,
        }
    }
}

/// The tasks of an unsplit connection. `StreamExt::split` and `tokio::io::split`
/// make two of it; while only one is seen, its own waker is used.
#[derive(Debug, Default)]
pub(super) enum Sides {
    #[default]
    Idle,
    One {
        waker: Waker,
        reads: bool,
        writes: bool,
    },
    Two(Box<Two>),
}

#[derive(Debug)]
pub(super) struct Two {
    reader: Registration,
    writer: Registration,
}

impl Sides {
    /// A task is about to poll a side. Returns the waker for the transport
    /// where it is not the task's own.
    pub(super) fn wait(&mut self, side: Side, waker: &Waker) -> Option<Waker> {
        let (is_reader, is_writer) = (side == Side::Reader, side == Side::Writer);
        match self {
            Self::One {
                waker: known,
                reads,
                writes,
            } if known.will_wake(waker) => {
                *reads |= is_reader;
                *writes |= is_writer;
            }
            Self::One {
                waker: other,
                reads,
                writes,
            } if *reads && is_writer || *writes && is_reader => {
                let two = Two::default();
                two.place(side.other()).wait(other);
                *self = Self::Two(Box::new(two));
            }
            Self::Two(_) => {}
            Self::Idle | Self::One { .. } => {
                *self = Self::One {
                    waker: waker.clone(),
                    reads: is_reader,
                    writes: is_writer,
                }
            }
        }
        let place = self.place(side)?;
        place.wait(waker);
        Some(place.waker_of_all())
    }

    /// The task of a side does not wait any more.
    pub(super) fn leave(&mut self, side: Side) {
        if let Self::One { reads, writes, .. } = self {
            match side {
                Side::Reader => *reads = false,
                Side::Writer => *writes = false,
            }
            if !*reads && !*writes {
                *self = Self::Idle;
            }
        } else if let Some(place) = self.place(side) {
            place.leave();
        }
    }

    /// Wakes the other side's task, if it is another one: the connection has
    /// changed.
    pub(super) fn wake_other(&self, side: Side) {
        self.place(side).inspect(|place| place.wake_others());
    }

    fn place(&self, side: Side) -> Option<&Registration> {
        match self {
            Self::Two(two) => Some(two.place(side)),
            _ => None,
        }
    }
}

impl Two {
    const fn place(&self, side: Side) -> &Registration {
        match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        }
    }
}

impl Default for Two {
    fn default() -> Self {
        let reader = Registration::new();
        Self {
            writer: reader.another(),
            reader,
        }
    }
}

/// Pending, to be polled again after other tasks.
pub(super) fn yield_now<R>(cx: &Context<'_>) -> Poll<R> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
