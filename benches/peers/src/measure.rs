//! Races: contestants do the same work in turns, many rounds, so that what
//! else the machine does meets them all.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

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
#[derive(Clone, Copy)]
pub struct Figure {
    pub name: &'static str,
    /// Median of the rounds.
    pub ns: f64,
    pub allocations: f64,
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
        .map(|(lane, times)| Figure {
            name: lane.name,
            ns: median(times),
            allocations: counted(|| (lane.work)(unit)) as f64 / unit as f64,
        })
        .collect()
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Counts when it is told to, so that it costs nothing otherwise.
pub struct Counter;

#[global_allocator]
static COUNTER: Counter = Counter;
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicIsize = AtomicIsize::new(0);

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

/// Allocations during the work.
pub fn counted(work: impl FnOnce()) -> usize {
    ALLOCATIONS.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    work();
    IS_COUNTING.store(false, Relaxed);
    ALLOCATIONS.load(Relaxed)
}

/// From here on all is counted, for [`held`].
pub fn count_always() {
    IS_COUNTING.store(true, Relaxed);
}

/// Heap bytes that were taken and not given back.
pub fn held() -> isize {
    HELD.load(Relaxed)
}
