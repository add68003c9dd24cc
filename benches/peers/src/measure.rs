//! Races: contestants do the same work in turns, many rounds, so that what
//! else the machine does meets them all. What counts is the CPU time of the
//! thread, so that time in which another process ran does not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How long a turn lasts, and how many there are.
#[derive(Clone, Copy)]
pub struct Effort {
    pub turn: Duration,
    pub rounds: usize,
}

impl Effort {
    pub const FULL: Self = Self {
        turn: Duration::from_millis(4),
        rounds: 25,
    };
    pub const QUICK: Self = Self {
        turn: Duration::from_millis(1),
        rounds: 7,
    };
}

/// One contestant: does so many units of the work.
pub struct Lane<'a> {
    pub name: &'static str,
    pub work: Box<dyn FnMut(usize) + 'a>,
}

/// What one took for a unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    pub name: String,
    /// Of CPU time: the median of the rounds.
    pub ns: f64,
    /// Between the quartiles of the rounds, as a part of the median.
    pub spread: f64,
    pub allocations: f64,
    /// To the transport.
    pub writes: f64,
}

/// `unit` is the number of units that belong together: a turn is a multiple.
pub fn race(mut lanes: Vec<Lane<'_>>, unit: usize, effort: Effort) -> Vec<Figure> {
    let mut units = Vec::new();
    for lane in &mut lanes {
        // Twice, as the first fills caches and buffers.
        (lane.work)(unit);
        let took = timed(|| (lane.work)(unit));
        let times = effort.turn.as_secs_f64() / took.as_secs_f64().max(1e-9);
        units.push(unit * (times.ceil() as usize).clamp(1, 1 << 20));
    }
    let mut times = vec![Vec::new(); lanes.len()];
    for round in 0..effort.rounds {
        // Not always behind the same one.
        for turn in 0..lanes.len() {
            let index = (turn + round) % lanes.len();
            let took = timed(|| (lanes[index].work)(units[index]));
            times[index].push(took.as_secs_f64() * 1e9 / units[index] as f64);
        }
    }
    let figures = lanes.iter_mut().zip(&mut times);
    figures
        .map(|(lane, times)| {
            let ns = median(times);
            let quartile = |number| times[times.len() * number / 4];
            let counts = counted(|| (lane.work)(unit));
            Figure {
                name: lane.name.into(),
                ns,
                spread: (quartile(3) - quartile(1)) / ns,
                allocations: counts.allocations as f64 / unit as f64,
                writes: counts.writes as f64 / unit as f64,
            }
        })
        .collect()
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = cpu_time();
    work();
    cpu_time() - start
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec that may be written to.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "a clock for each thread");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Counts when it is told to, so that it costs nothing otherwise.
pub struct Counter;

#[global_allocator]
static COUNTER: Counter = Counter;
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicIsize = AtomicIsize::new(0);
static WRITES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if IS_COUNTING.load(Relaxed) {
            HELD.fetch_sub(layout.size() as isize, Relaxed);
        }
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(place, layout, size) }
    }
}

fn count(bytes: isize) {
    if IS_COUNTING.load(Relaxed) {
        ALLOCATIONS.fetch_add(1, Relaxed);
        HELD.fetch_add(bytes, Relaxed);
    }
}

/// A write to a transport: a system call, if it were a socket.
pub fn count_write() {
    if IS_COUNTING.load(Relaxed) {
        WRITES.fetch_add(1, Relaxed);
    }
}

/// What was counted during some work.
pub struct Counts {
    pub allocations: usize,
    pub writes: usize,
}

pub fn counted(work: impl FnOnce()) -> Counts {
    ALLOCATIONS.store(0, Relaxed);
    WRITES.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    work();
    IS_COUNTING.store(false, Relaxed);
    Counts {
        allocations: ALLOCATIONS.load(Relaxed),
        writes: WRITES.load(Relaxed),
    }
}

/// From here on all is counted, for [`held`].
pub fn count_always() {
    IS_COUNTING.store(true, Relaxed);
}

/// Heap bytes that were taken and not given back.
pub fn held() -> isize {
    HELD.load(Relaxed)
}
