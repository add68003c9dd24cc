//! Pins processes: servers and clients under test to the first core, and what they
//! talk to, to the last.

use std::sync::LazyLock;

use core_affinity::CoreId;

/// The cores of this process, read before any thread is pinned: a pinned thread sees
/// only its own core, and its children inherit that.
static CORES: LazyLock<Vec<CoreId>> =
    LazyLock::new(|| core_affinity::get_core_ids().unwrap_or_default());

pub fn all() -> &'static [CoreId] {
    &CORES
}

/// The core for what is measured. Child processes are passed its number, because they
/// inherit the core of the load.
pub fn measured() -> usize {
    all().first().map_or(0, |core| core.id)
}

/// Pins the calling thread to the core of the load.
pub fn pin_load() {
    if let Some(core) = all().last() {
        core_affinity::set_for_current(*core);
    }
}

/// Pins the calling thread to this core.
pub fn pin(id: usize) {
    core_affinity::set_for_current(CoreId { id });
}
