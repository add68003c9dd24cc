//! The wakers of the tasks that wait on one connection: the tasks that receive and send
//! on an unsplit connection, usually the same one, or a task for each half.
//!
//! A transport stores one waker for each direction, and each task can make it read and
//! write: automatic replies are sent by any call, and TLS may have to write before it can
//! read. So with more than one task, the transport is given a waker that wakes all of
//! them, and no wake-up is lost.

use std::boxed::Box;
use std::sync::{Arc, PoisonError};
#[cfg(not(sansocket_loom))]
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

#[cfg(sansocket_loom)]
use loom::sync::{Mutex, MutexGuard};

/// The wakers of the tasks that wait.
#[derive(Debug, Default)]
pub(super) struct WakerSet(Mutex<Vec<Slot>>);

/// The place of one task, which waits if there is a waker.
#[derive(Debug, Default)]
struct Slot {
    is_taken: bool,
    waker: Option<Waker>,
    /// Whether it waits only for the end of the connection.
    awaits_end: bool,
}

/// A task's slot in a set, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    set: Arc<WakerSet>,
    index: usize,
}

impl WakerSet {
    /// Stores the waker of a task that is about to be polled, so that nothing that happens
    /// during the poll is missed.
    fn register(&self, index: usize, waker: &Waker, awaits_end: bool) {
        let known = self.with(index, |slot| {
            slot.awaits_end = awaits_end;
            match &slot.waker {
                Some(known) if known.will_wake(waker) => None,
                _ => slot.waker.replace(waker.clone()),
            }
        });
        // Not under the lock: this can drop the task.
        drop(known);
    }

    /// The task no longer waits, and is not woken.
    fn unregister(&self, index: usize) {
        drop(self.with(index, |slot| slot.waker.take()));
    }

    /// Wakes each task of which `should_wake` is true, once.
    fn wake_where(&self, should_wake: impl Fn(usize, &Slot) -> bool) {
        let len = self.lock().len();
        for index in 0..len {
            let waker = self.with(index, |slot| {
                let is_woken = should_wake(index, slot);
                slot.waker.take_if(|_| is_woken)
            });
            // Not under the lock: waking can poll a task.
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

impl Wake for WakerSet {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_where(|_, slot| !slot.awaits_end);
    }
}

impl Registration {
    /// The first slot of a new set.
    pub(super) fn new() -> Self {
        Self::in_set(&Arc::default())
    }

    /// Another slot of the same set.
    pub(super) fn sibling(&self) -> Self {
        Self::in_set(&self.set)
    }

    fn in_set(set: &Arc<WakerSet>) -> Self {
        let mut slots = set.lock();
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
            set: set.clone(),
            index,
        }
    }

    /// A waker that wakes all tasks that wait for the transport.
    pub(super) fn shared_waker(&self) -> Waker {
        self.set.clone().into()
    }

    /// This task is about to be polled.
    pub(super) fn register(&self, waker: &Waker) {
        self.set.register(self.index, waker, false);
    }

    /// This task waits only for the end of the connection.
    pub(super) fn register_for_end(&self, waker: &Waker) {
        self.set.register(self.index, waker, true);
    }

    /// This task no longer waits.
    pub(super) fn unregister(&self) {
        self.set.unregister(self.index);
    }

    /// Wakes all others: the connection has changed.
    pub(super) fn wake_others(&self) {
        self.set.wake_where(|index, _| index != self.index);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let waker = self.set.with(self.index, |slot| {
            slot.is_taken = false;
            slot.waker.take()
        });
        drop(waker);
    }
}

/// Which half of an unsplit connection a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Reader,
    Writer,
}

impl Half {
    const fn other(self) -> Self {
        match self {
            Self::Reader => Self::Writer,
            Self::Writer => Self::Reader,
        }
    }
}

/// The wakers of an unsplit connection. `StreamExt::split` and `tokio::io::split`
/// make two of it; while only one is seen, its own waker is used.
#[derive(Debug, Default)]
pub(super) enum SocketWakers {
    #[default]
    NoTask,
    /// The waker is kept when the task no longer waits: most likely, the same one comes
    /// again, and a comparison is cheaper than a clone.
    OneTask {
        waker: Waker,
        reads: bool,
        writes: bool,
    },
    TwoTasks(Box<HalfWakers>),
}

#[derive(Debug)]
pub(super) struct HalfWakers {
    reader: Registration,
    writer: Registration,
}

impl SocketWakers {
    /// A task is about to poll a half. Returns the waker for the transport, if it is not
    /// the task's own.
    #[inline]
    pub(super) fn register(&mut self, half: Half, waker: &Waker) -> Option<Waker> {
        if let Self::OneTask {
            waker: known,
            reads,
            writes,
        } = self
            && known.will_wake(waker)
        {
            *reads |= half == Half::Reader;
            *writes |= half == Half::Writer;
            return None;
        }
        self.register_new(half, waker)
    }

    #[inline(never)]
    fn register_new(&mut self, half: Half, waker: &Waker) -> Option<Waker> {
        let (is_reader, is_writer) = (half == Half::Reader, half == Half::Writer);
        match self {
            Self::OneTask {
                waker: other,
                reads,
                writes,
            } if *reads && is_writer || *writes && is_reader => {
                let wakers = HalfWakers::default();
                wakers.registration(half.other()).register(other);
                *self = Self::TwoTasks(Box::new(wakers));
            }
            Self::TwoTasks(_) => {}
            Self::NoTask | Self::OneTask { .. } => {
                *self = Self::OneTask {
                    waker: waker.clone(),
                    reads: is_reader,
                    writes: is_writer,
                }
            }
        }
        let registration = self.registration(half)?;
        registration.register(waker);
        Some(registration.shared_waker())
    }

    /// The task of a half no longer waits.
    #[inline]
    pub(super) fn unregister(&mut self, half: Half) {
        if let Self::OneTask { reads, writes, .. } = self {
            match half {
                Half::Reader => *reads = false,
                Half::Writer => *writes = false,
            }
        } else if let Some(registration) = self.registration(half) {
            registration.unregister();
        }
    }

    /// Wakes the other half's task, if it is another one: the connection has
    /// changed.
    pub(super) fn wake_other_half(&self, half: Half) {
        self.registration(half)
            .inspect(|registration| registration.wake_others());
    }

    fn registration(&self, half: Half) -> Option<&Registration> {
        match self {
            Self::TwoTasks(wakers) => Some(wakers.registration(half)),
            _ => None,
        }
    }
}

impl HalfWakers {
    const fn registration(&self, half: Half) -> &Registration {
        match half {
            Half::Reader => &self.reader,
            Half::Writer => &self.writer,
        }
    }
}

impl Default for HalfWakers {
    fn default() -> Self {
        let reader = Registration::new();
        Self {
            writer: reader.sibling(),
            reader,
        }
    }
}

/// Pending, to be polled again after other tasks.
pub(super) fn yield_now<R>(cx: &Context<'_>) -> Poll<R> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
