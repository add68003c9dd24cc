//! Keeps the cores from going idle while servers are measured. In ping-pong, a core
//! has nothing to do between two messages, and waking a virtual CPU takes longer than
//! the echo. A thread of the class SCHED_IDLE runs only if no other thread wants the
//! core, and is preempted at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

use core_affinity::CoreId;

use super::cores;

/// One spinning thread on each core, until it is dropped.
pub struct Spinners {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Spinners {
    pub fn start() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let start = |core: &CoreId| {
            let (core, is_over) = (*core, Arc::clone(&is_over));
            thread::spawn(move || spin(core, &is_over))
        };
        let threads = cores::all().iter().map(start).collect();
        Self { is_over, threads }
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            if let Ok(Err(error)) = thread.join() {
                eprintln!("skipped: no SCHED_IDLE spinner: {error}");
            }
        }
    }
}

fn spin(core: CoreId, is_over: &AtomicBool) -> io::Result<()> {
    core_affinity::set_for_current(core);
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the call only reads `param`.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &param) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Without `spin_loop`, because a hypervisor may deschedule a CPU that pauses.
    while !is_over.load(Relaxed) {}
    Ok(())
}
